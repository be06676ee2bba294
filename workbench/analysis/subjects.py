"""Which clip and kernel set a record is about: the coordinates that every table of a report shares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from workbench.record import Record


class Subject(NamedTuple):
    """A clip as one kernel set encodes it."""

    clip: str
    kernels: str


def subject_of(record: Record) -> Subject:
    """The coordinates of a record; an entry that the record does not have is empty."""
    return subject_in(record.subject)


def subject_in(entry: Mapping[str, Any]) -> Subject:
    """The same of a record's entry `subject` alone."""
    return Subject(str(entry.get("clip", "")), str(entry.get("kernels", "")))


def by_subject(records: Iterable[Record]) -> dict[Subject, list[Record]]:
    """Records grouped by clip and kernel set, in the order they were first seen."""
    groups: dict[Subject, list[Record]] = {}
    for record in records:
        groups.setdefault(subject_of(record), []).append(record)
    return groups


def kernel_sets(subjects: Iterable[Subject]) -> list[str]:
    """The kernel sets in the order first seen."""
    return list(dict.fromkeys(subject.kernels for subject in subjects))
