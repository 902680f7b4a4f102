"""Kimbanseke's seven years, from a spreadsheet to the figures the server publishes: exactly the published table."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.access.officers import Officer
from app.civil.takeover.entering import enter
from app.civil.takeover.receiving import plan_for, receive
from app.database import Database
from app.demo import births, spreadsheets, totals
from tests.conftest import TestClock
from tests.nodes import TestNode, make_node

SEED = 2018


def published(scale: float) -> list[tuple[int, str, int]]:
    """The table as it was published, each cell times `scale`."""
    return [
        (row["year"], delay, row[delay])
        for row in totals.kimbanseke(scale)
        for delay in ("in_delay", "out_of_delay")
        if row[delay]
    ]


def take_over(node: TestNode, content: bytes) -> None:
    """The registrar's command on one file."""
    identity, username = node.add_officer("registrar")
    officer = Officer(identity, username, "Officier", "registrar", births.COMMUNE)
    plan = plan_for(content, None, sheet=None)
    file = receive(node.database, node.door, officer=officer, content=content, name="sept-ans", plan=plan)
    enter(node.database, node.door, officer=officer, file=file, skip_wrong=False)


def figures(node: TestNode) -> list[tuple[int, str, int]]:
    """What GET /v1/statistics/births answers, by year and delay."""
    answer = node.client.get(
        "/v1/statistics/births", params={"by": "year,delay"}, headers=node.officer("registrar")
    )
    assert answer.status_code == 200, answer.text
    return [(row["year"], row["delay"], row["births"]) for row in answer.json()["rows"]]


@pytest.mark.parametrize("scale", [0.004, pytest.param(1.0, marks=pytest.mark.full)])
def test_seven_years_from_a_spreadsheet_give_the_published_table(
    database: Database, tmp_path: Path, clock: TestClock, scale: float
) -> None:
    node = make_node(database, tmp_path, kind="commune", commune=births.COMMUNE, clock=clock)
    take_over(node, spreadsheets.workbook(births.lines(SEED, scale)))
    assert figures(node) == published(scale)
    if scale == 1.0:
        assert sum(count for _, _, count in figures(node)) == 83_933
    take_over(node, spreadsheets.csv_file(births.lines(SEED, scale), encoding="cp1252"))
    assert figures(node) == published(scale)
