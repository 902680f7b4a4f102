"""The published figures the demonstration must show again, at scale 1 or reduced; it generates nobody."""

import csv
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

HOUSEHOLDS = 9_361
PERSONS = 52_907
UNDER_18_WITHOUT_ACT = 2_547
REFUSED_SHARE_OF_CONTACTED = 0.02
SMALLEST_SCALE = 0.001


@cache
def table(name: str, of: str = "app.demo") -> tuple[dict[str, str], ...]:
    """Rows of the CSV file `name` in the `data` of a package, as written there (origins: README of app/demo/data)."""
    text = resources.files(of).joinpath("data", name).read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


def quota(shares: Sequence[float], total: int) -> list[int]:
    """Split `total` in proportion to `shares` by largest remainder; the parts add up to exactly `total`."""
    whole = sum(shares)
    exact = [total * share / whole for share in shares]
    parts = [int(value) for value in exact]
    by_remainder = sorted(range(len(parts)), key=lambda at: (parts[at] - exact[at], at))
    for at in by_remainder[: total - sum(parts)]:
        parts[at] += 1
    return parts


def kintambo(scale: float = 1.0) -> dict[str, int]:
    """Exact totals of the census at `scale`: households and persons enumerated, heads contacted and refused,
    residents under 18 without an act. Refused heads are 2 % of the contacted ones (191 of 9,552 at scale 1).
    Raises ValueError below `SMALLEST_SCALE`, where the modelled tables no longer give every household a head."""
    if not scale >= SMALLEST_SCALE:
        raise ValueError(f"scale must be at least {SMALLEST_SCALE}, not {scale}")
    households = round(HOUSEHOLDS * scale)
    refused = round(households * REFUSED_SHARE_OF_CONTACTED / (1 - REFUSED_SHARE_OF_CONTACTED))
    return {
        "households": households,
        "persons": round(PERSONS * scale),
        "contacted": households + refused,
        "refused": refused,
        "under18_no_act": round(UNDER_18_WITHOUT_ACT * scale),
    }


def kimbanseke(scale: float = 1.0) -> list[dict[str, int]]:
    """Births by year of registration, in and out of delay; each published cell times `scale`, rounded."""
    return [
        {
            "year": int(row["year"]),
            "in_delay": round(int(row["within_delay"]) * scale),
            "out_of_delay": round(int(row["outside_delay"]) * scale),
        }
        for row in table("kimbanseke_births_2011_2017.csv")
        if row["year"].isdigit()
    ]


def expected(scale: float = 1.0) -> dict[str, Any]:
    """Both tables in the form of the demonstration's `OUT` file: `{"kimbanseke":[…],"kintambo":{…}}`."""
    return {"kimbanseke": kimbanseke(scale), "kintambo": kintambo(scale)}
