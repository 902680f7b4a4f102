"""The synthetic census of Kintambo: where each tablet walks, whom it meets, and what it writes down.

Hands out plain dictionaries in the fields of the protocol's section 9; signing and sending them is others' work.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Any, NamedTuple

from app.demo.families import Scribe, families
from app.demo.people import uuid4
from app.demo.totals import kintambo, quota, table

COMMUNE = "CD-KN-017"
CAMPAIGN = "pilote 2026"
VISITS_A_DAY = 60
_AVENUES = (
    "Kasaï", "Lukunga", "Mongala", "Sankuru", "Lomami", "Tshuapa", "Kwango", "Kwilu", "Luapula", "Aruwimi",
    "Bandaka", "Bokungu", "Banana", "Moanda", "Inga", "Luozi", "Songololo", "Kasangulu", "Madimba", "Popokabaka",
    "Kenge", "Feshi", "Gungu", "Bulungu", "Inongo", "Kutu", "Nioki", "Mushie", "Bolobo", "Yumbi",
    "Manguiers", "Palmiers", "Bambous", "Avocatiers", "Cocotiers", "Acacias", "Safoutiers", "Flamboyants",
    "Marché", "École", "Église", "Source", "Moulin", "Pêcheurs", "Artisans", "Paix", "Progrès", "Unité",
)  # fmt: skip
_TENURE = ("tenant",) * 10 + ("owner",) * 7 + ("free",) * 2 + ("co_owner",)
_UNMET = ("absent",) * 6 + ("vacant",) * 3 + ("not_found",)
_UNMET_SHARE = 0.03
_PARTIAL_SHARE = 0.015


class Tablet(NamedTuple):
    """One agent's share of the work: tablet 1 … n, the quartier it walks, and its visits by kind."""

    number: int
    quartier: str
    households: int
    refused: int
    unmet: int


class Plan(NamedTuple):
    """One visit to make: the tablet that makes it and its line, `{"household", "persons", "visit"}` for an
    enumerated household, `{"visit"}` alone where there is none (refused, absent, vacant, not found)."""

    tablet: int
    line: dict[str, Any]


def first_day(reference_year: int = 2026) -> date:
    """The first Monday of October of that year: the day on which the tablets start."""
    october = date(reference_year, 10, 1)
    return october + timedelta(days=-october.weekday() % 7)


def tablets(scale: float = 1.0, *, number: int = 40) -> list[Tablet]:
    """Shares the census out over the nine quartiers and `number` tablets, each tablet in one quartier."""
    total = kintambo(scale)
    places = table("kintambo_quartiers.csv")
    shares = [float(row["share_modelled"]) for row in places]
    areas: list[tuple[str, float]] = []
    for row, share, count in zip(places, shares, quota(shares, number), strict=True):
        areas += [(row["code"], share / max(1, count))] * count
    loads = [load for _, load in areas]
    visits = zip(
        quota(loads, total["households"]),
        quota(loads, total["refused"]),
        quota(loads, round(total["households"] * _UNMET_SHARE)),
        strict=True,
    )
    return [
        Tablet(at, area[0], *counts) for at, (area, counts) in enumerate(zip(areas, visits, strict=True), 1)
    ]


