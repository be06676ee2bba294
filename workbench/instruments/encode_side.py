"""Whole encodes as sides of a comparison: a fresh process each; every stream is hashed, every new one decoded.

Our own encoder, whichever revision, is forked from processes that have loaded its code (inside/encode_server.py), and the encode
alone is timed: starting Python and loading takes longer than a second of a small clip. As with kernels, chance deals the sides
out to these processes. Of any other command line, and of ours beside one, the whole process is timed, by wait4.

The two runs of a pair are made at once, each on a processor of its own, which chance decides; ours change places every few
milliseconds, for one processor may be slower for seconds. What disturbs the machine disturbs both, and their ratio less
(Bulej et al. 2020, "Duet benchmarking", arXiv 2001.05811). A' has a run of A of its own beside it, which goes on as it does.
What that cannot tell is how fast a side is with the machine for itself: both share caches and the bandwidth to memory while
they run. One after the other, each is alone.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench import child
from workbench.encode import STREAM
from workbench.errors import InputError, OutputsDifferError, SubjectError
from workbench.files import sha256_of
from workbench.machine import Two
from workbench.meters import Reading
from workbench.pairs import BASE, CANDIDATE, PLANTED, SECOND, TWIN, Sample
from workbench.sides import OUTPUT, Encode, Home
from workbench.standing import COMPILING_S, PADDING, Standing, deal
from workbench.subject import same_imports

_INSIDE = Path(__file__).parent / "inside"
_SERVER = str(_INSIDE / "encode_server.py")
_TIMED_COMMAND = str(_INSIDE / "timed_command.py")
_SHOWN = "workbench.instruments.inside.shown"
_REPORT = "report.json"
DECODING_S = 120.0  # at the least; --timeout is meant for what is measured


@dataclass(frozen=True)
class Shown:
    """What a decoder shows of a stream."""

    frames: int
    size: tuple[int, int]
    digest: str


class _Server:
    """A process that has our encoder's code loaded."""

    def __init__(self, encodes: Sequence[Encode], padding: int, timeout_s: float) -> None:
        """For encodes of one home. `wait` for it before the first request."""
        assert encodes[0].home is not None
        self.home = encodes[0].home
        self.title = encodes[0].title
        sets = dict.fromkeys(encode.kernels for encode in encodes if encode.compiled)
        self._process = Standing([self.home.python, _SERVER, *sets], self.home.environment, padding, timeout_s)
        self.tell, self.answer, self.close = self._process.tell, self._process.answer, self._process.close

    def wait(self) -> None:
        """Until everything is loaded. Raises SubjectError, SubjectTimeout."""
        self._process.loaded(self.title)


@dataclass(frozen=True)
class _Job:
    """A run that is to be made.

    report      a file for what timed_command.py says
    factor      above 1: it goes on until it has taken so many times the encode's processor time
    processors  the two that it takes turns on; None: any
    """

    name: str
    encode: Encode
    server: _Server | None
    stream: Path
    report: Path
    factor: float
    processors: Sequence[int] | None

    @property
    def words(self) -> list[str]:
        """The command line; where a process waits, what stands behind the encoder's name."""
        words = self.encode.words if self.server is None else self.encode.arguments
        return [word.replace(OUTPUT, str(self.stream)) for word in words]


