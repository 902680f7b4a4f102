"""What others would find in the labelled set: exact match, and the three rules that OpenCRVS ships, written down from
their description. Edit distances by hand, so that nothing is shared with the search that is measured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from itertools import combinations
from typing import Any

Values = dict[str, Any]
Pairs = set[tuple[int, int]]
NAMES = ("nom", "postnom", "prenom")


def exact(papers: list[Values]) -> Pairs:
    """The same names in the same places, sex and date of birth."""
    return _alike(
        papers, lambda paper: (*(_plain(paper[name]) for name in NAMES), paper["sex"], paper["birth_date"])
    )


def opencrvs(papers: list[Values]) -> dict[str, Pairs]:
    """The three rules: names similar, birth ± 5 days and mother similar; same mother ± 270 days; exact name ± 3 years.

    A date without day is entered as 1 January. Similar: field by field within the edit distance that Elasticsearch
    calls AUTO. The same mother: her name written the same way.
    """
    mothers = _alike(papers, lambda paper: _plain(paper["mother_name"]) or None)
    names = _alike(papers, lambda paper: tuple(_plain(paper[name]) for name in NAMES))
    near = {
        (one, other)
        for one, other in _within(papers, 5)
        if all(similar(papers[one][name], papers[other][name]) for name in (*NAMES, "mother_name"))
    }
    return {
        "names similar, birth ± 5 days, mother similar": near,
        "same mother, births ± 270 days": {pair for pair in mothers if _apart(papers, pair) <= 270},
        "exact name, births ± 3 years": {pair for pair in names if _apart(papers, pair) <= 1096},
    }


def similar(one: str | None, other: str | None) -> bool:
    """Word by word in order within the distance AUTO allows: 0 up to 2 letters, 1 up to 5, else 2; both given."""
    mine, theirs = _plain(one).split(), _plain(other).split()
    return bool(mine) and len(mine) == len(theirs) and all(map(_near, mine, theirs))


def _near(one: str, other: str) -> bool:
    allowed = 0 if len(one) <= 2 else 1 if len(one) <= 5 else 2
    return abs(len(one) - len(other)) <= allowed and _distance(one, other) <= allowed


def _distance(one: str, other: str) -> int:
    """Letters to insert, delete or exchange; two neighbours that changed places are one slip."""
    rows = [list(range(len(other) + 1))]
    for i, a in enumerate(one, 1):
        above, row = rows[-1], [i]
        for j, b in enumerate(other, 1):
            least = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a != b))
            if i > 1 and j > 1 and (a, one[i - 2]) == (other[j - 2], b):
                least = min(least, rows[-2][j - 2] + 1)
            row.append(least)
        rows.append(row)
    return rows[-1][-1]


def _plain(text: str | None) -> str:
    return (text or "").casefold()


def _day(paper: Values) -> date:
    text = paper["birth_date"]
    return date.fromisoformat(text if len(text) == 10 else f"{text}-01-01")


def _apart(papers: list[Values], pair: tuple[int, int]) -> int:
    return abs((_day(papers[pair[0]]) - _day(papers[pair[1]])).days)


def _alike(papers: list[Values], key: Any) -> Pairs:
    groups = defaultdict(list)
    for number, paper in enumerate(papers):
        if (found := key(paper)) is not None:
            groups[found].append(number)
    return {pair for group in groups.values() for pair in combinations(group, 2)}


def _within(papers: list[Values], days: int) -> Iterator[tuple[int, int]]:
    order = sorted(range(len(papers)), key=lambda number: _day(papers[number]))
    for place, one in enumerate(order):
        for other in _following(order, place):
            if _apart(papers, (one, other)) > days:
                break
            yield (one, other) if one < other else (other, one)


def _following(order: list[int], place: int) -> Iterable[int]:
    return (order[at] for at in range(place + 1, len(order)))
