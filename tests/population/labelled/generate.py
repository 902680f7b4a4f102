"""Makes the labelled set: children, the second papers of some of them, and others who only look alike. Shares no rule,
table or import with the search it measures; what is drawn from the seed alone is the same on every machine."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
COMMUNES = [f"CD-KN-{number:03d}" for number in range(1, 25)]
LETTERS = "ABEGIKLMNOSTUWYZ"
FIRST_DAY, DAYS = date(2019, 1, 1), 2555
# Difficulties of second papers of one child, and of pairs that are two children.
SECOND_PAPERS = (
    *("as_written", "other_order", "missing_element", "other_spelling", "other_commune"),
    *("date_days", "year_only", "mother_differs", "twin_again", "mixture", "worn"),
)
TWO_CHILDREN = ("twins", "twins_unmarked", "homonyms", "close_homonyms", "siblings", "siblings_by_year")


@dataclass(frozen=True)
class Paper:
    """One record: whose (a number of the child), of which difficulty, with which other paper it makes a labelled pair
    (its number), and the values under the protocol's names."""

    child: int
    difficulty: str
    beside: int | None
    values: dict[str, Any]


@dataclass
class LabelledSet:
    """All papers, numbered by their place in the list."""

    papers: list[Paper] = field(default_factory=list)

    def pairs(self, difficulty: str) -> list[tuple[int, int]]:
        """The labelled pairs of one difficulty, as places in the list."""
        return [
            (paper.beside, number)
            for number, paper in enumerate(self.papers)
            if paper.difficulty == difficulty and paper.beside is not None
        ]

    def same(self, one: int, other: int) -> bool:
        """Whether two papers tell of one child."""
        return self.papers[one].child == self.papers[other].child


@dataclass(frozen=True)
class Child:
    """A child as it is: names in the order of the act, sex, day, parents' names, commune, rank among twins."""

    names: tuple[str, ...]
    prenom: str
    sex: str
    born: date
    mother: tuple[str, ...]
    father: tuple[str, ...]
    commune: str
    order: int | None = None


def labelled_set(seed: int, *, of_each: int = 150, others: int = 2000) -> LabelledSet:
    """`of_each` labelled pairs of every difficulty, among the papers of so many other children."""
    return _Maker(seed).make(of_each, others)


