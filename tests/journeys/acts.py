"""What the independent tablet does to whole entities (void, restore, merge, unmerge, resolve) and how it shows them:
hidden, or under another id, with its own acts the server has not folded yet on top. It owns no connection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .client import WRONG_CLOCK, Tablet
from .rows import Entity, Written, register_of
from .signatures import JSON, compact


@dataclass(frozen=True)
class Act:
    """One own act: its name, what it is about, what was written and, for a merge, the entity that is to remain."""

    name: str
    about: Entity
    written: Written
    into: Entity | None = None

    @property
    def named(self) -> set[str]:
        """The dots its `par` names."""
        return {dot for dots in self.written.replaces.values() for dot in dots}


@dataclass
class Desk:
    """A tablet together with the acts written on it."""

    tablet: Tablet
    own: list[Act] = field(default_factory=list)

    # Writing

    def void(self, about: Entity) -> Act:
        """Annul an entity: every value on the screen is named, so that what somebody else writes shows it again."""
        return self._act("void", about, self.everything_seen(about))

    def restore(self, about: Entity, voids: Sequence[str]) -> Act:
        """Take voids back, each by its dot."""
        return self._act("restore", about, {"void": voids})

    def merge(self, loser: Entity, survivor: Entity, *, answers: JSON | None = None) -> Act:
        """Two ids are one entity, shown under the survivor's; the answers replace what stands in either."""
        fields = answers or {}
        par = {
            register: [
                shown.dot for each in (survivor, loser) for shown in self.tablet.on_screen(each, register)
            ]
            for register in {register_of(name) for name in fields}
        }
        return self._act("merge", loser, par, into=survivor, fields=fields)

    def unmerge(self, about: Entity, merges: Sequence[str]) -> Act:
        """Take merges back, each by its dot."""
        return self._act("unmerge", about, {"merge": merges})

    def resolve(self, about: Entity, fields: JSON, *, ev: str = "document") -> Act:
        """Settle what stands in conflict: a person decided, having seen every value."""
        names = {register_of(name) for name in fields}
        par = {name: [shown.dot for shown in self.tablet.on_screen(about, name)] for name in names}
        return self._act("resolve", about, par, fields=fields, ev=ev)

    def _act(
        self,
        name: str,
        about: Entity,
        par: Mapping[str, Sequence[str]],
        *,
        into: Entity | None = None,
        fields: JSON | None = None,
        ev: str | None = None,
    ) -> Act:
        tablet = self.tablet
        operation: JSON = {"kind": about[0], "id": about[1], "act": name, "at": WRONG_CLOCK}
        given = {"into": into and into[1], "set": fields, "ev": ev}
        operation |= {key: value for key, value in given.items() if value}
        operation["par"] = {key: list(dict.fromkeys(dots)) for key, dots in par.items() if dots}
        n = tablet.say(compact(operation))
        replaces = {key: tuple(dots) for key, dots in operation["par"].items()}
        dot = f"{tablet.dev}:{tablet.ep}:{n}"
        # What a merge answers is written to the entity that remains.
        written = Written(dot, tablet.ep, n, into or about, fields or {}, replaces)
        tablet.written.append(written)
        self.own.append(Act(name, about, written, into))
        return self.own[-1]

    # Reading

    def everything_seen(self, about: Entity) -> dict[str, list[str]]:
        """Every dot of every register of an entity that is known here, also of what this role may not read."""
        row = self.tablet.rows.rows.get(about, {"set": {}})
        seen = {
            name: {shown.dot for shown in self.tablet.on_screen(about, name)}
            for name in map(register_of, row["set"])
        }
        told = [*row.get("dots", {}).items()]
        told += [(own.dot, map(register_of, own.fields)) for own in self.tablet.written if own.about == about]
        for dot, registers in told:
            for name in registers:
                seen.setdefault(name, set()).add(dot)
        return {name: sorted(dots) for name, dots in sorted(seen.items())}

    def cases(self, about: Entity, case: str) -> dict[str, object]:
        """The open cases about the entity itself (`void`, `merged_into`): dot of the act → what it says."""
        row = self.tablet.rows.rows.get(about, {})
        return {each["dot"]: each["value"] for each in row.get("conflict", {}).get(case, [])}

    def shown_under(self, about: Entity) -> Entity:
        """The entity under which this one stands on the screen: as pulled, with own merges on top."""
        edges = set(self._edges())
        together = {about}
        while grown := {each for edge in edges if together & set(edge) for each in edge} - together:
            together |= grown
        remain = together - {loser for loser, _ in edges}
        return min(remain if len(remain) == 1 else together)

    def is_hidden(self, about: Entity) -> bool:
        """Is the entity annulled: as pulled, or by own voids on top that name all there is to see?"""
        if self.tablet.rows.rows.get(about, {}).get("void"):
            return True
        voids = [act for act in self._on_top("void") if act.about == about]
        seen = {dot for dots in self.everything_seen(about).values() for dot in dots}
        return bool(voids) and seen <= set().union(*(act.named for act in voids))

    def listed(self, kind: str) -> set[Entity]:
        """The entities of a kind an agent sees in his list: neither annulled nor merged into another."""
        held = self.tablet.rows.rows.keys() | {own.about for own in self.tablet.written}
        return {
            about
            for about in held
            if about[0] == kind and self.shown_under(about) == about and not self.is_hidden(about)
        }

    def _on_top(self, name: str) -> list[Act]:
        return [act for act in self.own if act.name == name and not self.tablet.rows.contains(act.written)]

    def _edges(self) -> Iterable[tuple[Entity, Entity]]:
        for (kind, identity), row in self.tablet.rows.rows.items():
            if "merged_into" in row:
                yield (kind, identity), (kind, row["merged_into"])
        undone = {dot for act in self.own if act.name == "unmerge" for dot in act.named}
        for act in self._on_top("merge"):
            if act.into is not None and act.written.dot not in undone:
                yield act.about, act.into
