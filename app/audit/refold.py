"""A second fold, written from the protocol alone (sections 3, 6 and 9) and slowly, so that it can contradict the first.
Pure: operations in, registers, shown values and conflicts out. Acts on whole entities: app.audit.standing."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from sync.catalogue import CATALOGUE, Register, register_of
from sync.protocol import ACTS, Operation

EVIDENCE = ("act", "document", "declared", "estimated")
AGENT_KINDS = frozenset({"household", "person", "visit", "birth"})
AGENT_ACTS = frozenset({"set", "void"})
ENTITY = ""
WRITES = frozenset({"set", "resolve"})
_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?", re.ASCII)


class Told(NamedTuple):
    """One operation and who told it: the batch (its number here), the device's dot, its role, the header's person."""

    batch: int
    origin: int
    dev: str
    ep: int
    n: int
    role: str
    by: str | None
    raw: bytes
    operation: Operation

    @property
    def dot(self) -> str:
        """`dev:ep:n`."""
        return f"{self.dev}:{self.ep}:{self.n}"


class Write(NamedTuple):
    """One value written to one register, in the order of the storage form; `under` is the id it was written under where
    that is not the one its entity is shown under."""

    dot: str
    value: Any
    ev: str
    by: str | None
    at: str | None
    role: str
    par: tuple[str, ...]
    line: str
    under: str | None = None


Registers = dict[str, list[Write]]


def refused(operation: Operation, role: str) -> str | None:
    """Why an operation is set aside: `unknown_act`, `beyond_role`; None when it is folded (protocol section 3)."""
    if operation.act not in ACTS:
        return "unknown_act"
    if role in ("agent", "clerk"):
        if operation.kind not in AGENT_KINDS or (role == "agent" and operation.act not in AGENT_ACTS):
            return "beyond_role"
    elif role not in ("node", "province"):
        return "beyond_role"
    if operation.kind in CATALOGUE and CATALOGUE[operation.kind].immutable:
        return None if operation.new and operation.act == "set" else "beyond_role"
    return None


# -- from operations to registers ------------------------------------------------------------------------------


def _named(operation: Operation) -> dict[str, set[int | str]]:
    """Register → what its `par` names; a `par` under another field of the register counts for the register."""
    found: dict[str, set[int | str]] = {}
    for name, dots in operation.par.items():
        if dots:
            found.setdefault(register_of(operation.kind, name).name, set()).update(dots)
    return found


def _cut(register: Register, value: dict[str, Any]) -> None:
    """A date longer than its precision is cut to it (protocol section 9)."""
    precision, lead = value[register.precision or ""], value[register.name]
    if isinstance(precision, str) and isinstance(lead, str) and _DATE.fullmatch(lead):
        value[register.name] = lead[: register.cuts.get(precision, len(lead))]


def written(operation: Operation, answered: Collection[str] = ()) -> dict[str, Any]:
    """Register → the value the operation writes; an empty value counts only where `par` answers the register."""
    found: dict[str, Any] = {}
    values = operation.set
    for name, value in values.items():
        register = register_of(operation.kind, name)
        whole = value
        if len(register.fields) > 1:
            whole = {each: values.get(each) for each in register.fields}
            if register.precision is not None:
                _cut(register, whole)
            value = None if all(item is None for item in whole.values()) else whole
        if value is not None or register.name in answered:
            found[register.name] = whole
    return found


def writes_of(told: Told) -> dict[str, Write]:
    """Register → the write of one operation; an act on the whole entity is one write under `ENTITY`."""
    operation = told.operation
    named = _named(operation)
    line = hashlib.sha256(told.raw).hexdigest()
    by = told.by if operation.by is None else operation.by
    own = f"{told.dev}:{told.ep}:"
    par = {
        name: sorted({d if isinstance(d, str) else f"{own}{d}" for d in dots}) for name, dots in named.items()
    }
    values = written(operation, named)
    if operation.act not in WRITES:
        act: dict[str, Any] = {"act": operation.act, "par": par}
        if operation.act == "merge":
            act |= {"into": operation.into, "set": values}
        values, par = {ENTITY: act}, {}
    return {
        name: Write(
            told.dot, value, operation.ev, by, operation.at, told.role, tuple(par.get(name, ())), line
        )
        for name, value in values.items()
    }


def gather(tolds: Iterable[Told]) -> Registers:
    """The registers of one entity: every write once. A line sealed in two batches is one write, of the lesser name."""
    seen: dict[tuple[str, str, str], Write] = {}
    for told in tolds:
        for name, write in writes_of(told).items():
            key = (name, write.dot, write.line)
            held = seen.get(key)
            if held is None or (write.by or "", write.role) < (held.by or "", held.role):
                seen[key] = write
    found: Registers = {}
    for (name, _, _), write in sorted(seen.items(), key=lambda item: (item[0][0], order(item[1]))):
        found.setdefault(name, []).append(write)
    return found


def order(write: Write) -> tuple[tuple[str, int, int], str]:
    """Greatest dot last: dev as text, ep and n as numbers; then the line, for forks."""
    dev, ep, n = write.dot.split(":")
    return (dev, int(ep), int(n)), write.line


def packed(registers: Mapping[str, Sequence[Write]]) -> str:
    """The text a row's `registers` column must hold."""
    return orjson.dumps(
        {
            name: [list(each if each.under is not None else each[:-1]) for each in writes]
            for name, writes in registers.items()
        }
    ).decode()


# -- which writes stand ----------------------------------------------------------------------------------------


