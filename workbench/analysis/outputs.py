"""What the encoder wrote: whether it decodes, whether the kernel sets agree, its size and its quality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workbench.analysis.subjects import Subject, subject_of
from workbench.record import Record, Run

TINY_SUFFIX = "_tiny"  # of a clip's small version, which stands for the clip where kernel sets are compared


@dataclass(frozen=True)
class ClipOutput:
    """The stream of one clip and kernel set; None where it was not looked at."""

    subject: Subject
    frames: int | None
    decodes: bool | None
    decoders: tuple[str, ...]
    message: str
    stream_bytes: float | None
    psnr_y: float | None
    sha256: str


@dataclass(frozen=True)
class SetAgreement:
    """Whether kernel sets wrote the same bytes for one clip (a small version of it, where some sets are slow)."""

    clip: str
    agree: bool
    digests: Mapping[str, str]
    frames: int | None
    width: int | None
    height: int | None


def clip_outputs(run: Run) -> list[ClipOutput]:
    """Every clip and kernel set whose stream was looked at, in the order taken."""
    found: dict[Subject, dict[str, list[Record]]] = {}
    for metric in ("decodes", "bytes", "psnr_y"):
        for record in run.select(metric=metric):
            found.setdefault(subject_of(record), {}).setdefault(metric, []).append(record)
    return [_clip_output(subject, records) for subject, records in found.items()]


def _clip_output(subject: Subject, records: Mapping[str, list[Record]]) -> ClipOutput:
    decodes = records.get("decodes", [])
    judged = [record for record in decodes if record.values]
    failed = [record for record in judged if not all(record.values)]
    frames = [
        record.subject.get("frames") for metric in ("bytes", "psnr_y", "decodes") for record in records.get(metric, [])
    ]
    return ClipOutput(
        subject=subject,
        frames=next((count for count in frames if count), None),
        decodes=not failed if judged else None,
        decoders=tuple(dict.fromkeys(str(record.data.get("decoder", "")) for record in judged)),
        message="; ".join(str(record.data.get("message", "")) for record in failed),
        stream_bytes=_first(records.get("bytes")),
        psnr_y=_first(records.get("psnr_y")),
        sha256=next((str(record.data["sha256"]) for record in decodes if record.data.get("sha256")), ""),
    )


def _first(records: list[Record] | None) -> float | None:
    return next((record.values[0] for record in records or () if record.values), None)


def set_agreements(run: Run) -> list[SetAgreement]:
    """Every clip whose bytes were compared between kernel sets, in the order taken."""
    return [
        SetAgreement(
            clip=subject_of(record).clip.removesuffix(TINY_SUFFIX),
            agree=all(record.values),
            digests=dict(record.data.get("sets", {})),
            frames=record.data.get("frames"),
            width=record.data.get("width"),
            height=record.data.get("height"),
        )
        for record in run.select(metric="sets_agree")
        if record.values
    ]