def households(
    seed: int, scale: float = 1.0, *, number: int = 40, reference_year: int = 2026
) -> Iterator[Plan]:
    """All visits of the census, tablet after tablet, each in the order its agent walks; totals as `kintambo(scale)`.

    Ages are those reached in `reference_year`; the figures hold when counted for it or the two years after.
    """
    rng = Random(seed)  # noqa: S311 - invented people, repeatable on purpose
    total = kintambo(scale)
    start = first_day(reference_year)
    people = families(
        rng, households=total["households"], persons=total["persons"], no_act=total["under18_no_act"]
    )
    scribe = Scribe(rng, last_birth=start)
    beside: dict[str, int] = {}
    for tablet in tablets(scale, number=number):
        rank = beside[tablet.quartier] = beside.get(tablet.quartier, -1) + 1
        walk = _Walk(rng, quartier=tablet.quartier, rank=rank)
        outcomes = _outcomes(rng, tablet)
        for at, outcome in enumerate(outcomes):
            address = walk.next_door()
            visit = _visit(address, outcome=outcome, started_at=walk.clock(start, at))
            if outcome not in ("completed", "partial"):
                yield Plan(tablet.number, {"visit": {"id": uuid4(rng), "set": visit}})
                continue
            household = uuid4(rng)
            persons = scribe.persons(next(people), household=household)
            visit = {"household": household, **visit, "members": [person["id"] for person in persons]}
            card = {"card": f"{tablet.number:02d}-{at + 1:04d}", "tenure": _pick(rng, _TENURE)}
            line = {
                "household": {"id": household, "set": {**address, **card, **walk.position()}},
                "persons": persons,
                "visit": {"id": uuid4(rng), "set": visit},
            }
            yield Plan(tablet.number, line)


def _outcomes(rng: Random, tablet: Tablet) -> list[str]:
    done = ["partial" if rng.random() < _PARTIAL_SHARE else "completed" for _ in range(tablet.households)]
    outcomes = done + ["refused"] * tablet.refused + [_pick(rng, _UNMET) for _ in range(tablet.unmet)]
    rng.shuffle(outcomes)
    return outcomes


def _visit(address: dict[str, Any], *, outcome: str, started_at: str) -> dict[str, Any]:
    return {**address, "campaign": CAMPAIGN, "outcome": outcome, "started_at": started_at}


def _pick(rng: Random, pool: tuple[str, ...]) -> str:
    return pool[int(rng.random() * len(pool))]


class _Walk:
    """An agent going from door to door: avenue after avenue, several households on one parcelle."""

    def __init__(self, rng: Random, *, quartier: str, rank: int) -> None:
        self._rng = rng
        self._quartier = quartier
        place = next(row for row in table("kintambo_quartiers.csv") if row["code"] == quartier)
        self._centre = int(place["latitude_e6"]), int(place["longitude_e6"])
        self._next_avenue = rank * 9
        self._parcelles = 0
        self._minutes = 0

    def next_door(self) -> dict[str, Any]:
        """The address of the next household: same parcelle, next one, or the first of a new avenue."""
        rng = self._rng
        if self._parcelles <= 0:
            self._turn()
        elif rng.random() < 0.62:
            self._number += 1 if rng.random() < 0.8 else 2
            self._parcelles -= 1
            self._lat += self._step[0] + rng.randrange(-6, 7)
            self._lon += self._step[1] + rng.randrange(-6, 7)
        self._address = {
            "commune": COMMUNE,
            "quartier": self._quartier,
            "avenue": self._avenue,
            "number": str(self._number),
        }
        return self._address

    def _turn(self) -> None:
        rng = self._rng
        self._avenue = _AVENUES[self._next_avenue % len(_AVENUES)]
        self._next_avenue += 1
        self._number = 1
        self._parcelles = rng.randrange(18, 40)
        self._lat = self._centre[0] + rng.randrange(-1200, 1201)
        self._lon = self._centre[1] + rng.randrange(-1200, 1201)
        self._step = rng.choice(((30, 18), (-30, 18), (18, -30), (-18, -30)))

    def position(self) -> dict[str, int]:
        """Where the tablet stands: millionths of a degree, accuracy in metres."""
        return {"lat": self._lat, "lon": self._lon, "accuracy": 5 if self._rng.random() < 0.8 else 8}

    def clock(self, start: date, at: int) -> str:
        """Beginning of the tablet's visit number `at` (from 0), Kinshasa time (UTC+1)."""
        days, place = divmod(at, VISITS_A_DAY)
        self._minutes = 8 * 60 if place == 0 else self._minutes + self._rng.randrange(6, 10)
        hour, minute = divmod(self._minutes, 60)
        return f"{start + timedelta(days=days)}T{hour:02d}:{minute:02d}:00+01:00"
