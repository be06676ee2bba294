"""The same encode by two builds of the encoder in turns, packet by packet: what one build costs beside the other.

python -m workbench.instruments.inside.alternated PAIRS.json SECONDS ROUNDS BUILDS -- ENCODER_ARGUMENT...

BUILDS is JSON, for each of the two what is changed in the environment: [{NAME: value, or null to unset it, ...}, {...}]. Where
that has a process watched (watched.py), it is, by the build for profiles. Each is a process that encodes the clip again and
again, one packet when it is its turn, while the other one waits; which is first, chance says. So both see the same machine,
milliseconds apart. In each of ROUNDS both processes are new, since where a process happens to lie in memory makes it faster
or slower, too. SECONDS are processor seconds of both together. PAIRS.json is a list of rounds, these of pairs: processor seconds
of a packet by the first build, and by the second.

python -m workbench.instruments.inside.alternated -- ENCODER_ARGUMENT... is one of the two: a line on standard input lets it
encode a packet, whose processor seconds it prints, or `end` behind the last one.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.instruments.inside import watched
from workbench.instruments.inside.traced import load_code

Pair = tuple[float, float]
_READY, _END = "ready", "end"
_LEAST_PAIRS = 3
_SEED = 1


def in_turns(encode: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """`encode` that waits for a line before each packet and answers with its processor seconds; without a line, it ends."""

    def encode_in_turns(*arguments: Any) -> Iterator[Any]:
        packets = encode(*arguments)
        while sys.stdin.readline():
            began = time.process_time()
            packet = next(packets, None)
            if packet is None:
                return
            print(time.process_time() - began, flush=True)
            yield packet

    return encode_in_turns


def _take_turns(arguments: list[str]) -> int:
    """Be one of the two, until somebody ends this process."""
    watcher = watched.install(watched.settings()) if watched.VARIABLE in os.environ else None
    if status := load_code(arguments):
        return status
    from encoder import stream, timeline
    from encoder.cli import main as encode

    if watcher is not None:
        watcher.start()
    stream.encode = in_turns(stream.encode)
    print(_READY, flush=True)
    while status == os.EX_OK:
        timeline.restart()
        status = encode(arguments)
        print(_END, flush=True)
    return status


class _Build:
    """One of the two processes, which writes into a file of its own; it has loaded its code when this is made."""

    def __init__(self, arguments: Sequence[str], suffix: str, environment: dict[str, str]) -> None:
        own = list(arguments)
        output = Path(own[own.index("-o") + 1])
        own[own.index("-o") + 1] = str(output.with_name(suffix + output.name))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "workbench.instruments.inside.alternated", "--", *own],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def turn(self) -> str:
        """Let it encode a packet; its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self.answer()

    def answer(self) -> str:
        """What it says next. Raises ChildProcessError when it has ended; why, it has said on our standard error."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise ChildProcessError(self._process.wait())
        return line.strip()

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


def _round(builds: Sequence[_Build], seconds: float, chance: random.Random) -> list[Pair]:
    """Pairs of packets for so many processor seconds, the clip once more where it ends before."""
    pairs: list[Pair] = []
    while sum(map(sum, pairs)) < seconds or len(pairs) < _LEAST_PAIRS:
        answers = ["", ""]
        for at in chance.sample((0, 1), 2):
            answers[at] = builds[at].turn()
        if _END not in answers:
            pairs.append((float(answers[0]), float(answers[1])))
    return pairs


def _alternate(
    seconds: float, rounds: int, changes: Sequence[Mapping[str, str | None]], arguments: Sequence[str]
) -> list[list[Pair]]:
    chance = random.Random(_SEED)
    taken = []
    for _ in range(rounds):
        builds = [_Build(arguments, f"{at}-", _changed(each)) for at, each in enumerate(changes)]
        try:
            for build in builds:
                build.answer()
            taken.append(_round(builds, seconds / rounds, chance))
        finally:
            for build in builds:
                build.close()
    return taken


def _changed(changes: Mapping[str, str | None]) -> dict[str, str]:
    """The environment of this process with these changes."""
    return {name: value for name, value in {**os.environ, **changes}.items() if value is not None}


def _status_of(ended: int) -> int:
    """The exit status that tells of one of the two, which should not have ended: its own, where it has said why."""
    if ended > 0:
        return ended
    how = f"was killed by signal {-ended} ({signal.strsignal(-ended)})" if ended else "ended"
    print(f"one of the two encodes that take turns {how}", file=sys.stderr)
    return os.EX_SOFTWARE


def main() -> int:
    """Be the judge, or one of the two."""
    words = sys.argv[1:]
    cut = words.index("--")
    own, arguments = words[:cut], words[cut + 1 :]
    if not own:
        return _take_turns(arguments)
    path, seconds, rounds, builds = own
    try:
        pairs = _alternate(float(seconds), int(rounds), json.loads(builds), arguments)
    except ChildProcessError as error:
        return _status_of(int(error.args[0]))
    Path(path).write_text(json.dumps(pairs))
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main())
