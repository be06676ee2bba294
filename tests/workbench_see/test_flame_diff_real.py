"""A differential flame graph of real encodes: a kernel that does its work twice is found, the same encoder is not."""

from pathlib import Path

import pytest

from workbench.analysis.flame_diff import compare_stacks
from workbench.analysis.folded import parse_frame, recording_of
from workbench.commands.target import parse_target
from workbench.instruments import stacks
from workbench.report.flame_diff import whole_words

SLOW = '''"""satd that does its work twice; the second call cannot be told to be the first again."""

from encoder.kernels.set_numba.distortion import satd as once


def satd(a, a_at, a_stride, b, b_at, b_stride, w, h):
    first = once(a, a_at, a_stride, b, b_at, b_stride, w, h)
    return max(first, once(b, b_at, b_stride, a, a_at, a_stride, w, h))
'''
# By frames, not by seconds: on a busy machine the samples would be fewer, for they are of processor time.
FRAMES, WARM_UP, TIMEOUT_S = 96, 17, 900.0
# Runs a side. Where the machine makes runs of the same program differ by a quarter, three cannot show a doubled kernel.
MIN_RUNS, MAX_RUNS = 4, 16


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_kernel_that_works_twice_is_the_one_that_has_colour(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    corpus = Path(__file__).parents[2] / "corpus"
    sides = {"before": "numba", "after": f"numba,satd={tmp_path}/slow.py:satd", "again": "numba"}
    runs = {side: [] for side in sides}
    for number in range(MAX_RUNS):  # in turn, so that the machine's moods meet all sides
        for side, kernels in sides.items():
            subject = parse_target(["pan", "--speed", "8", "--corpus", str(corpus), "--kernels", kernels]).encode(
                "flame"
            )
            folder = tmp_path / f"{side}-{number}"
            folder.mkdir()
            if not number:
                (folder / "warm").mkdir()
                stacks.warm(subject.encoder, "numba", folder / "warm", TIMEOUT_S)
            sampling = stacks.Sampling(frames=FRAMES)
            record = stacks.measure(subject, folder, TIMEOUT_S, False, WARM_UP, sampling)
            runs[side].append(recording_of(record))
            print(f"{side}: {record.values[0]:.0f} samples of {record.data['frames']} frames")
        if number + 1 < MIN_RUNS:
            continue
        slower = compare_stacks(runs["before"], runs["after"])
        print("satd twice as slow:", whole_words(slower))
        if slower.coloured:
            break
    same = compare_stacks(runs["before"], runs["again"])
    print("the same twice:", whole_words(same))
    assert not same.coloured, [box.frame for box in same.coloured]
    # The user's kernel itself, which calls it twice, stands on one side alone and has colour where samples have met it.
    coloured = {parse_frame(box.frame).function for box in slower.coloured}
    assert {name for name in coloured if not name.endswith("slow_py.satd")} == {"set_numba.satd"}
    assert all(box.own.verdict == 1 for box in slower.coloured), [(box.frame, box.own) for box in slower.coloured]
    differing = {parse_frame(each.frame).function: each.own for each in slower.functions if each.own.verdict}
    satd = differing["set_numba.satd"]
    print(f"satd: {satd.before * 1e3:.2f} -> {satd.after * 1e3:.2f} ms a frame, {satd.ratio:.2f}x")
    assert 1.5 < (satd.ratio or 0) < 3
