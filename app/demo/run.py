"""The demonstration: Kintambo's census and Kimbanseke's births from tablet and counter to the province over real HTTP.

Drives processes and HTTP calls only; the data come from app.demo.census and app.demo.births."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import httpx
import orjson
from rich.console import Console

from app.demo import births, census, figures, totals
from app.demo.nodes import DemonstrationFailed, Server
from app.progress import Progress
from sync.client import Tablet
from sync.contact import Patience
from sync.sqlite_store import SqliteStore

IMPORT_LINES = 1000
DAY_HOUSEHOLDS = 60
AGENTS = 10
PUSHING = 2


@dataclass
class Demonstration:
    """The nodes, the tablets and what was measured on the way."""

    home: Path
    seed: int
    scale: float
    console: Console
    database_urls: tuple[str, str, str] = ("", "", "")
    patience: Patience = field(default_factory=Patience)
    tablets: list[Tablet] = field(default_factory=list)
    wire_bytes: int = 0
    operations: int = 0

    def __post_init__(self) -> None:
        urls = self.database_urls
        self.province = Server("province", "province", None, self.home / "province", urls[0])
        self.kintambo = Server("kintambo", "commune", figures.KINTAMBO, self.home / "kintambo", urls[1])
        self.kimbanseke = Server(
            "kimbanseke", "commune", figures.KIMBANSEKE, self.home / "kimbanseke", urls[2]
        )
        self.closing = ExitStack()
        self.client = self.closing.enter_context(httpx.Client(timeout=120, trust_env=False))

    @property
    def servers(self) -> list[Server]:
        """Province first."""
        return [self.province, self.kintambo, self.kimbanseke]

    # -- setting up --------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Make and start the three nodes, join the communes, add the officers."""
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(Server.init, self.servers))
        self.province.start()
        for commune in (self.kintambo, self.kimbanseke):
            body = {"agent": "admin", "areas": [commune.commune]}
            invited = self.province.ask(
                self.client, "POST /v1/invitations", officer="admin", json=body
            ).json()
            told = ("--url", self.province.url, "--code", invited["code"], "--province", invited["province"])
            commune.run("upstream", "join", *told)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(Server.start, (self.kintambo, self.kimbanseke)))
        self.province.add_officer(self.client, "planificateur", role="planner")
        self.province.add_officer(self.client, "registraire", role="registrar")
        self.kimbanseke.add_officer(self.client, "officier", role="registrar")
        self.kintambo.add_officer(self.client, "prepose", role="clerk")
        for number in range(1, AGENTS + 1):
            self.kintambo.add_officer(self.client, f"agent{number:02}", role="agent")

    def enrol(self) -> None:
        """One tablet per tour of the census, each with the area it works in; an agent holds several."""
        for tour in census.tablets(self.scale):
            agent = f"agent{(tour.number - 1) % AGENTS + 1:02}"
            body = {"agent": agent, "areas": [tour.quartier]}
            invited = self.kintambo.ask(
                self.client, "POST /v1/invitations", officer="admin", json=body
            ).json()
            store = SqliteStore(self.home / "tablets" / f"tablet-{tour.number:02}")
            self.closing.callback(store.close)
            tablet = Tablet.enrol(
                store,
                url=self.kintambo.url,
                code=invited["code"],
                province=invited["province"],
                name=f"Tablette {tour.number:02}",
                http=self.client,
                patience=self.patience,
            )
            self.tablets.append(tablet)

    # -- the work ----------------------------------------------------------------------------------------------

    def census(self) -> None:
        """All tablets write their households down, seal each day and push."""
        published = totals.kintambo(self.scale)
        done = _Counter()
        bar = Progress("Recensement de Kintambo", published["persons"], unit="personnes")
        with bar as progress, ThreadPoolExecutor(PUSHING) as pool:
            running = []
            for number, plans in groupby(
                census.households(self.seed, self.scale), key=lambda plan: plan.tablet
            ):
                lines = [plan.line for plan in plans]
                running.append(pool.submit(self._tour, self.tablets[number - 1], lines, done, progress))
            for each in running:
                each.result()
        self.operations += done.operations

    def _tour(self, tablet: Tablet, lines: list[dict[str, Any]], done: _Counter, progress: Progress) -> None:
        for day in _portions(lines, DAY_HOUSEHOLDS):
            operations = tablet.load(day)
            tablet.seal()
            pushed = tablet.push()
            persons = sum(len(line.get("persons", ())) for line in day)
            progress.at(done.add(persons, operations))
            with done.lock:
                self.wire_bytes += pushed.wire_bytes

    def births(self) -> Iterator[dict[str, Any]]:
        """The paper acts to key in."""
        return births.lines(self.seed, self.scale)

    def reprise(self) -> None:
        """Kimbanseke's registrar keys seven years of paper registers in."""
        expected = sum(row["in_delay"] + row["out_of_delay"] for row in totals.kimbanseke(self.scale))
        done = 0
        with Progress("Reprise des actes de Kimbanseke", expected, unit="actes") as progress:
            for number, lines in enumerate(_portions(self.births(), IMPORT_LINES)):
                self.kimbanseke.ask(
                    self.client,
                    "POST /v1/imports/acts",
                    officer="officier",
                    content=b"".join(orjson.dumps(line) + b"\n" for line in lines),
                    headers={
                        "Content-Type": "application/x-ndjson",
                        "Idempotency-Key": f"reprise-{self.seed}-{number}",
                    },
                )
                done += len(lines)
                self.operations += 2 * len(lines)
                progress.at(done)

    def relay(self) -> None:
        """The communes' servers relay by themselves; wait until the province has given receipt for everything."""
        with Progress("Relais vers la province", None, unit="opérations") as progress:
            while open_now := sum(
                self._status(each)["unsettled_operations"] for each in (self.kintambo, self.kimbanseke)
            ):
                progress.at_of(max(self.operations - open_now, 0), self.operations)
                time.sleep(0.3)

    def settle(self) -> int:
        """Every tablet fetches the province's receipts; gives the operations they hold a receipt for."""
        settled = 0
        with Progress("Reçus de la province", len(self.tablets), unit="tablettes") as progress:
            for number, tablet in enumerate(self.tablets, 1):
                tablet.fetch_receipts()
                settled += tablet.status()["settled"]
                progress.at(number)
        return settled

    def _status(self, server: Server) -> dict[str, Any]:
        answer: dict[str, Any] = server.ask(self.client, "GET /v1/status", officer="admin").json()
        return answer

    def figures(self) -> dict[str, Any]:
        """What the province publishes now."""
        return figures.read(self.province, self.client)

    def run(self) -> dict[str, Any]:
        """All steps; the census and the reprise go on side by side, as in two communes. Gives the figures."""
        self.start()
        self.enrol()
        with ThreadPoolExecutor(1) as pool:
            keying = pool.submit(self.reprise)
            self.census()
            keying.result()
        self.relay()
        return self.figures()

    def close(self) -> None:
        """End the processes and connections."""
        self.closing.close()
        for server in reversed(self.servers):
            server.stop()


