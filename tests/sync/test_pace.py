"""Sizes follow the line: whatever its speed and round trip, a piece soon takes the time aimed at."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.pace import AIM_SECONDS, after_failure, next_size

KIB, MIB = 1 << 10, 1 << 20


def after_pieces(rate: float, round_trip: float, *, pieces: int, now: int = 64 * KIB) -> int:
    """The size aimed at after so many pieces over a line of `rate` bytes a second."""
    for _ in range(pieces):
        now = next_size(now, size=now, seconds=round_trip + now / rate, least=16 * KIB, most=MIB)
    return now


@pytest.mark.parametrize(
    ("rate", "round_trip", "reached"),
    [
        (1e8, 0.01, MIB),
        (50_000, 3, 600 * KIB),
        (10_000, 3, 120 * KIB),
        (4_000, 3, 48 * KIB),
        (500, 1, 16 * KIB),
    ],
)
def test_a_steady_line_is_filled_for_about_the_time_aimed_at(
    rate: float, round_trip: float, reached: int
) -> None:
    size = after_pieces(rate, round_trip, pieces=12)
    assert reached * 0.8 <= size <= reached * 1.4
    if 16 * KIB < size < MIB:
        assert 10 <= round_trip + size / rate <= 20


@given(
    st.integers(16 * KIB, MIB), st.integers(1, MIB), st.floats(0, 3600), st.sampled_from([16 * KIB, 64 * KIB])
)
def test_a_size_stays_between_its_bounds_and_shrinks_only_on_a_slow_line(
    now: int, size: int, seconds: float, least: int
) -> None:
    now = max(now, least)
    found = next_size(now, size=min(size, now), seconds=seconds, least=least, most=MIB)
    assert least <= found <= MIB
    assert seconds > AIM_SECONDS or found >= now
    assert least <= after_failure(now, least=least) <= now


def test_a_small_piece_on_a_line_with_a_long_round_trip_says_nothing() -> None:
    assert next_size(256 * KIB, size=900, seconds=3, least=16 * KIB, most=MIB) == 256 * KIB
