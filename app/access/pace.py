"""How many requests one person or one device may make in a minute. Counted in memory by who asks, never by address:
a whole commune shares one."""

from __future__ import annotations

from datetime import datetime

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from app.errors import problem

TOO_MANY_REQUESTS = problem(
    "too_many_requests", 429, "Trop de demandes", "Attendez le délai de l'en-tête Retry-After, puis reprenez."
)


class Pace:
    """At most `most` requests a minute for each who asks; 0 = as many as he likes."""

    def __init__(self, most: int) -> None:
        self._limit = RateLimitItemPerMinute(most) if most else None
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    def take(self, who: str, now: datetime) -> None:
        """Count one request of an officer or a device (id); raises `too_many_requests` with Retry-After in seconds."""
        if self._limit is None or self._limiter.hit(self._limit, who):
            return
        left = self._limiter.get_window_stats(self._limit, who).reset_time - now.timestamp()
        seconds = min(max(int(left) + 1, 1), 60)
        raise TOO_MANY_REQUESTS(f"Réessayez dans {seconds} secondes.", headers={"Retry-After": str(seconds)})
