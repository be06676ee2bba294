"""Kernels in processes that stay: what is planted is found, what goes wrong is said, nothing is left running."""

import math
import os
import subprocess
from pathlib import Path

import pytest

from workbench import pairs
from workbench.errors import InputError, OutputsDifferError, SubjectError, SubjectTimeout
from workbench.instruments import kernel_side
from workbench.instruments.kernel_side import KernelSides
from workbench.pairs import BASE, CANDIDATE, PLANTED, TWIN, Limits, log_ratios
from workbench.sides import Kernel, home_of

MINE = """
import os
import time

import numpy as np
from numba import njit


def twice(a, a_at, a_stride, b, b_at, b_stride, w, h):
    total = np.int64(0)
    for _ in range(2):
        for y in range(h):
            for x in range(w):
                total += abs(np.int64(a[a_at + y * a_stride + x]) - np.int64(b[b_at + y * b_stride + x]))
    return total // 2


def once(a, a_at, a_stride, b, b_at, b_stride, w, h):
    total = np.int64(0)
    for y in range(h):
        for x in range(w):
            total += abs(np.int64(a[a_at + y * a_stride + x]) - np.int64(b[b_at + y * b_stride + x]))
    return total


def raises(a, a_at, a_stride, b, b_at, b_stride, w, h):
    if w > 4:
        raise ValueError("not today")
    return w


def hangs(a, a_at, a_stride, b, b_at, b_stride, w, h):
    n = w
    while n > 4:
        n += 0
    return n
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    return path


@pytest.fixture
def one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough for what goes wrong before the first block."""
    monkeypatch.setattr(kernel_side, "PROCESSES", 1)


@pytest.fixture
def two_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough for blocks of two sides with one home."""
    monkeypatch.setattr(kernel_side, "PROCESSES", 2)


def kernel(expression: str, slot: str = "sad", pattern: str = "[48]x[48]-r*") -> Kernel:
    return Kernel(expression, slot, pattern, home_of(None))


def sides(base: str, candidate: str, timeout_s: float = 60.0, **fields: str) -> KernelSides:
    return KernelSides(kernel(base, **fields), kernel(candidate, **fields), None, timeout_s, seed=1)


def test_a_planted_slowdown_and_twice_the_work_are_found(mine: Path) -> None:
    with sides(f"python,sad={mine}:once", f"python,sad={mine}:twice") as both:
        both.tune(0.01, 0.05)
        assert both.about(CANDIDATE)["origin"].endswith("mine.py:twice")
        assert both.planted == pytest.approx(0.05, rel=0.2)
        taken = list(
            pairs.blocks(
                both.run, lambda n: (BASE, CANDIDATE, TWIN, PLANTED), Limits(6, 60), 1, lambda s: None, lambda b: False
            )
        )
        assert {block.order for block in taken} > {taken[0].order}
    ratios = sorted(log_ratios(taken))
    assert math.log(1.4) < ratios[len(ratios) // 2] < math.log(2.8)
    planted = sorted(log_ratios(taken, over=PLANTED))
    assert math.log(0.9) < planted[len(planted) // 2] < math.log(1.3)
    assert nobody_works()


@pytest.mark.parametrize(
    ("loops", "share", "exact"),
    [
        (121, 0.01, 100),
        (6868, 0.01, 6900),
        (60, 0.01, 100),
        (40, 0.01, 100),
        (19, 0.01, 19),
        (121, 0.03, 133),
        (10, 0.03, 33),
        (1, 0.05, 1),
    ],
)
def test_calls_of_which_the_slowdown_is_a_whole_number(loops: int, share: float, exact: int) -> None:
    assert kernel_side._divisible(loops, share) == exact


def test_of_an_interpreted_kernel_few_calls_are_enough(two_processes: None) -> None:
    with sides("python", "numpy", slot="sse", pattern="*") as both:
        both.tune(0.01, 0.05)
        timed, all_cases = both.cases
        assert 0 < timed < all_cases
        assert both.planted >= 0.05
        assert both.run((CANDIDATE, BASE), 0)[BASE].cpu_s > 0


def test_a_kernel_that_cannot_be_loaded(mine: Path, one_process: None) -> None:
    for expression, said in (
        ("numpy,sad=nofile.py:x", "no file nofile.py"),
        (f"numpy,sad={mine}:nothing", "no function 'nothing'"),
        ("numpy,nope=python", "no slot 'nope'"),
    ):
        with pytest.raises(InputError, match=said):
            sides("numpy", expression)
    assert nobody_works()


def test_a_kernel_that_raises(mine: Path, one_process: None) -> None:
    with (
        pytest.raises(SubjectError, match="raised ValueError: not today"),
        sides("numpy", f"numpy,sad={mine}:raises") as both,
    ):
        both.tune(0.01, 0.05)
    assert nobody_works()


def test_a_kernel_that_hangs(mine: Path, one_process: None) -> None:
    with (
        pytest.raises(SubjectTimeout, match="sad of numpy,sad=.*:hangs: no answer for 2"),
        sides("numpy", f"numpy,sad={mine}:hangs", timeout_s=2.0, pattern="8x8-r*") as both,
    ):
        both.tune(0.01, 0.05)
    assert nobody_works()


def test_a_process_that_dies(mine: Path, one_process: None) -> None:
    mine.write_text("import os\nos._exit(7)\n")
    with pytest.raises(SubjectError, match="its process ended: exit status 7"):
        sides("numpy", f"numpy,sad={mine}:once")
    assert nobody_works()


def test_no_case_fits(one_process: None) -> None:
    with (
        pytest.raises(InputError, match="no case of sad is like that"),
        sides("numpy", "numpy", pattern="5x5*") as both,
    ):
        both.tune(0.01, 0.05)


def test_other_cases_do_not_compare(one_process: None) -> None:
    with sides("numpy", "python", pattern="4x4-r*") as both:
        both._workers[0].about[1]["digest"] = "another"
        with pytest.raises(OutputsDifferError, match="cases of sad are others in B than in A"):
            both.tune(0.01, 0.05)


def test_kernels_of_two_homes_have_processes_of_their_own(two_processes: None) -> None:
    base, candidate = kernel("numpy"), kernel("numpy")
    object.__setattr__(candidate.home, "environment", dict(base.home.environment) | {"X": "1"})
    with KernelSides(base, candidate, None, 60.0, seed=1) as both:
        assert len(both._workers) == 2 * kernel_side.PROCESSES
        both.tune(0.005, 0.05)
        assert set(both.run((TWIN, CANDIDATE, BASE), 0)) == {BASE, CANDIDATE, TWIN}


def nobody_works() -> bool:
    """Whether no worker of this test is left."""
    found = subprocess.run(["pgrep", "-P", str(os.getpid()), "-f", "kernel_worker"], capture_output=True)
    return not found.stdout
