"""Wall and processor time, and the peak resident set, of whole encodes: one process each, by os.wait4 of that child.

Two lengths of the same clip are encoded in random order inside each round. Their difference is the time of the frames
between them: start-up and whatever else an encode costs once cancel out.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from workbench import noise
from workbench.child import Usage
from workbench.encode import STREAM, encode
from workbench.record import Record
from workbench.repetition import Limits, in_random_order
from workbench.stats import median
from workbench.subject import Subject

INSTRUMENT = "wall"
MORE = "raise --budget or choose fewer clips"


def time_lengths(lengths: Sequence[Subject], folder: Path, limits: Limits, tick: Callable[[], None]) -> list[Record]:
    """Time one clip at one or two lengths (frames ascending): wall, cpu and max_rss of each, and the time per frame.

    One encode goes before as a warm-up and is thrown away. `tick` is called after each encode.
    """
    encode(lengths[0], folder, limits.timeout_s)
    tick()
    taken = in_random_order(lengths, lambda subject: encode(subject, folder, limits.timeout_s), limits, tick)
    whole = [_whole_encodes(subject, usages) for subject, usages in zip(lengths, taken, strict=True)]
    return [*itertools.chain(*whole), _time_per_frame(lengths, taken)]


def _about(subject: Subject) -> dict[str, Any]:
    return {"subject": subject.entry(), "command": subject.command(Path(STREAM))}


def _whole_encodes(subject: Subject, usages: Sequence[Usage]) -> list[Record]:
    """The records of one length, one value per repetition."""
    wall = tuple(usage.wall_s for usage in usages)
    cpu = tuple(usage.cpu_s for usage in usages)
    max_rss = tuple(float(usage.max_rss_bytes) for usage in usages)
    said = tuple(noise.warnings(usages, MORE))
    return [
        Record(INSTRUMENT, "wall", "s", values=wall, data=noise.meters(usages), warnings=said, **_about(subject)),
        Record(INSTRUMENT, "cpu", "s", values=cpu, **_about(subject)),
        Record(INSTRUMENT, "max_rss", "bytes", values=max_rss, **_about(subject)),
    ]


def _time_per_frame(lengths: Sequence[Subject], taken: Sequence[Sequence[Usage]]) -> Record:
    """Seconds per frame, one value per round, and the fixed start-up: the line through both lengths."""
    n2, about = lengths[-1].frames, _about(lengths[-1])
    if len(lengths) == 1:
        values = tuple(usage.wall_s / n2 for usage in taken[0])
        said = ("start-up is part of the time per frame: one length only, as a single frame was encoded",)
        return Record(INSTRUMENT, "time_per_frame", "s", values=values, data={"n2": n2}, warnings=said, **about)
    n1 = lengths[0].frames
    rounds = list(zip(*taken, strict=True))
    wall = tuple((long.wall_s - short.wall_s) / (n2 - n1) for short, long in rounds)
    cpu = [(long.cpu_s - short.cpu_s) / (n2 - n1) for short, long in rounds]
    start_up = median([short.wall_s for short, _ in rounds]) - n1 * median(wall)
    data = {"n1": n1, "n2": n2, "start_up_s": start_up, "cpu_per_frame_s": cpu}
    return Record(INSTRUMENT, "time_per_frame", "s", values=wall, data=data, warnings=_negative(wall), **about)


def _negative(per_frame: Sequence[float]) -> tuple[str, ...]:
    bad = sum(value <= 0 for value in per_frame)
    if not bad:
        return ()
    seen = f"in {bad} of {len(per_frame)} rounds the longer encode took less time"
    return (f"{seen}: the noise is larger than the clip; use more --frames",)
