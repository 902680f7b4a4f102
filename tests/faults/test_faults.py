"""A slice of the harness of `make faults`, and the proof that its judge finds what is planted for it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import postgres
from tests.conftest import NOT_ROOT, Engines
from tests.faults.disks import CannotMount, Disk
from tests.faults.leg import Leg, Line
from tests.faults.report import failed, outcomes
from tests.faults.serve import Nursery
from tests.faults.world import World, send

SEED = 17
SLICE = (
    "answer cut",
    "captive portal",
    "request doubled",
    "killed before the receipt",
    "tablet cloned",
    "two upgrades at once",
)


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """The warm process from which every server of these tests is forked."""
    made = Nursery()
    yield made
    made.close()


@pytest.fixture
def server(engine: str, server_name: str, engines: Engines) -> postgres.Server | None:
    """The PostgreSQL of this run; None on SQLite."""
    return None if engine == "sqlite" else engines.server(server_name)


def test_a_slice_of_the_harness_ends_with_nothing_lost_or_doubled(
    tmp_path: Path, engine: str, nursery: Nursery, server: postgres.Server | None
) -> None:
    found: list[Line] = []
    Leg(engine, tmp_path, SEED, SLICE, found.append, nursery, times=0.1, server=server).run()
    assert failed(found, control=False) == []
    assert [line["kind"] for line in outcomes(found)] == list(SLICE)
    assert all(line["acknowledged"] for line in outcomes(found) if line["kind"] != "two upgrades at once")


def test_the_judge_finds_a_batch_counted_twice_and_a_receipt_given_without_storing(
    tmp_path: Path, nursery: Nursery, server: postgres.Server | None
) -> None:
    world = World(tmp_path / "bugs", nursery, SEED, postgres=server, alone=True, plants=("counts_again=",))
    try:
        world.start()
        world.agent(0).enter(world.next_line())
        world.agent(0).deliver()
        assert (world.judge().doubled, world.judge().lost.total()) == (0, 0)
        assert send(world.agent(0), world.commune.url, http=world.http)[0] == 200
        assert world.judge().doubled > 0
        world.commune.again("early=2")
        world.book.fault = "planted"
        for agent in world.agents[:2]:
            agent.enter(world.next_line())
            agent.deliver()
        world.commune.kill()
        verdict = world.judge(at_rest=False)
        lost_batch = world.book.receipts[-1]
        assert +verdict.lost == {"planted": len(lost_batch.entities)}
    finally:
        world.close()


def test_a_line_of_the_harness_really_fails_the_run() -> None:
    good = {"type": "kind", "engine": "sqlite", "kind": "x", "injected": 1, "acknowledged": 4, "lost": 0}
    good["doubled"] = 0
    lossy_control: Line = {**good, "leg": "control", "lost": 3}
    assert failed([good, lossy_control], control=True) == []
    assert failed([{**good, "lost": 1}, lossy_control], control=True) == ["sqlite, x: 1 lost"]
    assert failed([{**good, "doubled": 2}], control=False) == ["sqlite, x: 2 doubled"]
    assert "lost nothing" in failed([good, {**lossy_control, "lost": 0}], control=True)[0]
    assert failed([good], control=True) != []
    assert failed([{**good, "injected": 0}], control=False) != []


def test_a_power_cut_on_weak_settings_loses_what_was_acknowledged(
    tmp_path: Path, engine: str, nursery: Nursery
) -> None:
    try:
        Disk(tmp_path / "probe", memory=1 << 20).unmount()
    except CannotMount:
        pytest.skip(NOT_ROOT)
    found: list[Line] = []
    # Not in pytest's folders, which nobody else may enter: PostgreSQL has another account where we are root.
    with tempfile.TemporaryDirectory(prefix="mboka-faults-") as home:
        Path(home).chmod(0o711)
        Leg(engine, Path(home), SEED, ("power cut",), found.append, nursery).control()
    [line] = outcomes(found, control=True)
    assert line["lost"] > 0
    assert failed(found, control=True) == []
