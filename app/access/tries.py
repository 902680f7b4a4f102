"""The brake on guessing: how often one person may try a password or a code. Counted in memory, never by address."""

from __future__ import annotations

from datetime import datetime

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from app.errors import problem

TOO_MANY_TRIES = problem("too_many_tries", 429, "Trop d'essais", "Attendez avant de réessayer.")

WINDOW_MINUTES = 15


class Tries:
    """Counts tries by person, never by address: a whole commune shares one address."""

    def __init__(self, most: int) -> None:
        self._limit = RateLimitItemPerMinute(most, WINDOW_MINUTES)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def take(self, person: str, now: datetime) -> None:
        """Count one try before its secret is looked at; raises `too_many_tries` with Retry-After in seconds."""
        if self._limiter.hit(self._limit, person):
            return
        left = self._limiter.get_window_stats(self._limit, person).reset_time - now.timestamp()
        seconds = int(min(max(left, 1), WINDOW_MINUTES * 60))
        raise TOO_MANY_TRIES(
            f"Trop d'essais pour cet identifiant ; réessayez dans {seconds} secondes.",
            headers={"Retry-After": str(seconds)},
        )

    def forget(self, person: str) -> None:
        """Start again at zero after a right answer."""
        self._limiter.clear(self._limit, person)
