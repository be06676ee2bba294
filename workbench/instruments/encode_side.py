"""Whole encodes as sides of a comparison: a fresh process each; every stream is hashed, every new one decoded.

Our own encoder, whichever revision, is forked from processes that have loaded its code (inside/encode_server.py), and the encode
alone is timed: starting Python and loading takes longer than a second of a small clip. As with kernels, chance deals the sides
out to these processes. Of any other command line, and of ours beside one, the whole process is timed, by wait4.
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
from workbench.meters import Reading
from workbench.pairs import BASE, CANDIDATE, PLANTED, TWIN, Sample
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
        self.ask, self.close = self._process.ask, self._process.close

    def wait(self) -> None:
        """Until everything is loaded. Raises SubjectError, SubjectTimeout."""
        self._process.loaded(self.title)


class EncodeSides:
    """The sides A, B and A' of one clip. Use it as a context manager; `run` is a pairs.Run.

    shown    what the decoder shows of each stream that was seen, by the stream's digest
    """

    def __init__(
        self, base: Encode, candidate: Encode, folder: Path, timeout_s: float, planted: float, seed: int
    ) -> None:
        """Start the processes. Raises InputError for options and kernels that the encoder does not take, SubjectError and
        SubjectTimeout where it dies or hangs."""
        self.shown: dict[str, Shown] = {}
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
        for name in order:
            samples.update(self._run(name, dealt.get(name)))
        return samples

    def stream(self, digest: str) -> Path:
        """The file of a stream that was seen."""
        return self._folder / f"{digest}{Path(STREAM).suffix}"

    def _run(self, name: str, server: _Server | None) -> dict[str, Sample]:
        encode, stream = self._encodes[name], self._folder / STREAM
        words = [word.replace(OUTPUT, str(stream)) for word in (encode.words if server is None else encode.arguments)]
        factor = 1 + self._planted if name == TWIN else 1.0
        stream.unlink(missing_ok=True)
        before = Reading.now()
        if server is None:
            figures = self._run_command(encode, words, factor)
        else:
            figures = self._run_ours(encode, words, factor, server)
        now = Reading.now()
        if not stream.is_file() or not stream.stat().st_size:
            raise OutputsDifferError(f"{encode.title}: ended well, and wrote no stream")
        sample = Sample(
            cpu_s=figures["cpu_s"],
            wall_s=figures["wall_s"],
            took_s=now.at_s - before.at_s,
            max_rss_bytes=figures["max_rss_bytes"],
            involuntary_switches=figures["switches"],
            **now.since(before, figures.get("planted_cpu_s", figures["cpu_s"])),
            digest=self._decoded(encode, stream),
            bytes=stream.stat().st_size,
        )
        stream.rename(self.stream(sample.digest or ""))
        if "planted_cpu_s" not in figures:
            return {name: sample}
        planted = Sample(figures["planted_cpu_s"], figures["planted_wall_s"], took_s=0.0)  # within the run of A'
        return {name: sample, PLANTED: planted}

    def _run_ours(self, encode: Encode, words: Sequence[str], factor: float, server: _Server) -> dict[str, Any]:
        answer: dict[str, Any] = server.ask({"arguments": words, "factor": factor}, encode.title)
        if answer["status"] == InputError.exit_status:
            raise InputError(f"{encode.title}: {answer['said']}")
        if answer["status"] != 0:
            raise SubjectError(f"{encode.title}: {child.describe_status(answer['status'])}: {answer['said']}")
        return answer

    def _run_command(self, encode: Encode, words: Sequence[str], factor: float) -> dict[str, Any]:
        report = self._folder / _REPORT
        if factor > 1:
            words = [sys.executable, "-I", "-S", _TIMED_COMMAND, str(report), repr(factor), *words]
        environment = encode.home.environment if encode.home else None
        finished = child.run(words, self._timeout_s, environment, check=False)
        usage = finished.usage
        if usage.exit_status != 0:
            raise SubjectError(f"{encode.title}: {child.describe_failure(finished)}")
        figures = {
            "cpu_s": usage.cpu_s,
            "wall_s": usage.wall_s,
            "max_rss_bytes": usage.max_rss_bytes,
            "switches": usage.involuntary_switches,
        }
        return figures | (json.loads(report.read_text(encoding="utf-8")) if factor > 1 else {})

    def _decoded(self, encode: Encode, stream: Path) -> str:
        """The stream's digest; one that is new is decoded."""
        digest = sha256_of(stream)
        if digest not in self.shown:
            self.shown[digest] = _decode(encode, stream, self._timeout_s)
        return digest


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
