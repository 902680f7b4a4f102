"""A reader never skips a row while eight tablets hand in at once and some of their transactions fail."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import orjson
import pytest
import sqlalchemy as sa

from app.ledger.feed import Feed, areas_of, read_positions
from app.ledger.tables import area
from tests.nodes import Tablet, TestNode, household_of

WRITERS, BATCHES = 8, 6
QUARTIERS = ("1017010", "1017021", "1017030", "1017040")


class PowerCut(Exception):
    """What ends some of the transactions before their commit."""


class Reader:
    """Asks for changes again and again, like a tablet, and keeps the ids it was sent."""

    def __init__(self, node: TestNode, tablet: Tablet) -> None:
        self.node = node
        sender = node.door.sender(tablet.dev)
        assert sender is not None
        self.sender = sender
        self.after: list[str] = []
        self.ids: set[str] = set()
        self.rounds = 0

    def once(self) -> bool:
        """Read one page; whether there is more."""
        with self.node.database.read() as connection:
            granted = areas_of(self.sender, self.node.door.areas, communes=self.node.door.territory.communes)
            feed = Feed(connection, self.node.door, self.sender)
            *lines, last = list(feed.page(read_positions(self.after, granted), 1))
        self.ids.update(row["id"] for row in map(orjson.loads, lines) if "set" in row)
        told = orjson.loads(last)
        self.after = [f"{code}:{position}" for code, position in told["after"].items()]
        self.rounds += 1
        return bool(told["more"])

    def until(self, done: threading.Event) -> None:
        """Read until the writers have ended, then to the end."""
        while not done.is_set():
            self.once()
        while self.once():
            pass


def prepared(node: TestNode) -> tuple[list[Tablet], Reader]:
    """Eight tablets that write and one that reads."""
    officer, _ = node.add_officer("agent")
    tablets = [node.tablet("CD-KN-017", officer=officer) for _ in range(WRITERS)]
    return tablets, Reader(node, node.tablet("CD-KN-017", officer=officer))


def race(
    tablets: list[Tablet], reader: Reader, push: Callable[[bytes, str], object]
) -> tuple[set[str], set[str]]:
    """(ids committed, ids read) of writers, each sealing its own batches, and one reader polling meanwhile."""
    written: set[str] = set()
    done = threading.Event()

    def write(tablet: Tablet) -> None:
        dice = random.Random(tablet.dev)
        for _ in range(BATCHES):
            lines = [line for q in dice.sample(QUARTIERS, 2) for line in household_of(2, quartier=q)]
            try:
                push(*tablet.seal(lines))
            except PowerCut:
                continue
            written.update(line["id"] for line in lines)

    with ThreadPoolExecutor(WRITERS + 1) as threads:
        reading = threads.submit(reader.until, done)
        for writing in [threads.submit(write, tablet) for tablet in tablets]:
            writing.result()
        done.set()
        reading.result()
    assert reader.rounds > 3
    return written, reader.ids


@contextmanager
def power_cuts(node: TestNode) -> Iterator[list[int]]:
    """Every fifth writing transaction ends before its commit; gives the list of those that did."""
    counter, cut = iter(range(1, 1_000_000)), list[int]()

    def listen(connection: sa.Connection) -> None:
        options = connection.get_execution_options()
        writes = options.get("mboka_write") if node.database.is_sqlite else "isolation_level" not in options
        if writes and (number := next(counter)) % 5 == 0:
            time.sleep(0.01)
            cut.append(number)
            raise PowerCut

    sa.event.listen(node.database.engine, "commit", listen)
    try:
        yield cut
    finally:
        sa.event.remove(node.database.engine, "commit", listen)


def test_a_reader_misses_no_row_of_eight_concurrent_writers_nor_sees_one_rolled_back(node: TestNode) -> None:
    tablets, reader = prepared(node)
    with power_cuts(node) as cut:
        written, read = race(tablets, reader, node.push_sealed)
    assert cut
    assert len(written) == (WRITERS * BATCHES - len(cut)) * 8
    assert written - read == set()
    assert read == written


def test_numbers_drawn_before_the_commit_they_belong_to_do_make_a_reader_miss_rows(
    node: TestNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted fault, a plain sequence: a later number commits first, the reader moves on, a row is lost."""
    numbers = iter(range(1, 1_000_000))
    drawn = threading.local()
    waits = random.Random(1)

    def naive(connection: sa.Connection, codes: Collection[str]) -> Mapping[str, tuple[int, int]]:
        ids = {code: node.door.areas.number(code) for code in codes}
        greater = sa.case((area.c.seq > drawn.number, area.c.seq), else_=drawn.number)
        connection.execute(area.update().where(area.c.id.in_(ids.values())).values(seq=greater))
        return {code: (identity, drawn.number) for code, identity in ids.items()}

    def push(data: bytes, signature: str) -> None:
        drawn.number = next(numbers)
        time.sleep(waits.random() * 0.05)
        node.push_sealed(data, signature)

    tablets, reader = prepared(node)
    monkeypatch.setattr(node.door.areas, "advance", naive)
    written, read = race(tablets, reader, push)
    assert written - read
