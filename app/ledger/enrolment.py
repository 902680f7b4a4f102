"""How a tablet or a server becomes a device of this node: invitation, proof, grant (protocol sections 2 and 5)."""

from __future__ import annotations

import hashlib
import re
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
import sqlalchemy as sa

from app.clock import moment, stamp
from app.errors import problem
from app.ledger.door import Door
from app.ledger.tables import device, invitation
from sync.catalogue import is_uuid4
from sync.seal import BadSignature, PublicKey, make_grant, make_node_cert, verify_compact

INVITATION_UNKNOWN = problem(
    "invitation_unknown",
    404,
    "Code d'enrôlement inconnu",
    "Vérifiez les 8 caractères ou demandez un nouveau code.",
)
INVITATION_EXPIRED = problem(
    "invitation_expired", 410, "Code d'enrôlement expiré", "Demandez un nouveau code à l'administrateur."
)
INVITATION_USED = problem(
    "invitation_used",
    409,
    "Code d'enrôlement déjà utilisé",
    "Ce code a servi à un autre appareil : demandez-en un nouveau.",
)
BAD_PROOF = problem(
    "bad_proof",
    400,
    "Preuve d'enrôlement non valable",
    "L'appareil doit signer le code et le nœud avec sa propre clé.",
)
NOT_JOINED = problem(
    "not_joined",
    409,
    "Commune pas encore rattachée",
    "Rattachez d'abord ce serveur à la province : mboka upstream join.",
)
DEVICE_KNOWN = problem(
    "device_known",
    409,
    "Appareil déjà connu sous une autre clé",
    "Un appareil garde sa clé ; un autre appareil, un autre identifiant.",
)
AREA_UNKNOWN = problem(
    "area_unknown", 422, "Zone inconnue", "Utilisez un code de commune (CD-KN-017) ou de quartier (1017010)."
)
AREA_ELSEWHERE = problem(
    "area_elsewhere",
    422,
    "Zone d'une autre commune",
    "Un serveur de commune n'accorde que ses propres zones ; pour une autre, adressez-vous à la province.",
)
DEMO_APART = problem(
    "demo_apart",
    409,
    "Démonstration et réalité ne se mélangent pas",
    "Un nœud de démonstration ne rejoint jamais une vraie province, ni l'inverse.",
)

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
DEVICE_ROLES = {
    "agent": "agent",
    "clerk": "clerk",
    "registrar": "clerk",
    "delegate": "clerk",
    "supervisor": "clerk",
    "admin": "node",
}
_LOOKALIKES = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})
_CODE = re.compile(f"[{ALPHABET}]{{8}}")


@dataclass(frozen=True, slots=True)
class Invitation:
    """What is shown once to the person who enrols: the code is not stored, only its hash."""

    code: str
    expires_at: str


def _hash(code: str) -> str:
    return hashlib.sha256(code.upper().translate(_LOOKALIKES).encode()).hexdigest()


def require_areas(door: Door, areas: Sequence[str]) -> None:
    """Raise `area_unknown` unless areas are given and all are communes or quartiers, `area_elsewhere` where this
    server may not grant them (protocol section 2: a commune's certificate is for its own areas)."""
    known = door.territory.communes | door.territory.quartiers
    if not areas or any(code not in known for code in areas):
        raise AREA_UNKNOWN(
            f"Zones inconnues : {', '.join(code for code in areas if code not in known) or '(aucune donnée)'}."
        )
    own = door.standing.commune
    if not door.standing.is_province and any(own not in (a, door.territory.commune_of(a)) for a in areas):
        raise AREA_ELSEWHERE(f"Ce serveur n'accorde que des zones de la commune {own}.")


def invite(
    connection: sa.Connection,
    door: Door,
    *,
    agent: str,
    role: str,
    areas: Sequence[str],
    at: datetime,
    minutes: float,
) -> Invitation:
    """A one-time code of 8 Crockford letters for a device of this officer.

    Raises `area_unknown`, `area_elsewhere`, `not_joined`.
    `role` is the officer's; an admin's invitation is for a server, which gets role `node`.
    """
    require_areas(door, areas)
    if door.standing.node_cert is None:
        raise NOT_JOINED()
    code = "".join(secrets.choice(ALPHABET) for _ in range(8))
    expires = stamp(at + timedelta(minutes=minutes))
    connection.execute(
        invitation.insert().values(
            code_hash=_hash(code),
            agent=agent,
            role=DEVICE_ROLES.get(role, "agent"),
            areas=orjson.dumps(list(areas)).decode(),
            created_at=stamp(at),
            expires_at=expires,
            tries=0,
        )
    )
    return Invitation(code, expires)


