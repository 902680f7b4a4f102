"""What a person may type into a register: its type, codes and dates, refused in French field by field. Of a device such
values are not refused but kept and shown as doubtful: that is not the business here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from app.clock import KINSHASA
from app.ledger.desk import Desk, Row, invalid
from sync.catalogue import CATALOGUE, Field, Register, is_doubtful

MOST_LETTERS = 200
# Control characters, and the marks that turn the direction of writing: a name must read as it is stored.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_PRECISION = {4: "year", 7: "month", 10: "day"}
_EXPECTED = {
    "text": "Un texte est attendu.",
    "id": "Un identifiant UUID version 4 en minuscules est attendu.",
    "ids": "Une liste d'identifiants UUID version 4 est attendue.",
    "date": "Une date qui existe, de la forme AAAA, AAAA-MM ou AAAA-MM-JJ, est attendue.",
    "datetime": "Une date avec l'heure et son décalage est attendue.",
    "time": "Une heure de la forme HH:MM est attendue.",
    "int": "Un nombre entier dans les limites permises est attendu.",
    "number": "Un nombre dans les limites permises est attendu.",
    "bool": "true ou false est attendu.",
    "code": "Code inconnu.",
}


def expected(known: Field) -> str:
    """What a field takes, in French."""
    if known.type == "enum":
        return f"Une de ces valeurs est attendue : {', '.join(sorted(known.values))}."
    return _EXPECTED[known.type]


def readable(text: str) -> str:
    """The text itself; ValueError (French) when it is blank or holds a character nobody could read."""
    if not text.isprintable() and _FORBIDDEN.search(text):
        raise ValueError("Le texte contient un caractère interdit.")
    if not text or text.isspace():
        raise ValueError("Le texte est vide ; envoyez null pour effacer.")
    return text


def typed(
    connection: sa.Connection, desk: Desk, kind: str, *, row: Row, register: Register, given: Any
) -> dict[str, Any]:
    """Field → value of a whole register from what was typed: the value, or an object of a compound's fields.

    Raises `invalid_input` (422) naming the field, `other_commune` (403) for a household of another commune.
    """
    several = len(register.fields) > 1
    if several and not (isinstance(given, dict) and given.keys() <= set(register.fields)):
        raise invalid("value", f"Un objet de ces champs est attendu : {', '.join(register.fields)}.")
    values: dict[str, Any] = dict(given) if several else {register.name: given}
    known = CATALOGUE[kind].fields if kind in CATALOGUE else {}
    for name, value in values.items():
        if value is not None and name in known:
            _check(desk, kind, known[name], value=value)
    _check_reference(connection, desk, kind, row=row, values=values)
    return dict.fromkeys(register.fields) | complete_date(desk, register, given=values, shown={})


def _check(desk: Desk, kind: str, known: Field, *, value: Any) -> None:
    if is_doubtful(kind, known.name, value, desk.door.registry.codes):
        raise invalid(known.name, expected(known))
    if known.type == "text":
        try:
            readable(value)
        except ValueError as error:
            raise invalid(known.name, str(error)) from error
        if len(value) > MOST_LETTERS:
            raise invalid(known.name, f"Au plus {MOST_LETTERS} caractères.")
    if known.type == "date" and value > _today(desk)[: len(value)]:
        raise invalid(known.name, "La date est dans l'avenir.")


def _check_reference(
    connection: sa.Connection, desk: Desk, kind: str, *, row: Row, values: Mapping[str, Any]
) -> None:
    """What an entity follows must be known here and lie in a commune of the officer; nothing refers to itself."""
    known = CATALOGUE[kind].fields if kind in CATALOGUE else {}
    for name, value in values.items():
        if name in known and known[name].type == "id" and value == row["id"]:
            raise invalid(name, "Une fiche ne renvoie pas à elle-même.")
    projection = desk.door.registry.shape(kind).projection
    leader = values.get(projection.follows or "")
    if leader is None:
        return
    table = desk.door.registry.shape(projection.followed or "").table
    found = connection.execute(sa.select(table.c.area).where(table.c.id == leader)).mappings().one_or_none()
    if found is None:
        raise invalid(projection.follows or "", "Cette fiche n'est pas inscrite ici.")
    desk.require(desk.commune_of(dict(found)))


def complete_date(
    desk: Desk, register: Register, *, given: Mapping[str, Any], shown: Mapping[str, Any]
) -> dict[str, Any]:
    """The fields given, with the precision a new date says by its own length where none is given.

    Otherwise an older, coarser precision would cut the new date (protocol section 9). Raises `invalid_input` for a
    date to come and for a precision finer than the date.
    """
    values = dict(given)
    written, precision = values.get(register.name), register.precision
    if written is None or precision is None:
        return values
    if written > _today(desk)[: len(written)]:
        raise invalid(register.name, "La date de naissance est dans l'avenir.")
    if precision in values:
        if len(written) < {"month": 7, "day": 10}.get(values[precision] or "", 0):
            raise invalid(precision, "La précision dépasse celle de la date.")
    elif shown.get(precision) not in {"estimated", "unknown"}:
        values[precision] = _PRECISION[len(written)]
    return values


def _today(desk: Desk) -> str:
    return desk.at.astimezone(KINSHASA).date().isoformat()
