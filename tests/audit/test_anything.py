"""Whatever order tablets, clones and clerks write in, what the door made of it is what the audit folds."""

from __future__ import annotations

import random
import uuid
from pathlib import Path
from typing import Any

import pytest

from app.audit import verify
from app.database import Database
from tests.nodes import Tablet, TestNode, make_node

QUARTIERS = ("1017010", "1017021", "1017030")
FIELDS: dict[str, dict[str, tuple[Any, ...]]] = {
    "household": {
        "quartier": (*QUARTIERS, "nowhere", None),
        "commune": ("CD-KN-017", "CD-KN-008", None),
        "tenure": ("owner", "free", "palace"),
        "lat": (-4_300_000, 5.0, "north"),
    },
    "person": {
        "household": ("H", "H", "H", None, "unknown"),
        "nom": ("Mbuyi", "Mboyi", None),
        "prenom": ("Jean", "Élise"),
        "sex": ("M", "F", "X"),
        "birth_date": ("1990", "1990-05", "1991-02-30"),
        "birth_precision": ("year", "day"),
        "status": ("present", "moved", "dead"),
        "birth_act": ("none", "seen"),
        "nationality": ("CD", "FR", "indeterminate", "Mars"),
        "hobby": ("échecs", ["a", 1.0]),
    },
    "visit": {
        "household": ("H", "H", None, "unknown"),
        "quartier": (*QUARTIERS, None, None),
        "commune": ("CD-KN-017", None),
        "outcome": ("completed", "refused"),
    },
    "birth": {"commune": ("CD-KN-017", None), "mother": ("P",), "order": (1, 2.0)},
    "act": {
        "commune": ("CD-KN-017", None),
        "office": ("CD-KN-017-01",),
        "year": (2011,),
        "volume": ("I",),
        "number": (1, 2, 3),
        "delay": ("in_delay", "out_of_delay"),
        "sex": ("M", "F"),
    },
    "horoscope": {"sign": ("lion", "bélier")},
}


class Town:
    """Entities, devices and a source of chance."""

    def __init__(self, node: TestNode, seed: int) -> None:
        self.node = node
        self.chance = random.Random(seed)
        self.ids = {kind: [self.identity() for _ in range(4)] for kind in FIELDS}
        clones: list[Tablet] = []
        for role in ("agent", "agent", "clerk"):
            tablet = node.tablet(self.chance.choice(QUARTIERS), role=role)
            clones += [tablet, tablet.clone()]
        self.tablets = clones
        self.sealed: list[tuple[bytes, str]] = []

    def identity(self) -> str:
        """A UUID of this chance."""
        return str(uuid.UUID(int=self.chance.getrandbits(128), version=4))

    def value(self, choice: Any) -> Any:
        """A value of a field, an entity of this town where it means one."""
        named = {"H": "household", "P": "person"}
        if choice in ("H", "P"):
            return self.chance.choice(self.ids[named[choice]])
        return self.identity() if choice == "unknown" else choice

    def operation(self, n: int) -> dict[str, Any]:
        """Something a device may sign, sensible or not."""
        chance = self.chance
        kind = chance.choice([*FIELDS, "person", "person", "household"])
        names = chance.sample(sorted(FIELDS[kind]), chance.randint(0, len(FIELDS[kind])))
        made: dict[str, Any] = {"kind": kind, "id": chance.choice(self.ids[kind])}
        if chance.random() < 0.5:
            made["new"] = True
        if chance.random() < 0.1:
            made["act"] = chance.choice(["void", "restore", "resolve", "merge", "merge", "unmerge"])
        if made.get("act") == "merge":
            made["into"] = chance.choice([*self.ids[kind], self.identity(), made["id"], None])
        made["set"] = {name: self.value(chance.choice(FIELDS[kind][name])) for name in names}
        if chance.random() < 0.5:
            others = [t.dot(chance.randint(1, 6)) for t in self.tablets[::2]]
            own = [chance.randint(1, n - 1)] if n > 1 else []
            named = [*names, {"restore": "void", "unmerge": "merge"}.get(made.get("act", ""), "nom")]
            made["par"] = {name: chance.sample([*others, *own], 1) for name in named if chance.random() < 0.6}
        if chance.random() < 0.2:
            made["ev"] = chance.choice(["act", "document", "estimated"])
        return made

    def step(self) -> None:
        """One batch of some device, one of this server, or one that was handed in before."""
        chance = self.chance
        if self.sealed and chance.random() < 0.15:
            self.node.push_sealed(*chance.choice(self.sealed))
        elif chance.random() < 0.2:
            operations = [self.operation(1) for _ in range(chance.randint(1, 3))]
            with self.node.database.write() as connection:
                self.node.door.write(connection, operations, by="clerk")
        else:
            tablet = chance.choice(self.tablets)
            operations = [self.operation(tablet.n + 1 + at) for at in range(chance.randint(1, 4))]
            for at, each in enumerate(operations):
                own = f"{tablet.dev}:{tablet.ep}:"
                each["par"] = {
                    name: [
                        d
                        for d in dots
                        if not str(d).startswith(own) or int(d.rpartition(":")[2]) <= tablet.n + at
                    ]
                    for name, dots in each.get("par", {}).items()
                }
            self.sealed.append(tablet.seal([*operations, *([b"?"] if chance.random() < 0.1 else [])]))
            if chance.random() < 0.9:
                self.node.push_sealed(*self.sealed[-1])


@pytest.mark.parametrize("seed", range(3))
def test_what_anybody_may_sign_in_any_order_is_clean(database: Database, tmp_path: Path, seed: int) -> None:
    town = Town(make_node(database, tmp_path), seed)
    for _ in range(30):
        town.step()
    report = verify(database)
    assert report.first_difference is None
    assert report.operations > 30
