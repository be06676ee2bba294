"""The encoder's command line again and again in one process, all code loaded, with the sampler on: shares of whole encodes.

python -m workbench.instruments.inside.sampled_encodes RESULT.json SECONDS -- ENCODER_ARGUMENT... What samples, and where to, the
environment says (watched.py). The first encode loads the code and is not looked at; others follow for SECONDS of processor
time. RESULT.json: {"encode_s": [processor seconds of each encode]}.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from pathlib import Path

from workbench.instruments.inside import watched


def main() -> int:
    """Encode, write the result, return the encoder's exit status."""
    words = sys.argv[1:]
    cut = words.index("--")
    result, seconds, arguments = Path(words[0]), float(words[1]), words[cut + 1 :]
    watcher = watched.install(watched.settings())  # before the encoder, which compiles as it loads
    if watcher is None:
        return 1
    from encoder.cli import main as encode

    if status := encode(arguments):
        return status
    gc.collect()
    taken: list[float] = []
    watcher.start()
    while not status and sum(taken) < seconds:
        began = time.process_time()
        status = encode(arguments)
        taken.append(time.process_time() - began)
    watcher.stop()
    result.write_text(json.dumps({"encode_s": taken}))
    return status


if __name__ == "__main__":
    sys.exit(main())
