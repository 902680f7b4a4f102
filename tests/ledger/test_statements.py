"""How often the database is asked for one batch does not depend on how much is in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from tests.nodes import Tablet, TestNode, household_of

QUARTIER = "1017010"
MOST = 34


@contextmanager
def asked(node: TestNode) -> Iterator[list[str]]:
    """The statements sent meanwhile, COPY included."""
    statements: list[str] = []
    engine = node.database.engine

    class Counting(psycopg.Cursor[Any]):
        """COPY does not pass SQLAlchemy: it is counted at the driver."""

        def copy(self, statement: Any, *rest: Any, **options: Any) -> Any:
            statements.append(str(statement))
            return super().copy(statement, *rest, **options)

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    def count_copies(connection: Any, *_rest: Any) -> None:
        if not node.database.is_sqlite:
            connection.cursor_factory = Counting

    engine.dispose()
    sa.event.listen(engine, "before_cursor_execute", note)
    sa.event.listen(engine, "connect", count_copies)
    try:
        yield statements
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
        sa.event.remove(engine, "connect", count_copies)
        engine.dispose()


def census(_node: TestNode, _tablet: Tablet, households: int) -> list[dict[str, Any]]:
    return [line for _ in range(households) for line in household_of(4, quartier=QUARTIER)]


def telephones(node: TestNode, tablet: Tablet, households: int) -> list[dict[str, Any]]:
    """Changes of people that other tablets wrote down, in batches of their own."""
    lines: list[dict[str, Any]] = []
    for _ in range(5):
        other = node.tablet(QUARTIER, officer=tablet.agent)
        family = census(node, tablet, households // 5)
        node.push(other, *family)
        lines += [
            {
                "kind": "person",
                "id": each["id"],
                "set": {"phone": "1", "nom": "Mbuyi"},
                "par": {"nom": [other.dot(1)]},
            }
            for each in family
            if each["kind"] == "person"
        ]
    return lines


def moves(node: TestNode, tablet: Tablet, households: int) -> list[dict[str, Any]]:
    family = census(node, tablet, households)
    node.push(tablet, *family)
    address = {"commune": "CD-KN-017", "quartier": "1017021", "avenue": "x", "number": "1"}
    homes = [each["id"] for each in family if each["kind"] == "household"]
    return [{"kind": "household", "id": each, "set": address} for each in homes]


@pytest.mark.parametrize("what", [census, telephones, moves])
def test_a_batch_of_five_hundred_households_asks_as_often_as_one_of_ten(
    lasting: TestNode, agent: str, what: Callable[[TestNode, Tablet, int], list[dict[str, Any]]]
) -> None:
    counts = {}
    for households in (10, 500):
        tablet = lasting.tablet(QUARTIER, officer=agent)
        lasting.push(tablet, *household_of(1, quartier=QUARTIER))
        lines = what(lasting, tablet, households)
        data, signature = tablet.seal(lines)
        with asked(lasting) as statements:
            lasting.door.accept(data, signature)
        counts[households] = len(statements)
        assert len(statements) <= MOST, "\n".join(statements)
        copies = [each for each in statements if each.startswith("COPY")]
        assert bool(copies) == (households == 500 and what is census and not lasting.database.is_sqlite)
    assert counts[500] == counts[10]


def test_a_repeated_batch_is_answered_with_next_to_nothing(lasting: TestNode, agent: str) -> None:
    tablet = lasting.tablet(QUARTIER, officer=agent)
    data, signature = tablet.seal(household_of(4, quartier=QUARTIER))
    lasting.door.accept(data, signature)
    with asked(lasting) as statements:
        lasting.door.accept(data, signature)
    statements = [each for each in statements if not each.startswith("PRAGMA")]
    assert len(statements) <= 4, "\n".join(statements)


def test_a_batch_of_merges_and_unmerges_asks_as_often_whatever_it_joins(
    lasting: TestNode, agent: str
) -> None:
    counts: dict[int, list[int]] = {}
    for pairs in (3, 100):
        tablet, clerk = lasting.tablet(QUARTIER, officer=agent), lasting.tablet(QUARTIER, role="clerk")
        family = census(lasting, tablet, 2 * pairs)
        lasting.push(tablet, *family)
        homes = [each["id"] for each in family if each["kind"] == "household"]
        merges = [
            {"kind": "household", "id": loser, "act": "merge", "into": survivor}
            for loser, survivor in zip(homes[:pairs], homes[pairs:], strict=True)
        ]
        unmerges = [
            {"kind": "household", "id": each["id"], "act": "unmerge", "par": {"merge": [n]}}
            for n, each in enumerate(merges, 1)
        ]
        for lines in (merges, unmerges):
            data, signature = clerk.seal(lines)
            with asked(lasting) as statements:
                lasting.door.accept(data, signature)
            counts.setdefault(pairs, []).append(len(statements))
            assert len(statements) <= MOST + 6, "\n".join(statements)
    assert counts[100] == counts[3]