class _Maker:
    """One run of the random numbers."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.rates = rates()
        self.made = LabelledSet()
        self.children = 0

    def make(self, of_each: int, others: int) -> LabelledSet:
        for _ in range(others):
            self.first(self.child(), "other")
        for difficulty in SECOND_PAPERS:
            for _ in range(of_each):
                self.second_paper(difficulty)
        for difficulty in TWO_CHILDREN:
            for _ in range(of_each):
                self.two_children(difficulty)
        return self.made

    # -- children ------------------------------------------------------------------------------------------

    def child(self) -> Child:
        sex = self.random.choice("MF")
        mother, father = self.parent("F"), self.parent("M")
        names = [self.nom(), self.nom()]
        if self.random.random() < 0.4:
            names[self.random.randrange(2)] = father[0]
        born = FIRST_DAY + timedelta(days=self.random.randrange(DAYS))
        return Child(tuple(names), self.prenom(sex), sex, born, mother, father, self.random.choice(COMMUNES))

    def parent(self, sex: str) -> tuple[str, ...]:
        return (self.nom(), self.nom(), self.prenom(sex))

    def nom(self) -> str:
        return self.random.choice(_noms())

    def prenom(self, sex: str) -> str:
        return self.random.choice(_prenoms(sex))

    def sibling(self, child: Child) -> Child:
        sex = self.random.choice("MF")
        apart = timedelta(days=self.random.randrange(300, 1200))
        names = (child.names[0], self.nom()) if self.random.random() < 0.6 else (self.nom(), self.nom())
        return replace(child, names=names, prenom=self.prenom(sex), sex=sex, born=child.born + apart)

    def twins(self, *, fixed_names: bool = True) -> tuple[Child, Child]:
        """Two children of one day; some bear the fixed names of twins, others share a nom or post-nom."""
        child = replace(self.child(), order=1)
        sex = self.random.choice("MF")
        if fixed_names and self.random.random() < 0.6:
            first, second = self.random.choice(_twins())
            one = replace(child, names=(first, child.names[1]))
            names = (second, child.names[1] if self.random.random() < 0.5 else self.nom())
        else:
            one, names = child, (child.names[0], self.nom())
        return one, replace(one, names=names, prenom=self.prenom(sex), sex=sex, order=2)

    def homonym(self, child: Child, days: int) -> Child:
        """Another family's child of the same names and sex, born within so many days."""
        days = self.random.randrange(days)
        born = child.born + timedelta(days=days)
        mother, father = self.parent("F"), self.parent("M")
        return replace(child, born=born, mother=mother, father=father, commune=self.random.choice(COMMUNES))

    # -- papers --------------------------------------------------------------------------------------------

    def first(self, child: Child, difficulty: str) -> int:
        self.children += 1
        return self.paper(self.children, difficulty, beside=None, values=written(child))

    def paper(self, child: int, difficulty: str, *, beside: int | None, values: dict[str, Any]) -> int:
        self.made.papers.append(Paper(child, difficulty, beside, values))
        return len(self.made.papers) - 1

    def second_paper(self, difficulty: str) -> None:
        child = self.twins()[0] if difficulty == "twin_again" else self.child()
        beside = self.first(child, "other")
        values = self.parents_again(written(child), child)
        getattr(self, difficulty)(values, child)
        self.paper(self.children, difficulty, beside=beside, values=values)

    def two_children(self, difficulty: str) -> None:
        if difficulty.startswith("twins"):
            one, other = self.twins(fixed_names=difficulty == "twins")
        else:
            one = self.child()
            days = 6 if difficulty == "close_homonyms" else 730
            other = self.sibling(one) if difficulty.startswith("siblings") else self.homonym(one, days)
        if difficulty == "twins_unmarked":
            one, other = replace(one, order=None), replace(other, order=None)
        beside = self.first(one, "other")
        self.children += 1
        values = self.parents_again(written(other), other)
        if difficulty == "twins" and self.happens("twin_order_left_out"):
            del values["multiple"], values["order"]
        if difficulty == "siblings_by_year":
            self.year_only(values, other)
        if difficulty == "close_homonyms":
            # Little is known of the parents, and what is known may be common to both.
            common = one.mother[self.random.randrange(3)]
            values["mother_name"] = None if self.happens("half") else f"{common} {other.mother[1]}"
            values["father_name"] = None
        self.paper(self.children, difficulty, beside=beside, values=values)

    def parents_again(self, values: dict[str, Any], child: Child) -> dict[str, Any]:
        """The parents' names as they come on another paper, at the rates of the file."""
        values["mother_name"] = self.name_again(child.mother)
        values["father_name"] = None if self.happens("father_missing") else self.name_again(child.father)
        return values

    def name_again(self, name: tuple[str, ...]) -> str:
        elements = list(name)
        if self.happens("missing_element"):
            elements.pop(self.random.randrange(len(elements)))
        if self.happens("other_order"):
            self.random.shuffle(elements)
        if self.happens("other_spelling"):
            at = self.random.randrange(len(elements))
            elements[at] = self.misspelt(elements[at])
        return " ".join(elements)

    def happens(self, noise: str) -> bool:
        return self.random.random() < self.rates[noise]

    # -- the difficulties ----------------------------------------------------------------------------------

    def as_written(self, values: dict[str, Any], child: Child) -> None:
        """Nothing of the child itself differs."""

    def twin_again(self, values: dict[str, Any], child: Child) -> None:
        """One twin declared twice; the other paper may not say that it is one."""
        if self.happens("twin_order_left_out"):
            del values["multiple"], values["order"]

    def other_order(self, values: dict[str, Any], child: Child) -> None:
        elements = [values["nom"], values["postnom"], values["prenom"]]
        before = list(elements)
        while elements == before:
            self.random.shuffle(elements)
        values["nom"], values["postnom"], values["prenom"] = elements

    def missing_element(self, values: dict[str, Any], child: Child) -> None:
        what = self.random.random()
        if what < 0.45:
            values["prenom"] = None
        elif what < 0.8:
            values["postnom"] = None
        else:
            values["postnom"] = f"{values['postnom']} {self.nom()}"

    def other_spelling(self, values: dict[str, Any], child: Child) -> None:
        names = self.random.sample(["nom", "postnom", "prenom"], 2 if self.random.random() < 0.25 else 1)
        for name in names:
            values[name] = self.misspelt(values[name])

    def other_commune(self, values: dict[str, Any], child: Child) -> None:
        values["commune"] = self.random.choice([each for each in COMMUNES if each != child.commune])

    def date_days(self, values: dict[str, Any], child: Child) -> None:
        days = self.random.randrange(1, 6) if self.random.random() < 0.7 else self.random.randrange(6, 25)
        values["birth_date"] = (child.born + timedelta(days=self.random.choice((-1, 1)) * days)).isoformat()

    def year_only(self, values: dict[str, Any], child: Child) -> None:
        values["birth_date"], values["birth_precision"] = f"{child.born.year}", "year"

    def mother_differs(self, values: dict[str, Any], child: Child) -> None:
        if self.random.random() < 0.5:
            values["mother_name"] = None
        else:
            values["mother_name"] = f"{self.prenom('F')} {self.nom()}"

    def mixture(self, values: dict[str, Any], child: Child) -> None:
        """Every noise at its rate, one independent of another."""
        self.mixed(values, child)

    def worn(self, values: dict[str, Any], child: Child) -> None:
        """Every noise at twice its rate: an old or hasty paper."""
        self.rates = {noise: min(1.0, 2 * rate) for noise, rate in rates().items()}
        self.mixed(values, child)
        self.rates = rates()

    def mixed(self, values: dict[str, Any], child: Child) -> None:
        for noise in (
            "other_order",
            "missing_element",
            "other_spelling",
            "other_commune",
            "date_days",
            "year_only",
        ):
            if self.happens(noise):
                if noise == "other_spelling":
                    present = [name for name in ("nom", "postnom", "prenom") if values[name]]
                    name = self.random.choice(present)
                    values[name] = self.misspelt(values[name])
                else:
                    self.noise(noise)(values, child)
        if self.happens("mother_missing"):
            values["mother_name"] = None
        elif self.happens("mother_other_name"):
            values["mother_name"] = f"{self.prenom('F')} {self.nom()}"
        if self.happens("sex_wrong"):
            values["sex"] = "M" if child.sex == "F" else "F"

    def noise(self, name: str) -> Callable[[dict[str, Any], Child], None]:
        found: Callable[[dict[str, Any], Child], None] = getattr(self, name)
        return found

    def misspelt(self, name: str) -> str:
        """Another spelling of one element: a known variant where there is one, else one slip of a letter."""
        known = _variants().get(name.upper())
        if known is not None and self.happens("spelling_from_pairs"):
            return self.random.choice(known)
        at = self.random.randrange(1, len(name)) if len(name) > 1 else 0
        slip = self.random.randrange(4)
        if slip == 0:
            return name[:at] + name[at + 1 :] or name
        if slip == 1:
            return name[:at] + self.random.choice(LETTERS) + name[at:]
        if slip == 2:
            return name[:at] + self.random.choice(LETTERS) + name[at + 1 :]
        return name[: at - 1] + name[at] + name[at - 1] + name[at + 1 :] if at else name


