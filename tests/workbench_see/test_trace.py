"""`workbench trace` on real encodes: what compiled code and threads leave, planted waits, what is lost, what dies midway."""

import ctypes
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from encoder.picture import REF_BORDER, Picture
from workbench.analysis.overhead import overhead
from workbench.analysis.timeline import timeline_findings
from workbench.cli import main
from workbench.errors import SubjectError
from workbench.instruments import trace
from workbench.record import read_run
from workbench.subject import Subject, our_encoder

TIMEOUT_S = 500.0
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
SLOW_LEFT_HALF = """
ORIGIN, STRIDE = {origin}, {stride}


def variance(src, at, stride, w, h):
    spent = 0
    if stride == STRIDE and (at - ORIGIN) % stride < 128:
        for i in range(400000):
            spent = spent * 31 + (i ^ spent >> 7)
    total, squares = 0, 0
    for y in range(h):
        for x in range(w):
            value = int(src[at + y * stride + x])
            total += value
            squares += value * value
    return squares - total * total // (w * h) + (1 if spent == 12345 else 0)
"""
RAISES = "def variance(src, at, stride, w, h):\n    if at >= 0:\n        raise ValueError('planted')\n    return 0\n"
DIES = "def variance(src, at, stride, w, h):\n    total = 0\n    total += int(src[at + (1 << 45)])\n    return total\n"


@pytest.fixture
def subject(make_clip):
    """subject(width, height, frames, kernels, ...) -> an encode by our own encoder."""

    def make(width, height, frames, kernels, **options):
        source = make_clip(width, height, frames)
        return Subject("clip", source, width, height, frames, our_encoder(), kernels, **options)

    return make


def run(*words, environment=(), **options):
    """Run a module of this tree as a user would."""
    own = {**os.environ, **our_encoder().environment, **dict(environment)}
    command = [sys.executable, "-m", *map(str, words)]
    return subprocess.run(command, env=own, capture_output=True, text=True, timeout=TIMEOUT_S, **options)


def in_process(code, **environment):
    """What a piece of Python prints, in a process with this environment."""
    own = {**os.environ, **our_encoder().environment, **environment}
    own = {name: value for name, value in own.items() if value is not None}
    return subprocess.run(
        [sys.executable, "-c", code], env=own, capture_output=True, text=True, check=True, timeout=TIMEOUT_S
    ).stdout


def counted(record):
    """How many spans of each name a record has."""
    names = record.data["names"]
    return Counter(names[name] for name in record.data["spans"]["name"])


# The build ----------------------------------------------------------------------------------------------------------------

STORES = """
import numpy as np
from encoder.byref import Record, i64, i64s
from encoder import compiled
from encoder.probe import COUNT_AT, DETAIL_AT, SPANS_AT
from encoder.tile import spans
class State(Record):
    FIELDS = {"probe": i64, "spans": i64s}
state = State(probe=0, spans=np.zeros(SPANS_AT + 9, np.int64))
state.spans[DETAIL_AT] = 2
end_span = compiled.compiled(spans, "end_span", cached=False)
for _ in range(5):
    end_span(state, 4, 7, 16, 32, 6)
(code,) = end_span.inspect_llvm().values()
body = code[code.index("define"):]
body = body[:body.index("\\n}")]
print(int(state.spans[COUNT_AT]), "readcyclecounter" in body.partition("probe")[0], body.count("store i64"))
print(compiled._cache_folder("encoder.tile.walk").name)
print(compiled._cache_folder("encoder.kernels.set_numba.distortion").name)
"""


def test_the_normal_build_carries_no_spans_and_shares_no_folder(tmp_path):
    plain, traced = (
        in_process(STORES, ENCODER_TRACE=detail, ENCODER_CACHE_DIR=str(tmp_path)).split() for detail in ("", "block")
    )
    assert (plain[0], traced[0]) == ("0", "3")  # there is room for three
    assert int(plain[2]) < int(traced[2])
    assert plain[3].startswith("tile.walk-") and traced[3].startswith("tile.walk+trace-")
    assert plain[4] == traced[4]  # kernels write no spans: they are compiled once


TWO_ENCODERS = """
from encoder.probe import COUNT_AT, DETAIL_AT
from encoder.timeline import restart, tile_spans
first = tile_spans(2, True)
beside = tile_spans(2, True)
restart()
behind = tile_spans(2, True)
print(any(map(lambda a, b: a is b, first, beside)), all(map(lambda a, b: a is b, beside, behind)))
behind[0][COUNT_AT] = 3
restart()
print([(int(each[COUNT_AT]), int(each[DETAIL_AT])) for each in tile_spans(2, True)])
restart()
print(len(tile_spans(3, True)))
"""


