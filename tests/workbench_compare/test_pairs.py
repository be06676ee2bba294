"""Blocks: a fair coin for each pair, disturbed ones run again whole, an end when it is decided or time is up."""

import itertools
import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest

from workbench import pairs
from workbench.meters import FOREIGN_LIMIT, PRESSURE_LIMIT, STEAL_LIMIT, Reading, disturbance
from workbench.pairs import BASE, CANDIDATE, PLANTED, SECOND, TWIN, Block, Limits, Sample, block_of, log_ratios
from workbench.record import Record

ALL = (BASE, CANDIDATE, TWIN)


def sample(cpu_s: float = 1.0, **fields: float | None) -> Sample:
    return Sample(cpu_s, cpu_s, cpu_s, **fields)  # type: ignore[arg-type]


def quiet(samples: Mapping[str, Sample]) -> None:
    return None


def run(order: Sequence[str], number: int) -> dict[str, Sample]:
    return {name: sample(1.0 + 0.1 * (name == CANDIDATE)) for name in order}


def take(
    most: int = 10, seconds: float = 60.0, seed: int = 1, is_disturbed=quiet, decide=lambda taken: False
) -> list[Block]:
    return list(pairs.blocks(run, lambda number: ALL, Limits(most, seconds), seed, is_disturbed, decide))


def test_the_first_block_is_there_to_warm_up() -> None:
    taken = take(most=5)
    assert [block.number for block in taken] == [0, 1, 2, 3, 4, 5]
    assert [block.counts for block in taken] == [False, True, True, True, True, True]
    assert log_ratios(taken) == pytest.approx([math.log(1.1)] * 5)


def test_the_control_is_held_against_the_run_of_a_beside_it() -> None:
    times = {BASE: 1.0, CANDIDATE: 2.0, TWIN: 3.0, PLANTED: 3.3}
    alone = {name: sample(time) for name, time in times.items()}
    beside = {**alone, SECOND: sample(1.5)}
    for samples, base in ((alone, 1.0), (beside, 1.5)):
        taken = [Block(1, ALL, samples, None, False, 0.0)]
        assert log_ratios(taken) == [math.log(2.0)]
        assert log_ratios(taken, over=TWIN) == [math.log(3.0 / base)]
        assert log_ratios(taken, over=PLANTED) == [math.log(3.3 / base)]


def test_every_order_is_as_likely_and_follows_from_the_seed() -> None:
    taken = take(most=3000, seed=7)
    orders = Counter(block.order for block in taken)
    assert set(orders) == set(itertools.permutations(ALL))
    assert all(abs(count - 500) < 4 * math.sqrt(500) for count in orders.values())
    first = Counter(block.order.index(BASE) < block.order.index(CANDIDATE) for block in taken)
    assert abs(first[True] - first[False]) < 4 * math.sqrt(3000)
    assert [block.order for block in take(most=20, seed=7)] == [block.order for block in taken[:21]]
    assert [block.order for block in take(most=20, seed=8)] != [block.order for block in taken[:21]]


def test_a_disturbed_block_is_run_again_whole_and_counted() -> None:
    burst = iter([None, None, None, "a burst", None, None, None])
    taken = take(most=5, is_disturbed=lambda samples: next(burst))
    assert [(block.number, block.again, block.disturbed) for block in taken] == [
        (0, False, None), (1, False, None), (2, False, None), (3, True, "a burst"), (3, False, None), (4, False, None),
        (5, False, None),
    ]  # fmt: skip
    assert len(log_ratios(taken)) == 5


def test_steady_noise_is_flagged_and_does_not_use_up_the_time() -> None:
    taken = take(most=40, is_disturbed=lambda samples: "noise")
    assert sum(block.counts for block in taken) == 40
    assert all(block.disturbed for block in taken)
    assert sum(block.again for block in taken) == 0