class EncodeSides:
    """The sides A, B and A' of one clip. Use it as a context manager; `run` is a pairs.Run.

    shown    what the decoder shows of each stream that was seen, by the stream's digest
    two      the processors of the two sides of a pair, which run at once; None: one after the other, on any, as whole ones have to
    """

    def __init__(
        self, base: Encode, candidate: Encode, folder: Path, timeout_s: float, planted: float, seed: int,
        two: Two | None = None,
    ) -> None:  # fmt: skip
        """Start the processes; either both encodes are `whole` or none. Raises InputError for options and kernels that the
        encoder does not take, SubjectError and SubjectTimeout where it dies or hangs."""
        self.shown: dict[str, Shown] = {}
        self.two = two
        self._encodes = {BASE: base, CANDIDATE: candidate, TWIN: base}
        self._folder = folder
        self._timeout_s = timeout_s
        self._planted = planted
        self._chance = random.Random(f"deal-{seed}")
        self._servers: list[_Server] = []
        try:
            for crew in _crews(list(self._encodes.values())):
                self._servers.append(_Server(crew, self._chance.randrange(PADDING), timeout_s))
            for server in self._servers:
                server.wait()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> EncodeSides:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End all processes."""
        for server in self._servers:
            server.close()

    def run(self, order: Sequence[str], number: int) -> Mapping[str, Sample]:
        """One block. Raises SubjectError, SubjectTimeout, InputError of an encode that fails, OutputsDifferError of a stream
        that does not decode."""
        ours = [name for name in order if not self._encodes[name].whole]
        dealt = deal(ours, self._servers, lambda name, server: self._encodes[name].home == server.home, self._chance)
        samples: dict[str, Sample] = {}
        for names in self._rounds(order):
            samples.update(self._run([self._job(name, place, names, dealt) for place, name in enumerate(names)]))
        return samples

    def _rounds(self, order: Sequence[str]) -> list[tuple[str, ...]]:
        return [(name,) for name in order] if self.two is None else pairs_at_once(order)

    def stream(self, digest: str) -> Path:
        """The file of a stream that was seen."""
        return self._folder / f"{digest}{Path(STREAM).suffix}"

    def _job(self, name: str, place: int, names: Sequence[str], dealt: Mapping[str, _Server]) -> _Job:
        side = BASE if name == SECOND else name
        return _Job(
            name=name,
            encode=self._encodes[side],
            server=dealt.get(side),
            stream=self._folder / f"{place}-{STREAM}",
            report=self._folder / f"{place}-{_REPORT}",
            factor=1 + self._planted if TWIN in names else 1.0,
            processors=None if self.two is None else self.two.processors[:: -1 if place else 1],
        )

    def _run(self, jobs: Sequence[_Job]) -> dict[str, Sample]:
        """Runs that begin at the same time; the first one's sample has the noise meanwhile."""
        for job in jobs:
            job.stream.unlink(missing_ok=True)
        before = Reading.now()
        figures = self._figures(jobs)
        now = Reading.now()
        own_cpu_s = sum(each.get("planted_cpu_s", each["cpu_s"]) for each in figures)
        noise = {"took_s": now.at_s - before.at_s, **now.since(before, own_cpu_s)}
        samples: dict[str, Sample] = {}
        for job, each in zip(jobs, figures, strict=True):
            samples |= self._samples(job, each, {"took_s": 0.0} if samples else noise)
        return samples

    def _samples(self, job: _Job, figures: Mapping[str, Any], noise: Mapping[str, Any]) -> dict[str, Sample]:
        if not job.stream.is_file() or not job.stream.stat().st_size:
            raise OutputsDifferError(f"{job.encode.title}: ended well, and wrote no stream")
        sample = Sample(
            cpu_s=figures["cpu_s"],
            wall_s=figures["wall_s"],
            max_rss_bytes=figures["max_rss_bytes"],
            involuntary_switches=figures["switches"],
            **noise,
            digest=self._decoded(job.encode, job.stream),
            bytes=job.stream.stat().st_size,
        )
        job.stream.rename(self.stream(sample.digest or ""))
        if job.name != TWIN or "planted_cpu_s" not in figures:
            return {job.name: sample}
        planted = Sample(figures["planted_cpu_s"], figures["planted_wall_s"], took_s=0.0)  # within the run of A'
        return {job.name: sample, PLANTED: planted}

    def _figures(self, jobs: Sequence[_Job]) -> list[dict[str, Any]]:
        """What each run took. Of our encoders all have a process that waits, of others none."""
        asked = [(job, job.server) for job in jobs if job.server is not None]
        if not asked:
            return [self._run_command(job) for job in jobs]
        for job, server in asked:
            request = {"arguments": job.words, "factor": job.factor, "processors": job.processors}
            server.tell(request, job.encode.title)
        answers: list[dict[str, Any]] = [server.answer(job.encode.title) for job, server in asked]
        for (job, _), answer in zip(asked, answers, strict=True):
            if answer["status"] == InputError.exit_status:
                raise InputError(f"{job.encode.title}: {answer['said']}")
            if answer["status"] != 0:
                said = f"{child.describe_status(answer['status'])}: {answer['said']}"
                raise SubjectError(f"{job.encode.title}: {said}")
        return answers

    def _run_command(self, job: _Job) -> dict[str, Any]:
        words = job.words
        if job.factor > 1:
            words = [sys.executable, "-I", "-S", _TIMED_COMMAND, str(job.report), repr(job.factor), *words]
        environment = job.encode.home.environment if job.encode.home else None
        finished = child.run(words, self._timeout_s, environment, check=False)
        usage = finished.usage
        if usage.exit_status != 0:
            raise SubjectError(f"{job.encode.title}: {child.describe_failure(finished)}")
        figures = {
            "cpu_s": usage.cpu_s,
            "wall_s": usage.wall_s,
            "max_rss_bytes": usage.max_rss_bytes,
            "switches": usage.involuntary_switches,
        }
        return figures | (json.loads(job.report.read_text(encoding="utf-8")) if job.factor > 1 else {})

    def _decoded(self, encode: Encode, stream: Path) -> str:
        """The stream's digest; one that is new is decoded."""
        digest = sha256_of(stream)
        if digest not in self.shown:
            self.shown[digest] = _decode(encode, stream, self._timeout_s)
        return digest


