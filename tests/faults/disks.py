"""Faults of the disk: power cut under a mounted file system, a full disk, writes that fail.

The power is cut as file system developers do it: ext4 is shut down in full flight without flushing its journal
(EXT4_IOC_SHUTDOWN), so that everything not yet written through is gone; then it is mounted again and its journal
replayed. What the loop device was given counts as on the platter: lying disk caches are not covered."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests import postgres
from tests.faults.world import Agent, World

EXT4_IOC_SHUTDOWN = 0x8004587D
WITHOUT_FLUSHING = 2
IMAGE_BYTES = 1 << 30
SMALL_BYTES = {"sqlite": 64 << 20, "postgresql": 320 << 20}
WRITE_LIMIT = 64 << 10
# New ones that must be on the tablets before the power is cut.
RECEIPTS = 4


class CannotMount(Exception):
    """This machine does not let us mount a file system."""


class Disk:
    """A file system of its own, mounted at `place`: ext4 on an image file, or a small one in memory."""

    def __init__(self, home: Path, *, memory: int = 0) -> None:
        self.place = home / "disk"
        self.place.mkdir(parents=True)
        self._image = home / "disk.img"
        self._memory = memory
        if not memory:
            with self._image.open("wb") as file:
                file.truncate(IMAGE_BYTES)
            _command("mkfs.ext4", "-q", "-F", str(self._image))
        self.mount()

    def mount(self) -> None:
        """Mount it (again); raises CannotMount."""
        if self._memory:
            _command("mount", "-t", "tmpfs", "-o", f"size={self._memory}", "tmpfs", str(self.place))
        else:
            _command("mount", "-o", "loop", str(self._image), str(self.place))

    def cut(self) -> None:
        """The power goes: from this moment nothing reaches the disk, and what was not flushed never will."""
        descriptor = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, EXT4_IOC_SHUTDOWN, struct.pack("I", WITHOUT_FLUSHING))
        finally:
            os.close(descriptor)

    def again(self) -> None:
        """Power is back: what was mounted is mounted anew, its journal replayed."""
        self.unmount()
        self.mount()

    def flush(self) -> None:
        """Write everything through: what came before is no part of the experiment."""
        _command("sync", "-f", str(self.place))

    def unmount(self) -> None:
        """Take it away, once nobody has a file open in it."""
        for _ in range(200):
            if subprocess.run(["umount", self.place], capture_output=True, check=False).returncode == 0:
                return
            time.sleep(0.05)
        subprocess.run(["umount", "-l", self.place], check=False)

    @contextmanager
    def full(self) -> Iterator[None]:
        """Not a byte is free while the block runs."""
        ballast = self.place / "ballast"
        with ballast.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(1 << 20))
        with ballast.open("ab", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(512))
        try:
            yield
        finally:
            ballast.unlink()


def _command(*words: str) -> None:
    try:
        # Where the tools of an administrator are, whatever the caller's own path is.
        path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
        done = subprocess.run(
            words, capture_output=True, text=True, check=False, env={**os.environ, "PATH": path}
        )
    except FileNotFoundError as error:
        raise CannotMount(f"{words[0]} is not there") from error
    if done.returncode:
        raise CannotMount(f"{words[0]}: {done.stderr.strip()}")


@contextmanager
def busy(world: World) -> Iterator[None]:
    """All tablets enter and push without a pause while the block runs, and do not wait for anybody afterwards."""
    stopped = threading.Event()

    def work(agent: Agent) -> None:
        while not stopped.is_set():
            agent.enter(world.next_line())
            agent.push_once()

    workers = [threading.Thread(target=work, args=(agent,)) for agent in world.agents[:2]]
    for each in workers:
        each.start()
    try:
        yield
    finally:
        stopped.set()
        for each in workers:
            each.join()


def cut_power(world: World, disk: Disk) -> int:
    """Cut the power under two pushing tablets and start again up to the database; operations acknowledged before the
    cut and lost by it."""
    with busy(world):
        _wait_for_receipts(world, len(world.book.receipts) + RECEIPTS)
        time.sleep(world.random.uniform(0, 0.3))
        acknowledged = len(world.book.receipts)
        world.book.inject("power cut")
        disk.cut()
        world.commune.kill()
    if world.postgres is not None:
        world.postgres.crash(9)
    disk.again()
    if world.postgres is not None:
        world.postgres.again()
    return world.judge(at_rest=False, first=acknowledged).lost.total()


def _wait_for_receipts(world: World, wanted: int) -> None:
    deadline = time.monotonic() + 60
    while len(world.book.receipts) < wanted and time.monotonic() < deadline:
        time.sleep(0.002)


def full_disk(world: World, count: int, *, disk: Disk) -> None:
    """The disk is full under pushing tablets; with room again, everything goes on."""
    for _ in range(count):
        with disk.full():
            world.book.inject("disk full")
            for agent in world.agents[:2]:
                for line in world.next_lines(2):
                    agent.enter(line)
                    agent.push_once()
            world.expect(world.answer_to_a_batch(), 503, 507, when="with a full disk")
        if world.postgres is not None and world.postgres.process.poll() is not None:
            world.postgres.again()
        world.settle()


def failing_writes(world: World, count: int) -> None:
    """No file may be written beyond its first 64 KiB (RLIMIT_FSIZE of running processes): every write to the database
    fails with EFBIG in the middle of its work."""
    for _ in range(count):
        found = _writers(world)
        _limit(found, str(WRITE_LIMIT))
        world.book.inject("writes fail")
        for agent in world.agents[:2]:
            agent.enter(world.next_line())
            agent.push_once()
        # PostgreSQL may have begun its processes anew by then, without the limit.
        healed = (200,) if world.postgres is not None else ()
        world.expect(world.answer_to_a_batch(), 500, 503, 507, *healed, when="with failing writes")
        _limit(found, "unlimited")
        world.settle()


def _limit(pids: list[int], value: str) -> None:
    """In a process of the same owner, who alone may; one that has ended meanwhile needs no limit."""
    for pid in pids:
        owner = Path(f"/proc/{pid}").stat().st_uid if Path(f"/proc/{pid}").exists() else os.geteuid()
        account = postgres.account() if owner != os.geteuid() else {}
        words = ("prlimit", "--pid", str(pid), f"--fsize={value}:unlimited")
        subprocess.run(words, capture_output=True, check=False, **account)


def _writers(world: World) -> list[int]:
    """The processes that write the database: the server, or those of PostgreSQL but its postmaster."""
    if world.postgres is None:
        assert world.commune.process is not None
        return [world.commune.process.pid]
    postmaster = world.postgres.process.pid
    return [int(pid) for pid in Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()]