def test_it_ends_when_decided() -> None:
    asked: list[int] = []

    def decide(taken: Sequence[Block]) -> bool:
        asked.append(len(taken))
        return len(taken) == 4

    assert sum(block.counts for block in take(decide=decide)) == 4
    assert asked == [1, 2, 3, 4]


def test_no_block_is_begun_that_would_end_too_late() -> None:
    def slowly(order: Sequence[str], number: int) -> dict[str, Sample]:
        time.sleep(0.05)
        return run(order, number)

    began = time.monotonic()
    taken = list(pairs.blocks(slowly, lambda number: ALL, Limits(1000, 0.3), 1, quiet, lambda taken: False))
    assert time.monotonic() - began < 0.4
    assert 3 <= len(taken) <= 6


def test_a_block_survives_the_notebook() -> None:
    block = Block(3, ("B", "A"), {"A": sample(1.0, pressure_s=0.1), "B": sample(2.0)}, "noise", False, 1.5)
    record = block.record({"part": "encode", "name": "pan"})
    assert record.values == (2.0, 1.0)
    assert block_of(Record(**{**vars(record)})) == block


def busy(**fields: float) -> dict[str, Sample]:
    return {BASE: sample(), CANDIDATE: sample(1.0, **fields)}


@pytest.mark.parametrize(
    ("field", "limit", "word"),
    [
        ("pressure_s", PRESSURE_LIMIT, "waited"),
        ("steal_s", STEAL_LIMIT, "hypervisor"),
        ("foreign_s", FOREIGN_LIMIT, "other"),
    ],
)
def test_the_rule_looks_at_the_meters(field: str, limit: float, word: str) -> None:
    judge = disturbance()
    assert judge(busy(**{field: 2 * limit * 0.9})) is None
    assert word in (judge(busy(**{field: 2 * limit * 1.1})) or "")


def test_the_rule_never_looks_at_the_times_nor_at_whose_run_it_was() -> None:
    judge = disturbance()
    for slow in (0.001, 1.0, 1000.0):
        samples = {BASE: Sample(slow, slow, 1.0, pressure_s=0.3), CANDIDATE: Sample(1.0, 1.0, 1.0, pressure_s=0.0)}
        swapped = {BASE: samples[CANDIDATE], CANDIDATE: samples[BASE]}
        assert judge(samples) is None and judge(swapped) is None
        samples[BASE] = Sample(slow, slow, 1.0, pressure_s=0.6)
        swapped = {BASE: samples[CANDIDATE], CANDIDATE: samples[BASE]}
        assert judge(samples) == judge(swapped) != None  # noqa: E711


def test_threads_that_wait_for_each_other_are_no_noise_and_p_is_not_counted_twice() -> None:
    assert disturbance(waits_for_itself=True)(busy(pressure_s=2.0)) is None
    samples = {**busy(pressure_s=0.35), PLANTED: Sample(1.0, 1.0, took_s=0.0)}
    assert disturbance()(samples) is None


def test_the_noise_of_two_runs_at_once_is_told_by_one_of_them() -> None:
    for foreign_s, disturbed in ((0.9 * FOREIGN_LIMIT, False), (1.1 * FOREIGN_LIMIT, True)):
        samples = {BASE: sample(foreign_s=foreign_s), CANDIDATE: Sample(1.0, 1.0, took_s=0.0)}
        assert (disturbance()(samples) is not None) == disturbed


def test_a_kernel_that_does_not_say_disturbs_nothing() -> None:
    assert disturbance()({BASE: sample(), CANDIDATE: sample()}) is None


def test_foreign_work_is_what_is_not_ours() -> None:
    before, after = Reading(0.0, 1.0, 0.0, 10.0), Reading(2.0, 1.5, 0.1, 13.0)
    assert after.since(before, own_cpu_s=2.0) == {"pressure_s": 0.5, "steal_s": pytest.approx(0.1), "foreign_s": 1.0}
    assert after.since(before, own_cpu_s=1.5 + 1.4)["foreign_s"] == pytest.approx(0.1)  # two at once