def test_an_encode_behind_another_takes_over_its_room_and_none_beside_it():
    said = in_process(TWO_ENCODERS, ENCODER_TRACE="row", ENCODER_TRACE_SPANS="60").splitlines()
    assert said == ["False True", "[(0, 1), (0, 1)]", "3"]


def test_a_bad_value_is_one_line(tmp_path, make_clip):
    for name, value, accepted in (
        ("ENCODER_TRACE", "fine", "tile, row, block"),
        ("ENCODER_TRACE_SPANS", "many", "1 to"),
    ):
        environment = {"ENCODER_TRACE": "row", name: value}
        words = ("encoder", make_clip(16, 16, 1), "-o", "x.ivf", "--kernels", "python")
        done = run(*words, cwd=tmp_path, environment=environment)
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert f"${name} is {value!r}, accepted: {accepted}" in line


# Encodes ------------------------------------------------------------------------------------------------------------------


def test_an_interpreted_set_leaves_all_kinds_of_spans_and_the_same_bytes(subject, tmp_path):
    encode = subject(16, 16, 3, "numpy", speed=8)
    streams, counts = [], {}
    for detail in trace.DETAILS:
        record = trace.measure(encode, detail, 10_000, tmp_path, TIMEOUT_S)
        streams.append((tmp_path / "stream.ivf").read_bytes())
        counts[detail] = counted(record)
        found = timeline_findings(record.data)
        assert found.timeline.lanes == ("main",)
        assert found.timeline.crossed == 0 and record.data["lost"] == 0
        assert [latency.frame for latency in found.latencies] == [0, 1, 2]
    assert streams[0] == streams[1] == streams[2]
    assert counts["tile"]["frame"] == 3 and counts["tile"]["tile"] == 3
    assert {"read", "lookahead", "tiles", "deblocking", "cdef", "entropy", "tile entropy", "write"} <= counts[
        "tile"
    ].keys()
    # A tile that has more symbols than there is room for is encoded twice.
    assert counts["row"] == counts["tile"] + Counter({"superblock row": counts["row"]["superblock row"]})
    block = counts["block"]
    assert counts["row"]["superblock row"] == block["superblock row"] == block["decision"] >= 3
    assert block["trial"] >= 6 and block["reconstruction"] >= 3
    assert block["entropy"] == 3
    assert block["symbols"] == 3 + block["reconstruction"]  # of finished tiles, and of blocks


def test_what_finds_no_room_is_said(subject, tmp_path):
    record = trace.measure(subject(16, 16, 2, "numpy"), "block", 10, tmp_path, TIMEOUT_S)
    inside = sum(place != trace.NONE for place in record.data["spans"]["place"])
    assert inside == 10 and record.data["lost"] > 5
    (warning,) = record.warnings
    assert warning.startswith(f"{record.data['lost']} spans found no room") and "--max-spans" in warning
    assert counted(record)["frame"] == 2  # what threads record has room of its own


def test_a_planted_slow_tile_is_the_critical_path(subject, tmp_path, compiled_kernels):
    picture = Picture.allocate(256, 128, REF_BORDER)
    (tmp_path / "slow.py").write_text(SLOW_LEFT_HALF.format(origin=picture.origin[0], stride=picture.stride[0]))
    kernels = f"numba,variance={tmp_path}/slow.py:variance"
    encode = subject(256, 128, 2, kernels, tile_cols_log2=1, threads=2)
    found = timeline_findings(trace.measure(encode, "tile", 1000, tmp_path, TIMEOUT_S).data)
    timeline = found.timeline
    assert timeline.lanes == ("main", "ahead worker 1", "coding worker 1", "coding worker 2")
    assert next(iter(found.path_by_stage_ns)) == "tile"
    on_path = Counter()
    for step in found.path:
        if step.what == "tile":
            on_path[int(timeline.tile[step.span])] += step.duration_ns
    assert on_path[0] > 20 * on_path[1]
    idle = max(found.lanes[2:], key=lambda lane: lane.idle_ns.get("tile", 0))
    assert idle.idle_ns["tile"] > 0.5 * on_path[0]  # whoever has done the right half waits for the left one
    assert found.lanes[0].idle_ns["tile"] > 0.8 * on_path[0]


