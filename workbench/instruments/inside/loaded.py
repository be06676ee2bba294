"""The encoder's command line in a process that has loaded all compiled code: its first frames take what they take, no more.

python -m workbench.instruments.inside.loaded ENCODER_ARGUMENT... with --kernels SET among them. It warms the set up as
`encoder --warm` does, a few small pictures, then encodes. For compiled sets: an interpreted one has nothing to load.
"""

from __future__ import annotations

import sys


def main() -> int:
    """Load, encode, return the encoder's exit status."""
    arguments = sys.argv[1:]
    from encoder.cli import main as encode

    kernels = arguments[arguments.index("--kernels") + 1]
    return encode(["--warm", "--kernels", kernels, "-q"]) or encode(arguments)


if __name__ == "__main__":
    sys.exit(main())
