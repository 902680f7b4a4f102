"""Who is worked for now, who waits, and who is told when to come again: a few threads of its own for the heavy calls.
Knows nothing of what the work is."""

from __future__ import annotations

import asyncio
import math
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from app.errors import BUSY

Answer = TypeVar("Answer")
LEAST_SECONDS, MOST_SECONDS = 1.0, 120.0
FIRST_GUESS = 0.05
# The share of the newest piece of work in what one is taken to last.
NEWEST_SHARE = 0.1


class Turnstile:
    """How many pieces of work are done at once, and how many may wait: the rest are told when to come again.

    Threads of its own: those that serve everything else must not stand in line for the database's one writer.
    """

    def __init__(self, *, working: int, waiting: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._working = working
        self._most = working + waiting
        self._inside = 0
        self._lasts = FIRST_GUESS
        self._promised = 0.0
        self._clock = clock
        self._lock = threading.Lock()
        self._workers = ThreadPoolExecutor(working, thread_name_prefix="turnstile")

    async def turn(self, work: Callable[[], Answer]) -> Answer:
        """Do `work` on a thread when its turn comes; raise `busy` (503, Retry-After) when the queue is full."""
        with self._lock:
            if self._inside >= self._most:
                raise BUSY(headers={"Retry-After": str(self._come_again())})
            self._inside += 1
        try:
            future = self._workers.submit(self._timed, work)
        except BaseException:
            self._leave()
            raise
        future.add_done_callback(lambda _done: self._leave())
        return await asyncio.wrap_future(future)

    @property
    def crowded(self) -> bool:
        """Whether more than half of the places are taken: smaller pieces would serve more callers sooner."""
        return self._inside * 2 > self._most

    def close(self) -> None:
        """End the threads when their work is done."""
        self._workers.shutdown()

    def _timed(self, work: Callable[[], Answer]) -> Answer:
        begun = self._clock()
        try:
            return work()
        finally:
            lasted = self._clock() - begun
            with self._lock:
                self._lasts += (lasted - self._lasts) * NEWEST_SHARE

    def _leave(self) -> None:
        with self._lock:
            self._inside -= 1

    def _come_again(self) -> int:
        """Seconds until there is room. Each caller sent away is promised a moment after the last one's, so that a crowd
        does not come back together; beyond the longest wait chance spreads them."""
        now, each = self._clock(), self._lasts / self._working
        self._promised = max(self._promised, now + self._inside * each) + each
        wait = self._promised - now
        if wait > MOST_SECONDS:
            self._promised = now + MOST_SECONDS
            wait = random.uniform(MOST_SECONDS / 2, MOST_SECONDS)  # noqa: S311 - spreads callers, guards nothing
        return math.ceil(max(LEAST_SECONDS, wait))
