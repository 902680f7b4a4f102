"""The nodes and tablets on which faults are put: real processes of a commune and a province, real tablets with their
outbox on disk, and between them lines that can be made bad."""

from __future__ import annotations

import random
import shutil
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from app.demo import census, nodes
from app.demo.nodes import DemonstrationFailed
from sync.answers import SyncError
from sync.client import Tablet
from sync.contact import Patience
from sync.store import Damaged
from tests import postgres
from tests.faults.book import Book, WatchedStore
from tests.faults.judge import Verdict, digest, judge
from tests.faults.proxy import Proxy
from tests.faults.serve import Child, Nursery

COMMUNE = "CD-KN-017"
QUARTIERS = ("1017010", "1017021")
TABLETS = 3
PATIENCE_SECONDS = 300.0
LONGEST_WAIT = 0.3
KINDS = ("household", "person", "visit")


@dataclass
class Server(nodes.Server):
    """A node whose process is forked from the warm one, with or without something planted in it."""

    nursery: Nursery | None = None
    # What its processes said; never on a disk that is cut off or full.
    log: Path = Path()
    plants: tuple[str, ...] = ()

    def fork(self, *arguments: str, typed: str = "", plants: Sequence[str] = ()) -> Child:
        """One command of `mboka` on this node, not waited for."""
        assert self.nursery is not None
        command = [*arguments, "--data", str(self.directory)]
        return self.nursery.start(command, log=self.log, plants=plants, typed=typed)

    def run(self, *arguments: str, typed: str = "") -> str:
        """One command to its end; raises DemonstrationFailed."""
        if self.fork(*arguments, typed=typed).wait(PATIENCE_SECONDS):
            raise DemonstrationFailed(f"{self.name}: mboka {' '.join(arguments)}: {self.said()}")
        return ""

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""

    def start(self) -> None:
        """Serve, and wait for the first answer."""
        self.process = self.fork("serve", "--port", str(self.port), plants=self.plants)  # type: ignore[assignment]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.answers():
            if not self.runs() or time.monotonic() > deadline:
                raise DemonstrationFailed(f"{self.name} does not start: {self.said()}")
            time.sleep(0.03)

    def runs(self) -> bool:
        """Whether its process lives."""
        return self.process is not None and self.process.poll() is None

    def again(self, *plants: str) -> None:
        """End its process at once, whatever it does, and start another with this planted in it."""
        self.kill()
        self.plants = plants
        self.start()

    def answers(self) -> bool:
        """Whether it serves now."""
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", self.port)):
                return False
        try:
            return httpx.get(f"{self.url}/health", trust_env=False, timeout=5, verify=False).is_success
        except httpx.HTTPError:
            return False


class Agent:
    """A tablet in the hands of somebody who does not give up."""

    def __init__(self, tablet: Tablet, store: WatchedStore, *, book: Book) -> None:
        self.tablet = tablet
        self.store = store
        self.book = book

    def enter(self, line: Mapping[str, Any]) -> None:
        """Write one door down and seal it; the keeper knew before."""
        note(self.book, line)
        self.tablet.load([line])
        self.tablet.seal()

    def push_once(self, to: str | None = None) -> bool:
        """One try; whether nothing is left."""
        try:
            return self.tablet.push(to=to).left == 0
        except (SyncError, Damaged):
            return False

    def deliver(self, to: str | None = None) -> None:
        """Try until the node has given its receipt for everything; raises DemonstrationFailed after some minutes."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        wait = 0.005
        while not self.push_once(to):
            if time.monotonic() > deadline:
                raise DemonstrationFailed(f"tablet {self.tablet.dev} never got through")
            time.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)


def note(book: Book, line: Mapping[str, Any]) -> None:
    """Tell the keeper of every entity of a door."""
    for kind, found in (
        ("household", line.get("household")),
        *(("person", each) for each in line.get("persons", ())),
        ("visit", line.get("visit")),
    ):
        if found:
            book.enters(kind, found["id"], found["set"])


def client(timeout: float = 20.0) -> httpx.Client:
    """One connection per request, so that a fault on a connection is a fault of one request."""
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.Client(timeout=timeout, limits=limits, trust_env=False)


def send(agent: Agent, url: str, *, http: httpx.Client) -> tuple[int, bytes]:
    """(status, body) of the answer to this tablet's newest batch, sent by hand; (0, empty) without an answer."""
    newest = agent.store.batches()[-1]
    headers = {
        "Content-Type": "application/x-ndjson",
        "Content-Encoding": "gzip",
        "Batch-Signature": newest.signature,
        "Device-Grant": agent.store.facts()["grant"],
    }
    content = agent.store.content(newest.sha256)
    try:
        answer = http.post(f"{url}/sync/v1/batches", content=content, headers=headers)
    except httpx.HTTPError:
        return 0, b""
    return answer.status_code, answer.content


