"""The catalogue: its registers, its types and what counts as doubtful."""

import ast
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sync
from sync.catalogue import CATALOGUE, checker, doubtful_fields, is_doubtful, quick_check, register_of

PERSON = "c3d6a1f4-8e2b-4f7a-a5d9-1b0c2e4f6a83"
CODES = {
    "commune": {"CD-KN-008", "CD-KN-017"},
    "quartier": {"1234567"},
    "country": frozenset({"CD", "CG", "AO"}),
}


@pytest.mark.parametrize(
    ("kind", "compounds"),
    [
        ("person", {"nom": "nom postnom prenom", "birth_date": "birth_date birth_precision birth_words"}),
        ("birth", {"nom": "nom postnom prenom", "birth_date": "birth_date birth_precision birth_words"}),
        ("household", {"commune": "commune quartier avenue number", "lat": "lat lon accuracy"}),
        ("visit", {"commune": "commune quartier avenue number", "lat": "lat lon accuracy"}),
        ("act", {}),
    ],
)
def test_names_births_addresses_and_positions_are_written_as_one(
    kind: str, compounds: dict[str, str]
) -> None:
    registers = CATALOGUE[kind].registers
    assert {
        name: " ".join(each.fields) for name, each in registers.items() if len(each.fields) > 1
    } == compounds


@pytest.mark.parametrize("kind", sorted(CATALOGUE))
def test_every_field_stands_in_exactly_one_register_named_by_its_first(kind: str) -> None:
    described = CATALOGUE[kind]
    placed = [name for register in described.registers.values() for name in register.fields]
    assert sorted(placed) == sorted(described.fields)
    for name, register in described.registers.items():
        assert (register.name, register.fields[0]) == (name, name)
        assert {described.fields[each].register for each in register.fields} == {name}
        assert register.merge in {"decide", "later", "append", "fact"}


def test_a_person_must_be_asked_about_names_sex_birth_parents_household_and_death() -> None:
    assert {name for name, each in CATALOGUE["person"].registers.items() if each.merge == "decide"} == {
        "nom", "sex", "birth_date", "mother", "father", "mother_name", "father_name", "household", "status",
    }  # fmt: skip
    assert register_of("person", "status").first == "dead"
    assert {each.merge for each in CATALOGUE["visit"].registers.values()} == {"append"}
    assert {each.merge for each in CATALOGUE["act"].registers.values()} == {"fact"}


def test_only_dates_follow_the_rule_of_the_longer_date() -> None:
    for kind in CATALOGUE.values():
        for name, register in kind.registers.items():
            assert register.date == (kind.fields[name].type == "date")
    assert register_of("person", "birth_words").date


def test_agents_never_read_nationality_nor_words_about_a_birth() -> None:
    assert CATALOGUE["person"].hidden_from_agents == {"nationality", "birth_words"}
    assert CATALOGUE["birth"].hidden_from_agents == {"birth_words"}


def test_a_field_from_a_newer_program_is_a_register_of_its_own() -> None:
    for kind, field in (("person", "blood_group"), ("marriage", "nom")):
        found = register_of(kind, field)
        assert (found.name, found.fields, found.merge, found.date) == (field, (field,), "later", False)
        assert not is_doubtful(kind, field, {"any": [1]}, CODES)


