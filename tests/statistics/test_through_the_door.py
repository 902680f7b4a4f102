"""Figures of a whole node: what tablets write down is counted in the same transaction, and again after every change."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.database import Database
from app.statistics.projector import ROLLUPS, make_cells
from tests.conftest import TestClock
from tests.nodes import Tablet, TestNode, household_of, make_node, new
from tests.statistics.conftest import KINTAMBO, SALONGO, WENZE, rows


@pytest.fixture
def node(database: Database, tmp_path: Path, clock: TestClock) -> TestNode:
    return make_node(database, tmp_path, kind="both", commune=KINTAMBO, clock=clock)


@pytest.fixture
def tablet(node: TestNode) -> Tablet:
    return node.tablet(KINTAMBO)


def recounted(node: TestNode) -> dict[str, Counter[Any]]:
    """The cells counted afresh from the register tables."""
    cells = make_cells(node.door.territory)
    found: dict[str, Counter[Any]] = {name: Counter() for name in ROLLUPS}
    with node.database.read() as connection:
        for kind in ("person", "household", "visit", "act"):
            shape = node.door.registry.shape(kind)
            for row in connection.execute(sa.select(shape.table)).mappings():
                area = node.door.areas.code(row["area"])
                for name, key, count in cells(kind, shape.clean_values(dict(row)), area):
                    found[name][key] += count
    return found


def stored(node: TestNode) -> dict[str, Counter[Any]]:
    """The cells as the door left them, empty ones left out."""
    with node.database.read() as connection:
        return {
            name: Counter(
                {tuple(row[:-1]): row[-1] for row in connection.execute(sa.select(table)) if row[-1]}
            )
            for name, table in ROLLUPS.items()
        }


def test_a_pushed_household_is_counted_when_its_receipt_is_given(
    node: TestNode, tablet: Tablet, clock: TestClock
) -> None:
    refused = new("visit", {"outcome": "refused", "quartier": WENZE})
    node.push(tablet, *household_of(3, quartier=WENZE), refused)
    answer = node.client.get("/v1/statistics/census?by=quartier", headers=node.officer("clerk"))
    (row,) = rows(answer)
    assert (row["quartier"], row["households"], row["persons"]) == (WENZE, 1, 3)
    assert (row["contacted"], row["refused"], row["refusal_rate"]) == (2, 1, 0.5)
    assert answer.json()["cutoff"] == "2026-02-02T09:00:00.000Z"
    clock.forward(timedelta(days=31))
    node.push(tablet, *household_of(1, quartier=SALONGO))
    again = node.client.get("/v1/statistics/census?by=", headers=node.officer("clerk"))
    assert again.json()["cutoff"] == "2026-03-05T09:00:00.000Z"
    assert rows(again)[0]["persons"] == 4


def test_a_household_that_moves_takes_the_count_of_its_members_with_it(
    node: TestNode, tablet: Tablet
) -> None:
    home, *others = household_of(4, quartier=WENZE)
    node.push(tablet, home, *others)
    address = {"commune": KINTAMBO, "quartier": SALONGO, "avenue": "Lukunga", "number": "3"}
    written = tablet.dot(1)
    node.push(tablet, {"kind": "household", "id": home["id"], "set": address, "par": {"commune": [written]}})
    table = rows(node.client.get("/v1/statistics/census?by=quartier", headers=node.officer("clerk")))
    assert [(row["quartier"], row["households"], row["persons"]) for row in table] == [
        (SALONGO, 1, 4),
        (WENZE, 0, 0),
    ]
    assert [row["contacted"] for row in table] == [0, 1]
    assert stored(node) == recounted(node)


def test_after_deaths_corrections_replays_and_late_households_the_cells_are_those_of_the_rows(
    node: TestNode, tablet: Tablet
) -> None:
    home, first, second, *visit = household_of(2, quartier=WENZE)
    sealed = tablet.seal([first, second, *visit])
    node.push_sealed(*sealed)
    assert stored(node)["census_cell"][KINTAMBO, "", "persons"] == 2
    node.push(tablet, home)
    node.push_sealed(*sealed)
    node.push(tablet, {"kind": "person", "id": first["id"], "set": {"status": "dead"}})
    born = {"birth_date": "2019-05", "birth_precision": "month"}
    node.push(tablet, {"kind": "person", "id": second["id"], "set": {**born, "nationality": "AO"}})
    node.push(
        tablet, {"kind": "person", "id": second["id"], "set": {"birth_act": "none", "sex": "androgyne"}}
    )
    node.push(
        tablet, new("person", {"household": home["id"], "nationality": "ZZ", "birth_date": "2019-02-30"})
    )
    assert stored(node) == recounted(node)
    assert stored(node)["census_cell"][KINTAMBO, WENZE, "persons"] == 2
    assert stored(node)["nationality_cell"] == {(KINTAMBO, "foreign"): 1, (KINTAMBO, "unknown"): 1}


def test_a_demonstration_server_says_so(database: Database, tmp_path: Path) -> None:
    node = make_node(database, tmp_path, kind="province", commune=None, demo=True)
    answer = node.client.get("/v1/statistics/births?format=csv", headers=node.officer("planner"))
    assert "DONNÉES FICTIVES" in answer.text
