"""Threads that code frames: who runs when, who helps whom, what becomes of failures."""

import threading
import time
from concurrent.futures import Future
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encoder.frame.crew import Crew

TIMEOUT_S = 20


@st.composite
def jobs(draw: st.DrawFn) -> list[set[int]]:
    """Of each job, the earlier ones that it comes after."""
    count = draw(st.integers(1, 12))
    return [draw(st.sets(st.integers(0, at - 1), max_size=3)) if at else set() for at in range(count)]


@given(jobs(), st.integers(1, 4), st.integers(1, 3))
@settings(deadline=None)
def test_every_job_runs_after_those_it_needs_and_finds_a_place(
    after: list[set[int]], threads: int, places: int
) -> None:
    crew, lock = Crew(threads, places), threading.Lock()
    done: list[int] = []
    running = most = 0

    def work(number: int) -> int:
        nonlocal running, most
        with lock:
            assert after[number] <= set(done)
            running += 1
            most = max(most, running)
        parts = crew.share("wait", lambda part: (number, part), 3)
        with lock:
            running -= 1
            done.append(number)
        assert parts == [(number, 0), (number, 1), (number, 2)]
        return number

    started: list[Future[Any]] = []
    for number, needed in enumerate(after):
        started.append(crew.start(lambda number=number: work(number), [started[at] for at in needed]))
    assert [job.result(TIMEOUT_S) for job in started] == list(range(len(after)))
    crew.close()
    assert most <= min(threads, places)


def test_with_one_thread_jobs_are_done_at_once_by_the_caller() -> None:
    crew = Crew(1, 1)
    assert crew.start(threading.get_ident, []).result(0) == threading.get_ident()
    assert crew.share("wait", lambda part: (part, threading.get_ident()), 2) == [
        (at, threading.get_ident()) for at in (0, 1)
    ]


def test_whoever_is_idle_helps() -> None:
    """Two parts that wait for each other are done by two threads."""
    crew, met = Crew(2, 2), threading.Barrier(2, timeout=TIMEOUT_S)
    job = crew.start(lambda: crew.share("wait", lambda _: (met.wait(), threading.get_ident()), 2), [])
    first, second = job.result(TIMEOUT_S)
    assert first[1] != second[1]
    crew.close()


def test_nobody_waits_for_help_that_does_not_come() -> None:
    crew, is_over = Crew(2, 2), threading.Event()
    other = crew.start(lambda: is_over.wait(TIMEOUT_S), [])
    alone = crew.start(lambda: crew.share("wait", lambda _: threading.get_ident(), 5), [])
    assert len(set(alone.result(TIMEOUT_S))) == 1
    assert not other.done()
    is_over.set()
    assert other.result(TIMEOUT_S)
    crew.close()


@pytest.mark.parametrize("threads", [1, 3])
def test_what_fails_fails_those_that_need_it_and_no_others(threads: int) -> None:
    crew = Crew(threads, threads)
    ran: list[str] = []

    def fail(part: int) -> None:
        if part == 1:
            raise ZeroDivisionError("planted")

    failed = crew.start(lambda: crew.share("wait", fail, 4), [])
    needs_it = crew.start(lambda: ran.append("needs it"), [failed])
    needs_that = crew.start(lambda: ran.append("needs that"), [needs_it])
    other = crew.start(lambda: ran.append("other"), [])
    for job in (failed, needs_it, needs_that):
        with pytest.raises(ZeroDivisionError, match="planted"):
            job.result(TIMEOUT_S)
    other.result(TIMEOUT_S)
    assert ran == ["other"]
    crew.close()


def test_closing_drops_what_waits() -> None:
    crew, is_over, ran = Crew(2, 1), threading.Event(), []
    first = crew.start(lambda: is_over.wait(TIMEOUT_S), [])
    crew.start(lambda: ran.append("second"), [first])
    closing = threading.Thread(target=crew.close)
    closing.start()
    while crew._waiting:
        time.sleep(0.001)
    is_over.set()
    closing.join(TIMEOUT_S)
    assert not closing.is_alive() and first.result(0) and not ran
