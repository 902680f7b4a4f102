"""Invented people: names given the way Kinshasa gives them, ages and household sizes after the modelled tables.

Owns the draws from the name and age tables; knows neither households nor acts.
"""

from collections.abc import Iterator
from functools import cache
from random import Random
from typing import NamedTuple

from app.demo.totals import quota, table

_TWINS_WEIGHT = {"Kongo": 9, "Luba (Kasai)": 5}
_OLDEST = 94


class Card(NamedTuple):
    """One resident still without a household: age reached in the year of the census, sex, act missing or not."""

    age: int
    sex: str
    no_act: bool


class Names:
    """Draws noms, post-noms and prénoms. There are no family names: each draw is independent of the parents'."""

    def __init__(self, rng: Random) -> None:
        self._random = rng.random
        self._noms = {sex: _noms(sex) for sex in "MF"}
        self._prenoms = {sex: _prenoms(sex) for sex in "MF"}
        self._twins = {pair: _twins(pair) for pair in ("MM", "MF", "FM", "FF")}

    def nom(self, sex: str) -> str:
        """A nom or post-nom in capitals, as on the cards."""
        pool = self._noms[sex]
        return pool[int(self._random() * len(pool))]

    def postnom(self, sex: str) -> str:
        """A post-nom; about one in thirty is of two words (`WA KALALA`)."""
        word = self.nom(sex)
        return f"WA {word}" if self._random() < 0.03 else word

    def prenom(self, sex: str) -> str:
        """A Christian name with its accents."""
        pool = self._prenoms[sex]
        return pool[int(self._random() * len(pool))]

    def full(self, sex: str) -> str:
        """Nom, post-nom and prénom on one line, as a declarant or a parent is written in an act."""
        return f"{self.nom(sex)} {self.nom(sex)} {self.prenom(sex)}"

    def twins(self, first: str, second: str) -> tuple[str, str]:
        """The fixed noms of the first and second born of twins of these sexes."""
        pool = self._twins[first + second]
        return pool[int(self._random() * len(pool))]

    def foreign(self, sex: str, nationality: str) -> tuple[str, str] | None:
        """(nom, prénom) of a country whose names are not those of the region, else None."""
        noms, prenoms = _foreign(nationality, sex)
        if not noms:
            return None
        return noms[int(self._random() * len(noms))], prenoms[int(self._random() * len(prenoms))]


@cache
def _noms(sex: str) -> tuple[str, ...]:
    pool: list[str] = []
    for row in table("names_native_wikidata_cc0.csv"):
        if len(row["token"]) > 2:
            pool += [row["token"]] * int(row["count_in_mp_lists"])
    for name, weight in _frequent("nom_or_postnom", sex):
        pool += [name.upper()] * weight
    # The fixed names are left to twins: who bears one by chance would look like half of a pair.
    of_twins = {
        row[rank].upper()
        for row in table("twin_names.csv", "app.population")
        for rank in ("first_born", "second_born")
    }
    return tuple(name for name in pool if name not in of_twins)


@cache
def _prenoms(sex: str) -> tuple[str, ...]:
    pool: list[str] = []
    for row in table("names_prenoms_wikidata_cc0.csv"):
        men, women = int(row["male_or_unknown"]), int(row["female"])
        # Tokens seen once are often scanning errors; a token known to lack its accent always is one.
        if men + women > 1 and not row["accent_loss_of"]:
            pool += [row["prenom"]] * (women if sex == "F" else 0 if women else men)
    for name, weight in _frequent("prenom", sex):
        pool += [name] * weight
    return tuple(pool)


def _frequent(kind: str, sex: str) -> Iterator[tuple[str, int]]:
    """Names of the seed list with weights that fall with rank: a few names are borne by very many people."""
    names = [
        row["name"]
        for row in table("names_synthetic_seed.csv")
        if row["kind"] == kind and row["sex_M_F_U"] in (sex, "U")
    ]
    # The list is sorted by language; taking every seventh in turn mixes the languages among the frequent names.
    mixed = [name for start in range(7) for name in names[start::7]]
    for rank, name in enumerate(mixed):
        yield name, 4000 // (4 + rank)


@cache
def _twins(pair: str) -> tuple[tuple[str, str], ...]:
    pool: list[tuple[str, str]] = []
    for row in table("twin_names.csv", "app.population"):
        only = {"girls": "FF", "boys": "MM"}.get(row["note"], pair)
        if only == pair:
            names = (row["first_born"].upper(), row["second_born"].upper())
            pool += [names] * _TWINS_WEIGHT.get(row["people"], 1)
    return tuple(pool)


@cache
def _foreign(nationality: str, sex: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    rows = [row for row in table("names_foreign_seed.csv") if row["nationality"] == nationality]
    noms = tuple(row["name"].upper() for row in rows if row["kind"] == "nom")
    return noms, tuple(row["name"] for row in rows if row["kind"] == "prenom" and row["sex"] == sex)


def household_sizes(rng: Random, *, households: int, persons: int) -> list[int]:
    """Sizes after `household_size_MODELLED.csv`, in random order: `households` of them, `persons` together."""
    rows = table("household_size_MODELLED.csv")
    sizes: list[int] = []
    for row, count in zip(rows, quota([float(row["share_pct"]) for row in rows], households), strict=True):
        least = int(row["size"].rstrip("+"))
        open_ended = row["size"].endswith("+")
        sizes += [rng.randint(least, least + 4) if open_ended else least for _ in range(count)]
    rng.shuffle(sizes)
    missing = persons - sum(sizes)
    step = 1 if missing > 0 else -1
    while missing:
        at = int(rng.random() * households)
        if sizes[at] + step >= 1:
            sizes[at] += step
            missing -= step
    return sizes


def age_cards(rng: Random, *, persons: int, no_act: int) -> list[Card]:
    """`persons` cards after `age_sex_MODELLED_kinshasa.csv`, of which `no_act` are children without an act.

    Those are at most 15 in the year of the census, so that they stay under 18 for two more years of counting.
    """
    rows = table("age_sex_MODELLED_kinshasa.csv")
    groups = quota([float(row["share_pct"]) for row in rows], persons)
    people: list[tuple[int, str]] = []
    for row, count in zip(rows, groups, strict=True):
        least = int(row["age_group"].rstrip("+").split("-")[0])
        most = _OLDEST if row["age_group"].endswith("+") else least + 4
        men, women = quota([float(row["males_per_100_females"]), 100.0], count)
        # The open last group thins out with age; the others are nearly even inside.
        power = 2.5 if most == _OLDEST else 1.05
        for sex, number in (("M", men), ("F", women)):
            people += [(least + int((most - least + 1) * rng.random() ** power), sex) for _ in range(number)]
    young = [at for at, (age, _) in enumerate(people) if age <= 15]
    # Undeclared children are met most often among the youngest.
    young.sort(key=lambda at: rng.random() / (2.0 if people[at][0] < 5 else 1.0))
    missing = set(young[:no_act])
    return [Card(age, sex, at in missing) for at, (age, sex) in enumerate(people)]


def uuid4(rng: Random) -> str:
    """A UUID version 4 (RFC 9562) drawn from `rng`, lower case."""
    digits = f"{rng.getrandbits(128):032x}"
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