@dataclass(frozen=True, slots=True)
class Request:
    """An enrolment as sent: `public_key` a JWK, `proof` its JWS over {code, node}, `dev` only from a server."""

    code: str
    public_key: dict[str, Any]
    name: str
    proof: str
    dev: str | None
    demo: bool


def enrol(
    connection: sa.Connection, door: Door, request: Request, *, at: datetime, grant_days: int, tries: int
) -> dict[str, Any]:
    """Make the device and give it its grant; the same code and key get the same answer again.

    Raises `invitation_unknown`, `invitation_expired`, `invitation_used`, `bad_proof`, `device_known`, `demo_apart`.
    """
    found = (
        connection.execute(
            sa.select(invitation).where(invitation.c.code_hash == _hash(request.code)).with_for_update()
        )
        .mappings()
        .one_or_none()
    )
    if found is None or _CODE.fullmatch(request.code.upper().translate(_LOOKALIKES)) is None:
        raise INVITATION_UNKNOWN()
    public = _proven(request, node=door.identity.dev)
    if public is None:
        raise BAD_PROOF()
    thumbprint = public.thumbprint()
    if found["answer"] is not None:
        if found["thumbprint"] != thumbprint:
            raise INVITATION_USED()
        answer: dict[str, Any] = orjson.loads(found["answer"])
        return answer
    if moment(found["expires_at"]) < at or found["tries"] >= tries:
        raise INVITATION_EXPIRED()
    if found["role"] == "node" and request.demo != door.standing.demo:
        raise DEMO_APART()
    answer = _make_device(connection, door, request, public, found, at=at, grant_days=grant_days)
    connection.execute(
        invitation.update()
        .where(invitation.c.code_hash == found["code_hash"])
        .values(thumbprint=thumbprint, answer=orjson.dumps(answer).decode())
    )
    return answer


def count_try(connection: sa.Connection, code: str) -> None:
    """A wrong proof uses up one of the few tries of a code."""
    connection.execute(
        invitation.update().where(invitation.c.code_hash == _hash(code)).values(tries=invitation.c.tries + 1)
    )


def _proven(request: Request, *, node: str) -> PublicKey | None:
    try:
        public = PublicKey.from_jwk(request.public_key)
        claims = verify_compact(public, request.proof, kid=public.thumbprint(), typ="enrol")
    except BadSignature:
        return None
    return public if claims.get("code") == request.code and claims.get("node") == node else None


def _make_device(
    connection: sa.Connection,
    door: Door,
    request: Request,
    public: PublicKey,
    found: Any,
    *,
    at: datetime,
    grant_days: int,
) -> dict[str, Any]:
    server = found["role"] == "node"
    dev = request.dev if server and request.dev and is_uuid4(request.dev) else str(uuid.uuid4())
    held = connection.execute(sa.select(device.c.key).where(device.c.id == dev)).scalar()
    if held is not None and orjson.loads(held) != public.jwk():
        raise DEVICE_KNOWN()
    areas = orjson.loads(found["areas"])
    expires = stamp(at + timedelta(days=grant_days))
    own = door.identity
    grant = make_grant(
        own.key,
        node=own.dev,
        dev=dev,
        key=public.jwk(),
        agent=found["agent"],
        role=found["role"],
        areas=areas,
        expires=expires,
        node_cert=door.standing.node_cert,
    )
    values = {
        "name": request.name[:200],
        "agent": found["agent"],
        "role": found["role"],
        "areas": areas,
        "key": public.jwk(),
        "grant": grant,
        "expires": expires,
        "granted_by": own.dev,
        "server": server,
    }
    answer = {
        "dev": dev,
        "agent": found["agent"],
        "role": found["role"],
        "areas": areas,
        "grant": grant,
        "node": own.dev,
        "node_key": own.key.public.jwk(),
        "node_cert": door.standing.node_cert,
    }
    if server:
        cert = make_node_cert(
            own.key, province_node=own.dev, node=dev, kind="commune", key=public.jwk(), areas=areas
        )
        values["node_cert"] = cert
        answer["own_node_cert"] = cert
    new = {"new": True} if held is None else {}
    door.write(connection, [{"kind": "device", "id": dev, **new, "set": values}], by=found["agent"])
    return answer
