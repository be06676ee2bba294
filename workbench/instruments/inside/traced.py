"""The encoder's command line with its timeline recorded: python -m workbench.instruments.inside.traced SPANS.npz ARGUMENT...

$ENCODER_TRACE says how fine it is. All compiled code is loaded before the encode begins (see loaded.py). SPANS.npz holds what
encoder/timeline.py records: `about` (JSON: what is no array), `lane 0` ... and, of each memory for tiles, `memory 0` ... (rows).
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from typing import Any


def packed(recorded: dict[str, Any]) -> dict[str, Any]:
    """What `encoder.timeline.recorded` gives, as arrays to be saved under names."""
    import numpy as np

    from encoder.probe import TILE_SPANS
    from encoder.timeline import LANE_FIELDS

    about = {
        "detail": recorded["detail"],
        "fields": LANE_FIELDS,
        "tile_spans": TILE_SPANS,
        "clocks": recorded["clocks"],
        "lanes": [{key: lane[key] for key in ("thread", "names", "lost")} for lane in recorded["lanes"]],
        "tiles": [{"lost": tile["lost"]} for tile in recorded["tiles"]],
    }
    arrays = {f"lane {at}": lane["rows"] for at, lane in enumerate(recorded["lanes"])}
    arrays |= {f"memory {at}": tile["rows"] for at, tile in enumerate(recorded["tiles"])}
    return {"about": np.array(json.dumps(about)), **arrays}


def load_code(arguments: list[str]) -> int:
    """Load, and where it is missing compile, what the kernel set among the encoder's arguments needs; its exit status.

    An interpreted set needs nothing, and its warming up would take longer than many an encode of it.
    """
    from encoder.cli import main as encode
    from encoder.errors import KernelError
    from encoder.kernels.load import load_kernels

    kernels = arguments[arguments.index("--kernels") + 1]
    with suppress(KernelError):  # the encoder says it in one line
        if load_kernels(kernels).interpreted:
            return os.EX_OK
    return encode(["--warm", "--kernels", kernels, "-q"])


def main() -> int:
    """Load, encode, write the spans, return the encoder's exit status."""
    path, *arguments = sys.argv[1:]
    if status := load_code(arguments):
        return status
    from encoder import timeline
    from encoder.cli import main as encode

    timeline.restart()
    status = encode(arguments)
    if status == os.EX_OK:
        import numpy as np

        with open(path, "wb") as file:
            np.savez(file, **packed(timeline.recorded()))
    return status


if __name__ == "__main__":
    sys.exit(main())
