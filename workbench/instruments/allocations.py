"""How many allocations compiled code makes in one encode, by any revision of our encoder: numba's own count, exact."""

from __future__ import annotations

import json
from pathlib import Path

from workbench import child
from workbench.encode import STREAM
from workbench.errors import SubjectError
from workbench.sides import OUTPUT, Encode

_COUNT = str(Path(__file__).parent / "inside" / "allocation_count.py")
_STATISTICS = {"NUMBA_NRT_STATS": "1"}


def measure(encode: Encode, folder: Path, timeout_s: float) -> int | None:
    """Encode once; None where they are not counted. Raises SubjectError, SubjectTimeout."""
    assert encode.home is not None
    result = folder / "allocations.json"
    result.unlink(missing_ok=True)
    arguments = [word.replace(OUTPUT, str(folder / STREAM)) for word in encode.arguments]
    words = (encode.home.python, _COUNT, str(result), *arguments)
    finished = child.run(words, timeout_s, {**encode.home.environment, **_STATISTICS}, check=False)
    if finished.usage.exit_status != 0 or not result.is_file():
        raise SubjectError(f"{encode.title}: {child.describe_failure(finished)}")
    counted: int | None = json.loads(result.read_text())
    return counted