def test_sixty_four_threads_have_a_lane_each(subject, tmp_path, compiled_kernels):
    encode = subject(512, 512, 1, "numba", speed=4, tile_cols_log2=3, tile_rows_log2=3, threads=64)
    record = trace.measure(encode, "tile", 1000, tmp_path, TIMEOUT_S)
    found = timeline_findings(record.data)
    assert counted(record)["tile"] == record.data["tiles"] == 64
    # The pool starts no thread while another one has nothing to do.
    assert 2 < len(found.lanes) <= 65 and found.lanes[0].name == "main"
    assert all(lane.name.startswith("coding worker ") for lane in found.lanes[1:])
    numbers = [int(lane.name.rpartition(" ")[2]) for lane in found.lanes[1:]]
    assert numbers == sorted(numbers)
    for lane in found.lanes:
        assert lane.busy_ns + sum(lane.idle_ns.values()) == found.timeline.wall_ns


@pytest.mark.slow
def test_compiled_spans_lie_in_their_tiles_and_cost_little(subject, tmp_path, compiled_kernels):
    """The clock of compiled code is put on Python's: what it leaves lies in the spans around it."""
    encode = subject(256, 192, 9, "numba", speed=8, tile_cols_log2=1, threads=2)
    record = trace.measure(encode, "block", 200_000, tmp_path, TIMEOUT_S)
    assert record.data["lost"] == 0
    assert record.data["clock_off_ns"] < 20_000
    found = timeline_findings(record.data)
    assert found.timeline.crossed == 0
    assert found.path_inside_ns["trial"] > found.path_by_stage_ns["tile"] / 4
    one_pass = trace.measure(dataclasses.replace(encode, speed=10), "block", 200_000, tmp_path, TIMEOUT_S)
    planned = timeline_findings(one_pass.data)
    inside_ns = planned.path_inside_ns["trial"] + planned.path_inside_ns["decision"]  # of key frames, and of the others
    assert inside_ns > planned.path_by_stage_ns["tile"] / 4
    # On one thread: on two the figure itself wanders between 2 and 8 %.
    pairs = trace.measure_overhead(dataclasses.replace(encode, threads=1), "block", tmp_path, TIMEOUT_S, 12.0)
    cost = overhead(pairs.data)
    assert cost.interval.low < cost.limit, cost


# The verb -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def verb(tmp_path, monkeypatch):
    """verb(word, ...) -> the finished command `workbench trace`, run in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(main, ["trace", *map(str, words)])


def test_the_verb_writes_and_says_everything_and_overwrites_nothing(make_clip, verb, tmp_path):
    words = (make_clip(16, 16, 2), "--kernels", "numpy", "--detail", "row", "--overhead", "0")
    words += ("--out", "out", "--json", "figures.json")
    done = verb(*words)
    assert done.exit_code == 0, done.stderr
    assert "2 frames in" in done.stdout and "critical path, by stage:" in done.stdout
    assert "overhead of recording: not measured" in done.stdout
    assert "again: workbench trace" in done.stdout
    assert done.stdout.splitlines()[-1] == "out/timeline.html"
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert {Path(path).name for path in figures["files"].values()} == {
        path.name for path in (tmp_path / "out").iterdir()
    }
    assert len(figures["latency"]["frames"]) == 2
    assert read_run(tmp_path / "out").end["status"] == "complete"
    for more in ((), ("--json", "other.json")):
        refused = verb(*words, *more)
        assert refused.exit_code == 2 and len(refused.stderr.splitlines()) == 1
    page = tmp_path / "out" / "timeline.html"
    before = page.read_bytes()
    page.write_text("lost")
    assert CliRunner().invoke(main, ["report", "out"]).exit_code == 0
    assert page.read_bytes() == before
    forced = verb(*words, "--force", "--quiet")
    assert (forced.exit_code, forced.stdout) == (0, "")


def test_what_cannot_be_traced_is_one_line(verb, tmp_path, make_clip):
    clip = make_clip(16, 16, 1)
    for words, said in (
        (("--", "python", "script.py"), "cannot look into a program"),
        (("missing.y4m",), "missing.y4m"),
        ((), "SUBJECT is one video file"),
        ((clip, "--out", "clip.y4m"), "clip.y4m: is a file"),
        ((clip, "--out", "clip.y4m/below"), "clip.y4m is a file"),
        ((clip, "--out", "clip.y4m/below/it"), "clip.y4m is a file"),
        ((clip, "--json", "missing/figures.json"), "there is no folder missing"),
        ((clip, "--json", ".", "--force"), "is a folder"),
    ):
        done = verb(*words)
        assert done.exit_code == 2, done.stderr
        (line,) = done.stderr.splitlines()
        assert said in line
    assert list(tmp_path.iterdir()) == [clip]


def test_an_encoder_that_dies_midway_is_one_line(verb, tmp_path, make_clip):
    clip = make_clip(16, 16, 1)
    for name, code, status, said in (
        ("raises", RAISES, 2, "raised ValueError: planted"),
        ("dies", DIES, 5, "killed by signal 11"),
    ):
        (tmp_path / f"{name}.py").write_text(code)
        done = verb(clip, "--kernels", f"numpy,variance={tmp_path}/{name}.py:variance", "--out", "out")
        (line,) = done.stderr.splitlines()
        assert said in line and done.exit_code == status
        assert done.stdout == "" and not (tmp_path / "out").exists()


def without_superpowers():
    """The superuser too may write only where the mode of a folder says so; nobody else has that power to lose."""
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


def test_a_read_only_working_folder(make_clip, tmp_path):
    """One line says why nothing is measured; with --out the results go elsewhere."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    make_clip(16, 16, 1, "read-only/clip.y4m")
    folder.chmod(0o555)
    words = ("workbench", "trace", "clip.y4m", "--kernels", "numpy", "--overhead", "0")
    try:
        refused = run(*words, cwd=folder, preexec_fn=without_superpowers)
        done = run(*words, "--out", "../out", cwd=folder, preexec_fn=without_superpowers)
    finally:
        folder.chmod(0o755)
    (line,) = refused.stderr.splitlines()
    assert refused.returncode == 5 and "no right to write" in line and "--out" in line
    assert done.returncode == 0, done.stderr
    assert [path.name for path in folder.iterdir()] == ["clip.y4m"] and (tmp_path / "out/timeline.html").exists()


