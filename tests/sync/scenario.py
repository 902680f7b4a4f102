"""One afternoon in two quartiers, the same every time: what the tests of planted bugs and of clocks play in a world."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from typing import Any

from tests.sync.network import lost_after
from tests.sync.world import KINTAMBO, PROVINCE, World

Clock = Callable[[int], str | None]


def no_clock(_step: int) -> None:
    """A device that never says what time it is."""


def play(world: World, *, clock: Clock = no_clock, seed: int = 8) -> None:
    """An agent and a clerk meet families, correct each other unseen, move one, and send over a bad line."""
    dice = random.Random(seed)
    steps = iter(range(1, 1000))

    def ids(number: int) -> list[str]:
        return [str(uuid.UUID(int=dice.getrandbits(128), version=4)) for _ in range(number)]

    def enter(name: str, **operation: Any) -> None:
        at = clock(next(steps))
        world.enter(name, operation | ({"at": at} if at else {}))

    homes, people = ids(3), ids(6)
    values: dict[str, Any]
    for at, home in enumerate(homes):
        place = {"commune": KINTAMBO, "quartier": "1017010", "avenue": f"Avenue {at}"}
        enter("a", kind="household", id=home, new=True, set=place)
    for at, person in enumerate(people):
        values = {
            "household": homes[at % 3],
            "nom": "Mbuyi",
            "sex": "F",
            "birth_date": "1990",
            "tomorrow": at,
        }
        enter("a", kind="person", id=person, new=True, set=values)
    with world.befalling("/batches", lost_after):
        world.push("a")
    world.push("a")
    world.pull("b")
    for name, values in (("a", {"nom": "Mbuya"}), ("b", {"nom": "Kanku"}), ("b", {"birth_date": "1990-05"})):
        par = {register: world.seen(name, "person", people[0], register) for register in values}
        enter(name, kind="person", id=people[0], set=values, par=par)
    moved = {"commune": KINTAMBO, "quartier": "1017021"}
    enter(
        "b",
        kind="household",
        id=homes[1],
        set=moved,
        par={"commune": world.seen("b", "household", homes[1], "commune")},
    )
    enter("a", kind="person", id=people[1], set={"phone": "1"})
    enter("b", kind="person", id=people[1], set={"phone": "2", "sex": "X"})
    world.push("b", to=PROVINCE)
    world.push("b")
    world.push("a")
    world.relay(KINTAMBO)
    world.settle()
