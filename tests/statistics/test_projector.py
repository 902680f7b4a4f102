"""What a row counts for, by hand, and that what was counted can be taken away again."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from app.database import Database
from app.ledger.projection import Cell
from app.statistics.projector import ROLLUPS, make_cells
from app.territory.places import Territory
from tests.statistics.conftest import KINTAMBO, SALONGO, WENZE, Register, act, household, person, visit

SMALL = Territory(
    version=None,
    communes=frozenset({KINTAMBO}),
    quartiers=frozenset({WENZE, SALONGO}),
    commune_names={},
    quartier_names={},
    _commune_of={WENZE: KINTAMBO, SALONGO: KINTAMBO},
    _successors={},
    _quartiers_of={},
    _offices_of={},
    _office_commune={},
    _by_name={},
    _candidates={},
)


@pytest.fixture(scope="module")
def cells() -> Cell:
    return make_cells(SMALL)


def test_a_girl_without_an_act_counts_as_resident_congolese_and_without_act(cells: Cell) -> None:
    values = {"sex": "F", "birth_date": "2015-03", "nationality": "CD", "birth_act": "none", "nom": "ILUNGA"}
    assert set(cells("person", values, WENZE)) == {
        ("population_cell", (KINTAMBO, WENZE, "F", 2015, 1), 1),
        ("nationality_cell", (KINTAMBO, "national"), 1),
        ("census_cell", (KINTAMBO, WENZE, "persons"), 1),
    }


def test_a_person_of_whom_nothing_is_known_counts_all_the_same(cells: Cell) -> None:
    assert set(cells("person", {}, f"commune:{KINTAMBO}")) == {
        ("population_cell", (KINTAMBO, "", "", 0, 0), 1),
        ("nationality_cell", (KINTAMBO, "unknown"), 1),
        ("census_cell", (KINTAMBO, "", "persons"), 1),
    }


@pytest.mark.parametrize(
    ("nationality", "group"), [("CD", "national"), ("AO", "foreign"), ("indeterminate", "indeterminate")]
)
def test_a_nationality_counts_in_its_group(cells: Cell, nationality: str, group: str) -> None:
    counted = list(cells("person", {"nationality": nationality}, SALONGO))
    assert ("nationality_cell", (KINTAMBO, group), 1) in counted


@pytest.mark.parametrize("status", ["moved", "dead"])
def test_who_left_or_died_is_no_resident(cells: Cell, status: str) -> None:
    assert list(cells("person", {"sex": "M", "status": status}, WENZE)) == []


@pytest.mark.parametrize("status", ["present", "absent"])
def test_who_is_present_or_only_absent_is_a_resident(cells: Cell, status: str) -> None:
    assert len(list(cells("person", {"sex": "M", "status": status}, WENZE))) == 3


@pytest.mark.parametrize("birth_act", ["seen", "said", "unknown"])
def test_only_an_act_said_to_be_missing_is_missing(cells: Cell, birth_act: str) -> None:
    population = next(iter(cells("person", {"birth_act": birth_act}, WENZE)))
    assert population[1][-1] == 0


def test_a_household_and_a_visit_count_in_their_quartier(cells: Cell) -> None:
    assert list(cells("household", {}, WENZE)) == [("census_cell", (KINTAMBO, WENZE, "households"), 1)]
    refused = cells("visit", {"outcome": "refused"}, SALONGO)
    assert list(refused) == [("census_cell", (KINTAMBO, SALONGO, "refused"), 1)]
    assert list(cells("visit", {"note": "porte fermée"}, SALONGO)) == []


def test_an_act_counts_once_by_registration_and_once_by_birth(cells: Cell) -> None:
    values = {"commune": "CD-KN-008", "year": 2012, "registered_on": "2012-02-20", "birth_date": "2011-12-01"}
    values |= {"delay": "in_delay", "sex": "M", "mode": "direct", "mother_quartier": WENZE}
    rest = (WENZE, "in_delay", "M", "direct")
    assert set(cells("act", values, "civil:CD-KN-008")) == {
        ("birth_cell", ("registration", "CD-KN-008", 2012, 2, *rest), 1),
        ("birth_cell", ("birth", "CD-KN-008", 2011, 12, *rest), 1),
        ("birth_year", ("registration", "CD-KN-008", 2012, "in_delay"), 1),
        ("birth_year", ("birth", "CD-KN-008", 2011, "in_delay"), 1),
    }


def test_an_act_entered_later_than_its_register_keeps_the_registers_year(cells: Cell) -> None:
    values = {"commune": KINTAMBO, "year": 2011, "registered_on": "2012-01-03"}
    keys = {key for _, key, _ in cells("act", values, f"civil:{KINTAMBO}")}
    assert ("registration", KINTAMBO, 2011, 1, "", "", "", "") in keys


def test_an_act_with_a_birth_known_to_the_year_has_no_month(cells: Cell) -> None:
    values = {"year": 2020, "registered_on": "2020-05-05", "birth_date": "1999"}
    keys = {key for _, key, _ in cells("act", values, f"civil:{KINTAMBO}")}
    assert ("birth", KINTAMBO, 1999, 0, "", "", "", "") in keys
    assert ("birth", KINTAMBO, 1999, "") in keys


@pytest.mark.parametrize("area", ["commune:?", "ref", "no-such-quartier"])
def test_a_place_outside_the_territory_counts_nowhere_in_particular(cells: Cell, area: str) -> None:
    assert list(cells("household", {}, area)) == [("census_cell", ("", "", "households"), 1)]


@pytest.mark.parametrize("kind", ["birth", "device", "link", "something_of_tomorrow"])
def test_other_kinds_count_for_nothing(cells: Cell, kind: str) -> None:
    assert list(cells(kind, {"sex": "F", "outcome": "refused"}, WENZE)) == []


def test_every_key_has_the_columns_of_its_rollup(cells: Cell) -> None:
    rows = [person(sex="F"), household(), visit("refused"), act(KINTAMBO, year=2011)]
    names = set()
    for row in rows:
        for name, key, _ in cells(*row):
            names.add(name)
            columns = list(ROLLUPS[name].primary_key.columns)
            assert len(key) == len(columns)
            assert all(
                isinstance(part, column.type.python_type) for part, column in zip(key, columns, strict=True)
            )
    assert names == set(ROLLUPS)


def optional(**choices: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {}, optional={name: st.sampled_from(values) for name, values in choices.items()}
    )


STATES: st.SearchStrategy[tuple[str, dict[str, Any], str]] = st.one_of(
    st.tuples(
        st.just("person"),
        optional(
            sex=["M", "F"],
            birth_date=["1987", "1987-05", "2019-02-28"],
            nationality=["CD", "AO", "indeterminate"],
            birth_act=["none", "seen"],
            status=["present", "absent", "moved", "dead"],
        ),
        st.sampled_from([WENZE, SALONGO, f"commune:{KINTAMBO}", "commune:?"]),
    ),
    st.tuples(st.just("household"), st.just({}), st.sampled_from([WENZE, f"commune:{KINTAMBO}"])),
    st.tuples(
        st.just("visit"), optional(outcome=["refused", "completed"]), st.sampled_from([WENZE, SALONGO])
    ),
    st.tuples(
        st.just("act"),
        optional(year=[2011, 2012.0], registered_on=["2011-01-31"], birth_date=["2010"], delay=["in_delay"]),
        st.just(f"civil:{KINTAMBO}"),
    ),
)


@given(st.lists(STATES, max_size=12))
def test_what_was_counted_can_be_taken_away_and_nothing_is_left(
    states: list[tuple[str, dict[str, Any], str]],
) -> None:
    cells, left = make_cells(SMALL), Counter[Any]()
    for before, after in zip([None, *states], [*states, None], strict=True):
        for state, sign in ((after, 1), (before, -1)):
            for name, key, count in cells(*state) if state else ():
                left[name, key] += sign * count
    assert not any(left.values())


def test_the_rollups_of_both_engines_are_empty_again_after_everybody_left(
    register: Register, database: Database
) -> None:
    crowd = [
        person(sex="F", birth_date="1987"),
        person(SALONGO),
        household(),
        visit("refused"),
        act(year=2011),
    ]
    register.add(*crowd, times=3)
    register.add(*crowd, times=-2)
    assert totals(database) == {"population_cell": 2, "nationality_cell": 2, "census_cell": 4} | {
        "birth_cell": 2,
        "birth_year": 2,
    }
    register.add(*crowd, times=-1)
    assert set(totals(database).values()) == {0}


def totals(database: Database) -> dict[str, int]:
    """The sum of all cells of each rollup."""
    with database.read() as connection:
        return {
            name: int(connection.scalar(sa.select(sa.func.sum(list(table.columns)[-1]))) or 0)
            for name, table in ROLLUPS.items()
        }
