"""Acts on whole entities a second time, from the protocol alone (section 6): what is void, which ids are one entity and
under which of them it is shown. Pure: the writes of every id in, how each id stands out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from app.audit.refold import ENTITY, WRITES, Registers, Told, Write, gather, order, replacing
from sync.catalogue import CATALOGUE, is_uuid4, register_of

VOID, MERGED_INTO = "void", "merged_into"
Edge = tuple[str, str | None, Write]
# Kind → id → the operations written under it (none where a merge only names it).
Concerned = dict[str, dict[str, list[Told]]]


class Standing(NamedTuple):
    """The id an id is shown under, the writes its row keeps, whether a void hides it, and its own open cases."""

    shown: str
    registers: Registers
    hidden: bool
    cases: frozenset[str]


def said(registers: Registers, act: str) -> list[Write]:
    """The writes of one act."""
    return [each for each in registers.get(ENTITY, []) if each.value["act"] == act]


def merges(identity: str, registers: Registers) -> list[Edge]:
    """(loser, survivor, write) of every merge written under an id; no survivor where `into` names no other entity."""
    found: list[Edge] = []
    for each in said(registers, "merge"):
        into = each.value["into"]
        found.append((identity, into if is_uuid4(into) and into != identity else None, each))
    return found


def unmerged(every: Iterable[Registers]) -> set[str]:
    """The dots that unmerges name."""
    return {
        dot
        for registers in every
        for each in said(registers, "unmerge")
        for dot in each.value["par"].get("merge", ())
    }


def stand(
    kind: str, own: Mapping[str, Registers], *, undone: Collection[str], forked: Collection[str]
) -> dict[str, Standing]:
    """How each id of one kind stands; `own` must hold every id a merge connects (without writes where it has none)."""
    if (known := CATALOGUE.get(kind)) is not None and known.server_made:
        return {each: Standing(each, registers, False, frozenset()) for each, registers in own.items()}
    told = [edge for identity, registers in own.items() for edge in merges(identity, registers)]
    in_force = [edge for edge in told if edge[2].dot not in undone or edge[2].dot in forked]
    found: dict[str, Standing] = {}
    for ids in _together(own, in_force):
        edges = [edge for edge in in_force if edge[0] in ids]
        found |= _entity(kind, {each: own[each] for each in ids}, edges, forked)
    return found


def _together(ids: Iterable[str], edges: Iterable[Edge]) -> list[set[str]]:
    """The ids parted into entities: an edge joins what lies at its two ends."""
    beside: dict[str, set[str]] = defaultdict(set)
    for loser, survivor, _ in edges:
        if survivor is not None:
            beside[loser].add(survivor)
            beside[survivor].add(loser)
    left, found = set(ids), []
    while left:
        group, fresh = set[str](), {left.pop()}
        while fresh:
            group |= fresh
            fresh = {other for each in fresh for other in beside[each]} - group
        left -= group
        found.append(group)
    return found


def _entity(
    kind: str, own: Mapping[str, Registers], edges: list[Edge], forked: Collection[str]
) -> dict[str, Standing]:
    joining = [edge for edge in edges if edge[1] is not None]
    losers = {loser for loser, _, _ in joining}
    tops = own.keys() - losers
    shown = min(tops) if len(tops) == 1 else min(own)
    whole = _union(own, joining, shown) if joining else own[shown]
    voids = _voids(whole, forked)
    hidden = bool(voids) and _is_covered(kind, whole, voids, forked)
    cases = set()
    if voids and not hidden:
        cases.add(VOID)
    if len(joining) != len(edges) or len(tops) != 1:
        cases.add(MERGED_INTO)
    return {
        each: Standing(shown, whole, hidden, frozenset(cases))
        if each == shown
        else Standing(shown, registers, False, frozenset())
        for each, registers in own.items()
    }


def _union(own: Mapping[str, Registers], joining: Iterable[Edge], shown: str) -> Registers:
    """All writes of an entity, each with the id it was written under, and what its merges write to the survivor."""
    found: Registers = {}
    for identity, registers in own.items():
        for name, writes in registers.items():
            found.setdefault(name, []).extend(_under(each, identity, shown) for each in writes)
    for loser, _, write in joining:
        for name, value in write.value["set"].items():
            par = tuple(write.value["par"].get(name, ()))
            written = write._replace(value=value, par=par)
            found.setdefault(name, []).append(_under(written, loser, shown))
    return {name: sorted(writes, key=order) for name, writes in sorted(found.items())}


def _under(write: Write, identity: str, shown: str) -> Write:
    return write if identity == shown else write._replace(under=identity)


def _voids(registers: Registers, forked: Collection[str]) -> list[Write]:
    """The voids that no restore undid."""
    restored = {
        dot
        for each in said(registers, "restore")
        for dot in each.value["par"].get(VOID, ())
        if dot not in forked
    }
    return [each for each in said(registers, "void") if each.dot not in restored]


def _is_covered(kind: str, registers: Registers, voids: list[Write], forked: Collection[str]) -> bool:
    """Whether voids name every standing write; an agent's void speaks for his own device only."""
    for name, writes in registers.items():
        if name == ENTITY:
            continue
        edges = replacing(register_of(kind, name), writes, forked=forked)
        gone = set().union(*edges.values())
        for at, each in enumerate(writes):
            if at not in gone and (each.dot in forked or not any(_names(v, name, each) for v in voids)):
                return False
    return True


def _names(void: Write, register: str, write: Write) -> bool:
    same = void.dot.split(":")[0] == write.dot.split(":")[0]
    return (same or void.role != "agent") and write.dot in void.value["par"].get(register, ())


def concerned(tolds: Iterable[list[Told]]) -> Concerned:
    """Kind → the ids that some act is about, or names as the survivor of a merge."""
    every = [each for each in tolds if any(told.operation.act not in WRITES for told in each)]
    found: Concerned = defaultdict(dict)
    for each in every:
        found[each[0].operation.kind][each[0].operation.id] = each
    for ids in found.values():
        for identity, own in list(ids.items()):
            for _, survivor, _ in merges(identity, gather(own)):
                if survivor is not None:
                    ids.setdefault(survivor, [])
    return found


def undone_in(known: Concerned) -> set[str]:
    """The dots of merges that the unmerges of all kinds name."""
    every: list[Registers] = [gather(tolds) for ids in known.values() for tolds in ids.values() if tolds]
    return unmerged(every)
