"""What makes two records look like one person, and what does not: cases told as a clerk would tell them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.population.duplicates.compare import LEVELS, REASONS, compare
from app.population.duplicates.record import Record, record_of

TODAY = date(2026, 2, 2)
GRACE: dict[str, Any] = {
    "nom": "Tshimanga", "postnom": "Kalala", "prenom": "Grâce", "sex": "F", "birth_date": "2025-11-10",
    "birth_precision": "day", "mother_name": "Kapinga Ntumba Marie", "father_name": "Kabeya Ilunga Jean",
}  # fmt: skip
MOTHER, OTHER_MOTHER = "0c0b1a52-8f63-4a4e-bb0f-9a3a4e9a7a10", "5e4f6f0e-9b0e-4d0c-8a53-1a1f0e6c0b22"


def record(**changed: Any) -> Record:
    """A paper about Grâce, or what is changed of it; `of` another register."""
    of = changed.pop("of", "birth")
    values = {name: value for name, value in (GRACE | changed).items() if value is not None}
    return record_of(values, TODAY, identity="1", of=of, commune="CD-KN-017")


def codes(**changed: Any) -> set[str]:
    return {reason.code for reason in compare(record(), record(**changed)).reasons}


def level(**changed: Any) -> str | None:
    return compare(record(), record(**changed)).level


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"nom": "Grâce", "postnom": "Tshimanga", "prenom": "Kalala"}, "names_same"),
        ({"nom": "KALALA TSHIMANGA", "postnom": None}, "names_same"),
        ({"nom": "Cimanga", "prenom": "Grace"}, "names_same"),
        ({"nom": "Tshimamga"}, "names_spelled"),
        ({"prenom": None}, "names_part"),
        ({"postnom": "wa Kalala Ngoy"}, "names_part"),
        ({"postnom": None, "prenom": None}, "names_one"),
        ({"prenom": "Béatrice"}, "names_most"),
        ({"nom": "Mutombo", "prenom": "Béatrice"}, "names_some"),
        ({"nom": "Mutombo", "postnom": "Nzeba", "prenom": "Béatrice"}, "names_differ"),
        ({"sex": "M"}, "sex_differ"),
        ({"birth_date": "2025-11-15"}, "birth_few_days"),
        ({"birth_date": "2025-12-05"}, "birth_month"),
        ({"birth_date": "2025-10-11"}, "birth_month"),
        ({"birth_date": "2024-11-10"}, "birth_part"),
        ({"birth_date": "2025-06-10"}, "birth_part"),
        ({"birth_date": "2025-11", "birth_precision": "month"}, "birth_same_month"),
        ({"birth_date": "2025", "birth_precision": "year"}, "birth_same_year"),
        ({"birth_date": "2024", "birth_precision": "year"}, "birth_year_apart"),
        ({"birth_date": "2020", "birth_precision": "year"}, "birth_apart"),
        ({"birth_date": "2025-02-27"}, "birth_months_apart"),
        ({"birth_date": "2022-02-27"}, "birth_apart"),
        ({"mother_name": "Marie Ntumba Kapinga"}, "mother_same"),
        ({"mother_name": "Marie Kapinga"}, "mother_alike"),
        ({"mother_name": "Marie"}, "mother_one"),
        ({"mother_name": "Marie Ngalula Mujinga"}, "mother_some"),
        ({"mother_name": "Thérèse Mujinga"}, "mother_differ"),
        ({"father_name": "Jean Kabeya"}, "father_alike"),
        ({"father_name": "Paul Mukendi"}, "father_differ"),
    ],
)  # fmt: skip
def test_each_reason_is_told_where_it_holds(changed: dict[str, Any], code: str) -> None:
    assert code in codes(**changed)


def test_a_default_date_proves_less_than_a_day() -> None:
    one = record(birth_date="2025-01-01")
    assert "birth_first_january" in {reason.code for reason in compare(one, one).reasons}


def test_the_same_mother_by_her_record_counts_even_where_her_names_differ() -> None:
    one, other = record(mother=MOTHER), record(mother=MOTHER, mother_name="Thérèse Mujinga")
    assert "mother_same_id" in {reason.code for reason in compare(one, other).reasons}
    nameless = replace(one, mother_name=None), replace(one, mother=OTHER_MOTHER, mother_name=None)
    assert "mother_other_id" in {reason.code for reason in compare(*nameless).reasons}


@pytest.mark.parametrize(
    "changed",
    [
        {"nom": "Kalala", "postnom": "Cimanga", "birth_date": "2025-11-12", "mother_name": "Marie Ntumba"},
        {"prenom": None, "birth_date": "2025", "birth_precision": "year", "father_name": None},
        {"mother_name": None, "father_name": None},
        {"nom": "Mutombo", "postnom": "Nzeba", "prenom": "Béatrice"},
    ],
)  # fmt: skip
def test_one_child_on_two_papers_is_worth_a_look(changed: dict[str, Any]) -> None:
    assert level(**changed) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"multiple": "twin", "order": 1}, {"multiple": "twin", "order": 2}),
        ({"multiple": "twin", "order": 1}, {"multiple": "twin", "order": 2, "nom": "Kanku"}),
        ({"nom": "Nsimba"}, {"nom": "Nzuzi"}),
        ({"nom": "MBUYI", "sex": "F"}, {"nom": "Kanku", "sex": "M", "birth_date": "2025-11-11"}),
        ({}, {"sex": "M", "nom": "Mutombo", "prenom": "Paul"}),
        ({"multiple": "twin"}, {"nom": "Mutombo", "prenom": "Béatrice"}),
    ],
)  # fmt: skip
def test_twins_are_two_children(one: dict[str, Any], other: dict[str, Any]) -> None:
    found = compare(record(**one), record(**other))
    assert "twins" in {reason.code for reason in found.reasons}
    assert found.level is None


def test_one_twin_declared_twice_is_one_child() -> None:
    twin = {"nom": "Nsimba", "multiple": "twin", "order": 1}
    assert compare(record(**twin), record(**twin | {"multiple": None, "order": None})).level == "likely"


@pytest.mark.parametrize(
    "changed",
    [
        {"mother_name": "Thérèse Mujinga", "father_name": "Paul Mukendi", "birth_date": "2025-03-01"},
        {"prenom": "Béatrice", "birth_date": "2024-05-20"},
        {"prenom": "Béatrice", "birth_date": "2024", "birth_precision": "year"},
        {"nom": "Mutombo", "prenom": "Paul", "sex": "M", "mother_name": "Thérèse Mujinga", "father_name": None},
    ],
)  # fmt: skip
def test_homonyms_and_brothers_and_sisters_are_left_alone(changed: dict[str, Any]) -> None:
    assert level(**changed) is None


def test_a_shared_nom_proves_nothing_and_neither_does_its_absence() -> None:
    """There are no family names."""
    assert (
        compare(record(), record(nom="Mutombo", prenom=None)).score
        < compare(record(), record(prenom=None)).score
    )
    stranger = {"postnom": "Nzeba", "prenom": "Paul", "sex": "M", "mother_name": "Thérèse Mujinga"}
    assert level(**stranger, birth_date="2025-11-10", father_name=None) is None
    assert REASONS["names_some"].weight <= 0


def test_sex_birth_and_mother_weigh_more_than_the_name() -> None:
    name = REASONS["names_same"].weight
    assert REASONS["birth_same_day"].weight > name
    assert REASONS["mother_same"].weight > name
    assert abs(REASONS["sex_differ"].weight) >= abs(REASONS["names_differ"].weight)
    assert LEVELS["likely"] > LEVELS["possible"]


NAMES = st.one_of(
    st.none(),
    st.sampled_from(["Nsimba", "Nzuzi", "Kalala", "TSHIMANGA", "wa Kalala", "Jean-Pierre", "’", "Élise"]),
)
RECORDS = st.builds(
    record,
    nom=NAMES, postnom=NAMES, prenom=NAMES, mother_name=NAMES, father_name=NAMES,
    sex=st.sampled_from([None, "M", "F"]),
    birth_date=st.sampled_from([None, "2025", "2025-11", "2025-11-10", "2025-11-12", "1850", "2024-01-01"]),
    birth_precision=st.sampled_from([None, "day", "month", "year", "estimated", "unknown"]),
    multiple=st.sampled_from([None, "single", "twin"]), order=st.sampled_from([None, 1, 2]),
    mother=st.sampled_from([None, MOTHER, OTHER_MOTHER]),
)  # fmt: skip


@given(RECORDS, RECORDS)
def test_whatever_the_papers_say_both_ways_give_the_same_score_between_0_and_100(
    one: Record, other: Record
) -> None:
    found = compare(one, other)
    assert found == compare(other, one)
    assert 0 <= found.score <= 100
    assert found.score in (0, 100) or found.score == sum(reason.weight for reason in found.reasons)


def test_two_residents_of_the_census_are_compared_by_the_same_functions() -> None:
    """The engine is written once: a person of the population register is a record like a birth."""
    adult = {
        "nom": "Ilunga", "postnom": "Mwamba", "prenom": "Joseph", "sex": "M", "birth_date": "1987-05",
        "birth_precision": "month", "mother_name": "Kapinga Pombi", "father_name": None,
    }  # fmt: skip
    again = adult | {
        "nom": "Mwamba",
        "postnom": "Ilunga",
        "prenom": None,
        "birth_date": "1987",
        "birth_precision": "year",
    }
    assert compare(record(of="person", **adult), record(of="person", **again)).level == "possible"
    assert (
        compare(record(of="person", **adult), record(of="person", **adult | {"birth_date": "1962"})).level
        is None
    )
