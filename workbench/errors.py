"""What can go wrong, as exceptions that carry their exit status; the command line prints one line and exits with it.

WorkbenchError            2  usage or bad input
├── InputError            2  a file, folder, option or kernel that cannot be used
├── OutputsDifferError    4  streams or kernels that should agree do not, or a stream does not decode
└── EnvironmentFault      5  missing clip, wrong checksum, missing tool, full disk
    └── SubjectError      5  the measured program died or wrote no usable output
        └── SubjectTimeout  5  it was still running at its time limit
"""

from __future__ import annotations


class WorkbenchError(Exception):
    """An error that a user can act on: the message says what was seen, what is accepted and what to do."""

    exit_status = 2


class InputError(WorkbenchError):
    """An input or option that cannot be used."""


class OutputsDifferError(WorkbenchError):
    """Outputs that should be equal are not, or a stream does not decode to its reconstruction."""

    exit_status = 4


class EnvironmentFault(WorkbenchError):
    """Something around us is missing or broken: a clip, a checksum, a tool, room on the disk."""

    exit_status = 5


class SubjectError(EnvironmentFault):
    """The measured program died or wrote no usable output."""


class SubjectTimeout(SubjectError):
    """The measured program was still running at its time limit; `output` is what it had written to standard output."""

    def __init__(self, message: str, output: str = "") -> None:
        super().__init__(message)
        self.output = output
