"""Acts on whole entities: what is hidden, which ids are one entity, under which of them it is shown.

Void, restore, merge and unmerge are grow-only writes under `merge.ENTITY`; all that is said here is a pure function of
that set (protocol section 6). Values and their conflicts are the business of sync.merge.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from sync.catalogue import CATALOGUE, is_uuid4, register_of
from sync.merge import ENTITY, Registers, Write, live

VOID, MERGED_INTO = "void", "merged_into"


class Merge(NamedTuple):
    """One act that joins `loser` to `survivor`; None where its `into` names no other entity: it then joins nothing."""

    loser: str
    survivor: str | None
    write: Write


class View(NamedTuple):
    """How one id stands: the id it is `shown` under, what its row keeps, and whether a void hides the entity.

    `registers` are the union of all ids at the shown one, the own writes elsewhere.
    """

    shown: str
    registers: Registers
    hidden: bool


def acts(registers: Registers, act: str) -> list[Write]:
    """Return the writes of one act (`void`, `restore`, `merge`, `unmerge`) of an entity."""
    return [each for each in registers.get(ENTITY, ()) if each.value["act"] == act]


def named(registers: Registers, act: str, *, key: str) -> set[str]:
    """Return the dots that acts of one name give under `key` of their `par`."""
    return {dot for each in acts(registers, act) for dot in each.value["par"].get(key, ())}


def undone_by(registers: Registers) -> set[str]:
    """Return the dots of the merges that unmerges written under this id name; wherever the merges were written."""
    return named(registers, "unmerge", key="merge")


def survivor_of(into: object, *, loser: str) -> str | None:
    """Return the id a merge joins `loser` to, None where `into` is missing, no UUIDv4 or the loser itself."""
    return into if isinstance(into, str) and is_uuid4(into) and into != loser else None


def merges_of(identity: str, registers: Registers) -> list[Merge]:
    """Return every merge in the registers kept for an id, undone ones too."""
    found = []
    for each in acts(registers, "merge"):
        loser = each.under or identity
        found.append(Merge(loser, survivor_of(each.value["into"], loser=loser), each))
    return found


def _stays(kind: str) -> bool:
    known = CATALOGUE.get(kind)
    return known is not None and known.server_made


def _standing(merges: Iterable[Merge], undone: AbstractSet[str], forked: AbstractSet[str]) -> list[Merge]:
    """Leave out what an unmerge named; naming a forked dot undoes neither of its two lines."""
    return [each for each in merges if each.write.dot not in undone or each.write.dot in forked]


def forked_in(every: Iterable[Registers]) -> set[str]:
    """Return the dots under which two different lines stand in these registers."""
    lines: dict[str, str] = {}
    found = set()
    for registers in every:
        for writes in registers.values():
            for each in writes:
                if lines.setdefault(each.dot, each.line) != each.line:
                    found.add(each.dot)
    return found


# hidden ----------------------------------------------------------------------------------------------


def standing_voids(registers: Registers, forked: AbstractSet[str]) -> list[Write]:
    """Return the voids no restore named; a restore of a forked dot undoes nothing."""
    restored = named(registers, "restore", key="void")
    return [each for each in acts(registers, "void") if each.dot not in restored or each.dot in forked]


def _covers(void: Write, name: str, write: Write) -> bool:
    """Tell whether a void hides one write: it names it, and an agent's only what his own device wrote."""
    own = void.role != "agent" or void.dot.partition(":")[0] == write.dot.partition(":")[0]
    return own and write.dot in void.value["par"].get(name, ())


def is_hidden(kind: str, registers: Registers, *, forked: AbstractSet[str]) -> bool:
    """Tell whether every live write of the entity is named by a standing void; a forked dot counts as not named."""
    voids = standing_voids(registers, forked)
    if not voids:
        return False
    return all(
        each.dot not in forked and any(_covers(void, name, each) for void in voids)
        for name, writes in registers.items()
        if name != ENTITY
        for each in live(register_of(kind, name), writes, forked)
    )


# merged ----------------------------------------------------------------------------------------------


def _groups(edges: Iterable[Merge]) -> list[list[Merge]]:
    """Return the edges parted by the entities they make: those that are connected stand together."""
    above: dict[str, str] = {}

    def top(identity: str) -> str:
        while (higher := above.get(identity, identity)) != identity:
            above[identity] = above.get(higher, higher)
            identity = higher
        return identity

    held = list(edges)
    for each in held:
        above[top(each.loser)] = top(each.survivor or each.loser)
    groups: dict[str, list[Merge]] = {}
    for each in held:
        groups.setdefault(top(each.loser), []).append(each)
    return list(groups.values())


