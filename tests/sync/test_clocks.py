"""Clock independence (protocol section 8, invariant 9): the same work under any device clock gives the same registers,
figures and cases; only what a device says about the time differs."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.ledger import state
from tests.sync.scenario import Clock, play
from tests.sync.world import START, Template, World

WRITE_AT, WRITE_LINE = 4, 7
"""Where a write's testimony stands in its storage form: the device's time, and the hash of the line that holds it."""


class Shifted(World):
    """A world whose tablets' own clocks are off by so much."""

    def __init__(self, template: Template, home: Path, shift: timedelta) -> None:
        self.shift = shift
        super().__init__(template, home)

    def start_tablet(self, name: str) -> Any:
        """Start a tablet's program (again) under the wrong clock."""
        tablet = super().start_tablet(name)
        tablet._clock = lambda: (START + self.shift).timestamp()
        return tablet


def without_testimony(rows: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Rows without what devices said about the time, which is kept and shown but decides nothing."""
    return {
        key: {
            **row,
            "writes": {
                name: [
                    [each for at, each in enumerate(write) if at not in (WRITE_AT, WRITE_LINE)]
                    for write in writes
                ]
                for name, writes in row["writes"].items()
            },
        }
        for key, row in rows.items()
    }


def told(world: World) -> Any:
    """What every server and every tablet shows in the end; each tablet's epoch, drawn at random, is called 0."""
    servers = {
        name: [
            without_testimony(state.rows(node)),
            sorted(state.conflicts(node)),
            {table: sorted(cells.items()) for table, cells in state.rollups(node).items()},
            state.waits(node),
        ]
        for name, node in world.nodes.items()
    }
    screens = {
        name: [
            {
                key: value
                for key, value in (tablet.store.row(kind, identity) or {}).items()
                if key not in state.LOCAL
            }
            for kind in ("household", "person")
            for identity in world.entities(name, kind)
        ]
        for name, tablet in world.tablets.items()
    }
    text = json.dumps([servers, screens])
    for dev, ep in {(dev, ep) for dev, ep, _ in world.entered}:
        text = text.replace(f"{dev}:{ep}:", f"{dev}:0:")
    return json.loads(text)


def said(start: datetime) -> Clock:
    """A device clock that stood at `start` and says another minute at each step."""
    return lambda step: (start + timedelta(minutes=step)).isoformat(timespec="seconds")


def played(template: Template, home: Path, *, clock: Clock, shift: timedelta) -> tuple[Any, set[Any]]:
    """The afternoon under this clock: what is shown in the end, and the times that are kept with the writes."""
    home.mkdir()
    world = Shifted(template, home, shift)
    try:
        play(world, clock=clock)
        rows = state.rows(world.nodes["province"])
        times = {
            write[WRITE_AT] for row in rows.values() for writes in row["writes"].values() for write in writes
        }
        return told(world), times
    finally:
        world.close()


def test_no_device_clock_changes_what_servers_and_tablets_show(template: Template, tmp_path: Path) -> None:
    starts = (datetime(1970, 1, 1, tzinfo=START.tzinfo), START.replace(year=START.year + 20))
    shown = []
    for start in starts:
        home = tmp_path / str(start.year)
        found, times = played(template, home, clock=said(start), shift=start - START)
        assert {str(each)[:4] for each in times} == {str(start.year)}, "what each device said is kept"
        shown.append(found)
    assert shown[0][0]["province"][1], "the afternoon leaves contradictions that a clock could decide"
    assert shown[0] == shown[1]
