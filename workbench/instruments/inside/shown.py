"""Decode a stream to its end; prints one JSON object.

python -m workbench.instruments.inside.shown STREAM
{"frames": 30, "size": [352, 288], "digest": "...", "message": ""}: `digest` is over the samples of all frames; the message is empty
where the stream decodes, else it says what is wrong. A process of its own: a decoder may crash on a broken stream.
"""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Any

from workbench.instruments.inside.decoded import DECODER, decoded, planes


def shown(stream: str) -> dict[str, Any]:
    """What the decoder shows of a stream."""
    from av.error import FFmpegError

    frames, size, digest, message = 0, None, hashlib.sha256(), ""
    try:
        for frame in decoded(stream):
            size = size or (frame.width, frame.height)
            for plane in planes(frame):
                digest.update(plane.tobytes())
            frames += 1
    except (FFmpegError, IndexError) as error:  # IndexError: no video stream in it
        message = f"{DECODER} fails behind {frames} good frames: {getattr(error, 'strerror', None) or error}"
    if not message and not frames:
        message = f"{DECODER} shows no frame"
    return {"frames": frames, "size": size, "digest": digest.hexdigest(), "message": message}


if __name__ == "__main__":
    print(json.dumps(shown(sys.argv[1])))