def equal_form(value: Any) -> str:
    """Text that is the same exactly for equal values: same JSON after NFC, 1 = 1.0, true ≠ 1."""

    def plain(item: Any) -> Any:
        if isinstance(item, str):
            return unicodedata.normalize("NFC", item)
        if isinstance(item, float) and item.is_integer():
            return int(item)
        if isinstance(item, dict):
            return {plain(name): plain(each) for name, each in item.items()}
        return [plain(each) for each in item] if isinstance(item, list) else item

    return json.dumps(plain(value), ensure_ascii=False, sort_keys=True)


def replacing(register: Register, writes: Sequence[Write], *, forked: Collection[str]) -> dict[int, set[int]]:
    """For each write by position the positions of those it replaces: named in its `par`, the dot not forked, the
    author allowed to. Inside a ring, which only a forger can make, nothing is replaced."""

    def may(by: Write, other: Write) -> bool:
        guarded = other.ev == "act" or (register.first is not None and other.value == register.first)
        return by.role != "agent" or not guarded

    edges = {
        one: {
            two
            for two, other in enumerate(writes)
            if two != one and other.dot in write.par and other.dot not in forked and may(write, other)
        }
        for one, write in enumerate(writes)
    }

    def above(start: int) -> set[int]:
        reached: set[int] = set()
        fresh = set(edges[start])
        while fresh:
            reached |= fresh
            fresh = {two for one in fresh for two in edges[one]} - reached
        return reached

    ringed = {one: {two for two in found if one in above(two)} for one, found in edges.items() if found}
    return {one: found - ringed.get(one, set()) for one, found in edges.items()}


def _standing(edges: Mapping[int, set[int]]) -> list[int]:
    gone = set().union(*edges.values()) if edges else set()
    return [one for one in edges if one not in gone]


def _lead(register: Register, write: Write) -> str:
    """The date a date register's value begins with; '' for any other."""
    value = write.value
    if len(register.fields) > 1:
        value = value.get(register.name) if isinstance(value, dict) else None
    return value if register.date and isinstance(value, str) and _DATE.fullmatch(value) else ""


def _longest(register: Register, writes: Sequence[Write]) -> list[Write]:
    """Without the values whose date is the beginning of another's: that is no conflict, the longer stands."""
    dates = {_lead(register, each) for each in writes}
    return [
        each
        for each in writes
        if not (lead := _lead(register, each)) or not any(d != lead and d.startswith(lead) for d in dates)
    ]


def _depths(writes: Sequence[Write]) -> dict[str, int]:
    """Dot → 1 + the greatest depth among the values its `par` names, 0 without `par`; 0 at or above a ring."""
    named: dict[str, set[str]] = {}
    for each in writes:
        named.setdefault(each.dot, set()).update(each.par)
    depths = dict.fromkeys(named, 0)
    most = len(named)
    for _ in range(most + 2):
        depths = {
            dot: 1 + max((depths[d] for d in par if d in depths and d != dot), default=0) if par else 0
            for dot, par in named.items()
        }
    return {dot: depth if depth <= most else 0 for dot, depth in depths.items()}


def shown_write(register: Register, writes: Sequence[Write], *, forked: Collection[str]) -> Write:
    """The write that is shown and counted (protocol section 6: `dead`, evidence, longer date, depth, greatest dot)."""
    if len(writes) == 1:
        return writes[0]
    standing = [writes[one] for one in _standing(replacing(register, writes, forked=forked))]
    if register.first is not None:
        standing = [each for each in standing if each.value == register.first] or standing
    best = min(EVIDENCE.index(each.ev) for each in standing)
    standing = _longest(register, [each for each in standing if EVIDENCE.index(each.ev) == best])
    depths = _depths(writes)
    return max(standing, key=lambda each: (depths[each.dot], order(each)))


def is_open(register: Register, writes: Sequence[Write], *, forked: Collection[str]) -> bool:
    """Whether a person must look: several different values stand, or an agent alone chose between different ones in a
    register where a person must decide."""

    def differ(positions: Iterable[int]) -> bool:
        chosen = _longest(register, [writes[one] for one in positions])
        return len({equal_form(each.value) for each in chosen}) > 1

    edges = replacing(register, writes, forked=forked)
    standing = _standing(edges)
    if differ(standing):
        return True
    if register.merge != "decide":
        return False
    agents = {one for one in standing if writes[one].role == "agent"}
    fresh = agents
    while fresh:
        if any(differ(edges[one]) for one in fresh):
            return True
        fresh = {two for one in fresh for two in edges[one] if writes[two].role == "agent"} - agents
        agents = agents | fresh
    return False


# -- what a row shows ------------------------------------------------------------------------------------------


def fields_of(kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Field → value of register values; what is empty is left out."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict) and len(register_of(kind, name).fields) > 1:
            found.update((field, item) for field, item in value.items() if item is not None)
        elif value is not None:
            found[name] = value
    return found


def shown(kind: str, registers: Registers, *, forked: Collection[str]) -> dict[str, Any]:
    """Field → provisional value of an entity."""
    return fields_of(
        kind,
        {
            name: shown_write(register_of(kind, name), writes, forked=forked).value
            for name, writes in registers.items()
            if name != ENTITY
        },
    )


def open_registers(kind: str, registers: Registers, *, forked: Collection[str]) -> dict[str, int]:
    """Register → legal weight (1: a person must decide) of those on which a conflict is open."""
    found: dict[str, int] = {}
    for name, writes in registers.items():
        register = register_of(kind, name)
        if len(writes) > 1 and name != ENTITY and is_open(register, writes, forked=forked):
            found[name] = int(register.merge in ("decide", "fact"))
    return found
