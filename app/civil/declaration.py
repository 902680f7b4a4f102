"""Receiving the declaration of a birth: what cannot be is refused, what is missing or unknown is only pointed out, and
the delay is answered by the law. Draws up no act."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from app.access.officers import Officer
from app.civil.books.offices import office_commune
from app.civil.plausibility import look_over
from app.errors import INVALID_INPUT, Problem
from app.law.dates import possible_days
from app.law.delay import DelayAnswer, delay_of
from app.ledger.door import Door
from sync.catalogue import is_doubtful

_LISTED = ("commune", "mother_quartier", "mother_nationality", "father_nationality")
_LENGTHS = {"month": 7, "day": 10}

FieldError = dict[str, str]


@dataclass(frozen=True, slots=True)
class Received:
    """A declaration taken down: its id, the law's answer and what somebody should look at."""

    id: str
    answer: DelayAnswer
    warnings: list[dict[str, str]]


def declare(
    connection: sa.Connection, door: Door, officer: Officer, *, values: Mapping[str, Any], today: date
) -> Received:
    """Write one declaration down through the door, in the caller's transaction.

    `values` are clean fields of the protocol's `birth` with `commune` and `declared_on` filled in. Raises
    `invalid_input` (422) for a contradiction; an unknown father or mother is never one (Family Code, art. 117).
    """
    if errors := contradictions(connection, values, door, today=today):
        raise refuse(errors)
    birth = str(uuid.uuid4())
    door.write(connection, [{"kind": "birth", "id": birth, "new": True, "set": dict(values)}], by=officer.id)
    answer = delay(values)
    return Received(birth, answer, look_over(connection, door, values, answer=answer, birth=birth))


def delay(values: Mapping[str, Any]) -> DelayAnswer:
    """The law's answer about the clean values of a declaration: the day it was received judges."""
    declared_on = _day(values.get("declared_on"))
    birth = None
    if declared_on is not None:
        birth = possible_days(
            values.get("birth_date"), values.get("birth_precision"), declared_on=declared_on
        )
    return delay_of(declared_on=declared_on, birth=birth)


def contradictions(
    connection: sa.Connection, values: Mapping[str, Any], door: Door, *, today: date
) -> list[FieldError]:
    """What cannot be true of a declaration known on `today`: codes on no list, days that exclude each other.

    Gives {"field", "message"} (French) for each; asks only for offices opened since the lists were loaded.
    """
    return [*_unknown_codes(connection, values, door), *_impossible_days(values, today)]


def refuse(errors: list[FieldError]) -> Problem:
    """The problem that carries these errors."""
    fields = ", ".join(dict.fromkeys(error["field"] for error in errors))
    return INVALID_INPUT(f"À corriger : {fields}.", errors=errors)


def answered(answer: DelayAnswer) -> dict[str, Any]:
    """The law's answer as REST shows it."""
    return {
        "delay": answer.delay,
        "delay_days": answer.days,
        "delay_limit": answer.limit,
        "delay_rule": answer.rule,
        "delay_article": answer.article,
    }


def _unknown_codes(connection: sa.Connection, values: Mapping[str, Any], door: Door) -> Iterable[FieldError]:
    codes = door.registry.codes
    for name in _LISTED:
        if name in values and is_doubtful("birth", name, values[name], codes):
            yield _error(name, "Ce code n'est pas dans la liste.")
    if "office" in values:
        home = office_commune(connection, door, values["office"])
        if home is None:
            yield _error("office", "Ce bureau de l'état civil n'existe pas.")
        elif home != values.get("commune"):
            yield _error("office", "Ce bureau relève d'une autre commune.")


def _impossible_days(values: Mapping[str, Any], today: date) -> Iterable[FieldError]:
    declared_on = _day(values.get("declared_on")) or today
    if declared_on > today:
        yield _error("declared_on", "La déclaration est datée dans l'avenir.")
    written = values.get("birth_date")
    days = possible_days(written, None, declared_on=today)
    if written is None or days is None:
        return
    if len(written) < _LENGTHS.get(values.get("birth_precision", ""), 0):
        yield _error("birth_precision", "La date de naissance est moins précise que cela.")
    if days.earliest > today:
        yield _error("birth_date", "La naissance est datée dans l'avenir.")
    elif days.earliest > declared_on:
        yield _error("birth_date", "La naissance est postérieure à la déclaration.")
    for name in ("mother_birth_date", "father_birth_date"):
        if name in values:
            parent = possible_days(values[name], None, declared_on=today)
            if parent is not None and parent.earliest > days.latest:
                yield _error(name, "Le parent serait né après l'enfant.")


def _day(text: str | None) -> date | None:
    """A full day; None for a date that is missing or, from a tablet, only approximate."""
    return date.fromisoformat(text) if text is not None and len(text) == 10 else None


def _error(field: str, message: str) -> FieldError:
    return {"field": field, "message": message}
