"""Where a new scene begins: from small luma pictures, in integers alone, so that every kernel set decides alike.

Picture n begins a scene if it is unlike picture n - 1, more so than others around are unlike the one before them, and motion
does not explain it: predicting its blocks from n - 1 with a motion search costs about as much as their own texture.
A light that changes (a fade, a flash) is seen through by searching the earlier picture in the later one's brightness and
contrast too; what lasts for one picture (a flash again, a foreign frame) by comparing n with n - 2, and n + 1 with n - 1.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

MOST_SAMPLES = 16384
"""Larger pictures are halved until they are not."""

_BLOCK = 8
_REACH = 8  # of the motion search, in small samples: an eighth of the picture's width in most sizes
_FORERUNNERS = 5  # differences to compare a difference with
_LEAST_DIFFERENCE = 4 * 256  # cuts in dark films reach 6
_PEAK = 5, 4  # a cut's difference is larger than that of others by this factor
# Of 256: what prediction leaves of the texture. Unrelated pictures leave 205 and more, 255 in the mean; fast pans and flashes
# 130, a page that scrolls 190.
_UNEXPLAINED = 197

Luma = NDArray[np.int16]


class SceneCuts:
    """Told the luma of each picture in the order of display, says where a scene begins."""

    def __init__(self) -> None:
        self._added = 0
        self._pictures: deque[Luma] = deque(maxlen=4)
        self._differences: deque[int] = deque(maxlen=_FORERUNNERS + 2)

    def add(self, luma: NDArray[np.uint8]) -> None:
        """The next picture; all have the same shape (height, width)."""
        small = small_luma(luma)
        if self._pictures:
            self._differences.append(difference(self._pictures[-1], small))
        self._pictures.append(small)
        self._added += 1

    def begins_at(self, index: int) -> bool:
        """Whether a scene begins at a picture, from number 1 on, of which the last but one or the last was added just now.

        The last one is judged without the picture behind it: a flash that ends a stream counts as a scene.
        """
        has_next = self._added - 1 - index
        *forerunners, now = list(self._differences)[: len(self._differences) - has_next]
        others = sorted(forerunners[-_FORERUNNERS:])
        if len(others) == _FORERUNNERS:
            others.pop()  # may have been a cut too
        if has_next:
            others.append(self._differences[-1])
        usual = max(others, default=0)
        if now < _LEAST_DIFFERENCE or now * _PEAK[1] <= usual * _PEAK[0]:
            return False
        *earlier, picture = list(self._pictures)[: len(self._pictures) - has_next]
        if any(is_explained(by, picture) for by in earlier[:-3:-1]):
            return False
        return not has_next or not is_explained(earlier[-1], self._pictures[-1])


def small_luma(luma: NDArray[np.uint8]) -> Luma:
    """Halve a picture, by means of 2x2 samples, until it has at most MOST_SAMPLES."""
    small = luma.astype(np.int16)
    while small.size > MOST_SAMPLES:
        height, width = (length & ~1 for length in small.shape)
        even = small[:height, :width]
        small = (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2] + 2) >> 2
    return small


def difference(a: Luma, b: Luma) -> int:
    """Mean absolute difference, in 1/256."""
    return int(np.abs(a - b).sum()) * 256 // a.size


def is_explained(earlier: Luma, later: Luma) -> bool:
    """Whether a picture is the earlier one with things moved, or in another light."""
    left, texture = prediction_costs(earlier, later)
    return left * 256 <= texture * _UNEXPLAINED


def prediction_costs(earlier: Luma, later: Luma) -> tuple[int, int]:
    """Sums of absolute differences of a picture to the best prediction of its blocks: from an earlier one, and from nothing
    but their mean."""
    later = _whole_blocks(later)
    height, width = later.shape
    best = np.full((height // _BLOCK, width // _BLOCK), np.iinfo(np.int16).max, np.int16)
    for reference in (earlier, relit(earlier, later)):
        padded = np.pad(_whole_blocks(reference), _REACH, mode="edge")
        moved_sideways = np.lib.stride_tricks.sliding_window_view(padded, width, axis=1).swapaxes(0, 1)
        for top in range(2 * _REACH + 1):
            distances = _block_sums(np.abs(later - moved_sideways[:, top : top + height]))
            np.minimum(best, distances.min(axis=0), out=best)
    means = _block_sums(later) // _BLOCK**2
    texture = np.abs(later - means.repeat(_BLOCK, axis=0).repeat(_BLOCK, axis=1))
    return int(best.sum()), int(texture.sum())


def relit(picture: Luma, model: Luma) -> Luma:
    """A picture with the brightness and the contrast of another one: what a fade or a flash makes of it."""
    mean, model_mean = (int(p.sum()) // p.size for p in (picture, model))
    contrast, model_contrast = (int(np.abs(p - m).sum()) for p, m in ((picture, mean), (model, model_mean)))
    gain_q8 = model_contrast * 256 // max(contrast, 1)
    changed = model_mean + ((picture.astype(np.int64) - mean) * gain_q8 >> 8)
    return np.clip(changed, 0, 255).astype(np.int16)


def _whole_blocks(picture: Luma) -> Luma:
    """Without what is left of the last blocks; a side shorter than a block is repeated up to it."""
    height, width = picture.shape
    padded = np.pad(picture, ((0, max(_BLOCK - height, 0)), (0, max(_BLOCK - width, 0))), mode="edge")
    return padded[: max(height // _BLOCK, 1) * _BLOCK, : max(width // _BLOCK, 1) * _BLOCK]


def _block_sums(values: Luma) -> Luma:
    """Sums of the blocks of the last two axes: 64 * 255 is still an int16."""
    rows = _sum_of([values[..., i::_BLOCK, :] for i in range(_BLOCK)])
    return _sum_of([rows[..., i::_BLOCK] for i in range(_BLOCK)])


def _sum_of(parts: list[Luma]) -> Luma:
    total = parts[0] + parts[1]
    for part in parts[2:]:
        total += part
    return total
