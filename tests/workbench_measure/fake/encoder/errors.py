"""What can go wrong."""


class KernelError(Exception):
    """A kernel set that is not there."""
