"""The state machine of protocol section 8: whatever happens between three tablets, two communes and the province, once
everybody has talked again nothing is lost, doubled, hidden or overwritten. On SQLite and on PostgreSQL."""

from __future__ import annotations

import os
import tempfile
import uuid
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from sync.catalogue import CATALOGUE, register_of
from tests.conftest import FULL
from tests.sync import network
from tests.sync.invariants import wrong
from tests.sync.world import COMMUNES, PROVINCE, TABLETS, URLS, Template, World

SHRINK = os.environ.get("SHRINK") == "1"
EXAMPLES, STEPS = (60, 40) if FULL else (12, 25)
QUARTIERS = {COMMUNES[0]: ("1017010", "1017021"), COMMUNES[1]: ("1008010", "1008020")}
FAULTS = (None, network.lost_before, network.lost_after, network.portal, network.truncated, network.busy)
NAMES = st.sampled_from(["Mbuyi", "Mbuya", "MBUYI", "é", "e\u0301"])
TIMES = st.sampled_from(
    [None, "1970-01-01T00:00:00+01:00", "2046-01-01T00:00:00+01:00", "2026-02-02T22:00:00+01:00"]
)
EDITS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "household": {"avenue": NAMES, "tenure": st.sampled_from(["owner", "king"]), "card": NAMES},
    "person": {
        "nom": NAMES,
        "sex": st.sampled_from(["M", "F", "X"]),
        "birth_date": st.sampled_from(["1987", "1987-05", "1987-05-03", "1990"]),
        "phone": NAMES,
        "nationality": st.sampled_from(["CD", "AO"]),
        "status": st.sampled_from(["present", "moved", "dead"]),
        "tomorrow": NAMES,
    },
}
WHICH = st.integers(0, 1 << 16)


def compound(kind: str, values: dict[str, Any]) -> set[str]:
    """The registers these fields belong to."""
    return {register_of(kind, name).name for name in values}


