"""THE fold: a register is a grow-only set of writes, and everything shown is a pure function of that set.

So equal operation sets give equal registers, values and conflicts, whatever came first (protocol section 6).
Acts on whole entities are kept under the register named `ENTITY`; what follows from them is said in sync.entity.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from json.encoder import encode_basestring
from typing import Any, NamedTuple

from sync.catalogue import CATALOGUE, Register, register_of
from sync.protocol import EVIDENCE, GREATEST_INTEGER, Operation, absolute

ENTITY = ""
_FOLDED = frozenset({"set", "resolve"})
_OF_ENTITIES = frozenset({"void", "restore", "merge", "unmerge"})
_EVIDENCE_RANK = {name: rank for rank, name in enumerate(EVIDENCE)}
_PARTIAL_DATE = re.compile(r"[0-9]{4}(?:-[0-9]{2}(?:-[0-9]{2})?)?")


class Write(NamedTuple):
    """One value written to one register; `par` are absolute dots, `line` the SHA-256 (hex) of the operation line.

    `under` is the id it was written under where that is not the entity's own (a union of merged entities).
    """

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


# from an operation to writes -------------------------------------------------------------------------


def _cut(register: Register, value: dict[str, Any]) -> None:
    """Shorten the leading date of a compound to its precision, in place (protocol section 9)."""
    precision = value[register.precision] if register.precision is not None else None
    length = register.cuts.get(precision) if isinstance(precision, str) else None
    lead = value[register.name]
    if length is not None and isinstance(lead, str) and len(lead) > length and _PARTIAL_DATE.fullmatch(lead):
        value[register.name] = lead[:length]


def _whole(register: Register, values: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a compound's value with the fields left out as null; None when there is nothing but nulls."""
    whole = {each: values.get(each) for each in register.fields}
    if register.precision is not None:
        _cut(register, whole)
    return whole if any(item is not None for item in whole.values()) else None


def _values_of(operation: Operation, named: Mapping[str, Any]) -> dict[str, Any]:
    """Return register name → value; nulls (and all-null compounds) of registers not `named` in `par` left out."""
    found: dict[str, Any] = {}
    values = operation.set
    kind = CATALOGUE.get(operation.kind)
    registers: Mapping[str, Register] = kind.register_of if kind is not None else {}
    for name, value in values.items():
        register = registers.get(name)
        if register is None or len(register.fields) == 1:
            if value is not None or name in named:
                found[name] = value
        elif register.name not in found:
            whole = _whole(register, values)
            if whole is not None:
                found[register.name] = whole
            elif register.name in named:
                found[register.name] = dict.fromkeys(register.fields)
    return found


def _parents(operation: Operation, dev: str, ep: int) -> dict[str, tuple[str, ...]]:
    """Return register name → dots in full; a `par` under another field of a compound counts for the compound."""
    par: dict[str, tuple[str, ...]] = {}
    for name, dots in operation.par.items():
        if dots:
            lead = register_of(operation.kind, name).name
            par[lead] = tuple(sorted({*par.get(lead, ()), *absolute(dots, dev, ep)}))
    return par


def writes_of(
    operation: Operation, *, dot: str, dev: str, ep: int, by: str | None, role: str, line: str
) -> dict[str, Write]:
    """Return register name → write of an operation of (dev, ep).

    `by` is the header's person, used when the operation names none; `role` comes from the grant. A `null` without
    `par` is as if left out. An act on the whole entity is one write under `ENTITY`; unknown acts give no writes.
    """
    par = _parents(operation, dev, ep) if operation.par else {}
    ev, at = operation.ev, operation.at
    who = operation.by if operation.by is not None else by
    if operation.act in _OF_ENTITIES:
        return {ENTITY: Write(dot, _act(operation, par), ev, who, at, role, (), line)}
    if operation.act not in _FOLDED:
        return {}
    return {
        name: Write(dot, value, ev, who, at, role, par.get(name, ()), line)
        for name, value in _values_of(operation, par).items()
    }


