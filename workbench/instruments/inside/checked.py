"""Kernels against the reference, slot by slot: one JSON line each, flushed, so that a kernel that crashes is known by
what is missing.

python -m workbench.instruments.inside.checked KERNELS SEED SLOT... {"slot": "satd", "cases": 52, "differences":
["satd-8x8-random-random: returned value is 3, expected 4"], "origin": "numba.distortion"} A line {"error": "...",
"exit_status": 2} instead: the set cannot be loaded.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def say(line: dict[str, Any]) -> None:
    """Print one line of JSON, at once."""
    print(json.dumps(line), flush=True)


def main() -> None:
    """Check the slots of the command line."""
    kernels, seed, *slots = sys.argv[1:]
    from encoder.errors import EncoderError
    from encoder.kernels.check import check_set
    from encoder.kernels.load import load_kernels

    try:
        candidate, reference = load_kernels(kernels), load_kernels("python")
    except EncoderError as error:
        say({"error": str(error), "exit_status": error.exit_status})
        return
    for slot, cases, differences in check_set(candidate.kernels, reference.kernels, slots, int(seed)):
        said = [str(difference) for difference in differences]
        say({"slot": slot, "cases": cases, "differences": said, "origin": candidate.origins[slot]})


if __name__ == "__main__":
    main()
