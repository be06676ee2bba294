"""Two-dimensional views of blocks in flat arrays."""

import numpy as np


def block(samples, at, stride, w, h):
    """A view of h rows of w samples. Raises ValueError where the block does not lie inside the array."""
    item = samples.itemsize
    return np.ndarray((h, w), samples.dtype, samples, at * item, (stride * item, item))


def wide_block(samples, at, stride, w, h):
    """The block as a copy of type int32, ready for arithmetic."""
    return block(samples, at, stride, w, h).astype(np.int32)


def wide(samples, at, count):
    """`count` samples from index `at` on as a copy of type int32."""
    return samples[at : at + count].astype(np.int32)
