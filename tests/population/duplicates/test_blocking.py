"""Two papers of one person meet under a key whatever one of them lacks; strangers mostly do not."""

from __future__ import annotations

from typing import Any

import pytest

from app.population.duplicates.blocking import kept_under, sought_under
from app.population.duplicates.record import Record
from tests.population.duplicates.test_compare import MOTHER, record


def meet(one: Record, other: Record) -> bool:
    """Whichever of the two came first."""
    found = [bool(kept_under(a) & sought_under(b)) for a, b in ((one, other), (other, one))]
    assert found[0] == found[1]
    return found[0]


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"nom": "Kalala", "postnom": "Grâce", "prenom": "Cimanga"},
        {"postnom": None, "prenom": None},
        {"nom": "Mutombo", "prenom": "Béatrice"},
        {"birth_date": "2025-12-01"},
        {"birth_date": "2025-10-20"},
        {"birth_date": "2025", "birth_precision": "year"},
        {"birth_date": "2025-11", "birth_precision": "month"},
        {"birth_date": None},
        {"birth_date": "2019-03-04"},
        {"nom": "Mutombo", "postnom": "Nzeba", "prenom": "Béatrice"},
        {"nom": "Mutombo", "postnom": "Nzeba", "prenom": "Béatrice", "birth_date": "2025", "birth_precision": "year"},
        {"mother_name": None, "father_name": None},
    ],
)  # fmt: skip
def test_two_papers_of_one_child_meet(changed: dict[str, Any]) -> None:
    assert meet(record(), record(**changed))


def test_papers_around_new_year_meet() -> None:
    assert meet(record(birth_date="2024-12-30"), record(birth_date="2025-01-02", postnom=None, prenom=None))
    by_year = record(birth_date="2025", birth_precision="year", postnom=None, prenom=None)
    assert meet(record(birth_date="2024-12-30"), by_year)


def test_children_of_one_mother_meet_by_her_record_alone() -> None:
    names = {
        "nom": "Mutombo",
        "postnom": "Nzeba",
        "prenom": "Paul",
        "mother_name": None,
        "birth_date": "2019-01-02",
    }
    assert meet(record(mother=MOTHER), record(mother=MOTHER, **names))


def test_strangers_do_not_meet_and_neither_do_records_of_two_registers() -> None:
    assert not meet(
        record(), record(nom="Mutombo", postnom="Nzeba", prenom="Paul", mother_name="Thérèse Mujinga")
    )
    assert not meet(record(), record(of="person"))


def test_a_record_of_which_nothing_is_known_is_kept_under_nothing() -> None:
    nothing = dict.fromkeys(("nom", "postnom", "prenom", "mother_name", "birth_date"))
    assert kept_under(record(**nothing)) == frozenset()


def test_a_name_of_very_many_words_is_kept_under_few_keys() -> None:
    long = " ".join(f"Nom{chr(65 + n)}{chr(75 + n)}" for n in range(15))
    many = record(nom=long, mother_name=long, birth_date="1990", birth_precision="estimated")
    assert len(kept_under(many)) < 150
    assert len(sought_under(many)) < 400
