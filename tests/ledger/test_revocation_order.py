"""Batches, revocations and releases in any order leave the same register: one server on SQLite, one on PostgreSQL, each
told everything in an order of its own."""

from __future__ import annotations

import hashlib
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from app.audit import verify
from sync.protocol import write_line
from sync.seal import Key, make_grant, make_node_cert
from tests.conftest import Engines, TestClock
from tests.lasting import ENGINES, lasting_database
from tests.ledger.test_revocation import told
from tests.nodes import Tablet, TestNode, make_node, new

QUARTIERS = ("1017010", "1017021", "9999999")
KINDS = ("household", "person", "visit")
Sealed = tuple[Tablet, bytes, str]


@dataclass
class World:
    """Two communes of one province, told the same in different orders, and who signs grants there."""

    nodes: tuple[TestNode, TestNode]
    province: Key
    server: str
    cert: str

    def device(self, role: str = "agent") -> Tablet:
        """A device the province itself granted."""
        key, dev, agent = Key.generate(), str(uuid.uuid4()), str(uuid.uuid4())
        grant = make_grant(
            self.province,
            node=self.server,
            dev=dev,
            key=key.public.jwk(),
            agent=agent,
            role=role,
            areas=["CD-KN-017"],
            expires="2027-01-01T00:00:00.000Z",
            node_cert=self.cert,
        )
        return Tablet(dev, key, grant, agent)


