"""A clip's pictures as often as a measurement wants them: forwards, backwards and forwards again.

From one picture to the next it is always a step of the clip's own. Begun anew at its end, a clip would have a cut there, and
cuts are coded as key frames.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from typing import Any


def back_and_forth(pictures: Iterable[Any]) -> Iterator[Any]:
    """The pictures, then copies of them from the last but one to the first, from the second to the last, and so on without
    end; nothing where there are none."""
    kept: list[Any] = []
    for picture in pictures:
        kept.append(copy.deepcopy(picture))  # its owner reuses it
        yield picture
    yield from _backwards_and_on(kept)


def kept_back_and_forth(pictures: Iterable[Any]) -> Iterator[Any]:
    """The same from copies that are all made before the first is given: nothing is allocated from then on."""
    kept = [copy.deepcopy(picture) for picture in pictures]
    yield from kept
    yield from _backwards_and_on(kept)


def _backwards_and_on(kept: Sequence[Any]) -> Iterator[Any]:
    """From the last but one to the first, then to the last again, without end."""
    step = 1 if len(kept) > 1 else 0
    at = len(kept) - 1
    while kept:
        if not 0 <= at + step < len(kept):
            step = -step
        at += step
        yield kept[at]
