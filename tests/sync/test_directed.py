"""Histories drawn by weight around what the state machine seldom comes to: families moved from commune to commune, work
taken to the province itself, records merged and parted, and a tablet stolen in the middle of it all."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import FULL
from tests.sync.invariants import wrong
from tests.sync.test_state_machine import Machine
from tests.sync.world import COMMUNES, PROVINCE, Template, World

SEED, STEPS = 20261126, 40
HISTORIES = 60 if FULL else 2
KINDS = {"household": "card", "person": "phone"}


class Directed:
    """One history on one engine; `draw` decides everything but the keys of devices."""

    def __init__(self, template: Template, folder: Path, draw: random.Random) -> None:
        self.machine = Machine()
        self.world = self.machine.world = World(template, folder)
        self.draw = draw
        self.steps: list[tuple[float, Callable[[], object]]] = [
            (
                4,
                lambda: self.machine.meet_a_household(
                    which=self.any, place=self.any, size=draw.randrange(3), at=None
                ),
            ),
            (4, self.edit),
            (
                4,
                lambda: self.machine.move_a_household(
                    which=self.any, entity=self.any, place=self.any, at=None
                ),
            ),
            (2, lambda: self.machine.move_a_person(which=self.any, entity=self.any, home=self.any, at=None)),
            (1, lambda: self.machine.void(which=self.any, entity=self.any, kind=self.kind, at=None)),
            (1.5, self.merge),
            (1, self.undo),
            (2, lambda: self.world.push(self.tablet, to=None)),
            (5, lambda: self.world.push(self.tablet, to=PROVINCE)),
            (5, lambda: self.world.relay(draw.choice(COMMUNES))),
            (4, lambda: self.world.pull(self.tablet)),
            (0.5, lambda: self.world.back_up(self.server)),
            (0.4, self.restore),
            (0.7, lambda: self.machine.repeat_a_batch(which=self.any, batch=self.any, to=self.server)),
            (0.3, self.clone),
        ]

    @property
    def any(self) -> int:
        return self.draw.randrange(1 << 16)

    @property
    def kind(self) -> str:
        return self.draw.choice(sorted(KINDS))

    @property
    def tablet(self) -> str:
        return self.machine.tablet(self.any)

    @property
    def server(self) -> str:
        return self.draw.choice([PROVINCE, *COMMUNES])

    def edit(self) -> None:
        name, kind = self.tablet, self.kind
        if ids := self.world.entities(name, kind):
            entered = {"kind": kind, "id": self.draw.choice(ids), "set": {KINDS[kind]: str(self.any)}}
            self.world.enter(name, entered)

    def merge(self) -> None:
        answer = self.draw.random() < 0.5
        self.machine.merge(loser=self.any, survivor=self.any, kind=self.kind, answer=answer, at=None)

    def undo(self) -> None:
        act = self.draw.choice(["restore", "unmerge"])
        self.machine.undo(which=self.any, act=act, entity=self.any, at=None)

    def restore(self) -> None:
        if self.world.saved:
            self.world.restore(self.draw.choice(sorted(self.world.saved)), noticed=self.draw.random() < 0.5)

    def clone(self) -> None:
        if len(self.world.tablets) < 5:
            self.machine.clone_a_tablet(which=self.any)

    def steal(self) -> None:
        self.machine.revoke_a_tablet(which=self.any, batch=self.any, stolen=self.draw.random() < 0.7)

    def run(self) -> list[str]:
        """Live through it, let everybody talk, and tell what is wrong."""
        weights = [weight for weight, _ in self.steps]
        try:
            for step in range(STEPS):
                if step > STEPS // 3 and not self.world.revoked and self.draw.random() < 0.1:
                    self.steal()
                self.draw.choices(self.steps, weights)[0][1]()
            self.world.settle()
            return wrong(self.world)
        finally:
            self.world.close()


@pytest.mark.parametrize("number", range(HISTORIES))
def test_whoever_moves_a_family_or_steals_a_tablet_all_servers_agree_in_the_end(
    template: Template, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random.Random(SEED + number)
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=draw.getrandbits(128), version=4))
    found = Directed(template, tmp_path, draw).run()
    assert not found, "\n".join(found)
