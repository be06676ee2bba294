"""The encoder's command line under coverage.py, branches included; writes what was run and what could have been.

python -m workbench.instruments.inside.covered RESULT.json OMITTED,... ENCODER_ARGUMENT... OMITTED are paths under the
package (a file, or a folder ending in /) that are no part of it. RESULT.json maps each file of the package to
{"statements": [line, ...], "lines": [line, ...], "exits": number of branch exits, "arcs": [[from, to], ...]}: lines
and arcs were run.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coverage import Coverage


def files_of(package: Path, omitted: Sequence[str]) -> dict[str, Path]:
    """Source files of a package by their path in it."""
    found = {str(path.relative_to(package)): path for path in sorted(package.rglob("*.py"))}
    return {name: path for name, path in found.items() if not name.startswith(tuple(omitted))}


def summary(measured: Coverage, path: Path) -> dict[str, Any]:
    """One file: its statements and branch exits, and those that were run."""
    _, statements, _, missing, _ = measured.analysis2(str(path))
    branches = measured.branch_stats(str(path))
    arcs = measured.get_data().arcs(str(path)) or []
    return {
        "statements": statements,
        "lines": sorted(set(statements) - set(missing)),
        "exits": sum(total for total, _ in branches.values()),
        "arcs": sorted([start, end] for start, end in arcs if start in branches),
    }


def main() -> int:
    """Encode under coverage, write the result, return the encoder's exit status."""
    import coverage

    result, omitted, *arguments = sys.argv[1:]
    measured = coverage.Coverage(data_file=None, branch=True, source_pkgs=["encoder"], config_file=False)
    measured.start()
    import encoder
    from encoder.cli import main as encode

    status = encode(arguments)
    measured.stop()
    files = files_of(Path(encoder.__file__).parent, omitted.split(","))
    Path(result).write_text(json.dumps({name: summary(measured, path) for name, path in files.items()}))
    return status


if __name__ == "__main__":
    sys.exit(main())
