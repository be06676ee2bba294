"""What can go wrong for a user of the encoder.

EncoderError                exit status 2: usage or bad input
├── ConfigError             an option out of its range, or one that the picture does not allow
├── InputError              the input cannot be opened, or is not video that we take
│   ├── Y4mError            not Y4M, a bad header, a truncated frame
│   └── ContainerError      a container that FFmpeg cannot read, or pictures other than 8-bit 4:2:0
├── OutputError             an output that exists, cannot be written, or has an unknown suffix
├── KernelError             an unknown kernel set or slot, a user kernel that does not fit or that raises
└── EnvironmentFault        exit status 5: the machine, not the request, is in the way
    └── DiskFullError       no room for an output file

Messages are one line: which input, what was seen, what is accepted, what to do.
"""

EXIT_OK = 0
EXIT_USAGE = 2
EXIT_ENVIRONMENT = 5
EXIT_INTERRUPTED = 130


class EncoderError(Exception):
    """An error with a message for the user; `exit_status` is what the command line returns."""

    exit_status = EXIT_USAGE


class ConfigError(EncoderError):
    """An option is out of its range."""


class InputError(EncoderError):
    """An input cannot be read."""


class Y4mError(InputError):
    """A Y4M stream that we cannot read."""


class ContainerError(InputError):
    """A video container that we cannot read or write."""


class OutputError(EncoderError):
    """An output file that we cannot or must not write."""


class KernelError(EncoderError):
    """A kernel set or a kernel that cannot be used."""


class EnvironmentFault(EncoderError):
    """The machine lacks something that the request needs."""

    exit_status = EXIT_ENVIRONMENT


class DiskFullError(EnvironmentFault):
    """An output file does not fit on its disk."""
