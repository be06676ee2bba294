"""Keep a processor busy until whoever started this has gone. It is started by its path and imports nothing of the workbench."""

import os

_TURNS = 1_000_000


def main() -> None:
    """Work, and look now and then whether anybody wants it."""
    parent = os.getppid()
    while os.getppid() == parent:
        for _ in range(_TURNS):
            pass


if __name__ == "__main__":
    main()
