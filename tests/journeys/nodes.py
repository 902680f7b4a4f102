"""Servers as an operator runs them: processes of `python -m app` on free loopback ports; a province and its commune.
Knows the command line and the HTTP answers, no module of the program."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import httpx

from .client import Invitation, Tablet, expect, http, login_officer
from .rows import Entity
from .signatures import JSON

PROGRAM = (sys.executable, "-m", "app")
ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 90.0
KINTAMBO = "CD-KN-017"
ITIMBIRI = "1017010"
SALONGO = "1017070"


def free_port() -> int:
    """A port of loopback nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def surroundings() -> dict[str, str]:
    """The environment without settings of another server."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MBOKA_")}


@dataclass
class Server:
    """One node in its directory: how to command it, start it and stop it."""

    kind: str
    directory: Path
    url: str
    passwords: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def run(self, *command: str, typed: str = "") -> str:
        """Run one command on this node's directory to its end; its output. Fails the test on a non-zero exit."""
        done = subprocess.run(
            [*PROGRAM, *command, "--data", str(self.directory)],
            input=typed,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            cwd=ROOT,
            env=surroundings(),
            check=False,
        )
        assert done.returncode == 0, f"{command} left with {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout

    def init(self, database_url: str | None) -> None:
        """Set the node up: a commune is Kintambo."""
        place = ("--commune", KINTAMBO) if self.kind == "commune" else ()
        engine = ("--database-url", database_url) if database_url else ()
        self.run("init", "--kind", self.kind, *place, *engine)

    def add_officer(self, username: str, role: str) -> None:
        """An officer of this node with a random password, typed on standard input."""
        self.passwords[username] = secrets.token_urlsafe(18)
        place = ("--commune", KINTAMBO) if self.kind == "commune" else ()
        typed = self.passwords[username] + "\n"
        self.run("officer", "add", username, "--role", role, *place, "--password-stdin", typed=typed)

    def invite(self, agent: str, area: str) -> Invitation:
        """What the enrolment QR for this agent's device holds."""
        answer = json.loads(self.run("device", "invite", "--agent", agent, "--area", area, "--json"))
        return Invitation(answer["url"], answer["code"], answer["province"])

    def start(self) -> None:
        """Serve, and wait until the first hello is answered."""
        port = self.url.rpartition(":")[2]
        command = [*PROGRAM, "serve", "--data", str(self.directory), "--port", port]
        log = self.directory.with_suffix(".log")
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=ROOT, env=surroundings()
            )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._answers():
            ended = self.process.poll() is not None
            assert not ended, f"serve ended at once: {log.read_text(errors='replace')[-4000:]}"
            assert time.monotonic() < deadline, f"no hello: {log.read_text(errors='replace')[-4000:]}"
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            return httpx.get(self.url + "/sync/v1/hello", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        """End the process this object started."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


@dataclass
class World:
    """A province, the commune Kintambo joined to it, both serving; tablets and officers in it."""

    province: Server
    commune: Server
    closing: ExitStack
    connections: dict[str, httpx.Client] = field(default_factory=dict)
    logins: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    kept: dict[tuple[str, str], Tablet] = field(default_factory=dict)

    def connect(self, url: str) -> httpx.Client:
        """The one connection to a server, closed with the world."""
        if url not in self.connections:
            self.connections[url] = self.closing.enter_context(http(url))
        return self.connections[url]

    def invited(self, area: str = ITIMBIRI, *, officer: str = "agent1") -> Tablet:
        """A tablet of the agent (or of this officer) with an invitation to the commune, not enrolled yet."""
        asked = {"agent": officer, "areas": [area]}
        answer = expect(self.ask(self.commune, "bourgmestre", path="/v1/invitations", body=asked), 201).json()
        invitation = Invitation(answer["url"], answer["code"], answer["province"])
        return Tablet(invitation, connect=self.connect)

    def tablet(self, area: str = ITIMBIRI, *, officer: str = "agent1") -> Tablet:
        """A tablet of the agent (or of this officer), enrolled at the commune and with a session."""
        tablet = self.invited(area, officer=officer)
        tablet.enrol()
        tablet.login()
        return tablet

    def witness(self, area: str = ITIMBIRI, *, officer: str = "agent1") -> Tablet:
        """The same second tablet of an area and officer each time, with everything pulled: what another one sees."""
        if (area, officer) not in self.kept:
            self.kept[area, officer] = self.tablet(area, officer=officer)
        self.kept[area, officer].pull()
        return self.kept[area, officer]

    def relay(self) -> None:
        """One exchange between the commune and the province."""
        self.commune.run("sync", "--once")

    def read(self, server: Server, username: str, *, path: str) -> JSON:
        """What an officer reads at a path of a server."""
        page: JSON = expect(self.ask(server, username, path=path), 200).json()
        return page

    def ask(
        self, server: Server, username: str, *, path: str, body: JSON | None = None, etag: str = ""
    ) -> httpx.Response:
        """What a server answers an officer: to a reading, or with a `body` to what he decides on what he read."""
        connection = self.connect(server.url)
        if (server.url, username) not in self.logins:
            password = server.passwords[username]
            self.logins[server.url, username] = login_officer(connection, username, password=password)
        headers = self.logins[server.url, username] | ({"If-Match": etag} if etag else {})
        return connection.request("GET" if body is None else "POST", path, json=body, headers=headers)

    def case(self, server: Server, username: str, *, about: Entity, register: str) -> JSON | None:
        """The open conflict about a register of an entity as it stands in an officer's tray."""
        cursor = ""
        while True:
            page = self.read(server, username, path=f"/v1/conflicts?limit=200{cursor}")
            for case in page["items"]:
                if (case["kind"], case["id"], case["register"]) == (*about, register):
                    found: JSON = case
                    return found
            if page["next"] is None:
                return None
            cursor = f"&cursor={quote(page['next'])}"


def join(province: Server, commune: Server) -> None:
    """Officers for both, the commune enrolled at the serving province, both serving afterwards."""
    province.add_officer("gouverneur", "admin")
    province.add_officer("division", "supervisor")
    province.start()
    commune.add_officer("bourgmestre", "admin")
    commune.add_officer("commis", "clerk")
    commune.add_officer("agent1", "agent")
    pin = province.invite("gouverneur", KINTAMBO)
    commune.run("upstream", "join", "--url", province.url, "--code", pin.code, "--province", pin.province)
    commune.start()
