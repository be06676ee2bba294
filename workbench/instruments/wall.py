"""Wall and processor time, and the peak resident set, of whole encodes: one process each, by os.wait4 of that child.

The clip and a few samples of it (`short`: key frame, hidden frame and leaf, so that all code is loaded) are encoded in
random order inside each round. Their difference is the time of the samples between them: start-up and whatever else an
encode costs once cancel out, and what is left is a whole video, its key frames in it.
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
    """Time one clip, the last of `lengths`, and what else there is of it with fewer samples: wall and cpu of each, max_rss of
    the clip, and the time per frame.

    One encode goes before as a warm-up and is thrown away. `tick` is called after each encode.
    """
    encode(lengths[0], folder, limits.timeout_s)
    tick()
    taken = in_random_order(lengths, lambda subject: encode(subject, folder, limits.timeout_s), limits, tick)
    whole = [_whole_encodes(subject, usages) for subject, usages in zip(lengths, taken, strict=True)]
    return [*itertools.chain(*whole), _max_rss(lengths[-1], taken[-1]), _time_per_frame(lengths, taken)]


def _about(subject: Subject) -> dict[str, Any]:
    return {"subject": subject.entry(), "command": subject.command(Path(STREAM))}


def _whole_encodes(subject: Subject, usages: Sequence[Usage]) -> list[Record]:
    """The records of one length, one value per repetition."""
    wall = tuple(usage.wall_s for usage in usages)
    cpu = tuple(usage.cpu_s for usage in usages)
    said = tuple(noise.warnings(usages, MORE))
    return [
        Record(INSTRUMENT, "wall", "s", values=wall, data=noise.meters(usages), warnings=said, **_about(subject)),
        Record(INSTRUMENT, "cpu", "s", values=cpu, **_about(subject)),
    ]


def _max_rss(subject: Subject, usages: Sequence[Usage]) -> Record:
    sizes = tuple(float(usage.max_rss_bytes) for usage in usages)
    return Record(INSTRUMENT, "max_rss", "bytes", values=sizes, **_about(subject))


def _time_per_frame(lengths: Sequence[Subject], taken: Sequence[Sequence[Usage]]) -> Record:
    """Seconds per frame of the clip, one value per round, and the fixed start-up: the line through both, over the samples."""
    whole = lengths[-1]
    about = _about(whole)
    if len(lengths) == 1:
        values = tuple(usage.wall_s / whole.frames for usage in taken[0])
        said = ("start-up is part of the time per frame: there is no smaller encode to take it from",)
        return Record(
            INSTRUMENT, "time_per_frame", "s", values=values, data={"n2": whole.frames}, warnings=said, **about
        )
    part = lengths[0]
    rounds = list(zip(*taken, strict=True))
    in_part = part.pixels / (whole.width * whole.height)  # frames of the clip that the part's samples would make
    wall = tuple((long.wall_s - short.wall_s) / (whole.frames - in_part) for short, long in rounds)
    cpu = [(long.cpu_s - short.cpu_s) / (whole.frames - in_part) for short, long in rounds]
    start_up = median([short.wall_s for short, _ in rounds]) - in_part * median(wall)
    data = {"n1": part.frames, "n2": whole.frames, "start_up_s": start_up, "cpu_per_frame_s": cpu}
    return Record(INSTRUMENT, "time_per_frame", "s", values=wall, data=data, warnings=_negative(wall), **about)


def _negative(per_frame: Sequence[float]) -> tuple[str, ...]:
    bad = sum(value <= 0 for value in per_frame)
    if not bad:
        return ()
    seen = f"in {bad} of {len(per_frame)} rounds the larger encode took less time"
    return (f"{seen}: the noise is larger than the clip; use more --frames",)