def _never_losers(edges: Iterable[Merge]) -> list[str]:
    held = list(edges)
    losers = {each.loser for each in held}
    return sorted({each.survivor for each in held if each.survivor is not None} - losers)


def _union(own: Mapping[str, Registers], ids: Iterable[str], edges: Iterable[Merge], shown: str) -> Registers:
    """Return the writes of all ids and what the merges between them wrote, told apart by `under`."""
    found: Registers = {}
    for identity in sorted(ids):
        under = None if identity == shown else identity
        for name, writes in own.get(identity, {}).items():
            found.setdefault(name, []).extend(
                writes if under is None else [each._replace(under=under) for each in writes]
            )
    for loser, _, write in edges:
        under = None if loser == shown else loser
        for name, value in write.value["set"].items():
            par = tuple(write.value["par"].get(name, ()))
            found.setdefault(name, []).append(write._replace(value=value, par=par, under=under))
    return found


def view(
    kind: str,
    own: Mapping[str, Registers],
    *,
    forked: AbstractSet[str],
    undone: AbstractSet[str] = frozenset(),
) -> dict[str, View]:
    """Return for every id how it stands, from the writes made under each id itself.

    `own` must hold all ids that merges connect; `undone` are dots of merges named by unmerges written under ids
    outside of it. An id only named as a survivor is there too, without writes of its own. Acts on what servers make
    (devices, tasks …) are kept and change nothing.
    """
    if _stays(kind):
        return {identity: View(identity, registers, hidden=False) for identity, registers in own.items()}
    forked = forked | forked_in(own.values())
    undone = frozenset(undone).union(*(undone_by(registers) for registers in own.values()))
    merges = [each for identity, registers in own.items() for each in merges_of(identity, registers)]
    edges = [each for each in _standing(merges, undone, forked) if each.survivor is not None]
    found: dict[str, View] = {}
    for held in _groups(edges):
        ids = {each for edge in held for each in (edge.loser, edge.survivor or edge.loser)}
        tops = _never_losers(held)
        shown = tops[0] if len(tops) == 1 else min(ids)
        union = _union(own, ids, held, shown)
        hidden = is_hidden(kind, union, forked=forked)
        for identity in ids:
            registers = union if identity == shown else own.get(identity, {})
            found[identity] = View(shown, registers, hidden)
    for identity, registers in own.items():
        if identity not in found:
            found[identity] = View(identity, registers, is_hidden(kind, registers, forked=forked))
    return found


def own_writes(registers: Registers) -> Registers:
    """Return what was written under the shown id itself: a union without the others' writes and those of merges."""
    if ENTITY not in registers:
        return registers
    joined = {(each.dot, each.line) for each in acts(registers, "merge")}
    found: Registers = {}
    for name, writes in registers.items():
        kept = [
            each
            for each in writes
            if each.under is None and (name == ENTITY or (each.dot, each.line) not in joined)
        ]
        if kept or name == ENTITY:
            found[name] = kept
    return found


# what a person must decide ---------------------------------------------------------------------------


def open_acts(
    kind: str,
    identity: str,
    *,
    registers: Registers,
    forked: AbstractSet[str],
    undone: AbstractSet[str],
) -> dict[str, list[Write]]:
    """Return the entity's own open cases: `void` (asked for, yet something stands) and `merged_into` (no one place).

    `registers` are those kept for the shown id (`View.registers`), `undone` the dots of merges that unmerges name. The
    values are true, and what each merge gave as `into`.
    """
    if not registers.get(ENTITY) or _stays(kind):
        return {}
    forked = forked | forked_in([registers])
    found: dict[str, list[Write]] = {}
    voids = standing_voids(registers, forked)
    if voids and not is_hidden(kind, registers, forked=forked):
        found[VOID] = [each._replace(value=True) for each in voids]
    merges = _standing(merges_of(identity, registers), undone | undone_by(registers), forked)
    edges = [each for each in merges if each.survivor is not None]
    unclear = [each for each in merges if each.survivor is None]
    if edges and len(_never_losers(edges)) != 1:
        unclear = merges
    if unclear:
        found[MERGED_INTO] = [each.write._replace(value=each.write.value["into"]) for each in unclear]
    return found
