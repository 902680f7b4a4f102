"""How codes and spellings of places are understood."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from app.database import Database
from app.territory.places import Territory
from app.territory.tables import quartier

KIMBANSEKE = "CD-KN-008"
KINTAMBO = "CD-KN-017"


def test_every_quartier_belongs_to_one_commune_and_every_office_too(territory: Territory) -> None:
    assert len(territory.communes) == 24
    assert len(territory.quartiers) == 379
    assert {territory.commune_of(code) for code in territory.quartiers} == territory.communes
    assert {territory.office_commune(f"{code}-01") for code in territory.communes} == territory.communes


def test_an_unknown_code_belongs_nowhere(territory: Territory) -> None:
    assert territory.commune_of("9999999") is None
    assert territory.current("9999999") is None
    assert territory.office_commune("CD-KN-017-77") is None
    assert territory.quartiers_of("CD-KN-099") == ()
    assert territory.offices_of("CD-KN-099") == ()
    assert territory.find_quartier("CD-KN-099", "SALONGO") is None


@pytest.mark.parametrize(
    ("commune", "written", "code"),
    [
        (KINTAMBO, "Wenze", "1017090"),
        (KINTAMBO, "lubudi-luka", "1017050"),
        (KINTAMBO, "LubudiLuka", "1017050"),
        (KINTAMBO, "Nganda", "1017060"),
        (KIMBANSEKE, "Révolution", "1008430"),
        (KIMBANSEKE, "revolution", "1008430"),
        (KIMBANSEKE, "17 mai", "1008230"),
        (KIMBANSEKE, "Panda Nzila", "1008410"),
        (KIMBANSEKE, "Mbuala", "1008280"),
        (KIMBANSEKE, "1008280", "1008280"),
    ],
)
def test_a_quartier_is_found_whatever_the_accents_case_and_hyphens(
    territory: Territory, commune: str, written: str, code: str
) -> None:
    assert territory.find_quartier(commune, written) == code


def test_the_same_name_in_two_communes_gives_two_quartiers(territory: Territory) -> None:
    assert territory.find_quartier(KIMBANSEKE, "SALONGO") == "1008450"
    assert territory.find_quartier(KINTAMBO, "SALONGO") == "1017070"


def test_a_doubtful_spelling_is_proposed_to_the_clerk_and_never_decided(territory: Territory) -> None:
    assert territory.find_quartier(KINTAMBO, "Lisala") is None
    assert territory.quartier_candidates(KINTAMBO, "Lisala") == ("1017030", "1017040")
    assert territory.find_quartier(KINTAMBO, "Lubudi Jamaïque") is None
    assert territory.quartier_candidates(KINTAMBO, "Lubudi Jamaïque") == ("1017050",)
    assert territory.find_quartier(KIMBANSEKE, "Kisangani") is None
    assert territory.quartier_candidates(KIMBANSEKE, "Kisangani") == ("1008170",)


def test_a_replaced_code_stays_understood_for_ever(database: Database) -> None:
    with database.write() as connection:
        connection.execute(
            sa.update(quartier).where(quartier.c.code == "1017090").values(valid_to="2027-12-31")
        )
        connection.execute(
            sa.insert(quartier),
            [
                {
                    "code": "KIN-WENZE",
                    "commune": KINTAMBO,
                    "name": "WENZE",
                    "rank": 9,
                    "valid_from": "2028-01-01",
                    "predecessor": "1017090",
                }
            ],
        )
    with database.read() as connection:
        later = Territory.read(connection)
    assert later.commune_of("1017090") == KINTAMBO
    assert "1017090" in later.quartiers
    assert later.current("1017090") == "KIN-WENZE"
    assert later.find_quartier(KINTAMBO, "1017090") == "KIN-WENZE"
    assert later.find_quartier(KINTAMBO, "Wenze") == "KIN-WENZE"
    assert "1017090" not in later.quartiers_of(KINTAMBO)


def test_a_split_quartier_keeps_its_old_code_because_nobody_knows_the_part(database: Database) -> None:
    parts = [
        {
            "code": code,
            "commune": KINTAMBO,
            "name": name,
            "rank": rank,
            "valid_from": "2028-01-01",
            "predecessor": "1017090",
        }
        for code, name, rank in (("W1", "WENZE I", 10), ("W2", "WENZE II", 11))
    ]
    with database.write() as connection:
        connection.execute(
            sa.update(quartier).where(quartier.c.code == "1017090").values(valid_to="2027-12-31")
        )
        connection.execute(sa.insert(quartier), parts)
    with database.read() as connection:
        later = Territory.read(connection)
    assert later.current("1017090") == "1017090"
    assert later.quartiers_of(KINTAMBO)[-2:] == ("W1", "W2")