@pytest.fixture(scope="module")
def world(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    province, clock = Key.generate(), TestClock(datetime(2026, 2, 2, 9, 0, tzinfo=UTC))
    server = str(uuid.uuid4())
    cert = make_node_cert(
        province, province_node=server, node=server, kind="province", key=province.public.jwk(), areas=[]
    )
    one, two = (tmp_path_factory.mktemp(name) for name in ENGINES)
    with (
        lasting_database(engines, ENGINES[0], one) as first,
        lasting_database(engines, ENGINES[1], two) as second,
    ):
        nodes = tuple(
            make_node(database, home, kind="commune", clock=clock)
            for database, home in ((first, one), (second, two))
        )
        for node in nodes:
            node.join_a_province(province)
        yield World((nodes[0], nodes[1]), province, server, cert)


class History:
    """What three tablets and the province wrote, drawn at random: creations, edits that saw others or not, clones."""

    def __init__(self, world: World, seed: int) -> None:
        self.draw = random.Random(seed)
        self.ids = {kind: [str(uuid.uuid4()) for _ in range(3)] for kind in KINDS}
        self.made: set[str] = set()
        self.dots: list[str] = []
        self.tablets = [world.device() for _ in range(2)] + [world.device("clerk")]
        self.province = world.device("province")
        self.sealed: list[Sealed] = []

    def values(self, kind: str) -> dict[str, Any]:
        """Some fields of a kind."""
        draw = self.draw
        if kind == "household":
            return {"commune": "CD-KN-017", "quartier": draw.choice(QUARTIERS), "avenue": draw.choice("ab")}
        found: dict[str, Any] = {"household": draw.choice(self.ids["household"])}
        if kind == "visit":
            return found | {"outcome": draw.choice(["completed", "refused"])}
        names = {
            "nom": draw.choice(["Mbuyi", "Ilunga"]),
            "sex": draw.choice("MF"),
            "occupation": draw.choice("xyz"),
        }
        extra = {"status": draw.choice(["moved", "dead", "present"]), "phone": draw.choice("12")}
        return (
            found | names
            if draw.random() < 0.6
            else {name: extra[name] for name in draw.sample(sorted(extra), 1)}
        )

    def line(self) -> dict[str, Any]:
        """One operation on one of a few entities."""
        kind = self.draw.choice(KINDS)
        identity = self.draw.choice(self.ids[kind])
        told: dict[str, Any] = {"kind": kind, "id": identity, "set": self.values(kind)}
        if identity not in self.made or self.draw.random() < 0.1:
            told["new"] = True
            self.made.add(identity)
        elif self.dots and self.draw.random() < 0.7:
            seen = self.draw.sample(self.dots, min(len(self.dots), 3))
            told["par"] = dict.fromkeys(told["set"], seen)
        return told

    def act(self) -> dict[str, Any]:
        """A void, restore, merge or unmerge of a clerk, naming what he may have seen."""
        kind = self.draw.choice(("household", "person"))
        one, two = self.draw.sample(self.ids[kind], 2)
        seen = self.draw.sample(self.dots, min(len(self.dots), 4))
        act = self.draw.choice(["merge", "merge", "unmerge", "void", "restore"])
        told: dict[str, Any] = {"kind": kind, "id": one, "act": act}
        if act == "merge":
            return told | {"into": two}
        if act == "void":
            return told | {"par": dict.fromkeys(("nom", "commune", "phone", "status", "household"), seen)}
        return told | {"par": {"merge" if act == "unmerge" else "void": seen}}

    def batch(self, tablet: Tablet) -> None:
        """One more batch of a tablet; now and then one of its clone, or one that repeats what it sealed before."""
        twin = tablet.clone() if self.draw.random() < 0.3 else None
        first = tablet.n + 1
        lines: list[dict[str, Any] | bytes] = [
            write_line(self.line()) for _ in range(self.draw.randint(1, 3))
        ]
        if tablet is self.tablets[2] and self.dots:
            lines += [write_line(self.act()) for _ in range(self.draw.randint(0, 2))]
        self.sealed.append((tablet, *tablet.seal(lines)))
        self.dots += [tablet.dot(n) for n in range(first, tablet.n + 1)]
        if twin is not None:
            self.sealed.append((twin, *twin.seal([write_line(self.line())])))
        if self.draw.random() < 0.3:
            self.sealed.append((tablet, *tablet.seal([*lines, write_line(self.line())], start=first)))

    def revoke(self, tablet: Tablet) -> None:
        """The province revokes a tablet after one of its batches, and perhaps releases another."""
        hashes = [hashlib.sha256(data).hexdigest() for who, data, _ in self.sealed if who.dev == tablet.dev]
        said = {
            "kind": "device",
            "id": tablet.dev,
            "set": {"revoked": {"7": self.draw.choice([None, *hashes])}},
        }
        self.sealed.append((self.province, *self.province.seal([write_line(said)])))
        if self.draw.random() < 0.5 and hashes:
            some = {"release": self.draw.sample(hashes, 1)}
            freed = {"kind": "device", "id": tablet.dev, "set": some}
            self.sealed.append((self.province, *self.province.seal([write_line(freed)])))

    def write(self) -> list[Sealed]:
        """All batches, in the order they were sealed."""
        for _ in range(self.draw.randint(4, 8)):
            self.batch(self.draw.choice(self.tablets))
        for tablet in self.draw.sample(self.tablets, self.draw.randint(1, 2)):
            self.revoke(tablet)
        return self.sealed


def hand_in(node: TestNode, sealed: list[Sealed], *, order: random.Random) -> None:
    for tablet, data, signature in order.sample(sealed, len(sealed)):
        receipt = node.door.accept(data, signature, grant=tablet.grant)
        assert node.door.accept(data, signature) == receipt


@pytest.mark.parametrize("seed", range(12))
def test_the_order_of_batches_revocations_and_releases_makes_no_difference(world: World, seed: int) -> None:
    sealed = History(world, seed).write()
    for at, node in enumerate(world.nodes):
        hand_in(node, sealed, order=random.Random(2 * seed + at))
    one, two = (told(node) for node in world.nodes)
    for name in one:
        assert one[name] == two[name], name


def test_what_was_left_out_is_what_an_audit_of_the_signed_bytes_leaves_out(world: World) -> None:
    for node in world.nodes:
        report = verify(node.database, key=node.door.identity.key.public)
        # Whether a clone's batches make a gap is not judged alike; nothing else may differ.
        assert report.differences.keys() <= {"chain"}, report.first_difference
        assert report.operations > 0


def test_a_server_that_was_not_told_of_the_revocation_differs(world: World) -> None:
    """The comparison above can fail."""
    tablet, province = world.device(), world.device("province")
    sealed = tablet.seal([new("person", {"nom": "Mbuyi"})])
    said = {"kind": "device", "id": tablet.dev, "set": {"revoked": {"7": None}}}
    revoked = province.seal([said])
    for node in world.nodes:
        node.door.accept(*sealed, grant=tablet.grant)
    world.nodes[0].door.accept(*revoked, grant=province.grant)
    assert told(world.nodes[0])["rows"] != told(world.nodes[1])["rows"]
    world.nodes[1].door.accept(*revoked, grant=province.grant)
    assert told(world.nodes[0]) == told(world.nodes[1])
