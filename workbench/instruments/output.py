"""What was written: whether it decodes to the encoder's own reconstruction, its size, digest and quality, and whether
sets agree."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench import child
from workbench.encode import STREAM, encode, encode_with_stats
from workbench.errors import SubjectError
from workbench.files import sha256_of
from workbench.record import Record
from workbench.stats import median
from workbench.subject import Subject, same_imports

INSTRUMENT = "output"
RECONSTRUCTION = "reconstruction.y4m"
_DECODED = "workbench.instruments.inside.decoded"


def check(subject: Subject, folder: Path, timeout_s: float) -> list[Record]:
    """Encode once, decode, compare frame by frame: `decodes` (1.0 or 0.0), `bytes` and `psnr_y`."""
    more = ("--psnr", "--reconstruction", str(folder / RECONSTRUCTION))
    _, stats = encode_with_stats(subject, folder, timeout_s, *more)
    stream = folder / STREAM
    verdict = _decode(stream, folder / RECONSTRUCTION, timeout_s)
    verdict |= {"sha256": sha256_of(stream), "frame_s": median([frame["wall_s"] for frame in stats["frames"]])}
    equal = not verdict["message"] and verdict["frames"] == subject.frames
    return [
        _record(subject, "decodes", "", float(equal), verdict),
        _record(subject, "bytes", "bytes", float(stream.stat().st_size), {}),
        *_quality(subject, stats["total"]),
    ]


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