@pytest.mark.parametrize(
    ("kind", "field", "good", "bad"),
    [
        ("person", "nom", ["Mbuyi", "", "Ékofo"], [1, True, ["Mbuyi"], {}]),
        ("person", "sex", ["M", "F"], ["m", "X", 1, ["M"]]),
        ("person", "mother", [PERSON], ["x", PERSON.upper(), PERSON.replace("-4f7a", "-1f7a"), 1]),
        ("person", "line", [1, 5.0], [0, -1, 1.5, "1", True]),
        ("person", "nationality", ["CD", "indeterminate"], ["XX", "cd", 1, []]),
        ("household", "commune", ["CD-KN-008"], ["CD-KN-025", 17]),
        ("household", "quartier", ["1234567"], ["7654321"]),
        ("household", "lat", [-4_325_000], [-4.325, 91_000_000, "1"]),
        ("household", "accuracy", [12, 12.5], [-1, "12", False]),
        ("visit", "members", [[], [PERSON]], [PERSON, [1], ["x"], {}]),
        (
            "visit",
            "started_at",
            ["2026-11-22T09:14:03+01:00", "1970-01-01T00:00:00Z", "2026-11-22T09:14:03.25+01:00"],
            ["2026-11-22", "2026-11-22T09:14:03", "2026-02-30T09:14:03Z", "2026-11-22T25:14:03Z", 1],
        ),
        ("birth", "birth_time", ["00:00", "23:59:59"], ["24:00", "9:14", 914]),
        ("birth", "witnesses", [1, "x", [{}]], []),
        ("device", "server", [True, False], [1, "true"]),
        (
            "person",
            "birth_date",
            ["1987", "1987-05", "1987-05-03", "2024-02-29", "1850", "9999-12-31"],
            [
                "2026-02-30",
                "2023-02-29",
                "1987-13",
                "1987-00",
                "1849",
                "87",
                "1987-5-3",
                "1987-05-03T00:00",
                1987,
                "١٩٨٧",
            ],
        ),
    ],
)
def test_a_value_outside_its_type_or_list_is_doubtful(
    kind: str, field: str, good: list[Any], bad: list[Any]
) -> None:
    assert [value for value in good if is_doubtful(kind, field, value, CODES)] == []
    assert [value for value in bad if not is_doubtful(kind, field, value, CODES)] == []


def test_an_emptied_field_is_never_doubtful_and_a_list_not_at_hand_is_not_checked() -> None:
    assert not any(
        is_doubtful(kind.name, field, None, CODES) for kind in CATALOGUE.values() for field in kind.fields
    )
    assert not is_doubtful("household", "commune", "CD-KN-099", {})
    assert is_doubtful("household", "commune", 17, {})


def test_the_doubtful_fields_of_a_whole_operation_are_named_at_once() -> None:
    values = {"sex": "X", "nom": "Mbuyi", "birth_date": "2026-02-30", "later": 1, "phone": None}
    assert doubtful_fields("person", values, CODES) == ["birth_date", "sex"]
    assert doubtful_fields("marriage", values, CODES) == []


def test_no_field_name_stands_in_the_code() -> None:
    names = {name for kind in CATALOGUE.values() if not kind.server_made for name in kind.fields}
    for path in Path(sync.__file__).parent.glob("*.py"):
        if path.name in {"catalogue.py", "protocol.py", "merge.py", "ledger.py", "seal.py"}:
            words = {
                node.value
                for node in ast.walk(ast.parse(path.read_text("utf-8")))
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            }
            # "number" is also a type of the catalogue and the reason of an unreadable number.
            assert words & names <= {"number"}, path.name


@given(
    kind=st.sampled_from(["household", "person", "visit", "birth", "act"]),
    picks=st.dictionaries(
        st.integers(0, 40),
        st.sampled_from(
            [
                "F",
                "X",
                "CD",
                "1990-02-30",
                "1990-02-28",
                "child",
                3,
                3.5,
                True,
                "7b0c5a52-8d0e-4c63-9a3b-0a2f5d1c9e44",
                [],
            ]
        ),
    ),
)
def test_the_quick_check_never_believes_a_doubtful_value(kind: str, picks: dict[int, object]) -> None:
    names = list(CATALOGUE[kind].fields)
    values = {names[at % len(names)]: value for at, value in picks.items()}
    codes = {"country": frozenset({"CD"}), "commune": frozenset({"CD"}), "quartier": frozenset({"CD"})}
    slowly = [name for name, value in values.items() if not checker(kind, name, codes)(value)]
    assert sorted(slowly) == doubtful_fields(kind, values, codes)
    if quick_check(kind, names, codes=codes)(values):
        assert slowly == []
