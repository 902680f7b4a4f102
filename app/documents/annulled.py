"""The list of annulled acts: fingerprints and days, nothing of anybody, signed by the server so that a verifier without
a connection can use it. Annuls nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from app.civil.tables import annotation
from app.clock import stamp
from app.documents.seal import NotValid, Signer, fingerprint
from app.law.annotations import ANNULMENT
from app.ledger.door import Door
from sync.seal import BadSignature, detached_kid, sign_detached, verify_detached

TYP = "annulled"


def annulled_acts(connection: sa.Connection) -> dict[str, str]:
    """Fingerprint → day of the judgment (AAAA-MM-JJ, empty where unknown) of every annulled act known here."""
    note = annotation.c
    query = sa.select(note.act, sa.func.min(note.date)).where(note.type == ANNULMENT, note.act.is_not(None))
    return {fingerprint(act): day or "" for act, day in connection.execute(query.group_by(note.act))}


def signed_list(connection: sa.Connection, door: Door) -> dict[str, str]:
    """The list to download: its JSON text and a detached JWS of this server over that very text."""
    acts = annulled_acts(connection)
    told = {
        "node": door.identity.dev,
        "at": stamp(door.clock.clock.now()),
        "acts": [{"act": act, "date": acts[act] or None} for act in sorted(acts)],
    }
    text = json.dumps(told, separators=(",", ":"))
    signature = sign_detached(door.identity.key, text.encode(), kid=door.identity.dev, typ=TYP)
    return {"list": text, "signature": signature}


def read_list(document: Any, signers: Mapping[str, Signer]) -> dict[str, str]:
    """Fingerprint → day of a downloaded list signed by one of these servers; raises seal.NotValid on any other."""
    try:
        text, signature = document["list"], document["signature"]
        kid = detached_kid(signature)
        if kid not in signers:
            raise NotValid(f"La liste des actes annulés est signée d'une clé inconnue ({kid}).")
        verify_detached(signers[kid].key, text.encode(), signature, kid=kid, typ=TYP)
        return {each["act"]: each["date"] or "" for each in json.loads(text)["acts"]}
    except (KeyError, TypeError, AttributeError, BadSignature, json.JSONDecodeError, UnicodeError) as error:
        raise NotValid("La liste des actes annulés n'est pas une liste signée de /v1/annulled.") from error
