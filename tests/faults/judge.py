"""Judges a node against the keeper's book: every acknowledged operation there, with the same bytes, counted once.
Reads the database by itself; asks the node nothing."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field

import sqlalchemy as sa

from app.census.tables import visit
from app.database import Database
from app.ledger.lines import decompress
from app.ledger.tables import batch, conflict, node
from app.population.tables import household, person
from app.statistics.tables import census_cell
from tests.faults.book import Book

TABLES = {"household": household, "person": person, "visit": visit}
# Differ between two nodes that hold the same: local numbers, and the feed.
LOCAL = {"origin", "area", "seq", "rev", "registers"}


@dataclass
class Verdict:
    """Operations acknowledged and lost, by the fault under which they were acknowledged; entities counted more often
    than entered; and what else is wrong, in words."""

    acknowledged: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    doubled: int = 0
    uncounted: int = 0
    said: list[str] = field(default_factory=list)


def judge(url: str, book: Book, *, at_rest: bool = True, first: int | None = None) -> Verdict:
    """Compare the database at `url` with the book (only its `first` receipts, where given).

    `at_rest`: all that was entered has been delivered, so that the figures must be those of the book.
    """
    database = Database(url)
    try:
        with database.read() as connection:
            return _judge(connection, book, at_rest=at_rest, first=first)
    finally:
        database.close()


def _judge(connection: sa.Connection, book: Book, *, at_rest: bool, first: int | None) -> Verdict:
    verdict = Verdict()
    me = str(connection.execute(sa.select(node.c.dev)).scalar_one())
    columns = (batch.c.sha256, batch.c.content, batch.c.receipt_signature)
    stored: dict[str, str] = {
        row.sha256: row.receipt_signature
        for row in connection.execute(sa.select(*columns))
        if hashlib.sha256(decompress(row.content)).hexdigest() == row.sha256
    }
    shown = {
        (kind, str(each))
        for kind, table in TABLES.items()
        for each in connection.execute(sa.select(table.c.id)).scalars()
    }
    for each in book.receipts[:first]:
        if each.node != me:
            continue
        verdict.acknowledged[each.fault] += len(each.entities)
        # Sent again after a loss it would stand there under another receipt than the one that was given.
        kept = each.sha256 in stored and each.signature in ("", stored[each.sha256])
        gone = [entity for entity in each.entities if not kept or entity not in shown]
        verdict.lost[each.fault] += len(gone)
    if at_rest:
        _count(connection, book, verdict)
    return verdict


def _count(connection: sa.Connection, book: Book, verdict: Verdict) -> None:
    """The figures against what was entered: too many is counted twice, too few is not counted."""
    query = sa.select(census_cell.c.what, sa.func.sum(census_cell.c.count)).group_by(census_cell.c.what)
    found: Counter[str] = Counter({what: int(count) for what, count in connection.execute(query)})
    verdict.doubled = (found - book.figures).total()
    verdict.uncounted = (book.figures - found).total()
    if found != book.figures:
        verdict.said.append(f"figures {dict(found - book.figures)} over, {dict(book.figures - found)} under")


def digest(url: str) -> str:
    """SHA-256 over everything that must be equal at two nodes that hold the same operations."""
    database = Database(url)
    told = hashlib.sha256()
    try:
        with database.read() as connection:
            for table in TABLES.values():
                columns = [column for column in table.c if column.name not in LOCAL]
                for row in connection.execute(sa.select(*columns).order_by(table.c.id)):
                    told.update(repr(tuple(row)).encode())
            cases = sa.select(conflict.c.kind, conflict.c.id, conflict.c.register)
            told.update(repr(sorted(map(tuple, connection.execute(cases)))).encode())
            figures = sa.select(census_cell).where(census_cell.c.count != 0)
            told.update(repr(sorted(map(tuple, connection.execute(figures)))).encode())
    finally:
        database.close()
    return told.hexdigest()