def started(folder):
    """Processes that have this folder in their command lines."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str(folder).encode() in (process / "cmdline").read_bytes():
                found.append(int(process.name))
    return found


def wait_until(holds):
    """Wait for something to become true, a minute or two on a busy machine."""
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("stage", ["timeline", "overhead"])
def test_interrupted_it_keeps_what_it_has_and_leaves_nothing_running(make_clip, tmp_path, stage):
    clip = make_clip(16, 16, 1 if stage == "overhead" else 500)
    words = [sys.executable, "-m", "workbench", "trace", clip.name, "--kernels", "numpy", "--frames", "500"]
    words += ["--overhead", "500", "--out", "out"]
    own = {**os.environ, **our_encoder().environment}
    verb = subprocess.Popen(words, cwd=tmp_path, env=own, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out = tmp_path / "out"
    try:
        wait_until(lambda: out.exists() if stage == "overhead" else len(started(tmp_path)) >= 2)
        wait_until(lambda: len(started(tmp_path)) >= 2)
        verb.send_signal(signal.SIGINT)
        said, complaint = verb.communicate(timeout=TIMEOUT_S)
    finally:
        verb.kill()
    assert (verb.returncode, complaint.strip()) == (130, "workbench: interrupted")
    wait_until(lambda: not started(tmp_path))
    if stage == "timeline":
        assert said == "" and not out.exists()
        return
    assert "latency from frame in to packet out" in said and "overhead of recording: not measured" in said
    assert read_run(out).end["status"] == "interrupted" and (out / "timeline.html").exists()


@pytest.mark.slow
def test_the_two_builds_take_turns(subject, tmp_path):
    record = trace.measure_overhead(subject(24, 24, 2, "numpy"), "tile", tmp_path, TIMEOUT_S, 0.5)
    assert len(record.data["rounds"]) == trace.ROUNDS
    cost = overhead(record.data)
    assert cost.pairs >= 3 * trace.ROUNDS and cost.cpu_s > 0


@pytest.mark.slow
def test_one_of_two_builds_that_dies_is_one_line(subject, tmp_path):
    (tmp_path / "dies.py").write_text(DIES)
    encode = subject(16, 16, 1, f"numpy,variance={tmp_path}/dies.py:variance")
    with pytest.raises(SubjectError, match=r"one of the two encodes that take turns was killed by signal 11") as caught:
        trace.measure_overhead(encode, "tile", tmp_path, TIMEOUT_S, 0.5)
    assert "\n" not in str(caught.value)
