"""A commune's life in a few batches: everything a backup must carry and a rebuild must find again."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import ec

import migrations
from app.access.tables import read_journal
from app.clock import Clock
from app.database import Database
from app.keeping_safe.backup import back_up
from app.keeping_safe.contents import Counted, tally_of
from app.keeping_safe.recovery import make_recovery_key, read_private
from app.ledger.tables import node as node_table
from tests.nodes import Tablet, TestNode, household_of, new

PASSPHRASE = "quatre mots sans lien"
QUARTIERS = ("1017010", "1017021")


def live(node: TestNode) -> None:
    """Households, an edit, a move, a conflict, a fork, lines set aside, an operation before its entity, an act."""
    tablet, clerk = node.tablet("CD-KN-017"), node.tablet("CD-KN-017", role="clerk")
    homes = [household_of(3, quartier=each) for each in QUARTIERS]
    for each in homes:
        node.push(tablet, *each)
    home, person = homes[0][0]["id"], homes[0][1]["id"]
    node.push(clerk, {"kind": "person", "id": person, "set": {"nom": "Mbuya"}})
    node.push(
        tablet, {"kind": "household", "id": home, "set": {"commune": "CD-KN-017", "quartier": QUARTIERS[1]}}
    )
    node.push(tablet, {"kind": "person", "id": str(uuid.uuid4()), "set": {"phone": "1"}}, b"{", b"{}")
    copy = tablet.clone()
    node.push(tablet, new("person", {"household": home, "nom": "Un"}))
    node.push(copy, new("person", {"household": home, "nom": "Deux"}))
    node.push_sealed(*clerk.seal_bytes(b"no header\n"))
    join_and_hide(node, tablet, clerk)
    write_acts(node)


def join_and_hide(node: TestNode, tablet: Tablet, clerk: Tablet) -> None:
    """A merge that stands, one that was undone, and a visit that is hidden."""
    twins = [new("person", {"nom": "Mbuyi", "prenom": str(number)}) for number in range(4)]
    visit = new("visit", {"outcome": "refused", "quartier": QUARTIERS[0]})
    node.push(tablet, *twins, visit)
    for loser, into in ((twins[0], twins[1]), (twins[2], twins[3])):
        node.push(clerk, {"kind": "person", "id": loser["id"], "act": "merge", "into": into["id"], "set": {}})
    undone = {"merge": [clerk.dot(clerk.n)]}
    node.push(clerk, {"kind": "person", "id": twins[2]["id"], "act": "unmerge", "par": undone})
    seen = [tablet.dot(tablet.n)]
    void = {"kind": "visit", "id": visit["id"], "act": "void", "par": {"outcome": seen, "commune": seen}}
    node.push(clerk, void)


def write_acts(node: TestNode) -> str:
    """Two acts under one number, drawn up by the server itself; gives the first one's id."""
    told = {"commune": "CD-KN-017", "office": "CD-KN-017-01", "year": 2026, "volume": "I", "number": 1}
    acts = [new("act", told | {"nom": name, "registered_on": "2026-02-02"}) for name in ("Ilunga", "Kalala")]
    officer, _ = node.add_officer("registrar")
    with node.database.write() as connection:
        node.door.write(connection, acts, by=officer)
        line = {"at": "2026-02-02T09:00:00.000Z", "officer": officer, "kind": "act", "subject": acts[0]["id"]}
        connection.execute(read_journal.insert().values(line | {"route": "/v1/acts"}))
    return str(acts[0]["id"])


def folder(node: TestNode) -> Path:
    """The node's folder."""
    return Path(node.node.settings.data)


def recovery_key(node: TestNode) -> ec.EllipticCurvePrivateKey:
    """A recovery key for the node, made and read as an operator does."""
    file = folder(node).with_name(f"{folder(node).name}.pem")
    make_recovery_key(folder(node), file, passphrase=PASSPHRASE)
    return read_private(file, passphrase=PASSPHRASE)


def backed_up(node: TestNode, to: Path) -> dict[str, Any]:
    """Back the node up into `to`."""
    return back_up(node.database, folder(node), to=to, clock=Clock(), told=lambda done, total: None)


def tables_of(database: Database) -> dict[str, Counted]:
    """Count and digest of every table's rows."""
    with database.read() as connection:
        return {
            str(table.name): tally_of(
                connection, str(table.name), columns=[str(c.name) for c in table.columns]
            )
            for table in migrations.metadata().sorted_tables
        }


def feed_of(database: Database) -> tuple[int, str]:
    """Epoch and feed in the database."""
    with database.read() as connection:
        row = connection.execute(sa.select(node_table.c.ep, node_table.c.feed)).one()
    return row.ep, row.feed
