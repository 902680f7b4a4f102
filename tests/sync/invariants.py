"""What must hold of a world that has come to rest (protocol section 8): each check says in a sentence what is wrong.

Judges by the ledger of what was entered and by reading tables itself; shares no fold with the server.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import sqlalchemy as sa
from backports import zstd

from app.audit import verify
from app.ledger.tables import area, batch, brought, origin, quarantine, waiting
from sync.catalogue import CATALOGUE, register_of
from sync.protocol import absolute, dot, read_batch
from tests.ledger import state
from tests.nodes import TestNode
from tests.sync.world import COMMUNES, PROVINCE, World, dots_of

KINDS = ("household", "person", "visit")


@dataclass
class Told:
    """One entered operation as the ledger has it."""

    dot: str
    line: bytes
    operation: dict[str, Any]
    par: dict[str, set[str]] = field(default_factory=dict)


def ledger(world: World) -> list[Told]:
    """Everything entered on tablets, each with its `par` in full and by register."""
    found = []
    for (dev, ep, n), lines in sorted(world.entered.items()):
        for line in sorted(lines):
            operation = orjson.loads(line)
            par: dict[str, set[str]] = defaultdict(set)
            for name, dots in operation.get("par", {}).items():
                lead = register_of(operation["kind"], name).name
                par[lead] |= set(absolute(dots, dev, ep))
            found.append(Told(dot(dev, ep, n), line, operation, par))
    return found


def stored_lines(node: TestNode) -> dict[str, set[bytes]]:
    """Dot → lines, of every batch a node keeps and of what it brought from its province."""
    found: dict[str, set[bytes]] = defaultdict(set)
    with node.database.read() as connection:
        for (content,) in connection.execute(sa.select(batch.c.content)):
            held = read_batch(zstd.decompress(content))
            for line in held.lines:
                found[dot(held.header.dev, held.header.ep, line.n)].add(line.raw)
        query = sa.select(origin.c.dev, origin.c.ep, brought.c.n, brought.c.line)
        for row in connection.execute(query.join(brought, brought.c.origin == origin.c.id)):
            found[dot(row.dev, row.ep, row.n)].add(row.line)
    return found


def fingerprint(node: TestNode, commune: str | None = None) -> str:
    """SHA-256 over the rows (of one commune's areas), sorted, without area, seq and rev; and their conflicts."""
    told = [shown(node, commune), sorted(conflicts(node, commune))]
    return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()


def places(node: TestNode) -> dict[str, str | None]:
    """`kind id` → the commune its row lies in."""
    found: dict[str, str | None] = {}
    with node.database.read() as connection:
        for kind in KINDS:
            table = node.door.registry.shape(kind).table
            query = sa.select(table.c.id, area.c.code).join(area, area.c.id == table.c.area)
            for identity, code in connection.execute(query):
                found[f"{kind} {identity}"] = node.door.areas.commune(code)
    return found


def shown(node: TestNode, commune: str | None = None) -> dict[str, Any]:
    """Rows as a server is sent them, of one commune where given."""
    where = places(node)
    return {key: row for key, row in state.rows(node).items() if commune in (None, where[key])}


def conflicts(node: TestNode, commune: str | None = None) -> set[tuple[str, str, str, int]]:
    """Open cases of persons, households and visits, of one commune where given."""
    where = places(node)
    cases = {case for case in state.conflicts(node) if case[0] in KINDS}
    return {case for case in cases if commune in (None, where.get(f"{case[0]} {case[1]}"))}


# -- the thirteen invariants -------------------------------------------------------------------------------------


def no_loss(world: World) -> Iterator[str]:
    """1. Every operation entered is kept by the province, with its bytes; but for what a thief never sent."""
    held = stored_lines(world.nodes[PROVINCE])
    for told in ledger(world):
        stolen = told.dot.partition(":")[0] in world.stolen
        if told.line not in held.get(told.dot, set()) and not stolen:
            yield f"the province lost {told.dot}"


def idempotence(world: World) -> Iterator[str]:
    """2. Every batch sent once more gets the same receipt and changes nothing."""
    for name, node in world.nodes.items():
        before = _everything(node)
        with node.database.read() as connection:
            rows = connection.execute(
                sa.select(
                    batch.c.content, batch.c.signature, batch.c.receipt, batch.c.receipt_signature
                ).where(batch.c.receipt.is_not(None))
            ).all()
        for row in rows:
            receipt = node.door.accept(zstd.decompress(row.content), row.signature)
            if (receipt.text, receipt.signature) != (row.receipt, row.receipt_signature):
                yield f"{name} gave another receipt for a batch it had receipted"
        if _everything(node) != before:
            yield f"{name} changed when batches were repeated"


def _everything(node: TestNode) -> Any:
    with node.database.read() as connection:
        numbers = {row.code: row.seq for row in connection.execute(sa.select(area.c.code, area.c.seq))}
    return state.rows(node), state.conflicts(node), state.rollups(node), state.waits(node), numbers


def convergence(world: World) -> Iterator[str]:
    """3. Province and commune show the same of what lies in the commune."""
    for commune in COMMUNES:
        above, below = shown(world.nodes[PROVINCE], commune), shown(world.nodes[commune], commune)
        for key in sorted(above.keys() | below.keys()):
            if above.get(key) != below.get(key):
                yield f"{key} differs: province {above.get(key)}, commune {below.get(key)}"
        if fingerprint(world.nodes[PROVINCE], commune) != fingerprint(world.nodes[commune], commune):
            yield f"the fingerprints of {commune} differ"


def waiting_is_listed(world: World) -> Iterator[str]:
    """4. What names a dot that has not come is listed, nothing else is, and nothing is hidden by it."""
    for name, node in world.nodes.items():
        held, aside = stored_lines(node), _set_aside(node)
        due = {
            (told.dot, each)
            for told in ledger(world)
            if told.line in held.get(told.dot, set()) and not _is_revoked(world, told.dot)
            if told.dot not in aside
            for dots in told.par.values()
            for each in dots
            if each not in held
        }
        with node.database.read() as connection:
            columns = (waiting.c.dot, waiting.c.awaited_dev, waiting.c.awaited_ep, waiting.c.awaited_n)
            listed = {
                (row[0], dot(row[1], row[2], row[3]))
                for row in connection.execute(sa.select(*columns).where(waiting.c.awaited_dev.is_not(None)))
                if not _is_revoked(world, row[0])
            }
        for case in sorted(due ^ listed):
            yield f"{name}: waiting list wrong about {case}, {'due' if case in due else 'listed'}"


def _set_aside(node: TestNode) -> set[str]:
    """What nobody may write, an agent's unmerge say: it is shown in quarantine and waits for nothing."""
    with node.database.read() as connection:
        rows = connection.execute(sa.select(quarantine.c.dev, quarantine.c.ep, quarantine.c.n)).all()
    return {dot(*row) for row in rows if row.n is not None}


def _is_revoked(world: World, dot: str) -> bool:
    """Whether this operation may be left out by now (tests/ledger judges which are)."""
    return dot.partition(":")[0] in world.revoked


def feed_is_sound(world: World) -> Iterator[str]:
    """5. A tablet that has read everything holds exactly the rows of its areas (concurrent writers: tests/ledger)."""
    for name, tablet in world.tablets.items():
        if tablet.dev in world.revoked:
            continue
        node = world.nodes[world.home_of(name)]
        with node.database.read() as connection:
            codes = set(tablet.store.positions())
            ids = [node.door.areas.number(code) for code in codes if not code.startswith("civil:")]
            for kind in KINDS:
                table = node.door.registry.shape(kind).table
                query = sa.select(table.c.id, table.c.rev).where(table.c.area.in_(ids))
                for identity, rev in connection.execute(query):
                    row = tablet.store.row(kind, identity)
                    if row is None or row["rev"] != rev:
                        yield f"tablet {name} misses {kind} {identity}"


def conflicts_are_complete(world: World) -> Iterator[str]:
    """6. A second fold, written apart, finds the same rows, conflicts, lists and figures in every node."""
    for name, node in world.nodes.items():
        report = verify(node.database, key=node.door.identity.key.public)
        if not report.ok:
            yield f"{name}: {report.first_difference}"


def nothing_overwritten(world: World) -> Iterator[str]:
    """7. A value entered is still live, or somebody who had seen it replaced it; what was replaced stays replaced."""
    told = ledger(world)
    named: dict[tuple[str, str], set[str]] = defaultdict(set)
    for each in told:
        if each.operation.get("act", "set") in ("set", "resolve", "merge"):
            for register, dots in each.par.items():
                if _writes(each, register):
                    named[each.operation["kind"], register] |= dots
    rows = state.rows(world.nodes[PROVINCE])
    for each in told:
        if _is_revoked(world, each.dot):
            continue
        kind, identity = each.operation["kind"], each.operation["id"]
        row = rows.get(f"{kind} {identity}")
        if row is None:
            yield f"{kind} {identity} is not shown"
            continue
        row = rows[f"{kind} {row.get('merged_into', identity)}"]
        for register in _registers(each):
            live = each.dot in dots_of(row, register) or each.dot in {
                value["dot"] for value in row.get("conflict", {}).get(register, [])
            }
            if not live and each.dot not in named[kind, register]:
                yield f"{register} of {kind} {identity} written as {each.dot} was overwritten silently"


def _registers(told: Told) -> set[str]:
    if told.operation.get("act", "set") not in ("set", "resolve"):
        return set()
    values = told.operation.get("set", {})
    return {
        register_of(told.operation["kind"], name).name for name, value in values.items() if value is not None
    }


def _writes(told: Told, register: str) -> bool:
    names = {register_of(told.operation["kind"], name).name for name in told.operation.get("set", {})}
    return register in names


def areas_are_kept(world: World) -> Iterator[str]:
    """8. A tablet holds rows of its own areas only, and never what its role does not see."""
    for name, tablet in world.tablets.items():
        if tablet.dev in world.revoked:
            continue
        granted = set(tablet.store.facts()["areas"])
        node = world.nodes[world.home_of(name)]
        for kind in KINDS:
            hidden = CATALOGUE[kind].hidden_from_agents
            for identity in world.entities(name, kind):
                row = tablet.store.row(kind, identity)
                if row is None:
                    continue
                code = row["area"]
                if not granted & {code, node.door.areas.commune(code)}:
                    yield f"tablet {name} holds {kind} {identity} of {code}"
                if tablet.store.facts()["role"] == "agent" and hidden & row["set"].keys():
                    yield f"tablet {name} was shown {sorted(hidden & row['set'].keys())}"


def figures_conserve(world: World) -> Iterator[str]:
    """12. What the rollups count is what the tables hold."""
    for name, node in world.nodes.items():
        counted = sum(
            count for key, count in state.rollups(node)["census_cell"].items() if key[-1] == "households"
        )
        there = sum(
            1
            for key, row in state.rows(node, "household").items()
            if not row.get("void") and "merged_into" not in row and row["writes"].keys() != {""}
        )
        if counted != there:
            yield f"{name} counts {counted} households and holds {there}"


def settled_is_received(world: World) -> Iterator[str]:
    """13. Settled ⊆ received ⊆ entered: what a tablet believes safe lies at the province, byte for byte."""
    with world.nodes[PROVINCE].database.read() as connection:
        held = set(
            connection.execute(sa.select(batch.c.sha256).where(batch.c.receipt.is_not(None))).scalars()
        )
    for name, tablet in world.tablets.items():
        for each in tablet.store.batches():
            if each.settled_at is not None and not each.nodes:
                yield f"tablet {name}: {each.sha256} is settled and was never received"
            # A province restored from an older copy asks again; a stolen tablet is not there to answer.
            if each.settled_at is not None and each.sha256 not in held and tablet.dev not in world.stolen:
                yield f"tablet {name}: {each.sha256} is settled and the province does not hold it"
            # A revoked tablet is told nothing any more, not even that.
            if each.settled_at is None and tablet.dev not in world.revoked:
                yield f"tablet {name}: {each.sha256} was never settled"
            for n in range(each.first, each.last + 1):
                if (tablet.dev, each.ep, n) not in world.entered:
                    yield f"tablet {name}: {tablet.dev}:{each.ep}:{n} was sealed and never entered"


Check = Callable[[World], Iterator[str]]
CHECKS: tuple[Check, ...] = (
    no_loss,
    convergence,
    waiting_is_listed,
    feed_is_sound,
    conflicts_are_complete,
    nothing_overwritten,
    areas_are_kept,
    figures_conserve,
    settled_is_received,
    idempotence,
)


def wrong(world: World, *checks: Check) -> list[str]:
    """Everything the checks (all without any) find wrong."""
    return [f"{check.__name__}: {said}" for check in checks or CHECKS for said in check(world)]