def written(child: Child) -> dict[str, Any]:
    """The first paper of a child: everything right."""
    values: dict[str, Any] = {
        "nom": child.names[0],
        "postnom": child.names[1],
        "prenom": child.prenom,
        "sex": child.sex,
        "birth_date": child.born.isoformat(),
        "birth_precision": "day",
        "mother_name": " ".join(child.mother),
        "father_name": " ".join(child.father),
        "commune": child.commune,
    }
    if child.order is not None:
        values |= {"multiple": "twin", "order": child.order}
    return values


def rates() -> dict[str, float]:
    """The rates of `noise_rates.csv`."""
    return {row["noise"]: float(row["rate"]) for row in _rows(HERE / "noise_rates.csv")}


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


@cache
def _noms() -> list[str]:
    return [
        row["token"] for row in _rows(HERE / "names_native.csv") for _ in range(int(row["count_in_mp_lists"]))
    ]


@cache
def _prenoms(sex: str) -> list[str]:
    column = "female" if sex == "F" else "male_or_unknown"
    rows = list(_rows(HERE / "names_prenoms.csv"))
    return [row["prenom"] for row in rows if not row["accent_loss_of"] for _ in range(int(row[column]))]


@cache
def _twins() -> list[tuple[str, str]]:
    return [(row["first_born"], row["second_born"]) for row in _rows(HERE / "twins.csv")]


@cache
def _variants() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in _rows(HERE.parent / "name_variant_pairs_same_person.csv"):
        found.setdefault(row["a"], []).append(row["b"])
        found.setdefault(row["b"], []).append(row["a"])
    return found
