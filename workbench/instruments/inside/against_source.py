"""Decode a stream and measure its luma against the source; prints one JSON object.

python -m workbench.instruments.inside.against_source STREAM SOURCE
{"frames": 10, "psnr_y": 41.2, "message": ""}: PSNR in dB of the mean squared error over all frames, null where that is 0; the
message says what is wrong, if anything is. A process of its own: a decoder may crash on a broken stream.
"""

from __future__ import annotations

import json
import math
import sys
from typing import Any

from workbench.instruments.inside.decoded import decoded, planes, stored


def against_source(stream: str, source: str) -> dict[str, Any]:
    """Frames, PSNR and what is wrong."""
    import numpy as np
    from av.error import FFmpegError

    frames, errors, message = 0, [], ""
    try:
        for shown, original in zip(decoded(stream), stored(source), strict=False):
            ours, theirs = planes(shown)[0], planes(original)[0]
            if ours.shape != theirs.shape:
                message = (
                    f"its stream shows {shown.width}x{shown.height}, the source {original.width}x{original.height}"
                )
                break
            errors.append(float(np.mean(np.square(ours.astype(np.int32) - theirs))))
            frames += 1
    except (FFmpegError, IndexError) as error:  # IndexError: no video stream in it
        message = f"its stream does not decode: {getattr(error, 'strerror', None) or error}"
    if not message and not frames:
        message = "its stream shows no frame"
    mse = math.fsum(errors) / max(frames, 1)
    return {"frames": frames, "psnr_y": 10 * math.log10(255**2 / mse) if mse else None, "message": message}


if __name__ == "__main__":
    print(json.dumps(against_source(*sys.argv[1:])))