@dataclass
class World:
    """One commune (with a province above it, or alone as kind `both`), its tablets, and the keeper's book."""

    home: Path
    nursery: Nursery
    seed: int
    postgres: postgres.Server | None = None
    alone: bool = False
    data: Path | None = None
    plants: tuple[str, ...] = ()
    agents: list[Agent] = field(default_factory=list)
    # What was seen that should not have been, in words.
    wrong: list[str] = field(default_factory=list)
    closing: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True)
        self.book = Book(self.home / "keeper.ndjson")
        self.random = random.Random(self.seed)
        self._lines, self._reading = self._doors(), threading.Lock()
        self.http = self.closing.enter_context(client())
        self.closing.callback(self.book.close)
        kind, where = ("both", self.data or self.home) if self.alone else ("commune", self.home)
        self.commune = self._server("commune", kind=kind, place=COMMUNE, where=where)
        self.commune.plants = self.plants
        self.province = self.commune if self.alone else self._server("province", where=self.home)

    def _server(self, name: str, *, where: Path, kind: str = "province", place: str | None = None) -> Server:
        url = self.postgres.url(self.postgres.create()) if self.postgres else ""
        log = self.home / f"{name}.log"
        return Server(name, kind, place, where / name, url, nursery=self.nursery, log=log)

    def spare(self, name: str) -> Server:
        """A further folder (and database) for a node nobody has made yet."""
        server = self._server(name, where=self.home)
        if server.database_url:
            self.closing.callback(self._drop, server)
        return server

    def _drop(self, server: Server) -> None:
        if self.postgres is not None and self.postgres.process.poll() is None:
            self.postgres.drop(server.database_url.partition("@/")[2].partition("?")[0])

    def _doors(self) -> Iterator[dict[str, Any]]:
        for plan in census.households(self.seed, 1.0):
            if "household" in plan.line:
                yield {**plan.line, "persons": plan.line["persons"][:2]}

    # -- setting up --------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Make and start the nodes, join, enrol the tablets over lines that are still good."""
        self.commune.init()
        if not self.alone:
            self.province.init()
            self.province.start()
            self.upward = Proxy(self.province.port, self.book.inject, self.seed)
            self.closing.callback(self.upward.close)
            body = {"agent": "admin", "areas": [COMMUNE]}
            invited = self._invitation(self.province, body)
            told = ("--url", self.upward.url, "--code", invited["code"], "--province", invited["province"])
            self.commune.run("upstream", "join", *told)
        self.commune.start()
        self.line = Proxy(self.commune.port, self.book.inject, self.seed)
        self.closing.callback(self.line.close)
        for number in range(TABLETS):
            self.agents.append(self.enrol(number))

    def _invitation(self, server: Server, body: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = server.ask(
            self.http, "POST /v1/invitations", officer="admin", json=body
        ).json()
        return answer

    def enrol(self, number: int) -> Agent:
        """A further tablet with an agent of its own."""
        name = f"agent{number:02}"
        self.commune.add_officer(self.http, name, role="agent")
        invited = self._invitation(
            self.commune, {"agent": name, "areas": [QUARTIERS[number % len(QUARTIERS)]]}
        )
        store = WatchedStore(self.home / f"tablet-{number:02}", self.book)
        self.closing.callback(store.close)
        tablet = Tablet.enrol(
            store,
            url=self.line.url,
            code=invited["code"],
            province=invited["province"],
            name=name,
            http=self.http,
            patience=Patience(tries=1),
        )
        return Agent(tablet, store, book=self.book)

    # -- the work ----------------------------------------------------------------------------------------------

    def next_line(self) -> dict[str, Any]:
        """The next door of the census; safe for threads."""
        with self._reading:
            return next(self._lines)

    def next_lines(self, count: int) -> list[dict[str, Any]]:
        """The next doors of the census."""
        return [self.next_line() for _ in range(count)]

    def agent(self, number: int) -> Agent:
        """The tablets in turn."""
        return self.agents[number % len(self.agents)]

    def settle(self) -> None:
        """Everything entered reaches the commune."""
        for agent in self.agents:
            agent.deliver()

    def answer_to_a_batch(self) -> int:
        """The status that the commune's answer to a new batch has now; 0 when there is no answer."""
        agent = self.agents[0]
        agent.enter(self.next_line())
        return send(agent, self.commune.url, http=self.http)[0]

    def expect(self, status: int, *wanted: int, when: str) -> None:
        """Note an answer that is none of those wanted."""
        if status not in wanted:
            self.wrong.append(f"HTTP {status} {when}")

    def judge(self, *, at_rest: bool = True, first: int | None = None) -> Verdict:
        """What the commune's database holds against the book, or against its first receipts."""
        return judge(self.url(self.commune), self.book, at_rest=at_rest, first=first)

    def url(self, server: Server) -> str:
        """The address of a node's database."""
        return server.database_url or f"sqlite:///{server.directory / 'mboka.db'}"

    def finish(self) -> Verdict:
        """All work to the province, both nodes judged and audited; what is wrong is said."""
        self.settle()
        verdict = self.judge()
        self.commune.stop()
        if not self.alone:
            self.commune.run("sync", "--once")
            self.province.stop()
            above = judge(self.url(self.province), self.book)
            verdict.said += above.said
            verdict.lost += above.lost
            verdict.doubled += above.doubled
            verdict.uncounted += above.uncounted
            if digest(self.url(self.commune)) != digest(self.url(self.province)):
                verdict.said.append("commune and province differ")
        for server in {self.commune.name: self.commune, self.province.name: self.province}.values():
            try:
                server.run("verify")
            except DemonstrationFailed as failed:
                verdict.said.append(str(failed))
        return verdict

    def close(self) -> None:
        """End the processes, drop the databases, remove the files."""
        for server in (self.commune, self.province):
            server.kill()
        self.closing.close()
        if self.postgres is not None:
            for server in {self.commune.name: self.commune, self.province.name: self.province}.values():
                self._drop(server)
        shutil.rmtree(self.home, ignore_errors=True)
