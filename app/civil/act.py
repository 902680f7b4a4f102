"""The act as it is drawn up: the whole declaration as it stands that day, its place in the books, the law's answer.
Used for acts drawn up here and for acts keyed from paper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from app.civil.declaration import delay
from app.civil.wording import Head, act_text
from app.law.delay import DelayAnswer
from sync.catalogue import CATALOGUE
from sync.protocol import LINE_BYTES, write_line

# What a line holds beside `set`, and the letters of a value that a text too long for a line still tells.
ROOM, MOST_LETTERS = 512, 64
_BIRTH = CATALOGUE["birth"].fields.keys()
_ACT = CATALOGUE["act"].fields.keys()
# What the act has no field for is kept beside it in one piece: nothing of the declaration is left out.
_COPIED = frozenset(_BIRTH & _ACT - {"office", "person"})
_BESIDE = frozenset(_BIRTH - _ACT)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an act stands in the books: office code, year, volume, number, folio, and the day it was entered."""

    commune: str
    office: str
    year: int
    volume: str
    number: int
    folio: str | None
    registered_on: str

    @property
    def reference(self) -> str:
        """`CD-KN-017-01 vol. 3/2026 n° 12` (office, volume/year, number): how a person's file names the act."""
        return reference(self.office, self.volume, year=self.year, number=self.number)


def reference(office: str, volume: str, *, year: int, number: int) -> str:
    """Where an act is found, as a person's `birth_act_ref` says it; stored texts are compared, so it never changes."""
    return f"{office} vol. {volume}/{year} n° {number}"


@dataclass(frozen=True, slots=True)
class Drawing:
    """Who drew the act up or keyed it, when (RFC 3339 in UTC), and how it came about."""

    provenance: Literal["registration", "reprise"]
    at: str
    by: str
    name: str


def act_of(
    values: Mapping[str, Any],
    place: Place,
    *,
    birth: str,
    drawing: Drawing,
    judgment: Mapping[str, str] | None,
    person: str | None = None,
) -> tuple[dict[str, Any], DelayAnswer]:
    """The fields of a new act for the clean `values` of a declaration, and the delay judged on that declaration."""
    answer = delay(values)
    act = {name: value for name, value in values.items() if name in _COPIED}
    act |= {
        "birth": birth,
        "commune": place.commune,
        "office": place.office,
        "year": place.year,
        "volume": place.volume,
        "number": place.number,
        "registered_on": place.registered_on,
        "delay": answer.delay,
        "delay_rule": answer.rule,
        "provenance": drawing.provenance,
        "drawn_at": drawing.at,
        "drawn_by": drawing.by,
    }
    if answer.applied is not None:
        act["delay_limit"] = answer.applied.days
    if answer.days is not None:
        act["delay_days"] = answer.days
    if place.folio is not None:
        act["folio"] = place.folio
    if person is not None:
        act["person"] = person
    if judgment is not None:
        act |= {f"judgment_{name}": judgment[name] for name in ("court", "number", "date")}
    facts = {name: value for name, value in values.items() if name in _BESIDE}
    act["facts"] = facts | {"officer_name": drawing.name, "delay_article": answer.article}
    return act, answer


def with_text(fields: Mapping[str, Any], values: Mapping[str, Any], *, head: Head) -> dict[str, Any]:
    """The fields of an act with its French text among the facts, for the clean `values` of its declaration.

    Fields and text must fit one line of the protocol. Where names without end do not let them, the text cuts each value
    at `MOST_LETTERS`; the fields keep all of it.
    """
    whole = _worded(fields, act_text(values, head))
    if len(write_line({"set": whole})) + ROOM > LINE_BYTES:
        whole = _worded(fields, act_text({name: _cut(value) for name, value in values.items()}, head))
    return whole


def _worded(fields: Mapping[str, Any], text: str) -> dict[str, Any]:
    return {**fields, "facts": {**fields["facts"], "text": text}}


def _cut(value: Any) -> Any:
    if isinstance(value, list):
        return [_cut(each) for each in value]
    long = isinstance(value, str) and len(value) > MOST_LETTERS
    return f"{value[:MOST_LETTERS]}…" if long else value
