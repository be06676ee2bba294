"""Threads that code frames side by side, each as soon as those that it needs are done, and that share the parts of one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from typing import Any

from encoder import timeline

Jobs = Sequence["Future[Any]"]


PARTS_PER_THREAD = 3
"""Of what threads share by rows: these are not alike."""


class Crew:
    """Does what it is told in `threads` threads; with one, in the caller's own, at once.

    threads  at least 1
    places   at most so many jobs run at the same time
    """

    def __init__(self, threads: int, places: int) -> None:
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, "coding") if threads > 1 else None
        self._lock = threading.Lock()
        self._places = places
        self._waiting: list[tuple[Future[Any], Callable[[], Any], Jobs]] = []

    @property
    def parts(self) -> int:
        """Into how many parts to divide what they share."""
        return PARTS_PER_THREAD * self._threads if self._threads > 1 else 1

    def close(self) -> None:
        """End the threads when they are done with what they are at; what waits is dropped."""
        with self._lock:
            self._waiting.clear()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def start(self, work: Callable[[], Any], after: Jobs) -> Future[Any]:
        """Have a job done as soon as those it comes after are done and there is a place: of those that could begin, the one that
        was started first.

        What a job raises, its future raises, and so do those of the jobs that come after it.
        """
        job: Future[Any] = Future()
        with self._lock:
            self._waiting.append((job, work, after))
        self._begin_what_can()
        return job

    def _begin_what_can(self) -> None:
        while (ready := self._take()) is not None:
            if self._pool is None:
                self._do(*ready)
            else:
                self._pool.submit(self._do, *ready)

    def _take(self) -> tuple[Future[Any], Callable[[], Any], Jobs] | None:
        with self._lock:
            for at, (_, _, after) in enumerate(self._waiting):
                if self._places and all(job.done() for job in after):
                    self._places -= 1
                    return self._waiting.pop(at)
        return None

    def _do(self, job: Future[Any], work: Callable[[], Any], after: Jobs) -> None:
        try:
            for earlier in after:
                earlier.result()
            result = work()
        except BaseException as error:
            self._leave()
            job.set_exception(error)
        else:
            self._leave()
            job.set_result(result)
        self._begin_what_can()

    def _leave(self) -> None:
        with self._lock:
            self._places += 1

    def share(self, wait: str, work: Callable[[int], Any], parts: int) -> list[Any]:
        """[work(0) .. work(parts - 1)], done by this thread and by those that have nothing else to do.

        wait  the name of the span in which this thread waits for theirs
        """
        results: list[Any] = [None] * parts
        numbers = count()

        def take() -> None:
            while (number := next(numbers)) < parts:
                results[number] = work(number)

        helpers = min(self._threads, parts) - 1
        helping = [self._pool.submit(take) for _ in range(helpers)] if self._pool is not None else []
        try:
            take()
        finally:
            # Whoever has not come yet need not come.
            helping = [helper for helper in helping if not helper.cancel()]
            if helping:
                with timeline.span(wait):
                    for helper in helping:
                        helper.result()
        return results
