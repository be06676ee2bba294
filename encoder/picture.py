"""Pictures: 8-bit 4:2:0 samples in one flat array, addressed by origin and stride."""

from dataclasses import dataclass, replace

import numpy as np

# The largest superblock we use: a walk over whole superblocks never leaves the allocated area.
ALIGNMENT_PX = 64
# Samples that a reference picture has around the allocated area: no prediction reads farther (tile/inter_predict.py).
REF_BORDER = 80


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """Three planes (Y, Cb, Cr) in one flat array of uint8.

    Sample (y, x) of plane p is `samples[origin[p] + y * stride[p] + x]`. Around the visible samples every plane has
    allocated ones, right and below, up to whole superblocks, and `border` samples beyond these on all four sides.

    samples                    all three planes, one after the other, borders included
    width, height              visible luma samples
    allocated_width, ...       luma samples, multiples of 64; chroma has half of each
    border                     samples on each side of the allocated area, the same for every plane
    origin, stride             per plane: index of the first visible sample, samples per row
    plane_width, plane_height  per plane: visible samples; chroma rounds up
    """

    samples: np.ndarray
    width: int
    height: int
    allocated_width: int
    allocated_height: int
    border: int
    origin: tuple[int, int, int]
    stride: tuple[int, int, int]
    plane_width: tuple[int, int, int]
    plane_height: tuple[int, int, int]

    @classmethod
    def allocate(cls, width: int, height: int, border: int = 0) -> "Picture":
        """A black-green (all zero) picture of `width` x `height` luma samples."""
        allocated_width = _round_up(width, ALIGNMENT_PX)
        allocated_height = _round_up(height, ALIGNMENT_PX)
        origin, stride, size = [], [], 0
        for subsampling in (0, 1, 1):
            row = (allocated_width >> subsampling) + 2 * border
            rows = (allocated_height >> subsampling) + 2 * border
            stride.append(row)
            origin.append(size + border * row + border)
            size += row * rows
        chroma_width, chroma_height = (width + 1) >> 1, (height + 1) >> 1
        return cls(
            samples=np.zeros(size, np.uint8),
            width=width,
            height=height,
            allocated_width=allocated_width,
            allocated_height=allocated_height,
            border=border,
            origin=(origin[0], origin[1], origin[2]),
            stride=(stride[0], stride[1], stride[2]),
            plane_width=(width, chroma_width, chroma_width),
            plane_height=(height, chroma_height, chroma_height),
        )

    @classmethod
    def allocate_row(cls, count: int, width: int, height: int, border: int) -> "list[Picture]":
        """`count` pictures of one layout, one behind the other in one array: picture i begins at i * samples.size of it."""
        first = cls.allocate(width, height, border)
        size = first.samples.size
        store = np.zeros(count * size, np.uint8)
        return [replace(first, samples=store[i * size : (i + 1) * size]) for i in range(count)]

    def plane(self, p: int) -> np.ndarray:
        """The visible samples of plane `p`: a view of shape (plane_height[p], plane_width[p])."""
        return self._view(p, self.plane_height[p], self.plane_width[p])

    def allocated(self, p: int, values: np.ndarray | None = None) -> np.ndarray:
        """The allocated samples of plane `p`, or what lies in their places in `values`, a flat array of this layout: a view."""
        subsampling = 1 if p else 0
        return self._view(p, self.allocated_height >> subsampling, self.allocated_width >> subsampling, values)

    def extend_edges(self) -> None:
        """Repeat the last visible column and row into the allocated area, so that whole blocks can be read there."""
        for p in range(3):
            width, height = self.plane_width[p], self.plane_height[p]
            allocated = self.allocated(p)
            allocated[:height, width:] = allocated[:height, width - 1 : width]
            allocated[height:] = allocated[height - 1]

    def _view(self, p: int, rows: int, columns: int, values: np.ndarray | None = None) -> np.ndarray:
        flat = self.samples if values is None else values
        size = flat.itemsize
        return np.ndarray((rows, columns), flat.dtype, flat.data, size * self.origin[p], (size * self.stride[p], size))


def _round_up(value: int, multiple: int) -> int:
    return (value + multiple - 1) // multiple * multiple
