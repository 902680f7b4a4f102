"""Batches read in a process beside: the same is found there, and a process that ends is done without."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from app.ledger.bulk import as_text
from app.ledger.creating import Creating, Taken
from app.ledger.reading import LEAST_BYTES, ReadingBeside
from sync.protocol import read_frame
from tests.nodes import TestNode, household_of, new

COMMUNE = "CD-KN-017"


def batch(node: TestNode) -> bytes:
    """A batch worth sending across: families, somebody whose household is elsewhere, and lines that are left."""
    tablet = node.tablet("1017010")
    lines: list[Any] = [line for _ in range(60) for line in household_of(4)]
    lines += [new("person", {"household": "7b0c5a52-8d0e-4c63-9a3b-0a2f5d1c9e44", "nom": 'Dit "Le\\Grand"'})]
    lines += [new("person", {"nom": "Mbuyi", "inconnu": 1}), b"{nonsense"]
    return tablet.seal(lines)[0]


def told(taken: Taken) -> Any:
    """Everything that was read, comparable."""
    blocks = {
        kind: (
            dict(each.placed),
            dict(each.following),
            each.areas,
            {n: dict(c) for n, c in each.cells.items()},
        )
        for kind, each in taken.blocks.items()
    }
    return blocks, taken.left, taken.content


def take(reader: Creating | ReadingBeside, data: bytes) -> Taken:
    header, raws = read_frame(data)
    return reader.take(header, raws, data=data, role="agent", home=COMMUNE, fallback=f"commune:{COMMUNE}")


def test_the_same_is_read_beside_the_server_as_in_it(node: TestNode) -> None:
    data, here = batch(node), Creating(node.door.registry)
    assert len(data) > LEAST_BYTES
    expected = take(here, data)
    assert expected.left
    assert expected.blocks["person"].following
    beside = ReadingBeside(here, processes=2, as_text=False)
    try:
        assert told(take(beside, data)) == told(expected)
        assert told(take(beside, data[:0] + data)) == told(expected)
    finally:
        beside.close()
    assert told(take(beside, data)) == told(expected)


def test_for_postgresql_it_comes_back_as_text(node: TestNode) -> None:
    data, here = batch(node), Creating(node.door.registry)
    beside = ReadingBeside(here, processes=1, as_text=True)
    try:
        found = take(beside, data).blocks["person"]
    finally:
        beside.close()
    expected = take(here, data).blocks["person"]
    assert found.texts == {
        area: (len(heads), as_text(heads)) for area, heads in expected.placed.items() if len(heads) >= 60
    }
    assert {**found.texts, **found.placed}.keys() == expected.placed.keys()


def test_a_process_that_is_killed_is_done_without(node: TestNode, monkeypatch: pytest.MonkeyPatch) -> None:
    data, here = batch(node), Creating(node.door.registry)
    made: list[int] = []
    fork = os.fork

    def noted() -> int:
        pid = fork()
        made.append(pid)
        return pid

    monkeypatch.setattr(os, "fork", noted)
    beside = ReadingBeside(here, processes=1, as_text=False)
    try:
        os.kill(made[0], signal.SIGKILL)
        for _ in range(3):
            assert told(take(beside, data)) == told(take(here, data))
    finally:
        beside.close()
    with pytest.raises(ChildProcessError):
        os.waitpid(made[0], os.WNOHANG)
