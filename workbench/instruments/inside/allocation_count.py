"""The encoder's command line, and how many allocations its compiled code made.

python allocation_count.py RESULT.json ENCODER_ARGUMENT... with NUMBA_NRT_STATS=1. It is started by its path and imports nothing of
the workbench, so that the `encoder` may be that of another revision. RESULT.json holds the number, or null where numba's
runtime does not count. Compiling and loading make none.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main() -> int:
    """Encode, write the number, return the encoder's exit status."""
    result, *arguments = sys.argv[1:]
    from encoder.cli import main as encode

    status = encode(arguments)
    Path(result).write_text(json.dumps(_count()))
    return status


def _count() -> int | None:
    try:
        from numba.core.runtime import _nrt_python, rtsys

        return int(rtsys.get_allocation_stats().alloc) if _nrt_python.memsys_stats_enabled() else None
    except (ImportError, AttributeError):  # of another version of numba
        return None


if __name__ == "__main__":
    sys.exit(main())
