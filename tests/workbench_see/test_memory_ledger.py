"""The account of allocations: against a plain recount for any sequence of records, and bounded for long ones."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbench.instruments.inside import ledger
from workbench.instruments.inside.ledger import Ledger
from workbench.instruments.inside.replayed import origin_of
from workbench.instruments.inside.resident import MOST_SAMPLES, Timeline, thinned

PAGE = 4096
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # also on a machine that others use


@dataclass(frozen=True)
class Step:
    kind: str  # "allocate", "free", "mark"
    address: int
    size: int = 0
    stack: int = 0
    thread: int = 0


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    """What a program may do: no address is given out twice without a free between."""
    live: list[int] = []
    steps = []
    for number in range(draw(st.integers(0, 60))):
        kind = draw(st.sampled_from(["allocate", "allocate", "free", "mark"]))
        if kind == "free" and live:
            steps.append(Step("free", live.pop(draw(st.integers(0, len(live) - 1)))))
        elif kind == "allocate":
            stack, thread = draw(st.integers(0, 3)), draw(st.integers(0, 1))
            steps.append(Step("allocate", 100 + number, draw(st.integers(1, 99)), stack, thread))
            live.append(100 + number)
        elif kind == "mark":
            steps.append(Step("mark", 0))
    return steps


def replayed(steps: list[Step]) -> Ledger:
    account = Ledger()
    for step in steps:
        if step.kind == "allocate":
            account.allocate(step.address, step.size, step.stack, step.thread)
        elif step.kind == "free":
            account.free(step.address)
        else:
            account.mark()
    return account


@patient
@given(histories())
def test_an_account_is_what_a_recount_gives(steps: list[Step]) -> None:
    account = replayed(steps)
    live: dict[int, Step] = {}
    counts, sizes, marks = [0], [0], []
    for step in steps:
        if step.kind == "allocate":
            live[step.address] = step
        elif step.kind == "free":
            del live[step.address]
        else:
            marks.append((counts[-1], sizes[-1]))
            continue
        counts.append(len(live))
        sizes.append(sum(block.size for block in live.values()))
    given_out = [step for step in steps if step.kind == "allocate"]
    assert (account.count, account.total_bytes) == (len(given_out), sum(step.size for step in given_out))
    assert (account.peak_count, account.peak_bytes) == (max(counts), max(sizes))
    assert [(mark.live, mark.live_bytes) for mark in account.marks] == marks
    assert account.curve.counts == counts[1:] and account.curve.sizes == sizes[1:]
    for stack, own in account.stacks.items():
        left = [block for block in live.values() if block.stack == stack]
        assert (own.live, own.live_bytes) == (len(left), sum(block.size for block in left))


@patient
@given(histories())
def test_temporary_is_what_is_freed_before_two_younger_blocks_of_its_thread_are_in_use(steps: list[Step]) -> None:
    temporary = 0
    for end, step in enumerate(steps):
        if step.kind == "free":
            begin = next(n for n, one in enumerate(steps) if one.kind == "allocate" and one.address == step.address)
            younger, most = set(), 0
            for between in steps[begin + 1 : end]:
                if between.kind == "allocate" and between.thread == steps[begin].thread:
                    younger.add(between.address)
                elif between.kind == "free":
                    younger.discard(between.address)
                most = max(most, len(younger))
            temporary += most < 2
    assert sum(stack.temporary for stack in replayed(steps).stacks.values()) == temporary


@patient
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 5), st.booleans()), max_size=40))
def test_of_mapped_ranges_any_part_may_be_unmapped(steps: list[tuple[int, int, bool]]) -> None:
    """Against a set of pages."""
    account = Ledger()
    pages: set[int] = set()
    for first, length, mapped in steps:
        inside = set(range(first, first + length))
        if mapped:
            account.map(first * PAGE, length * PAGE, stack=0, thread=0)
            pages |= inside
        else:
            account.unmap(first * PAGE, length * PAGE)
            pages -= inside
    assert sum(stack.live_bytes for stack in account.stacks.values()) == PAGE * len(pages)
    blocks = sum(stack.live for stack in account.stacks.values())
    assert (blocks == 0) == (not pages) and blocks <= len(pages)


def test_a_free_of_what_was_there_before_changes_nothing() -> None:
    account = Ledger()
    account.free(7)
    assert (account.unknown_frees, account.peak_count, account.stacks) == (1, 0, {})


def test_a_block_whose_free_went_unseen_is_not_counted_twice() -> None:
    account = Ledger()
    for _ in range(2):
        account.allocate(address=7, size=10, stack=0, thread=0)
    assert account.stacks[0].live == 1 and account.peak_bytes == 10


def test_long_runs_take_bounded_room_and_keep_their_peaks() -> None:
    account = Ledger()
    for number in range(5 * ledger.MOST_POINTS):
        account.allocate(number, 3, stack=0, thread=0)
        if number == ledger.MOST_POINTS + 1:
            account.allocate(-1, 10**9, stack=1, thread=0)
            account.free(-1)
        if number % 5 == 0:
            account.mark()
    assert len(account.curve.counts) <= ledger.MOST_POINTS and len(account.levels) <= ledger.MOST_LEVELS
    assert max(account.curve.sizes) == account.peak_bytes > 10**9
    steps = {b - a for (a, _), (b, _) in zip(account.levels, account.levels[1:], strict=False)}
    assert len(steps) == 1  # as far apart as each other
    assert (
        len(account.curve.counts) * account.curve.step
        >= account.records
        > (len(account.curve.counts) - 1) * account.curve.step
    )


@patient
@given(st.lists(st.tuples(st.floats(0, 9), st.integers(0, 99), st.integers(0, 9)), max_size=50))
def test_thinned_samples_keep_the_largest(samples: list[tuple[float, int, int]]) -> None:
    fewer = thinned(samples)
    assert len(fewer) == (len(samples) + 1) // 2 and set(fewer) <= set(samples)
    assert max((s[1] for s in fewer), default=0) == max((s[1] for s in samples), default=0)


def test_a_timeline_of_ten_minutes_is_bounded() -> None:
    timeline = Timeline(pid=0, rate_hz=100)
    at_s = 0.0
    for number in range(60_000):
        timeline.add((at_s, number % 977, 0))
        at_s += timeline.interval_s
        if at_s > 600:
            break
    assert at_s > 600 and len(timeline.samples) <= MOST_SAMPLES and timeline.interval_s == 0.01 * 16
    assert max(sample[1] for sample in timeline.samples) == 976
    assert timeline.samples == sorted(timeline.samples)


def test_an_allocation_is_booked_to_the_programs_own_line() -> None:
    stack = [
        ("_sum", "/venv/lib/python3.11/site-packages/numpy/_core/_methods.py", 49),
        ("mean", "/home/me/walk.py", 9),
    ]
    origin = origin_of(stack)
    assert origin.own == ("mean", "/home/me/walk.py", 9) and not origin.loading and not origin.is_ours
    importing = origin_of(
        [("get_data", "<frozen importlib._bootstrap_external>", 1073), ("<module>", "/home/me/walk.py", 1)]
    )
    assert importing.loading and importing.own == ("<module>", "/home/me/walk.py", 1)
    assert origin_of([("mark", "/x/workbench/instruments/inside/marks.py", 30)]).is_mark
    assert origin_of([]).own is None
    installed = ("encode", "/x/lib/python3.11/site-packages/encoder/stream.py", 3)
    assert origin_of([("f", "/x/lib/python3.11/site-packages/numpy/f.py", 1), installed]).own == installed
