"""Whose key signed: devices known by their grant, and grants that chain to the province (protocol section 2)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
import sqlalchemy as sa

from app.clock import moment
from app.errors import problem
from app.ledger.node import Standing, read_standing
from app.ledger.tables import admitted, device
from app.territory.tables import quartier
from sync.catalogue import is_uuid4
from sync.seal import BadSignature, PublicKey, bounds_of, check_grant

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


@lru_cache(maxsize=1 << 12)
def _claims(grant: str, province: str) -> tuple[Mapping[str, Any], frozenset[str]] | None:
    """The claims of a grant that chains, and what of its areas its node is not certified for by name."""
    try:
        claims = check_grant(grant, province)
        bounds = bounds_of(grant)
    except BadSignature:
        return None
    if not _is_complete(claims):
        return None
    return claims, frozenset() if bounds is None else frozenset(claims["areas"]) - bounds


def _sound(connection: sa.Connection, grant: str | None, *, province: str) -> Mapping[str, Any] | None:
    """The claims of a grant that chains and that its node could make: a commune's server grants nothing elsewhere."""
    found = _claims(grant, province) if grant else None
    if found is None or grant is None:
        return None
    claims, beyond = found
    if beyond:
        query = sa.select(quartier.c.code, quartier.c.commune).where(quartier.c.code.in_(beyond))
        homes = dict(connection.execute(query).all())
        bounds = bounds_of(grant) or frozenset()
        if any(homes.get(code) not in bounds for code in beyond):
            return None
    return claims


def senders_of(connection: sa.Connection, devs: Collection[str], *, standing: Standing) -> dict[str, Sender]:
    """The devices enrolled here, relayed here, or admitted before: each as its own grant says, if that chains.

    The columns of `device` are not believed: another commune's server may have written them. Nor is a grant that gives
    a device another key than the one its first batch here was verified with: a new key is a new device.
    """
    known = {dev for dev in devs if is_uuid4(dev)}
    if not known or standing.province is None:
        return {}
    relayed = sa.select(device.c.id, device.c.grant).where(device.c.id.in_(known))
    taken = sa.select(admitted.c.dev, admitted.c.grant).where(admitted.c.dev.in_(known))
    found: dict[str, Sender] = {}
    for dev, grant in [*connection.execute(taken), *connection.execute(relayed)]:
        claims = _sound(connection, grant, province=standing.province)
        if claims is not None and claims["dev"] == dev:
            sender = from_claims(claims, grant)
            if dev not in found or found[dev].public.thumbprint() == sender.public.thumbprint():
                found[dev] = sender
    return found


def bind(connection: sa.Connection, sender: Sender, *, standing: Standing) -> None:
    """A device's first operation here: from now on no grant gives it another key."""
    claims = _claims(sender.grant, standing.province) if sender.grant and standing.province else None
    if claims is not None:
        _remember(connection, claims[0], grant=str(sender.grant))


def sender_of(connection: sa.Connection, dev: str, *, standing: Standing) -> Sender | None:
    """One device; None when this server never heard of it or its grant does not chain to the province."""
    return senders_of(connection, [dev], standing=standing).get(dev)


def homes_of(
    connection: sa.Connection, devs: Collection[str], *, commune_of: Callable[[str], str | None]
) -> dict[str, str | None]:
    """The commune of each device's grant, of this server itself too; None where it has none."""
    standing = read_standing(connection)
    senders = senders_of(connection, devs, standing=standing)
    homes = {dev: sender.commune(commune_of) for dev, sender in senders.items()}
    homes[standing.dev] = standing.commune
    return {dev: homes.get(dev) for dev in devs}


def roles_of(connection: sa.Connection, devs: Collection[str]) -> dict[str, str]:
    """The role of each device's grant; the server's own device has the role of its kind."""
    standing = read_standing(connection)
    roles = {dev: s.role for dev, s in senders_of(connection, devs, standing=standing).items()}
    roles[standing.dev] = standing.role
    return {dev: roles.get(dev, "agent") for dev in devs}


def from_claims(claims: Mapping[str, Any], grant: str | None = None) -> Sender:
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
    """Take a device this server does not know on a grant that chains to the province; else raises `unknown_device`."""
    if standing.province is None:
        raise GRANT_REFUSED("Ce serveur n'est rattaché à aucune province.")
    claims = _sound(connection, grant, province=standing.province)
    if claims is None:
        raise GRANT_REFUSED()
    if dev is not None and claims["dev"] != dev:
        raise GRANT_REFUSED("L'autorisation appartient à un autre appareil.")
    _remember(connection, claims, grant=grant)
    return from_claims(claims, grant)


def _remember(connection: sa.Connection, claims: Mapping[str, Any], *, grant: str) -> None:
    """Once for each device: two batches of a new one may bring its grant at the same moment."""
    values = {"dev": claims["dev"], "grant": grant, "claims": orjson.dumps(claims).decode()}
    connection.execute(_ADMIT, values)


_ADMIT = sa.text(
    'INSERT INTO admitted (dev, "grant", claims) VALUES (:dev, :grant, :claims) ON CONFLICT (dev) DO NOTHING'
)


def _is_complete(claims: Mapping[str, Any]) -> bool:
    """Whether a grant that chains also names what this server needs of it."""
    areas = claims.get("areas")
    texts = (claims.get("agent"), claims.get("expires"))
    return (
        is_uuid4(claims["dev"])
        and isinstance(areas, list)
        and all(isinstance(each, str) for each in (*areas, *texts))
        and _is_moment(str(claims["expires"]))
    )


def _is_moment(text: str) -> bool:
    try:
        moment(text)
    except ValueError:
        return False
    return True
