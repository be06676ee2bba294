"""What was written: whether it decodes to the encoder's own reconstruction, its size, digest and quality, what its frames
are, and whether sets agree."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from workbench import child
from workbench.encode import STREAM, encode, encode_with_stats, frame_seconds
from workbench.errors import SubjectError
from workbench.files import sha256_of
from workbench.record import Record
from workbench.subject import Subject, same_imports

INSTRUMENT = "output"
RECONSTRUCTION = "reconstruction.y4m"
_DECODED = "workbench.instruments.inside.decoded"


def check(subject: Subject, folder: Path, timeout_s: float) -> list[Record]:
    """Encode once, decode, compare frame by frame: `decodes` (1.0 or 0.0), `bytes`, `psnr_y` and `frame_kinds`."""
    more = ("--psnr", "--reconstruction", str(folder / RECONSTRUCTION))
    _, stats = encode_with_stats(subject, folder, timeout_s, *more)
    stream = folder / STREAM
    verdict = _decode(stream, folder / RECONSTRUCTION, timeout_s)
    first_s, frame_s = frame_seconds(stats)
    verdict |= {"sha256": sha256_of(stream), "first_s": first_s, "frame_s": frame_s}
    equal = not verdict["message"] and verdict["frames"] == subject.frames
    return [
        _record(subject, "decodes", "", float(equal), verdict),
        _record(subject, "bytes", "bytes", float(stream.stat().st_size), {}),
        *_quality(subject, stats["total"]),
        _record(subject, "frame_kinds", "count", float(subject.frames), {"kinds": frame_kinds(stats["frames"])}),
    ]


def frame_kinds(frames: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What --stats says of the frames, added up by type and layer of the pyramid, key frames first.

    type, layer              of the frames; frames: how many; hidden: so many of them are shown later than they are coded
    bytes, wall_s            of all of them, and their bits by class of syntax
    quantizer, psnr_y        means; None where nothing is said, as of frames without an error
    block_sizes, modes       mean shares of the picture
    """
    kinds: dict[tuple[bool, int], list[Mapping[str, Any]]] = {}
    for frame in frames:
        kinds.setdefault((frame["type"] != "key", frame["layer"]), []).append(frame)
    return [_kind(kinds[order]) for order in sorted(kinds)]


def _kind(alike: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    luma_db = [frame["psnr"][0] for frame in alike if frame.get("psnr") and frame["psnr"][0] is not None]
    return {
        "type": alike[0]["type"],
        "layer": alike[0]["layer"],
        "frames": len(alike),
        "hidden": sum(not frame["shown"] for frame in alike),
        "bytes": sum(frame["bytes"] for frame in alike),
        "wall_s": sum(frame["wall_s"] for frame in alike),
        "bits": _sums(frame["bits"] for frame in alike),
        "quantizer": fmean(frame["quantizer"] for frame in alike),
        "psnr_y": fmean(luma_db) if luma_db else None,
        **{name: _means([frame.get(name, {}) for frame in alike]) for name in ("block_sizes", "modes")},
    }


def _sums(amounts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    total: Counter[str] = Counter()
    for amount in amounts:
        total.update(amount)
    return dict(total)


def _means(shares: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean of each share; what a frame does not name is 0 there."""
    return {name: total / len(shares) for name, total in _sums(shares).items()}


def digest(subject: Subject, folder: Path, timeout_s: float) -> str:
    """Encode once; the sha256 of the stream."""
    encode(subject, folder, timeout_s)
    return sha256_of(folder / STREAM)


def sets_agree(subject: Subject, digests: Mapping[str, str]) -> Record:
    """1.0 when all kernel sets wrote the same bytes of a small clip; `digests` are those of the streams, by set."""
    agree = len(set(digests.values())) == 1
    data = {"sets": dict(digests), "frames": subject.frames, "width": subject.width, "height": subject.height}
    return _record(subject, "sets_agree", "", float(agree), data)


def _record(subject: Subject, metric: str, unit: str, value: float, data: dict[str, Any]) -> Record:
    return Record(INSTRUMENT, metric, unit, subject.entry(), (value,), data, command=subject.command(Path(STREAM)))


def _quality(subject: Subject, total: dict[str, Any]) -> list[Record]:
    """PSNR of the luma plane, of the mean squared error over all frames; identical pictures have none to record."""
    data = {key: total[key] for key in ("psnr_of_mean_mse", "mean_psnr")}
    luma = total["psnr_of_mean_mse"][0]
    return [] if luma is None else [_record(subject, "psnr_y", "dB", luma, data)]


def _decode(stream: Path, reconstruction: Path, timeout_s: float) -> dict[str, Any]:
    words = (sys.executable, "-m", _DECODED, str(stream), str(reconstruction))
    finished = child.run(words, timeout_s, same_imports(), check=False)
    if finished.usage.exit_status == 0:
        verdict: dict[str, Any] = json.loads(finished.output)
        return verdict
    if finished.usage.exit_status < 0:  # A decoder that crashes is a finding about the stream, not a fault of ours.
        return {"decoder": "libdav1d", "frames": 0, "message": f"the decoder was {child.describe_failure(finished)}"}
    raise SubjectError(f"{stream.name} cannot be compared with its reconstruction: {child.describe_failure(finished)}")
