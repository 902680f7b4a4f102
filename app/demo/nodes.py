"""The servers of the demonstration: processes of this program on loopback, each with a directory and its officers."""

from __future__ import annotations

import secrets
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

PATIENCE_SECONDS = 60.0
SETTINGS = {"RELAY_SECONDS": "2", "LOG_LEVEL": "WARNING", "INVITATION_MINUTES": "120"}


class DemonstrationFailed(RuntimeError):
    """A step of the demonstration did not succeed; the message (French) says which."""


def free_port() -> int:
    """A port of loopback nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """One node: its directory, its process, and the officers with their random passwords."""

    name: str
    kind: str
    commune: str | None
    directory: Path
    database_url: str = ""
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    passwords: dict[str, str] = field(default_factory=dict)
    _tokens: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://127.0.0.1:{self.port}"

    def run(self, *arguments: str, typed: str = "") -> str:
        """One command of `mboka` on this node to its end; its output."""
        done = subprocess.run(
            self._command(*arguments), input=typed, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise DemonstrationFailed(
                f"{self.name} : « mboka {' '.join(arguments)} » : {done.stderr.strip()[-2000:]}"
            )
        return done.stdout

    def _command(self, *arguments: str) -> list[str]:
        settings = [f"MBOKA_{name}={value}" for name, value in SETTINGS.items()]
        return [
            "env",
            "-u",
            "MBOKA_DATABASE_URL",
            *settings,
            sys.executable,
            "-m",
            "app",
            *arguments,
            "--data",
            str(self.directory),
        ]

    def init(self) -> None:
        """Make the node, marked for ever as a demonstration, and its first admin."""
        place = ("--commune", self.commune) if self.commune else ()
        engine = ("--database-url", self.database_url) if self.database_url else ()
        self.run("init", "--kind", self.kind, "--demo", *place, *engine)
        password = self._password("admin")
        self.run("officer", "add", "admin", "--role", "admin", "--password-stdin", typed=password + "\n")

    def _password(self, username: str) -> str:
        return self.passwords.setdefault(username, secrets.token_urlsafe(12))

    def start(self) -> None:
        """Serve, and wait for the first answer."""
        log = self.directory / "serve.log"
        with log.open("ab") as output:
            command = self._command("serve", "--port", str(self.port))
            self.process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise DemonstrationFailed(
                    f"{self.name} ne démarre pas : {log.read_text(errors='replace')[-2000:]}"
                )
            time.sleep(0.05)

    def answers(self) -> bool:
        """Whether it serves now."""
        try:
            return httpx.get(f"{self.url}/health", trust_env=False, timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def kill(self) -> None:
        """End the process at once, as a power cut would."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        """Ask the process to end."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    # -- over HTTP ---------------------------------------------------------------------------------------------

    def add_officer(self, client: httpx.Client, username: str, *, role: str) -> None:
        """A further officer, added by the admin."""
        body = {
            "username": username,
            "name": username.title(),
            "role": role,
            "password": self._password(username),
        }
        self.ask(client, "POST /v1/officers", officer="admin", json=body)

    def ask(self, client: httpx.Client, call: str, *, officer: str, **options: Any) -> httpx.Response:
        """One call ("GET /v1/…") as this officer; raises DemonstrationFailed on an error answer."""
        headers = {**options.pop("headers", {}), "Authorization": f"Bearer {self._token(client, officer)}"}
        method, _, path = call.partition(" ")
        response = client.request(method, self.url + path, headers=headers, **options)
        if response.status_code >= 400:
            raise DemonstrationFailed(f"{self.name} : {call} : {response.status_code} {response.text[:800]}")
        return response

    def _token(self, client: httpx.Client, officer: str) -> str:
        if officer not in self._tokens:
            body = {"username": officer, "password": self.passwords[officer], "purpose": "démonstration"}
            response = client.post(f"{self.url}/v1/sessions", json=body)
            if response.status_code != 201:
                raise DemonstrationFailed(f"{self.name} : connexion de {officer} : {response.text[:400]}")
            self._tokens[officer] = response.json()["token"]
        return self._tokens[officer]
