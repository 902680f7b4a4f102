"""Which batches a revocation leaves out (protocol section 5), decided again from the signed bytes of the servers, and
compared with what the node keeps out of its tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from backports import zstd

from app.audit import refold
from app.audit.brought import Bringings
from app.audit.chain import Chains
from app.audit.refold import Told, Write
from app.audit.report import Findings
from app.audit.trust import Trust
from app.ledger.tables import batch
from sync.catalogue import CATALOGUE, register_of
from sync.protocol import Operation, Unreadable, read_batch

REASON = "revoked"
WRITTEN = ("set", "resolve")
SERVERS = ("node", "province")
_SIGNS = (b"revoked", b"release", b"\\u")


def falls(operation: Operation | None) -> bool:
    """Whether a line falls with its batch: an act, which only a court annuls, does not."""
    return operation is None or operation.kind not in CATALOGUE or not CATALOGUE[operation.kind].immutable


def left_out(
    connection: sa.Connection, trust: Trust, *, chains: Chains, bringings: Bringings, findings: Findings
) -> frozenset[str]:
    """The batches (SHA-256) whose lines are to be set aside; adds a difference for every batch not kept so.

    The province is heard first: it says which batches of servers stand, and only from those are the communes heard.
    """
    said = _said(connection, trust, chains)
    said += [(sha256, told) for sha256, told in bringings.every() if _speaks(told)]
    out: set[str] = set()
    for heard in (["province"], ["node", "province"]):
        found: dict[str, dict[str, list[Write]]] = defaultdict(lambda: defaultdict(list))
        for sha256, told in said:
            if told.role in heard and sha256 not in out and _may(trust, told):
                for name, write in refold.writes_of(told).items():
                    found[told.operation.id][name].append(write)
        fallen = [_fallen(dev, registers, chains, bringings) for dev, registers in found.items()]
        out = {sha256 for each in fallen for sha256 in each}
    _compare(connection, out, bringings, findings)
    return frozenset(out)


def _speaks(told: Told) -> bool:
    operation = told.operation
    speaks = operation.kind == "device" and bool(operation.set.keys() & {"revoked", "release"})
    return speaks and operation.act in WRITTEN and refold.refused(operation, told.role) is None


def _said(connection: sa.Connection, trust: Trust, chains: Chains) -> list[tuple[str, Told]]:
    """Every operation of a server on a device that speaks of revocation or release, with its batch."""
    servers = sorted(dev for dev, each in trust.devices.items() if each.role in SERVERS)
    query = sa.select(batch).where(batch.c.dev.in_(servers), batch.c.origin.is_not(None))
    found = []
    for row in connection.execute(query.order_by(batch.c.id)):
        try:
            data = zstd.decompress(row.content)
            readable = read_batch(data) if any(sign in data for sign in _SIGNS) else None
        except (zstd.ZstdError, Unreadable):
            continue
        chain = chains.chains.get(row.origin)
        for line in readable.lines if readable is not None and chain is not None else ():
            if line.operation is not None and readable is not None and chain is not None:
                place = (row.id, row.origin, chain.dev, chain.ep, line.n, trust.devices[row.dev].role)
                told = Told(*place, readable.header.by, line.raw, line.operation)
                found += [(row.sha256, told)] if _speaks(told) else []
    return found


def _may(trust: Trust, told: Told) -> bool:
    """The province may revoke any device but its own, a commune's server the tablets of its commune."""
    device = trust.devices.get(told.operation.id)
    target = device.role if device is not None else ""
    if told.role == "province":
        return target != "province"
    home = trust.devices[told.dev].commune
    return target not in SERVERS and device is not None and home is not None and home == device.commune


def _live(registers: Mapping[str, list[Write]], name: str) -> list[Any]:
    writes = list({(w.dot, w.line): w for w in registers.get(name, ())}.values())
    edges = refold.replacing(register_of("device", name), writes, forked=())
    gone = set().union(*edges.values())
    return [write.value for at, write in enumerate(writes) if at not in gone]


def _fallen(
    dev: str, registers: Mapping[str, list[Write]], chains: Chains, bringings: Bringings
) -> Iterable[str]:
    values = [each for each in _live(registers, "revoked") if isinstance(each, dict)]
    lists = [each for each in _live(registers, "release") if isinstance(each, list)]
    released = {each for named in lists for each in named if isinstance(each, str)}
    for origin, chain in chains.chains.items():
        if chain.dev != dev:
            continue
        before = bringings.chain(origin) | {sha256: prev for _, _, sha256, prev in chain.batches}
        for value in values:
            stands = set()
            named = value.get(str(chain.ep))
            while isinstance(named, str) and named in before and named not in stands:
                stands.add(named)
                named = before[named]
            yield from before.keys() - stands - released


def _compare(connection: sa.Connection, out: set[str], bringings: Bringings, findings: Findings) -> None:
    held = set(connection.execute(sa.select(batch.c.sha256).where(batch.c.unfolded)).scalars())
    for sha256 in sorted(out ^ (held | bringings.left_out())):
        text = "devrait être écarté par une révocation" if sha256 in out else "est écarté sans révocation"
        findings.add("batch", f"lot {sha256} : {text}")
