"""Whose key signed: devices known by their grant, and grants that chain to the province (protocol section 2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from app.errors import problem
from app.ledger.node import Standing
from app.ledger.tables import admitted, device
from sync.seal import BadSignature, PublicKey, check_grant

GRANT_REQUIRED = problem(
    "grant_required",
    401,
    "Appareil inconnu de ce serveur",
    "Renvoyez avec l'en-tête Device-Grant donné à l'enrôlement.",
)
GRANT_REFUSED = problem(
    "unknown_device",
    401,
    "Autorisation d'appareil refusée",
    "L'autorisation ne vient pas de cette province ; enrôlez l'appareil.",
)
BAD_SIGNATURE = problem(
    "bad_signature",
    400,
    "Signature non valable",
    "Rien n'a été enregistré. Gardez le lot et renvoyez-le tel qu'il a été scellé.",
)


@dataclass(frozen=True, slots=True)
class Sender:
    """A device as its grant describes it; `areas` are codes of communes or quartiers."""

    dev: str
    public: PublicKey
    role: str
    agent: str
    areas: tuple[str, ...]
    expires: str
    grant: str | None

    def commune(self, commune_of: Callable[[str], str | None]) -> str | None:
        """The commune of the grant: where an entity of unknown place is kept."""
        for code in self.areas:
            found = code if code.startswith("CD-") else commune_of(code)
            if found:
                return found
        return None


def sender_of(connection: sa.Connection, dev: str) -> Sender | None:
    """The device as enrolled here, relayed here, or admitted before on its grant; None when this server never heard of it."""
    row = connection.execute(sa.select(device).where(device.c.id == dev)).mappings().one_or_none()
    if row is not None and row["key"]:
        areas = tuple(orjson.loads(row["areas"])) if row["areas"] else ()
        key = PublicKey.from_jwk(orjson.loads(row["key"]))
        return Sender(
            dev, key, row["role"] or "agent", row["agent"] or "", areas, row["expires"] or "", row["grant"]
        )
    grant = connection.execute(sa.select(admitted.c.claims).where(admitted.c.dev == dev)).scalar()
    return from_claims(orjson.loads(grant)) if grant else None


def from_claims(claims: dict[str, Any], grant: str | None = None) -> Sender:
    """A sender from the verified payload of a grant."""
    return Sender(
        claims["dev"],
        PublicKey.from_jwk(claims["key"]),
        claims["role"],
        str(claims["agent"]),
        tuple(claims["areas"]),
        str(claims["expires"]),
        grant,
    )


def admit(connection: sa.Connection, standing: Standing, grant: str, *, dev: str | None = None) -> Sender:
    """Take a device this server does not know on a grant that chains to the province; raises `unknown_device` otherwise."""
    if standing.province is None:
        raise GRANT_REFUSED("Ce serveur n'est rattaché à aucune province.")
    try:
        claims = check_grant(grant, standing.province)
    except BadSignature as error:
        raise GRANT_REFUSED() from error
    if dev is not None and claims["dev"] != dev:
        raise GRANT_REFUSED("L'autorisation appartient à un autre appareil.")
    known = connection.execute(sa.select(admitted.c.dev).where(admitted.c.dev == claims["dev"])).scalar()
    if known is None:
        connection.execute(
            admitted.insert().values(dev=claims["dev"], grant=grant, claims=orjson.dumps(claims).decode())
        )
    return from_claims(claims, grant)