@dataclass
class _Counter:
    lock: threading.Lock = field(default_factory=threading.Lock)
    persons: int = 0
    operations: int = 0

    def add(self, persons: int, operations: int) -> int:
        with self.lock:
            self.persons += persons
            self.operations += operations
            return self.persons


def _portions(items: Iterable[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    iterator = iter(items)
    while portion := list(islice(iterator, size)):
        yield portion


def demonstrate(
    *,
    once: bool,
    out: Path | None,
    scale: float,
    keep: Path | None,
    seed: int,
    script: type[Demonstration] = Demonstration,
) -> int:
    """Run it and print the tables; 0 when every figure is as published, 1 naming the first cell that is not."""
    console = Console()
    home = keep or Path(tempfile.mkdtemp(prefix="mboka-demo-"))
    home.mkdir(parents=True, exist_ok=True)
    (home / "tablets").mkdir(exist_ok=True)
    begun = time.monotonic()
    shown = script(home, seed, scale, console)
    try:
        found = shown.run()
        seconds = time.monotonic() - begun
        return _tell(shown, found, seconds, out=out, once=once)
    except DemonstrationFailed as failure:
        Console(stderr=True).print(str(failure), style="bold red", markup=False, soft_wrap=True)
        return 1
    finally:
        shown.close()
        if keep is None:
            shutil.rmtree(home, ignore_errors=True)


def _tell(
    shown: Demonstration, found: dict[str, Any], seconds: float, *, out: Path | None, once: bool
) -> int:
    published = totals.expected(shown.scale)
    figures.show(shown.console, found, published)
    settled = shown.settle()
    people = published["kintambo"]["persons"] + sum(
        r["in_delay"] + r["out_of_delay"] for r in published["kimbanseke"]
    )
    per_household = shown.wire_bytes / max(published["kintambo"]["households"], 1)
    shown.console.print(
        f"{seconds:.0f} s, {people / seconds:,.0f} personnes et naissances par seconde, "
        f"{per_household:.0f} octets par ménage sur le réseau ; {settled} opérations tenues par un reçu de la province "
        f"sur les tablettes.",
        soft_wrap=True,
    )
    if out is not None:
        out.write_text(json.dumps(found, ensure_ascii=False) + "\n", encoding="utf-8")
    difference = figures.first_difference(found, published)
    if difference:
        Console(stderr=True).print(f"Différence : {difference}", style="bold red", soft_wrap=True)
    if not once:
        _stay(shown)
    return 1 if difference else 0


def _stay(shown: Demonstration) -> None:
    """Leave the servers up and say how to log in; Ctrl-C ends."""
    for server in shown.servers:
        shown.console.print(f"\n[bold]{server.name}[/] {server.url}/docs", soft_wrap=True)
        for username, password in sorted(server.passwords.items()):
            shown.console.print(f"  {username} : {password}", highlight=False, markup=False, soft_wrap=True)
    shown.console.print("\nCtrl-C pour terminer.")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        return
