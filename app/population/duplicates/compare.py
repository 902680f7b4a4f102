"""How much two records look like one person: reasons with their weights, and a score. Pure. Says what a person should
look at, never that two are one: that is decided by somebody.

Names are compared as sets of elements in no order (there are no family names), by their keys, then by string distance;
an element may be missing. Sex, date of birth and mother weigh more than the name. The weights stand in
`data/match_weights.csv`, the two thresholds in `data/match_levels.csv`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib.resources import files
from typing import Literal, NamedTuple

from rapidfuzz.distance import JaroWinkler, Levenshtein

from app.law.dates import PossibleDays
from app.population.duplicates.record import Record
from app.population.names import name_key, tokens

Level = Literal["likely", "possible"]
FEW_DAYS, A_MONTH, A_YEAR = 5, 31, 366
# Elements this close are one name spelled twice; shorter ones must be nearer, because one letter makes another name.
ALIKE, ALIKE_SHORT, SHORT = 0.88, 0.93, 4
MOST_ELEMENTS = 8


class Reason(NamedTuple):
    """One thing two records have or have not in common: a stable code, French words, what it adds to the score."""

    code: str
    text: str
    weight: int


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike two records are: the score (0–100) and the reasons it is the sum of."""

    score: int
    reasons: tuple[Reason, ...]

    @property
    def level(self) -> Level | None:
        """`likely`, `possible`, or None: nobody need look."""
        return level_of(self.score)


def compare(one: Record, other: Record) -> Likeness:
    """How alike two records are; the same whichever is named first."""
    codes = tuple(_codes(one, other))
    reasons = tuple(REASONS[code] for code in codes)
    return Likeness(max(0, min(100, sum(reason.weight for reason in reasons))), reasons)


def may_reach(one: Record, other: Record) -> bool:
    """Whether two records can reach a threshold at all, as far as their dates of birth tell: most strangers that share
    an element of the name cannot."""
    born = _born(one.days, other.days)
    return born is None or REASONS[f"birth_{born}"].weight + BEST_BESIDES >= LEVELS["possible"]


def level_of(score: int) -> Level | None:
    """The threshold a score reaches."""
    return next((level for level, least in LEVELS.items() if score >= least), None)


def _codes(one: Record, other: Record) -> Iterator[str]:
    names = _names(_elements(one), _elements(other))
    born = _born(one.days, other.days)
    mother = _mother(one, other)
    if names is not None:
        yield f"names_{names}"
    if one.sex is not None and other.sex is not None:
        yield "sex_same" if one.sex == other.sex else "sex_differ"
    if born is not None:
        yield f"birth_{born}"
    if mother is not None:
        yield f"mother_{mother}"
    father = _parent(one.father_name, other.father_name)
    if father in ("same", "alike", "differ"):
        yield f"father_{father}"
    if _are_twins(one, other, names=names, born=born, mother=mother):
        yield "twins"


# -- names ---------------------------------------------------------------------------------------------------------


def _elements(record: Record) -> tuple[str, ...]:
    return _keys(record.nom, record.postnom, record.prenom)


@lru_cache(maxsize=1 << 14)
def _keys(*names: str | None) -> tuple[str, ...]:
    return tokens(*names)[:MOST_ELEMENTS]


@lru_cache(maxsize=1 << 14)
def _words(name: str) -> tuple[str, ...]:
    return tuple(sorted(set(name_key(name).split())))[:MOST_ELEMENTS]


class _Shared(NamedTuple):
    """Of two names: elements of the shorter and of the longer, those shared, and those of them only alike."""

    fewer: int
    more: int
    shared: int
    alike: int


def _share(one: tuple[str, ...], other: tuple[str, ...]) -> _Shared:
    """Every element has at most one partner: its equal, else the closest one that is alike."""
    same = set(one) & set(other)
    left = [each for each in one if each not in same]
    right = [each for each in other if each not in same]
    near = sorted(
        ((_alike(a, b), a, b) for a in left for b in right if _alike(a, b) > 0), key=lambda pair: -pair[0]
    )
    alike = 0
    for _, a, b in near:
        if a in left and b in right:
            left.remove(a)
            right.remove(b)
            alike += 1
    sizes = sorted((len(one), len(other)))
    return _Shared(sizes[0], sizes[1], len(same) + alike, alike)


@lru_cache(maxsize=1 << 15)
def _alike(one: str, other: str) -> float:
    """How close two keys are that are not equal, 0 where they are two names."""
    if min(len(one), len(other)) < SHORT - 1:
        return 0.0
    close = JaroWinkler.similarity(one, other)
    slips = Levenshtein.distance(one, other, score_cutoff=2)
    short = min(len(one), len(other)) <= SHORT
    if slips > (1 if short or max(len(one), len(other)) <= SHORT + 2 else 2):
        return 0.0
    return close if close >= (ALIKE_SHORT if short else ALIKE) or (slips == 1 and not short) else 0.0


