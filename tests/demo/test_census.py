"""The synthetic census of Kintambo: its totals are exact, its people are plausible and only invented."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson
import pytest

from app.demo.census import COMMUNE, Plan, first_day, households, tablets
from app.demo.totals import expected, kintambo, table
from sync.catalogue import doubtful_fields, is_uuid4

SEED = 2026


@dataclass
class Census:
    """One generated census: all plans, and its enumerated households apart."""

    scale: float
    plans: list[Plan]

    def __post_init__(self) -> None:
        self.lines = [plan.line for plan in self.plans]
        self.enumerated = [line for line in self.lines if "household" in line]
        self.persons = [person["set"] for line in self.enumerated for person in line["persons"]]


@pytest.fixture(scope="module", params=[1.0, 0.02])
def census(request: pytest.FixtureRequest) -> Census:
    return Census(request.param, list(households(SEED, request.param)))


@pytest.fixture(scope="module")
def small() -> Census:
    return Census(0.1, list(households(SEED, 0.1)))


def test_the_published_totals_of_kintambo_are_expected() -> None:
    assert expected()["kintambo"] == {
        "households": 9361, "persons": 52907, "contacted": 9552, "refused": 191, "under18_no_act": 2547,
    }  # fmt: skip


def test_every_total_of_the_census_is_exact(census: Census) -> None:
    outcomes = Counter(line["visit"]["set"]["outcome"] for line in census.lines)
    met = outcomes["completed"] + outcomes["partial"]
    found = {
        "households": len(census.enumerated),
        "persons": len(census.persons),
        "contacted": met + outcomes["refused"],
        "refused": outcomes["refused"],
        "under18_no_act": undeclared(census.persons, counted_in=2026),
    }
    assert found == kintambo(census.scale)
    assert outcomes["absent"] > 0


@pytest.mark.parametrize("year", [2026, 2027, 2028])
def test_the_undeclared_children_are_the_same_number_when_counted_later(census: Census, year: int) -> None:
    assert undeclared(census.persons, counted_in=year) == kintambo(census.scale)["under18_no_act"]


def test_every_other_minor_has_an_act_seen_or_said(census: Census) -> None:
    minors = [person for person in census.persons if person.get("birth_date", "0")[:4] >= "2008"]
    assert {person.get("birth_act") for person in minors} == {"seen", "said", "none"}


def test_each_household_has_one_head_and_numbered_lines(census: Census) -> None:
    for line in census.enumerated:
        people = [person["set"] for person in line["persons"]]
        assert [person["relation"] for person in people].count("head") == 1
        assert [person["relation"] for person in people].count("spouse") <= 1
        assert [person["line"] for person in people] == list(range(1, len(people) + 1))
        assert {person["household"] for person in people} == {line["household"]["id"]}


def test_the_visit_names_the_household_and_everybody_met(census: Census) -> None:
    for line in census.enumerated:
        visit = line["visit"]["set"]
        assert visit["household"] == line["household"]["id"]
        assert visit["members"] == [person["id"] for person in line["persons"]]
        assert visit["avenue"] == line["household"]["set"]["avenue"]


def test_a_refused_visit_has_an_address_and_no_household(census: Census) -> None:
    for line in census.lines:
        visit = line["visit"]["set"]
        if visit["outcome"] == "refused":
            assert set(line) == {"visit"}
            assert "household" not in visit
            assert all(visit[field] for field in ("quartier", "avenue", "number"))


def test_no_two_things_share_an_id_and_all_are_version_4(census: Census) -> None:
    ids = [entity["id"] for line in census.lines for _, entity in entities(line)]
    assert len(set(ids)) == len(ids)
    assert all(is_uuid4(ident) for ident in ids)


def test_no_value_is_doubtful_to_the_protocol(census: Census) -> None:
    codes = {"commune": {COMMUNE}, "quartier": {row["code"] for row in table("kintambo_quartiers.csv")}}
    for line in census.lines:
        for kind, entity in entities(line):
            assert doubtful_fields(kind, entity["set"], codes) == []


def test_nobody_is_born_after_the_census_began(census: Census) -> None:
    born = [person["birth_date"] for person in census.persons if "birth_date" in person]
    assert max(born) < first_day().isoformat()
    assert min(born) >= "1930"


def test_parents_live_in_the_household_and_are_old_enough(census: Census) -> None:
    for line in census.enumerated:
        people = {person["id"]: person["set"] for person in line["persons"]}
        for person in people.values():
            for parent, sex in (("mother", "F"), ("father", "M")):
                if parent in person:
                    assert people[person[parent]]["sex"] == sex
                    assert person["relation"] == "child"
                    if "birth_date" in person:
                        assert year_of(person) - year_of(people[person[parent]]) >= 15


def test_children_of_one_mother_are_twins_or_ten_months_apart(census: Census) -> None:
    twins = 0
    pairs = {
        (row["first_born"].upper(), row["second_born"].upper())
        for row in table("twin_names.csv", "app.population")
    }
    for one, other in siblings(census.enumerated):
        apart = abs(date.fromisoformat(one["birth_date"]) - date.fromisoformat(other["birth_date"])).days
        assert apart == 0 or apart >= 300
        if apart == 0:
            assert {(one["nom"], other["nom"]), (other["nom"], one["nom"])} & pairs
            twins += 1
    assert twins > 0


def test_residents_are_congolese_and_two_to_three_in_a_hundred_foreign(census: Census) -> None:
    foreign = sum(person["nationality"] != "CD" for person in census.persons) / len(census.persons)
    assert (0.02 if census.scale == 1 else 0.0) < foreign < (0.03 if census.scale == 1 else 0.06)


def test_ages_and_sexes_follow_the_modelled_table(census: Census) -> None:
    known = [person for person in census.persons if "birth_date" in person]
    for row in table("age_sex_MODELLED_kinshasa.csv"):
        least = int(row["age_group"].rstrip("+").split("-")[0])
        most = 120 if "+" in row["age_group"] else least + 4
        share = sum(least <= 2026 - year_of(person) <= most for person in known) / len(known) * 100
        assert share == pytest.approx(float(row["share_pct"]), abs=0.3)
    men = sum(person["sex"] == "M" for person in census.persons) / len(census.persons)
    assert 0.485 < men < 0.51


def test_dates_have_every_precision_and_heap_on_the_first_of_january(census: Census) -> None:
    precisions = Counter(person["birth_precision"] for person in census.persons)
    assert set(precisions) >= {"day", "month", "year", "estimated"}
    whole = [person["birth_date"] for person in census.persons if len(person.get("birth_date", "")) == 10]
    assert sum(text.endswith("-01-01") for text in whole) / len(whole) > 3 / 365
    for person in census.persons:
        length = {"day": 10, "month": 7, "year": 4, "estimated": 4, "unknown": 0}[person["birth_precision"]]
        assert len(person.get("birth_date", "")) == length


def test_names_come_from_the_tables(census: Census) -> None:
    known = {row["token"] for row in table("names_native_wikidata_cc0.csv")}
    known |= {row["name"].upper() for row in table("names_synthetic_seed.csv")}
    known |= {row["name"].upper() for row in table("names_foreign_seed.csv")}
    known |= {
        row[each].upper()
        for row in table("twin_names.csv", "app.population")
        for each in ("first_born", "second_born")
    }
    first = {row["prenom"] for row in table("names_prenoms_wikidata_cc0.csv")}
    first |= {
        row["name"] for name in ("names_synthetic_seed.csv", "names_foreign_seed.csv") for row in table(name)
    }
    for person in census.persons:
        assert person["nom"] in known
        assert person.get("postnom", person["nom"]).removeprefix("WA ") in known
        assert person.get("prenom", "Jean") in first


def test_nine_quartiers_are_shared_by_forty_tablets(census: Census) -> None:
    assert len({tablet.quartier for tablet in tablets(census.scale)}) == 9
    assert {plan.tablet for plan in census.plans} == set(range(1, 41))
    quartier = {tablet.number: tablet.quartier for tablet in tablets(census.scale)}
    for plan in census.plans:
        assert plan.line["visit"]["set"]["quartier"] == quartier[plan.tablet]


def test_every_household_stands_in_kintambo(census: Census) -> None:
    for line in census.enumerated:
        place = line["household"]["set"]
        assert -4_340_000 < place["lat"] < -4_318_000
        assert 15_261_000 < place["lon"] < 15_284_000


def test_the_same_seed_gives_the_same_census_and_another_seed_another(small: Census) -> None:
    assert list(households(SEED, 0.1)) == small.plans
    assert list(households(SEED + 1, 0.1)) != small.plans


def test_every_line_survives_json(small: Census) -> None:
    for line in small.lines:
        assert orjson.loads(orjson.dumps(line)) == line


def test_fewer_tablets_still_reach_the_totals() -> None:
    few = Census(0.02, list(households(SEED, 0.02, number=3)))
    assert {plan.tablet for plan in few.plans} == {1, 2, 3}
    assert (len(few.enumerated), len(few.persons)) == (187, 1058)


def test_a_scale_too_small_for_families_is_refused() -> None:
    with pytest.raises(ValueError, match="scale"):
        list(households(SEED, 0.0005))


def test_a_days_batch_of_sixty_households_stays_small_on_the_wire(capsys: pytest.CaptureFixture[str]) -> None:
    days = [[line for tablet, line in households(SEED) if tablet == number][:60] for number in (7, 20, 33)]
    number = sum("household" in line for day in days for line in day)
    people = sum(len(line.get("persons", ())) for day in days for line in day)
    batches = [operations(day) for day in days]
    plain, packed = (sum(len(each) for each in made) / people for made in (batches, map(smallest, batches)))
    with capsys.disabled():
        mean = 52_907 / 9_361
        print(
            f"\n  {number} households: {plain * mean:.0f} B plain, {packed * mean:.0f} B gzip each of {mean:.2f}"
        )
    assert packed * 52_907 / 9_361 < 420


def smallest(batch: bytes) -> bytes:
    return gzip.compress(batch, 9)


def operations(day: Iterable[dict[str, Any]]) -> bytes:
    """A batch as the protocol's section 4 has it, made as plainly as can be."""
    made = [
        orjson.dumps({"kind": kind, "id": entity["id"], "new": True, "set": entity["set"]})
        for line in day
        for kind, entity in entities(line)
    ]
    header = {"v": 1, "dev": "6a6d3a52-3f6d-4a3b-8c6d-2f6c8a1b9d11", "ep": 3735928559, "from": 1,
              "to": len(made), "prev": None, "by": "agent-20"}  # fmt: skip
    return b"\n".join([orjson.dumps(header), *made, b""])


def entities(line: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    if "household" in line:
        yield "household", line["household"]
    for person in line.get("persons", ()):
        yield "person", person
    yield "visit", line["visit"]


def siblings(lines: Iterable[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Pairs of children of one mother whose days of birth are both known."""
    for line in lines:
        children = [
            person["set"]
            for person in line["persons"]
            if "mother" in person["set"] and person["set"]["birth_precision"] == "day"
        ]
        for at, one in enumerate(children):
            for other in children[at + 1 :]:
                if one["mother"] == other["mother"]:
                    yield one, other


def year_of(person: dict[str, Any]) -> int:
    """Year of birth as stated; one unknown counts as long ago."""
    return int(person.get("birth_date", "1900")[:4])


def undeclared(persons: Iterable[dict[str, Any]], *, counted_in: int) -> int:
    return sum(
        person.get("birth_act") == "none"
        and person["status"] == "present"
        and year_of(person) > counted_in - 18
        for person in persons
    )