class Machine(RuleBasedStateMachine):
    """Rules are what people, networks and machines do; `teardown` lets everything settle and judges."""

    template: ClassVar[Template]

    @initialize()
    def begin(self) -> None:
        """A fresh copy of the province."""
        self.folder = tempfile.TemporaryDirectory()
        self.world = World(self.template, Path(self.folder.name))

    def tablet(self, which: int) -> str:
        """One of the tablets there are now."""
        names = sorted(self.world.tablets)
        return names[which % len(names)]

    def save(self, name: str, operation: dict[str, Any], at: str | None) -> None:
        """Enter an operation with the device's idea of the time."""
        self.world.enter(name, operation | ({"at": at} if at else {}))

    # -- what agents do --------------------------------------------------------------------------------------------

    @rule(which=WHICH, place=WHICH, size=st.integers(0, 2), at=TIMES)
    def meet_a_household(self, which: int, place: int, size: int, at: str | None) -> None:
        """A new household with its members."""
        name = self.tablet(which)
        commune = self.world.home_of(name)
        home = str(uuid.uuid4())
        quartier = QUARTIERS[commune][place % 2]
        self.save(
            name,
            {"kind": "household", "id": home, "new": True, "set": {"quartier": quartier, "commune": commune}},
            at,
        )
        for _ in range(size):
            values = {"household": home, "nom": "Mbuyi", "sex": "F", "birth_date": "1990"}
            self.save(name, {"kind": "person", "id": str(uuid.uuid4()), "new": True, "set": values}, at)

    @rule(
        which=WHICH,
        entity=WHICH,
        kind=st.sampled_from(sorted(EDITS)),
        data=st.data(),
        at=TIMES,
        blind=st.booleans(),
    )
    def edit(
        self, which: int, entity: int, kind: str, data: st.DataObject, at: str | None, blind: bool
    ) -> None:
        """Change a field of something on the screen (blind: as if nothing had been shown)."""
        name = self.tablet(which)
        ids = self.world.entities(name, kind)
        if not ids:
            return
        identity = ids[entity % len(ids)]
        field = data.draw(st.sampled_from(sorted(EDITS[kind])))
        self._change(name, kind, identity, {field: data.draw(EDITS[kind][field])}, at=at, blind=blind)

    @rule(which=WHICH, entity=WHICH, place=WHICH, at=TIMES)
    def move_a_household(self, which: int, entity: int, place: int, at: str | None) -> None:
        """To another quartier, perhaps of the other commune."""
        name = self.tablet(which)
        ids = self.world.entities(name, "household")
        if not ids:
            return
        commune = COMMUNES[place % 2]
        values = {"commune": commune, "quartier": QUARTIERS[commune][place // 2 % 2]}
        self._change(name, "household", ids[entity % len(ids)], values, at=at)

    @rule(which=WHICH, entity=WHICH, home=WHICH, at=TIMES)
    def move_a_person(self, which: int, entity: int, home: int, at: str | None) -> None:
        """Into another household on the screen."""
        name = self.tablet(which)
        ids, homes = self.world.entities(name, "person"), self.world.entities(name, "household")
        if ids and homes:
            self._change(
                name, "person", ids[entity % len(ids)], {"household": homes[home % len(homes)]}, at=at
            )

    def _change(
        self,
        name: str,
        kind: str,
        identity: str,
        values: dict[str, Any],
        *,
        at: str | None,
        blind: bool = False,
    ) -> None:
        par = {} if blind else {r: self.world.seen(name, kind, identity, r) for r in compound(kind, values)}
        operation: dict[str, Any] = {"kind": kind, "id": identity, "set": values}
        if name.startswith("b"):
            operation["act"] = "resolve"
        if par := {register: dots for register, dots in par.items() if dots}:
            operation["par"] = par
        self.save(name, operation, at)

    # -- what is done to whole entities ----------------------------------------------------------------------------

    @rule(which=WHICH, entity=WHICH, kind=st.sampled_from(sorted(EDITS)), at=TIMES)
    def void(self, which: int, entity: int, kind: str, at: str | None) -> None:
        """Strike out something on the screen."""
        name = self.tablet(which)
        ids = self.world.entities(name, kind)
        if ids:
            identity = ids[entity % len(ids)]
            every = [*CATALOGUE[kind].registers, "tomorrow"]
            par = {each: dots for each in every if (dots := self.world.seen(name, kind, identity, each))}
            self.save(name, {"kind": kind, "id": identity, "act": "void", "par": par}, at)

    @rule(which=WHICH, act=st.sampled_from(["restore", "unmerge"]), entity=WHICH, at=TIMES)
    def undo(self, which: int, act: str, entity: int, at: str | None) -> None:
        """A clerk takes a void or a merge back; done by an agent it is set aside."""
        name = self.tablet(which)
        undone = {"restore": "void", "unmerge": "merge"}[act]
        dots, ids = self.world.acts(undone), self.world.entities(name, "person")
        if dots and ids:
            operation = {"kind": "person", "id": ids[entity % len(ids)], "act": act}
            self.save(name, operation | {"par": {undone: [dots[which % len(dots)]]}}, at)

    @rule(loser=WHICH, survivor=WHICH, kind=st.sampled_from(sorted(EDITS)), answer=st.booleans(), at=TIMES)
    def merge(self, loser: int, survivor: int, kind: str, answer: bool, at: str | None) -> None:
        """The clerk says that two of what is on his screen are one, and perhaps which value is right."""
        ids = self.world.entities("b", kind)
        if not ids:
            return
        one, other = ids[loser % len(ids)], ids[survivor % len(ids)]
        operation: dict[str, Any] = {"kind": kind, "id": one, "act": "merge", "into": other}
        if answer:
            field = {"household": "card", "person": "phone"}[kind]
            par = [*self.world.seen("b", kind, one, field), *self.world.seen("b", kind, other, field)]
            operation |= {"set": {field: "1"}} | ({"par": {field: par}} if par else {})
        self.save("b", operation, at)

    # -- what networks and machines do -------------------------------------------------------------------------------

    @rule(which=WHICH, fault=st.sampled_from(FAULTS), path=st.sampled_from([None, PROVINCE]))
    def push(self, which: int, fault: network.Fault | None, path: str | None) -> None:
        """A tablet sends; after a cut at most one batch goes twice."""
        name = self.tablet(which)
        before = len(self.world.network.sent("/batches"))
        with self.world.befalling("/batches", fault):
            self.world.push(name, to=path)
        sent = self.world.network.sent("/batches")[before:]
        assert len(sent) - len(set(sent)) <= (fault is not None), "more than one batch went twice"

    @rule(which=WHICH, fault=st.sampled_from(FAULTS))
    def pull(self, which: int, fault: network.Fault | None) -> None:
        """A tablet reads."""
        with self.world.befalling("/changes", fault):
            self.world.pull(self.tablet(which))

    @rule(commune=st.sampled_from(COMMUNES), fault=st.sampled_from(FAULTS))
    def relay(self, commune: str, fault: network.Fault | None) -> None:
        """A commune sends to the province."""
        with self.world.befalling("/bundles", fault):
            self.world.relay(commune)

    @rule(which=WHICH)
    def crash_before_the_commit(self, which: int) -> None:
        """The power of the server goes while it takes a batch."""
        name = self.tablet(which)
        self.world.cut_commits = 1
        self.world.push(name)
        self.world.cut_commits = 0
        self.world.open(self.world.home_of(name))

    @rule(which=WHICH)
    def restart_a_tablet(self, which: int) -> None:
        """Its program ends and starts again."""
        self.world.start_tablet(self.tablet(which))

    @rule(name=st.sampled_from(sorted(URLS)))
    def back_a_server_up(self, name: str) -> None:
        """An administrator copies the database."""
        self.world.back_up(name)

    @precondition(lambda self: self.world.saved)
    @rule(which=WHICH, noticed=st.booleans())
    def restore_a_server(self, which: int, noticed: bool) -> None:
        """The copy takes the database's place, whether the server can tell or not."""
        names = sorted(self.world.saved)
        self.world.restore(names[which % len(names)], noticed=noticed)

    @precondition(lambda self: len(self.world.tablets) < len(TABLETS) + 2)
    @rule(which=WHICH)
    def clone_a_tablet(self, which: int) -> None:
        """Two tablets with one key and one epoch."""
        self.world.clone_tablet(self.tablet(which))

    @rule(name=st.sampled_from(sorted(URLS)), hours=st.sampled_from([-24 * 365, -12, 1, 24 * 40]))
    def turn_a_clock(self, name: str, hours: int) -> None:
        """A server's clock jumps."""
        self.world.forward(name, hours=hours)

    @rule(which=WHICH, batch=WHICH, to=st.sampled_from(sorted(URLS)))
    def repeat_a_batch(self, which: int, batch: int, to: str) -> None:
        """A batch arrives once more, late, early or somewhere else."""
        self.world.repeat(self.tablet(which), which=batch, to=to)

    @rule(which=WHICH, areas=st.sampled_from([["1017010"], ["1017021"], [COMMUNES[0]]]))
    def change_areas(self, which: int, areas: list[str]) -> None:
        """A tablet of the first commune is to read other quartiers."""
        name = self.tablet(which)
        if self.world.home_of(name) == COMMUNES[0]:
            self.world.change_areas(name, areas)

    @precondition(lambda self: not self.world.revoked)
    @rule(which=WHICH, batch=WHICH, stolen=st.booleans())
    def revoke_a_tablet(self, which: int, batch: int, stolen: bool) -> None:
        """What it signed after some batch does not stand; a stolen one never brings home what it took elsewhere."""
        name = self.tablet(which)
        self.world.revoke(name, which=batch)
        if stolen:
            self.world.stolen.add(self.world.tablets[name].dev)

    # -- judgement -----------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        """Everybody talks until nothing is left to be said; then the invariants hold."""
        if not hasattr(self, "world"):
            return
        try:
            self.world.settle()
            found = wrong(self.world)
            assert not found, "\n".join(found)
        finally:
            self.world.close()
            self.folder.cleanup()


def test_nothing_is_lost_doubled_or_overwritten_whatever_happens(template: Template) -> None:
    class OfThisEngine(Machine):
        pass

    OfThisEngine.template = template
    run_state_machine_as_test(
        OfThisEngine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=not FULL,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, *((Phase.shrink,) if SHRINK else ())),
        ),
    )
