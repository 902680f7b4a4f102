"""Batches read in a process beside the server, so that the interpreter that writes is not kept from it. What comes back
is what reading here would have made; a process that ended is done without."""

from __future__ import annotations

import contextlib
import os
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, Pipe
from queue import SimpleQueue
from typing import Any

import msgspec
import structlog

from app.ledger import bulk
from app.ledger.creating import Block, Creating, Reader, Taken
from sync.protocol import Header

# A small batch is read sooner than sent across.
LEAST_BYTES = 32 << 10
log = structlog.get_logger("reading")


class _Order(msgspec.Struct, array_like=True):
    """What the other process is asked for."""

    header: Header
    data: bytes
    role: str
    home: str | None
    fallback: str


class _Packed(msgspec.Struct, array_like=True):
    """A block as it crosses."""

    kind: str
    placed: dict[str, list[tuple[Any, ...]]]
    texts: dict[str, tuple[int, bytes]]
    following: dict[str, list[tuple[Any, ...]]]
    areas: dict[str, str]
    cells: dict[str, list[tuple[tuple[Any, ...], int]]]


class _Answer(msgspec.Struct, array_like=True):
    """`Taken` as it crosses."""

    blocks: list[_Packed]
    left: list[int]
    content: bytes


_ENCODER = msgspec.msgpack.Encoder()
_ORDERS, _ANSWERS = msgspec.msgpack.Decoder(_Order), msgspec.msgpack.Decoder(_Answer)


class ReadingBeside:
    """A Reader whose work is done by forked processes. Made before the server has threads, sockets or locked files."""

    def __init__(self, here: Creating, *, processes: int, as_text: bool) -> None:
        self._here = here
        # A token per process; the pid of one that ended is 0.
        self._free: SimpleQueue[tuple[int, Connection | None]] = SimpleQueue()
        self._processes = processes
        for _ in range(processes):
            self._free.put(_fork(here, as_text=as_text))

    def take(
        self,
        header: Header,
        raws: Sequence[bytes],
        *,
        data: bytes,
        role: str,
        home: str | None,
        fallback: str,
    ) -> Taken:
        """As Creating.take, in the process that is free first."""
        if len(data) >= LEAST_BYTES:
            answer = self._ask(_Order(header, data, role, home, fallback))
            if answer is not None:
                blocks = {each.kind: self._unpack(each) for each in answer.blocks}
                return Taken(blocks, answer.left, answer.content)
        return self._here.take(header, raws, data=data, role=role, home=home, fallback=fallback)

    def _ask(self, order: _Order) -> _Answer | None:
        """The answer of a process; None where it ended."""
        pid, connection = self._free.get()
        try:
            if connection is not None:
                connection.send_bytes(_ENCODER.encode(order))
                return _ANSWERS.decode(connection.recv_bytes())
        except (OSError, EOFError, msgspec.MsgspecError) as error:
            log.warning("reader_ended", process=pid, error=type(error).__name__)
            _end(pid, connection)
            pid, connection = 0, None
        finally:
            self._free.put((pid, connection))
        return None

    def _unpack(self, packed: _Packed) -> Block:
        block = Block(self._here.registry.shape(packed.kind))
        block.placed.update(packed.placed)
        block.following.update(packed.following)
        block.texts, block.areas = packed.texts, packed.areas
        for name, counted in packed.cells.items():
            block.cells[name] = Counter(dict(counted))
        return block

    def close(self) -> None:
        """End the processes; what comes later is read here."""
        for _ in range(self._processes):
            _end(*self._free.get())
        for _ in range(self._processes):
            self._free.put((0, None))


@contextlib.contextmanager
def reading_beside(here: Creating, *, processes: int, as_text: bool) -> Iterator[Reader]:
    """Reading beside the server where the system can fork and has a second processor, else here."""
    if not processes or not hasattr(os, "fork") or (os.cpu_count() or 1) < 2:
        yield here
        return
    beside = ReadingBeside(here, processes=processes, as_text=as_text)
    try:
        yield beside
    finally:
        beside.close()


def _fork(here: Creating, *, as_text: bool) -> tuple[int, Connection]:
    ours, theirs = Pipe()
    pid = os.fork()
    if pid:
        theirs.close()
        return pid, ours
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        # Nothing of the server's may be held open from here: its address, its locks, its database.
        os.closerange(3, theirs.fileno())
        os.closerange(theirs.fileno() + 1, 1 << 16)
        _work(here, theirs, as_text=as_text)
    finally:
        os._exit(0)


def _work(here: Creating, connection: Connection, *, as_text: bool) -> None:
    """Answer until the server ends."""
    with contextlib.suppress(EOFError, OSError):
        while True:
            order = _ORDERS.decode(connection.recv_bytes())
            raws = order.data.split(b"\n")[1:-1]
            taken = here.take(
                order.header, raws, data=order.data, role=order.role, home=order.home, fallback=order.fallback
            )
            blocks = [_pack(block, as_text=as_text) for block in taken.blocks.values()]
            connection.send_bytes(_ENCODER.encode(_Answer(blocks, taken.left, taken.content)))


def _pack(block: Block, *, as_text: bool) -> _Packed:
    placed, texts = dict(block.placed), {}
    for area, heads in block.placed.items() if as_text else ():
        if len(heads) >= bulk.COPY_FROM and (text := bulk.as_text(heads)) is not None:
            texts[area] = (len(placed.pop(area)), text)
    cells = {name: list(counted.items()) for name, counted in block.cells.items()}
    return _Packed(block.shape.kind, placed, texts, dict(block.following), block.areas, cells)


def _end(pid: int, connection: Connection | None) -> None:
    """It ends when its line is cut."""
    if connection is not None:
        connection.close()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
