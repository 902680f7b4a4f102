"""`mboka init`: a new node on an empty, migrated database: its identity, the territory, the areas and its own row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from app.clock import Clock, stamp
from app.database import Database
from app.errors import problem
from app.ledger.areas import add_areas
from app.ledger.node import IDENTITY, Identity
from app.ledger.tables import node
from app.settings import CONFIGURATION
from app.territory.load import load_territory
from app.territory.places import COMMUNE_UNKNOWN, Territory
from sync.seal import make_node_cert

NODE_EXISTS = problem(
    "node_exists", 409, "Un nœud existe déjà ici", "Choisissez un autre dossier ou une base vide."
)
COMMUNE_REQUIRED = problem(
    "node_commune_required", 422, "Commune à préciser", "Donnez --commune, par exemple CD-KN-017."
)

COMMUNE_REFUSED = problem(
    "node_commune_refused",
    422,
    "Une province n'a pas de commune",
    "Retirez --commune ; pour les deux sur un seul serveur, donnez --kind both.",
)
# What `init` may write into the node's directory; the first is there before the others of its name.
_DATABASE = ("mboka.db", "mboka.db-wal", "mboka.db-shm", "mboka.db-journal")
_FILES = (IDENTITY, f"{IDENTITY}.new", f"{CONFIGURATION}.new", CONFIGURATION)


@contextmanager
def nothing_left(data: Path) -> Iterator[None]:
    """Make the directory `data` for a new node; when the block raises, only what was not there before goes again."""
    folders = [each for each in (data, *data.parents) if not each.exists()]
    held = {each for each in _FILES if (data / each).exists()}
    # The files beside a database that stood here are part of it.
    ours = _FILES if (data / _DATABASE[0]).exists() else _DATABASE + _FILES
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        yield
    except BaseException:
        for name in ours:
            if name not in held:
                (data / name).unlink(missing_ok=True)
        for folder in folders:
            if any(folder.iterdir()):
                break
            folder.rmdir()
        raise


def require_commune(kind: str, commune: str | None) -> None:
    """Raise `node_commune_required` or `node_commune_refused` where kind and commune do not go together."""
    if kind == "province":
        if commune is not None:
            raise COMMUNE_REFUSED(f"--kind province et --commune {commune} s'excluent.")
    elif commune is None:
        raise COMMUNE_REQUIRED()


def make_node_rows(
    database: Database, data: Path, *, kind: str, commune: str | None, demo: bool, clock: Clock
) -> Identity:
    """Draw the identity, load the territory, write the node's row. Raises `node_exists`, `commune_unknown`,
    `node_commune_required`, `node_commune_refused`.

    Kinds `province` and `both` certify themselves (protocol section 2); the identity file is written last but one:
    a crash in between leaves an empty database that `init` can be run on again.
    """
    require_commune(kind, commune)
    identity = Identity.draw()
    public = identity.key.public
    certifies = kind in ("province", "both")
    cert = make_node_cert(
        identity.key,
        province_node=identity.dev,
        node=identity.dev,
        kind=kind,
        key=public.jwk(),
        areas=[commune] if commune else [],
    )
    with database.write() as connection:
        if connection.execute(sa.select(node.c.dev)).first() is not None:
            raise NODE_EXISTS()
        load_territory(connection)
        territory = Territory.read(connection)
        if commune is not None and commune not in territory.communes:
            raise COMMUNE_UNKNOWN()
        add_areas(connection, territory)
        connection.execute(
            node.insert().values(
                one=1,
                dev=identity.dev,
                kind=kind,
                commune=commune,
                ep=identity.ep,
                feed=identity.feed,
                demo=demo,
                created_at=stamp(clock.now()),
                province=public.thumbprint() if certifies else None,
                node_cert=cert if certifies else None,
            )
        )
        identity.write(data)
    return identity
