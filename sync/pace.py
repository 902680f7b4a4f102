"""How much to send at once over this line: sizes follow what the line was seen to bear. Pure; keeps nothing."""

AIM_SECONDS, SLOW_SECONDS = 15.0, 20.0
MOST_GROWTH = 4


def next_size(now: int, *, size: int, seconds: float, least: int, most: int) -> int:
    """The size to aim at after `size` bytes went in `seconds`, round trip included, while `now` was the aim.

    What is much smaller than the aim says little of the line: its time is the round trip's.
    """
    borne = int(size * AIM_SECONDS / max(seconds, 0.001))
    if seconds > SLOW_SECONDS:
        return max(least, min(now, borne))
    if size * 2 < now or borne <= now:
        return now
    return min(most, borne, now * MOST_GROWTH)


def after_failure(now: int, *, least: int) -> int:
    """The size to aim at after something was lost on the way."""
    return max(least, now // 2)