def _names(one: tuple[str, ...], other: tuple[str, ...]) -> str | None:
    if not one or not other:
        return None
    found = _share(one, other)
    if found.shared == 0:
        return "differ"
    if found.shared == found.more:
        return "spelled" if found.alike else "same"
    if found.shared == found.fewer:
        return "part" if found.shared > 1 else "one"
    return "most" if found.shared > 1 else "some"


def _parent(one: str | None, other: str | None) -> str | None:
    """A parent's whole name, of which papers give more or less."""
    if one is None or other is None or not _words(one) or not _words(other):
        return None
    found = _share(_words(one), _words(other))
    if found.shared == found.fewer:
        if found.shared == 1 and found.more > 1:
            return "one"
        return "same" if found.shared == found.more and not found.alike else "alike"
    if found.shared > 1:
        return "alike"
    return "some" if found.shared else "differ"


def _mother(one: Record, other: Record) -> str | None:
    if one.mother is not None and one.mother == other.mother:
        return "same_id"
    named = _parent(one.mother_name, other.mother_name)
    if one.mother is not None and other.mother is not None and named not in ("some", "differ"):
        # Two records of one mother may stand in the register; her name then still speaks.
        return named if named is not None else "other_id"
    return named


# -- dates ---------------------------------------------------------------------------------------------------------


def _born(one: PossibleDays | None, other: PossibleDays | None) -> str | None:
    if one is None or other is None:
        return None
    if one.exact and other.exact:
        return _between_days(one.earliest, other.earliest)
    gap = max((one.earliest - other.latest).days, (other.earliest - one.latest).days)
    if gap <= 0:
        span = max((days.latest - days.earliest).days for days in (one, other))
        return "same_month" if span <= A_MONTH else "same_year"
    return "year_apart" if gap <= A_YEAR else "apart"


def _between_days(one: date, other: date) -> str:
    apart = abs((one - other).days)
    if apart == 0:
        return "first_january" if (one.month, one.day) == (1, 1) else "same_day"
    if apart <= FEW_DAYS:
        return "few_days"
    if apart <= A_MONTH:
        return "month"
    parts = sum(a == b for a, b in zip(one.timetuple()[:3], other.timetuple()[:3], strict=True))
    swapped = (one.year, one.month, one.day) == (other.year, other.day, other.month)
    if swapped or (parts == 2 and abs(one.year - other.year) <= 2):
        return "part"
    return "months_apart" if apart <= A_YEAR else "apart"


# -- twins ---------------------------------------------------------------------------------------------------------


def _are_twins(
    one: Record, other: Record, *, names: str | None, born: str | None, mother: str | None
) -> bool:
    """Two children of one mother and day, told apart by rank, sex, the fixed names of twins, or by other names where
    one paper speaks of a multiple birth. Without any such mark the same day speaks for one child."""
    if mother in ("differ", "other_id") or born not in ("same_day", "few_days", "first_january"):
        return False
    multiple = [record.multiple not in (None, "single") for record in (one, other)]
    if one.order is not None and other.order is not None and any(multiple) and one.order != other.order:
        return True
    if _bear_names_of_twins(one, other):
        return True
    if names in ("same", "spelled", "part"):
        return False
    if one.sex is not None and other.sex is not None and one.sex != other.sex:
        return True
    return any(multiple)


def _bear_names_of_twins(one: Record, other: Record) -> bool:
    mine, theirs = set(_elements(one)), set(_elements(other))
    only_mine, only_theirs = mine - theirs, theirs - mine
    return any(
        (first in only_mine and second in only_theirs) or (second in only_mine and first in only_theirs)
        for first, second in TWINS
    )


def _table(name: str) -> list[dict[str, str]]:
    text = files("app.population").joinpath("data", name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


REASONS = {
    row["code"]: Reason(row["code"], row["text"], int(row["weight"])) for row in _table("match_weights.csv")
}
LEVELS: dict[Level, int] = {
    "likely" if row["level"] == "likely" else "possible": int(row["least"])
    for row in _table("match_levels.csv")
}
TWINS = frozenset(
    (name_key(row["first_born"]), name_key(row["second_born"])) for row in _table("twin_names.csv")
)
# The most that everything but the date of birth can add.
BEST_BESIDES = sum(
    max(reason.weight for code, reason in REASONS.items() if code.startswith(what))
    for what in ("names_", "sex_", "mother_", "father_")
)
