"""Everything that a run's records say, computed once, for the report, the terminal and the JSON alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from numbers import Real

from workbench.analysis import amdahl, chosen, frames, memory, memory_sides, stacks, stages, tiles, times
from workbench.analysis.outputs import ClipOutput, SetAgreement, clip_outputs, set_agreements
from workbench.analysis.subjects import Subject, kernel_sets
from workbench.analysis.traced import Traced, traced
from workbench.errors import InputError
from workbench.record import RECORDS_NAME, Run


@dataclass(frozen=True)
class Findings:
    """The numbers of a run, section by section; an empty section was not measured, nor is a timeline that is None."""

    run: Run
    candidates: list[chosen.Candidate]
    never: chosen.Never | None
    outputs: list[ClipOutput]
    agreements: list[SetAgreement]
    frames: list[frames.ClipFrames]
    times: list[times.ClipTime]
    stages: list[stages.ClipStages]
    profiles: list[stacks.SetProfile]
    memory: list[memory.ClipMemory]
    memory_sides: list[memory_sides.Side]
    timeline: Traced | None
    tile_rows: list[tiles.TileRow]
    left_out: Mapping[str, list[str]]
    cores: int | None

    @cached_property
    def encoded(self) -> list[Subject]:
        """Every clip and kernel set that was measured for its own sake, in the order first seen."""
        seen = [entry.subject for entry in self.outputs] + [entry.subject for entry in self.times]
        seen += [entry.subject for entry in self.stages] + [entry.subject for entry in self.memory]
        seen += [clip.subject for profile in self.profiles for clip in profile.clips]
        return list(dict.fromkeys(seen))

    @cached_property
    def subjects(self) -> list[Subject]:
        """The same and those that were measured only for what tiles do."""
        return list(dict.fromkeys([*self.encoded, *(row.subject for row in self.tile_rows)]))

    @cached_property
    def kernel_sets(self) -> list[str]:
        """The measured kernel sets; the first is the run's main one."""
        return kernel_sets(self.subjects)

    @cached_property
    def law(self) -> amdahl.Fit | None:
        """Amdahl's law over all clips of the main kernel set; None where nothing ran on two cores."""
        return amdahl.fit(tiles.law_points(self._main_rows, self.stages), self.cores)

    @cached_property
    def law_by_clip(self) -> dict[str, amdahl.Fit]:
        """The law of each clip of the main kernel set alone."""
        clips = dict.fromkeys(row.subject.clip for row in self._main_rows)
        rows = {clip: [row for row in self._main_rows if row.subject.clip == clip] for clip in clips}
        fits = {clip: amdahl.fit(tiles.law_points(rows[clip], self.stages), self.cores) for clip in clips}
        return {clip: fitted for clip, fitted in fits.items() if fitted is not None}

    @property
    def _main_rows(self) -> list[tiles.TileRow]:
        first = next((row.subject.kernels for row in self.tile_rows), "")
        return [row for row in self.tile_rows if row.subject.kernels == first]

    def label(self, subject: Subject) -> str:
        """How a table calls a subject: the clip, with its kernel set where the run has several."""
        return subject.clip if len(self.kernel_sets) < 2 else f"{subject.clip} ({subject.kernels})"


def findings(run: Run) -> Findings:
    """Compute them. Raises InputError, naming the line, when a record's values are no numbers or its data no object."""
    _require_well_formed(run)
    cores = run.header.get("machine", {}).get("cores")
    return Findings(
        run=run,
        candidates=chosen.candidates(run),
        never=chosen.never_reached(run),
        outputs=clip_outputs(run),
        agreements=set_agreements(run),
        frames=frames.clip_frames(run),
        times=times.clip_times(run),
        stages=stages.clip_stages(run),
        profiles=stacks.set_profiles(stacks.clip_stacks(run)),
        memory=memory.clip_memory(run),
        memory_sides=memory_sides.sides_by_subject(run),
        timeline=traced(run.records) if run.select(instrument="trace", metric="timeline") else None,
        tile_rows=tiles.tile_rows(run),
        left_out=_left_out(run),
        cores=int(cores) if cores else None,
    )


def _left_out(run: Run) -> dict[str, list[str]]:
    """What the run itself says it left out, by step."""
    said: dict[str, list[str]] = {}
    for record in run.select(metric="left_out"):
        said.setdefault(str(record.data.get("step", "")), []).extend(record.warnings)
    return said


def _require_well_formed(run: Run) -> None:
    if not isinstance(run.header.get("machine", {}), Mapping):
        raise InputError(f"{run.folder / RECORDS_NAME}: line 1: the machine must be a JSON object; measure again")
    for line, record in enumerate(run.records, 2):
        place = f"{run.folder / RECORDS_NAME}: line {line}"
        if not all(isinstance(value, Real) for value in record.values):
            raise InputError(f"{place}: values of {record.metric} are {record.values!r}, not numbers; measure again")
        if not isinstance(record.subject, Mapping) or not isinstance(record.data, Mapping):
            raise InputError(f"{place}: subject and data of {record.metric} must be JSON objects; measure again")
