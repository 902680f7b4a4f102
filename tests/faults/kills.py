"""Faults of processes: servers, PostgreSQL and tablets killed at random moments and at named points, wrong clocks of
servers, upgrades cut short."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from app.demo.nodes import DemonstrationFailed
from sync.client import Tablet
from sync.contact import Patience
from sync.store import Receipt
from tests.faults.book import WatchedStore
from tests.faults.lines import Run, wait_settled
from tests.faults.world import Agent, Server, World, note

DOORS = 3
DEATH_SECONDS = 60.0


@contextmanager
def at_work(world: World, doors: int = DOORS) -> Iterator[None]:
    """Two tablets at a time enter and push until they got through, while the block does its worst."""
    workers = []
    for agent in world.agents[:2]:
        lines = world.next_lines(doors)

        def work(agent: Agent = agent, lines: list[dict[str, object]] = lines) -> None:
            for line in lines:
                agent.enter(line)
                agent.deliver()

        workers.append(threading.Thread(target=work))
    for each in workers:
        each.start()
    try:
        yield
    finally:
        for each in workers:
            each.join()


def killed(world: World, count: int) -> None:
    """`kill -9` of the commune at a random moment."""
    for _ in range(count):
        with at_work(world):
            time.sleep(world.random.uniform(0, 0.12))
            world.commune.kill()
            world.book.inject("commune killed")
            world.commune.start()


def dies(name: str, point: str, *, server: Callable[[World], Server], settles: bool = False) -> Run:
    """The server dies at a named point: the nth passage of it."""

    def run(world: World, count: int) -> None:
        victim = server(world)
        for at in range(count):
            _start_to_die(victim, f"{point}={world.random.randint(1, 1 if settles else 4)}")
            with at_work(world):
                deadline = time.monotonic() + DEATH_SECONDS
                while victim.runs() and time.monotonic() < deadline:
                    time.sleep(0.005)
                if victim.runs():
                    world.wrong.append(f"{point} was never passed")
                    break
                world.book.inject(name)
                victim.plants = ()
                victim.start()
            if settles:
                wait_settled(world.agent(at % 2))

    return run


def _start_to_die(victim: Server, plant: str) -> None:
    """The relay begins by itself: death may come before the first answer."""
    try:
        victim.again(plant)
    except DemonstrationFailed:
        if victim.runs() or victim.process is None or victim.process.poll() != -signal.SIGKILL:
            raise


def province_restarted(world: World, count: int) -> None:
    """The province is killed while the commune relays, and comes back."""
    for at in range(count):
        with at_work(world, 2):
            time.sleep(world.random.uniform(0, 0.3))
            world.province.kill()
            world.book.inject("province killed")
            world.province.start()
        wait_settled(world.agent(at % 2))


def database_gone(world: World, count: int) -> None:
    """PostgreSQL ends in three ways; the server stays, answers 503 meanwhile, and works on by itself."""
    assert world.postgres is not None
    assert world.commune.process is not None
    server, pid = world.postgres, world.commune.process.pid
    for at in range(count):
        with at_work(world):
            time.sleep(world.random.uniform(0, 0.1))
            if at % 3 == 2:
                _kill_a_backend(server.process.pid)
                world.book.inject("PostgreSQL killed")
            else:
                server.crash((signal.SIGQUIT, signal.SIGKILL)[at % 3])
                world.book.inject("PostgreSQL killed")
                world.expect(world.answer_to_a_batch(), 503, when="while PostgreSQL was away")
                server.again()
    if not world.commune.runs() or world.commune.process.pid != pid:
        world.wrong.append("the server did not outlive its database")


def _kill_a_backend(postmaster: int) -> None:
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    os.kill(int(children[-1]), signal.SIGKILL)


def clock_wrong(world: World, count: int) -> None:
    """The commune's clock stands in 1970, in 2046, half a day off, and right again."""
    clocks = ("1970-01-01T00:00:10+00:00", "-43200", "+43200", "+7776000", "+630720000")
    for at in range(count):
        world.commune.again(f"clock={clocks[at % len(clocks)]}")
        world.book.inject("server's clock wrong")
        for number in range(2):
            agent = world.agent(number)
            agent.enter(world.next_line())
            agent.deliver()
    world.commune.again()


# -- tablets ------------------------------------------------------------------------------------------------------


def tablet_killed(world: World, count: int) -> None:
    """`python -m sync` dies in the middle of load and of push; afterwards the same commands end well."""
    for at in range(max(1, count // 4)):
        folder = _folder(world, 50 + at)
        doors = world.next_lines(40)
        file = world.home / f"doors-{at}.ndjson"
        file.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in doors))
        for line in doors:
            note(world.book, line)
        operations = sum(2 + len(line["persons"]) for line in doors)
        for command in ("load", "push"):
            words = ["--data", str(folder), command, *([str(file)] if command == "load" else [])]
            for _ in range(2):
                victim = world.nursery.start(words, log=world.home / "tablets.log", program="sync")
                time.sleep(world.random.uniform(0.005, 0.09))
                victim.kill()
                victim.wait()
                world.book.inject("tablet killed")
                _tell(world, folder)
            again = world.nursery.start(words, log=world.home / "tablets.log", program="sync")
            world.expect(again.wait(120) + 200, 200, when=f"as exit code of {command} after a kill")
        entered = _tell(world, folder)
        if entered != operations:
            world.wrong.append(f"{entered} operations on a tablet instead of {operations}")


def _folder(world: World, number: int) -> Path:
    agent = world.enrol(number)
    agent.store.close()
    return world.home / f"tablet-{number:02}"


def _tell(world: World, folder: Path) -> int:
    """What the tablet believes to be received becomes the keeper's; gives how many operations were entered."""
    store = WatchedStore(folder, world.book)
    try:
        for held in store.batches():
            for node in held.nodes:
                receipt = Receipt(held.sha256, node, False, "", b"", "")
                world.book.acknowledge(receipt, store.content(held.sha256))
        return sum(store.epochs().values())
    finally:
        store.close()


def cloned(world: World, count: int) -> None:
    """A tablet is copied; both go on under one name, and both their work stands."""
    for at in range(count):
        folder = _folder(world, 80 + at)
        copy = world.home / f"clone-{at}"
        shutil.copytree(folder, copy)
        world.book.inject("tablet cloned")
        for place in (folder, copy):
            store = WatchedStore(place, world.book)
            world.closing.callback(store.close)
            tablet = Tablet(store, world.http, patience=Patience(tries=1))
            agent = Agent(tablet, store, book=world.book)
            for line in world.next_lines(2):
                agent.enter(line)
            agent.deliver()
            world.agents.append(agent)
    del world.agents[-2 * count :]