def _act(operation: Operation, par: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """Return the value of an act's write: `par` in full, and for a merge what it writes to the survivor."""
    value: dict[str, Any] = {"act": operation.act, "par": {name: [*dots] for name, dots in par.items()}}
    if operation.act == "merge":
        value |= {"into": operation.into, "set": _values_of(operation, par)}
    return value


def first_values(operation: Operation) -> dict[str, Any]:
    """Return what `show` gives for an entity on which only this operation (a creation) was folded.

    Equal to `show(kind, writes of this operation, frozenset())`, without building writes.
    """
    if operation.act not in _FOLDED:
        return {}
    if operation.par:
        return _flat(operation.kind, _values_of(operation, _parents(operation, "", 0)))
    shown = {name: value for name, value in operation.set.items() if value is not None}
    kind = CATALOGUE.get(operation.kind)
    for register in kind.cut if kind is not None else ():
        if register.name in shown and register.precision in shown:
            _cut(register, shown)
    return shown


def _witness_order(write: Write) -> tuple[str, str]:
    return write.by or "", write.role


def add(registers: Registers, writes: Mapping[str, Write]) -> set[str]:
    """Add writes to `registers` in place and return the names of those that changed; idempotent on (dot, line).

    One line sealed in two batches whose headers name two persons is one write: the lesser name stays on every node.
    """
    changed: set[str] = set()
    for name, write in writes.items():
        held = registers.setdefault(name, [])
        same = next(
            (at for at, each in enumerate(held) if each.dot == write.dot and each.line == write.line), None
        )
        if same is None:
            held.append(write)
        elif _witness_order(write) < _witness_order(held[same]):
            held[same] = write
        else:
            continue
        changed.add(name)
    return changed


# equality --------------------------------------------------------------------------------------------


def _canonical_text(value: Any) -> str:
    if isinstance(value, str):
        return encode_basestring(value if value.isascii() else unicodedata.normalize("NFC", value))
    if value is None or isinstance(value, bool):
        return "null" if value is None else "true" if value else "false"
    if isinstance(value, float):
        whole = value.is_integer() and abs(value) <= GREATEST_INTEGER
        return str(int(value)) if whole else repr(value)
    if isinstance(value, dict):
        pairs = (f"{_canonical_text(name)}:{_canonical_text(item)}" for name, item in value.items())
        return "{" + ",".join(sorted(pairs)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_canonical_text, value)) + "]"
    return str(value)


def canonical(value: Any) -> bytes:
    """Return bytes equal exactly for equal values: same JSON after NFC, 1 = 1.0, true ≠ 1, keys in any order."""
    return _canonical_text(value).encode("utf-8", "surrogatepass")


def _lead(register: Register, value: Any) -> str | None:
    """Return the leading date of a date register's value, None when it is not written as a date."""
    lead = value.get(register.name) if isinstance(value, dict) and len(register.fields) > 1 else value
    return lead if isinstance(lead, str) and _PARTIAL_DATE.fullmatch(lead) else None


def _undominated(register: Register, writes: Sequence[Write]) -> list[Write]:
    """Leave out the writes whose date is a strict prefix of another's; others are all kept."""
    if not register.date or len(writes) < 2:
        return list(writes)
    leads = {lead for each in writes if (lead := _lead(register, each.value)) is not None}
    shorter = {one for one in leads for other in leads if len(other) > len(one) and other.startswith(one)}
    return [each for each in writes if _lead(register, each.value) not in shorter]


def _are_several(register: Register, writes: Sequence[Write]) -> bool:
    return len({canonical(each.value) for each in _undominated(register, writes)}) > 1


# which writes stand ----------------------------------------------------------------------------------


def _forked_dots(writes: Sequence[Write], forked: AbstractSet[str]) -> AbstractSet[str]:
    dots = [each.dot for each in writes]
    if len(set(dots)) == len(dots):
        return forked
    return forked | {each for each in dots if dots.count(each) > 1}


def _may_replace(register: Register, write: Write, target: Write) -> bool:
    """Tell whether a write naming `target` replaces it: an agent never replaces a `first` value nor an act's."""
    if write.role != "agent":
        return True
    return target.ev != "act" and (register.first is None or target.value != register.first)


def _depths(writes: Sequence[Write]) -> dict[str, int]:
    """Return dot → depth; dots on or above a cycle (only a forger can make one) are left out."""
    named: dict[str, set[str]] = {}
    has_par: dict[str, bool] = {}
    for each in writes:
        named.setdefault(each.dot, set()).update(each.par)
        has_par[each.dot] = has_par.get(each.dot, False) or bool(each.par)
    present = set(named)
    waiting = {dot: (dots & present) - {dot} for dot, dots in named.items()}
    depths: dict[str, int] = {}
    while ready := [dot for dot, dots in waiting.items() if dots <= depths.keys()]:
        for dot in ready:
            above = waiting.pop(dot)
            depths[dot] = 1 + max((depths[each] for each in above), default=0) if has_par[dot] else 0
    return depths


def _reaches(start: int, goal: int, edges: Sequence[Sequence[int]]) -> bool:
    seen: set[int] = set()
    pending = [start]
    while pending:
        for each in edges[pending.pop()]:
            if each == goal:
                return True
            if each not in seen:
                seen.add(each)
                pending.append(each)
    return False


def _replacements(register: Register, writes: Sequence[Write], forked: AbstractSet[str]) -> list[list[int]]:
    """Return, for each write by position, the positions of the writes it replaces."""
    forked = _forked_dots(writes, forked)
    position: dict[str, int] = {each.dot: at for at, each in enumerate(writes) if each.dot not in forked}
    edges = [
        [
            target
            for dot in write.par
            if (target := position.get(dot, at)) != at and _may_replace(register, write, writes[target])
        ]
        for at, write in enumerate(writes)
    ]
    if len(_depths(writes)) == len({each.dot for each in writes}):
        return edges
    # Forged writes that name each other in a ring would all vanish; inside a ring nothing is replaced.
    return [[target for target in found if not _reaches(target, at, edges)] for at, found in enumerate(edges)]