def pairs_at_once(order: Sequence[str]) -> list[tuple[str, ...]]:
    """Who runs at the same time, pair after pair; who comes first is for the first processor. The order of a block is as likely to
    have either side of a pair first."""
    with_twin = tuple(name for name in order if name != CANDIDATE)
    if CANDIDATE not in order:
        return [with_twin]
    compared = tuple(name for name in order if name != TWIN)
    if TWIN not in order:
        return [compared]
    control = tuple(SECOND if name == BASE else name for name in with_twin)
    return [control, compared] if order[0] == TWIN else [compared, control]


def _crews(encodes: Sequence[Encode]) -> list[list[Encode]]:
    """For each process that is needed, the encodes that it must be able to do: as many processes as sides have its home."""
    homes: dict[Home, list[Encode]] = {}
    for encode in encodes:
        if encode.home is not None and not encode.whole:
            homes.setdefault(encode.home, []).append(encode)
    return [crew for crew in homes.values() for _ in crew]


def _decode(encode: Encode, stream: Path, timeout_s: float) -> Shown:
    limit_s = max(timeout_s, DECODING_S)
    finished = child.run((sys.executable, "-m", _SHOWN, str(stream)), limit_s, same_imports(), check=False)
    if finished.usage.exit_status != 0:
        raise OutputsDifferError(f"{encode.title}: its stream cannot be decoded: {child.describe_failure(finished)}")
    found = json.loads(finished.output)
    if found["message"]:
        raise OutputsDifferError(f"{encode.title}: its stream does not decode: {found['message']}")
    if encode.frames is not None and found["frames"] != encode.frames:
        seen = f"{found['frames']} frames, {encode.frames} were asked for"
        raise OutputsDifferError(f"{encode.title}: its stream shows {seen}")
    return Shown(found["frames"], tuple(found["size"]), found["digest"])


def warm_up(encode: Encode) -> float:
    """Compile what our encoder needs for this into its cache; wall seconds that it took. Raises InputError for kernels that it
    does not take, SubjectError and SubjectTimeout where it dies or hangs."""
    assert encode.home is not None
    began = time.monotonic()
    words = (encode.home.python, "-m", "encoder", "--warm", "--kernels", encode.kernels, "-q")
    finished = child.run(words, COMPILING_S, encode.home.environment, check=False)
    if finished.usage.exit_status == InputError.exit_status:
        raise InputError(f"{encode.title}: {child.last_line(finished)}")
    if finished.usage.exit_status != 0:
        raise SubjectError(f"{encode.title}: {child.describe_failure(finished)}")
    return time.monotonic() - began
