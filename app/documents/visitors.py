"""The brake on the public page: how often one address, and everybody together, may ask within a minute. In memory;
knows nobody."""

from __future__ import annotations

from datetime import datetime

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from app.errors import problem

TOO_MANY_VISITS = problem(
    "too_many_visits", 429, "Trop de vérifications", "Attendez une minute, ou vérifiez sans connexion."
)
EVERYBODY = 20
SECONDS = 60


class Visitors:
    """Counts visits: `most` a minute from one address, twenty times as many from all of them."""

    def __init__(self, most: int) -> None:
        self._one, self._all = RateLimitItemPerMinute(most), RateLimitItemPerMinute(most * EVERYBODY)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def take(self, address: str, now: datetime) -> None:
        """Count one visit before anything is computed for it; raises `too_many_visits` (429) with Retry-After."""
        for limit, who in ((self._one, address), (self._all, "everybody")):
            if not self._limiter.hit(limit, who):
                left = self._limiter.get_window_stats(limit, who).reset_time - now.timestamp()
                seconds = str(int(min(max(left, 1), SECONDS)))
                raise TOO_MANY_VISITS(headers={"Retry-After": seconds})
