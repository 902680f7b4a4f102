"""A warm process that forks the servers and commands of the harness: a restart costs a fork instead of two seconds of
imports. Each child is `mboka` itself, on the arguments given, with what the harness planted in it."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

SETTINGS = {
    "MBOKA_RELAY_SECONDS": "0.2",
    "MBOKA_LOG_LEVEL": "WARNING",
    "MBOKA_INVITATION_MINUTES": "120",
}


class Child:
    """A forked `mboka`: what a Popen offers of waiting and signals."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._nursery = nursery

    def poll(self) -> int | None:
        """Its exit code (negative: the signal), None while it runs."""
        if self.returncode is None:
            self.returncode = self._nursery.ask(do="poll", pid=self.pid)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; raises subprocess.TimeoutExpired."""
        deadline = time.monotonic() + (timeout if timeout is not None else 600)
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("mboka", timeout or 600)
            time.sleep(0.005)
        return code

    def send_signal(self, number: int) -> None:
        """Signal it, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


class Nursery:
    """The warm process, from the harness's side."""

    def __init__(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MBOKA_")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment | SETTINGS,
            text=True,
        )
        self._lock = threading.Lock()

    def ask(self, **order: Any) -> Any:
        """One order, one answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())

    def start(
        self,
        arguments: Sequence[str],
        *,
        log: Path,
        plants: Sequence[str] = (),
        typed: str = "",
        program: str = "mboka",
    ) -> Child:
        """Fork one `mboka`, or one `python -m sync`; its output is appended to `log`."""
        order = {"arguments": list(arguments), "log": str(log), "plants": list(plants)}
        return Child(self, self.ask(do="start", program=program, typed=typed, **order))

    def close(self) -> None:
        """End it and every child that still runs."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)
        if self._process.stdout is not None:
            self._process.stdout.close()


def _become(order: Mapping[str, Any]) -> NoReturn:
    from app import cli
    from sync.__main__ import main as tablet
    from tests.faults.plants import plant

    with tempfile.TemporaryFile() as typed:
        typed.write(order["typed"].encode())
        typed.seek(0)
        os.dup2(typed.fileno(), 0)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.stdin = os.fdopen(0, encoding="utf-8")
    sys.argv = ["mboka", *order["arguments"]]
    code = 0
    try:
        plant(order["plants"])
        if order["program"] == "sync":
            code = tablet(order["arguments"])
        else:
            cli.main()
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else int(left.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter itself would end
        sys.excepthook(*sys.exc_info())
        code = 70
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    """Import everything once, then fork on order until the input ends."""
    for name in ("app.cli", "app.audit", "sync.__main__", "tests.faults.plants"):
        importlib.import_module(name)

    running: set[int] = set()
    ended: dict[int, int] = {}
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "start":
            pid = os.fork()
            if pid == 0:
                answers.close()
                _become(order)
            running.add(pid)
            answer: int | None = pid
        else:
            answer = _poll(order["pid"], running, ended=ended)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    for pid in running:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _poll(pid: int, running: set[int], *, ended: dict[int, int]) -> int | None:
    if pid in running:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            running.remove(pid)
            ended[pid] = os.waitstatus_to_exitcode(status)
    return ended.get(pid)


if __name__ == "__main__":
    main()
