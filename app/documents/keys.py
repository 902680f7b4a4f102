"""The public keys whose signatures a paper may bear: this server's own, the province's, and every server known here. No
private key ever comes near."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from app.ledger.door import Door
from app.ledger.senders import senders_of
from app.ledger.tables import admitted, device

# Roles under which a server writes: a tablet's key signs no paper.
_SERVERS = frozenset({"node", "province"})


def key_set(connection: sa.Connection, door: Door) -> dict[str, Any]:
    """A JWK set (RFC 7517): each key with `kid` (node id), `commune` (code, null = the whole province) and `name`."""
    standing, own = door.standing, door.identity
    # A server that is province and commune at once keeps the books of any commune under its one key.
    home = None if standing.is_province else standing.commune
    found = {own.dev: _entry(door, own.dev, jwk=own.key.public.jwk(), commune=home)}
    if standing.upstream_node and standing.upstream_key:
        key = {name: standing.upstream_key[name] for name in ("kty", "crv", "x", "y")}
        found.setdefault(standing.upstream_node, _entry(door, standing.upstream_node, jwk=key, commune=None))
    devs = [*connection.execute(sa.select(device.c.id).where(device.c.role.in_(_SERVERS))).scalars()]
    devs += connection.execute(sa.select(admitted.c.dev)).scalars()
    for dev, sender in senders_of(connection, devs, standing=standing).items():
        if sender.role in _SERVERS:
            commune = sender.commune(door.territory.commune_of) if sender.role == "node" else None
            found.setdefault(dev, _entry(door, dev, jwk=sender.public.jwk(), commune=commune))
    return {"keys": [found[dev] for dev in sorted(found)]}


def _entry(door: Door, dev: str, *, jwk: dict[str, str], commune: str | None) -> dict[str, Any]:
    name = door.territory.commune_names.get(commune, commune) if commune is not None else "Province"
    return jwk | {"use": "sig", "alg": "ES256", "kid": dev, "commune": commune, "name": name}