def live(register: Register, writes: Sequence[Write], forked: AbstractSet[str]) -> list[Write]:
    """Return the writes that no write replaces; a `par` naming a forked dot replaces none of its two values."""
    if len(writes) < 2:
        return list(writes)
    replaced = {target for found in _replacements(register, writes, forked) for target in found}
    return [each for at, each in enumerate(writes) if at not in replaced]


def _dot_order(dot: str) -> tuple[str, int, int]:
    dev, ep, n = dot.split(":")
    return dev, int(ep), int(n)


def provisional(register: Register, writes: Sequence[Write], forked: AbstractSet[str]) -> Write | None:
    """Return the write that is shown and counted, None when there is none (protocol section 6).

    Values whose date is a prefix of another's are set aside before depth is compared: read pairwise, the rule of the
    protocol is not transitive, and the first of three values must not depend on which pair is looked at first.
    """
    standing = live(register, writes, forked)
    if len(standing) < 2:
        return standing[0] if standing else None
    if register.first is not None:
        standing = [each for each in standing if each.value == register.first] or standing
    best = min(_EVIDENCE_RANK[each.ev] for each in standing)
    standing = _undominated(register, [each for each in standing if _EVIDENCE_RANK[each.ev] == best])
    depths = _depths(writes) if len(standing) > 1 else {}
    return max(standing, key=lambda each: (depths.get(each.dot, 0), _dot_order(each.dot), each.line))


def in_conflict(register: Register, writes: Sequence[Write], forked: AbstractSet[str]) -> bool:
    """Tell whether a person must look: several different live values, or a choice only an agent made.

    In a register of class `decide` an agent's write that replaces different values keeps the case open, also below
    later writes of agents, until somebody else writes over it.
    """
    if len(writes) < 2 or register.name == ENTITY:
        return False
    edges = _replacements(register, writes, forked)
    replaced = {target for found in edges for target in found}
    standing = [at for at in range(len(writes)) if at not in replaced]
    if _are_several(register, [writes[at] for at in standing]):
        return True
    if register.merge != "decide":
        return False
    pending = [at for at in standing if writes[at].role == "agent"]
    seen = set(pending)
    while pending:
        found = edges[pending.pop()]
        if _are_several(register, [writes[at] for at in found]):
            return True
        fresh = {at for at in found if writes[at].role == "agent"} - seen
        seen |= fresh
        pending += fresh
    return False


def missing_parents(registers: Registers) -> set[str]:
    """Return the dots that some write or act names and that have written nothing in these registers."""
    written = {each.dot for writes in registers.values() for each in writes}
    named = {dot for writes in registers.values() for each in writes for dot in each.par}
    for act in registers.get(ENTITY, ()):
        named.update(*act.value["par"].values())
    return named - written


# what is shown and stored ----------------------------------------------------------------------------


def _flat(kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Spread register values over their fields; emptied fields are left out."""
    shown: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict) and len(register_of(kind, name).fields) > 1:
            shown |= {each: item for each, item in value.items() if item is not None}
        elif value is not None:
            shown[name] = value
    return shown


def show(kind: str, registers: Registers, forked: AbstractSet[str]) -> dict[str, Any]:
    """Return field → provisional value of an entity; an emptied field (`null`) is left out, like one never written."""
    found: dict[str, Any] = {}
    for name, writes in registers.items():
        if name != ENTITY:
            only = writes[0] if len(writes) == 1 else provisional(register_of(kind, name), writes, forked)
            if only is not None:
                found[name] = only.value
    return _flat(kind, found)


def _pack_write(write: Write) -> list[Any]:
    dot, value, ev, by, at, role, par, line, under = write
    packed = [dot, value, ev, by, at, role, [*par], line]
    return packed if under is None else [*packed, under]


def pack(registers: Registers) -> dict[str, list[list[Any]]]:
    """Return the storage form: register → `[[dot, value, ev, by, at, role, [par], line], …]`, sorted throughout.

    A write under another id (`under`) ends with that id.
    """
    return {
        name: [_pack_write(each) for each in writes]
        if len(writes) == 1
        else [
            _pack_write(each) for each in sorted(writes, key=lambda each: (_dot_order(each.dot), each.line))
        ]
        for name, writes in sorted(registers.items())
    }


def unpack(packed: Mapping[str, Iterable[Sequence[Any]]]) -> Registers:
    """Return the registers of a storage form; the inverse of `pack`."""
    return {
        name: [Write(row[0], row[1], row[2], row[3], row[4], row[5], tuple(row[6]), *row[7:]) for row in rows]
        for name, rows in packed.items()
    }
