"""One engine's part of the run: every kind of fault in turn, and what came of each as plain lines."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import postgres
from tests.faults import kills, lines, proxy, upgrades
from tests.faults.disks import SMALL_BYTES, CannotMount, Disk, cut_power, failing_writes, full_disk
from tests.faults.lines import SHORT_SECONDS, Run, befalls
from tests.faults.serve import Nursery
from tests.faults.world import World

FULL_TIMES = 40
CONTROL_TRIES = 5
Line = dict[str, Any]
# name → what it does, how often in a default run. The order counts: clocks last, for a node never goes back.
ON_A_LINE: dict[str, tuple[Run, int]] = {
    "request lost": (befalls("request lost", proxy.reset), 36),
    "request cut": (befalls("request cut", proxy.cut_request), 36),
    "answer cut": (befalls("answer cut", proxy.cut_answer), 36),
    "answer truncated": (befalls("answer truncated", proxy.truncated), 36),
    "answer of another request": (befalls("answer of another request", proxy.replayed), 36),
    "captive portal": (befalls("captive portal", proxy.portal, proxy.redirected), 36),
    "half-open line": (befalls("half-open line", proxy.half_open, timeout=SHORT_SECONDS), 24),
    "answer too late": (befalls("answer too late", proxy.late, timeout=SHORT_SECONDS), 24),
    "request doubled": (befalls("request doubled", proxy.sent_twice), 36),
    "40 % loss": (lines.lossy, 36),
    "line cut again and again": (lines.cut_every, 24),
    "bundle on a bad line": (lines.relayed, 10),
    "deliveries repeated": (lines.delivered_often, 60),
    "parallel retries": (lines.in_parallel, 36),
    "tablet's clock wrong": (lines.any_clock, 36),
}
ON_A_PROCESS: dict[str, tuple[Run, int]] = {
    "commune killed": (kills.killed, 8),
    "killed before commit": (
        kills.dies("killed before commit", "before_commit", server=lambda world: world.commune),
        4,
    ),
    "killed before the receipt": (
        kills.dies("killed before the receipt", "before_receipt", server=lambda world: world.commune),
        4,
    ),
    "commune killed in the relay": (
        kills.dies(
            "commune killed in the relay",
            "commune_before_keeping",
            server=lambda world: world.commune,
            settles=True,
        ),
        3,
    ),
    "province killed in the relay": (
        kills.dies(
            "province killed in the relay",
            "province_before_receipts",
            server=lambda world: world.province,
            settles=True,
        ),
        3,
    ),
    "province killed": (kills.province_restarted, 4),
    "PostgreSQL killed": (kills.database_gone, 6),
    "writes fail": (failing_writes, 4),
    "tablet killed": (kills.tablet_killed, 8),
    "tablet cloned": (kills.cloned, 4),
    "two upgrades at once": (upgrades.at_once, 2),
    "upgrade killed": (upgrades.killed, 3),
    "server's clock wrong": (kills.clock_wrong, 5),
}
IN_ONE_WORLD = ON_A_LINE | ON_A_PROCESS
ON_A_DISK = {"power cut": 5, "disk full": 4}
KINDS = (*IN_ONE_WORLD, *ON_A_DISK)
ONLY_POSTGRESQL = {"PostgreSQL killed"}


@dataclass
class Leg:
    """All kinds asked for on one engine; `told` takes one line at a time."""

    engine: str
    home: Path
    seed: int
    kinds: tuple[str, ...]
    told: Callable[[Line], None]
    nursery: Nursery
    times: float = 1.0
    # A PostgreSQL that runs already, for the one long life.
    server: postgres.Server | None = None

    def run(self) -> None:
        """Everything; a kind that could not be run at all is told as wrong."""
        try:
            self._in_one_world()
            for kind in ON_A_DISK:
                if kind in self.kinds:
                    self._on_a_disk(kind)
        except Exception:  # noqa: BLE001 - whatever it was, the run says so and fails
            self.told({"type": "wrong", "engine": self.engine, "said": traceback.format_exc()[-3000:]})

    def _count(self, usual: int) -> int:
        return max(1, round(usual * self.times))

    @contextmanager
    def _database(self, data: Path | None = None) -> Iterator[postgres.Server | None]:
        """The engine's server, its files in `data` where given; None on SQLite."""
        if self.engine == "sqlite" or (self.server and not data):
            yield self.server
            return
        server = postgres.start(postgres.packaged(), data)
        try:
            yield server
        finally:
            server.close()

    @contextmanager
    def _world(self, name: str, **options: Any) -> Iterator[World]:
        world = World(self.home / name, self.nursery, self.seed, **options)
        try:
            world.start()
            yield world
        finally:
            world.close()

    # -- one long life of a commune and a province -------------------------------------------------------------

    def _in_one_world(self) -> None:
        wanted = [kind for kind in IN_ONE_WORLD if kind in self.kinds]
        if self.engine == "sqlite":
            wanted = [kind for kind in wanted if kind not in ONLY_POSTGRESQL]
        if not wanted:
            return
        with self._database() as server, self._world("main", postgres=server) as world:
            doubled: dict[str, int] = {}
            before = 0
            for kind in wanted:
                world.book.fault = kind
                run, count = IN_ONE_WORLD[kind]
                run(world, self._count(count))
                world.settle()
                verdict = world.judge()
                doubled[kind], before = verdict.doubled - before, verdict.doubled
                self.told({"type": "phase", "engine": self.engine, "kind": kind, "said": verdict.said})
            world.book.fault = "end"
            last = world.finish()
            for kind in wanted:
                self._tell(world, kind, lost=last.lost[kind], doubled=doubled[kind])
            self._tell_wrong(world, last.said)

    def _tell(self, world: World, kind: str, *, lost: int, doubled: int, leg: str = "") -> None:
        """The outcome of a kind, and one line for each fault after which an operation was acknowledged."""
        book = world.book
        told = {"engine": self.engine, "kind": kind} | ({"leg": leg} if leg else {})
        for seconds in book.recovered[kind]:
            self.told({"type": "fault", **told, "recovered_ms": round(seconds * 1000, 1)})
        acknowledged = {each.sha256: len(each.entities) for each in book.receipts if each.fault == kind}
        self.told(
            {
                "type": "kind",
                **told,
                "injected": book.injected[kind],
                "acknowledged": sum(acknowledged.values()),
                "lost": lost,
                "doubled": doubled,
            }
        )

    def _tell_wrong(self, world: World, said: list[str]) -> None:
        for each in [*world.wrong, *said]:
            self.told({"type": "wrong", "engine": self.engine, "said": each})

    # -- disks of their own ------------------------------------------------------------------------------------

    def _on_a_disk(self, kind: str) -> None:
        count = self._count(ON_A_DISK[kind])
        try:
            if kind == "power cut":
                self._power(count)
                self.control()
            else:
                self._full(count)
        except (CannotMount, PermissionError) as error:
            self.told({"type": "skipped", "engine": self.engine, "kind": kind, "said": str(error)})

    @contextmanager
    def _on(self, disk: Disk, name: str, **options: Any) -> Iterator[World]:
        """A commune whose database lies on `disk`."""
        try:
            data = disk.place / "pg" if self.engine == "postgresql" else None
            with (
                self._database(data) as server,
                self._world(name, postgres=server, alone=True, data=disk.place, **options) as world,
            ):
                yield world
        finally:
            disk.unmount()

    def _power(self, count: int) -> None:
        disk = Disk(self.home / "power")
        with self._on(disk, "power-world") as world:
            disk.flush()
            world.book.fault = "power cut"
            lost = 0
            for _ in range(count):
                lost += cut_power(world, disk)
                world.commune.start()
                world.settle()
            last = world.finish()
            self._tell(world, "power cut", lost=lost + last.lost.total(), doubled=last.doubled)
            self._tell_wrong(world, last.said)

    def control(self) -> None:
        """The same cut on settings under which the server refuses to start: it must lose something."""
        disk = Disk(self.home / "weak")
        with self._on(disk, "weak-world", plants=("weak",)) as world:
            disk.flush()
            if world.postgres is not None:
                world.postgres.configure("wal_writer_delay", "10s")
            world.book.fault = "power cut"
            lost = 0
            for _ in range(CONTROL_TRIES):
                lost = cut_power(world, disk)
                if lost:
                    break
                world.commune.start()
            self._tell(world, "power cut", lost=lost, doubled=0, leg="control")

    def _full(self, count: int) -> None:
        disk = Disk(self.home / "small", memory=SMALL_BYTES[self.engine])
        with self._on(disk, "small-world") as world:
            world.book.fault = "disk full"
            full_disk(world, count, disk=disk)
            last = world.finish()
            self._tell(world, "disk full", lost=last.lost.total(), doubled=last.doubled)
            self._tell_wrong(world, [*last.said])
