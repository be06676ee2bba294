"""The encoder's command line, with frame pointers in what it compiles and, at its end, a map of the compiled functions.

python -m workbench.instruments.inside.profiled SYMBOLS.json ENCODER_ARGUMENT...
SYMBOLS.json is a list of [address, size, name, wrapper]. The sampler watches this process from outside.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

from workbench.instruments.inside import jit


def main() -> int:
    """Encode, write the map, return the encoder's exit status."""
    path, *arguments = sys.argv[1:]
    jit.keep_frame_pointers()
    from encoder.cli import main as encode  # after the frame pointers: the encoder compiles as it loads

    status = encode(arguments)
    if "llvmlite" in sys.modules:
        Path(path).write_text(json.dumps([dataclasses.astuple(symbol) for symbol in jit.symbols()]))
    return status


if __name__ == "__main__":
    sys.exit(main())
