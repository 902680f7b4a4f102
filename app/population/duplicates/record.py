"""What is compared of a person, whatever register the record comes from: a declared birth, an act, a resident of the
census. Pure; says which days a date allows, and decides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from app.law.dates import PossibleDays, possible_days

FIELDS = (
    *("nom", "postnom", "prenom", "sex", "birth_date", "birth_precision", "birth_place"),
    *("mother", "mother_name", "father", "father_name", "multiple", "order"),
)


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a person: `of` the register it stands in ("birth", "person"), its `id` and commune there.

    Names as written; `days` the days of birth its date allows (None = not known); `mother` and `father` ids of persons;
    `multiple` {single, twin, triplet, more} and `order` the rank in it; `reference` where its act stands in the books,
    None where there is none; `on` the day it was declared or written down (AAAA-MM-JJ). Of a record that is not `held`
    on this server only commune and reference are known.
    """

    id: str
    of: str
    commune: str | None = None
    nom: str | None = None
    postnom: str | None = None
    prenom: str | None = None
    sex: str | None = None
    birth_date: str | None = None
    birth_precision: str | None = None
    birth_place: str | None = None
    days: PossibleDays | None = None
    mother: str | None = None
    mother_name: str | None = None
    father: str | None = None
    father_name: str | None = None
    multiple: str | None = None
    order: int | None = None
    act: str | None = None
    reference: str | None = None
    on: str | None = None
    held: bool = True


def record_of(
    values: Mapping[str, Any],
    known_on: date,
    *,
    identity: str,
    of: str,
    commune: str | None,
    act: str | None = None,
    reference: str | None = None,
    on: str | None = None,
) -> Record:
    """The record of clean `values` under the protocol's names; nobody it tells of was born after `known_on`."""
    kept: dict[str, Any] = {name: values.get(name) for name in FIELDS}
    days = possible_days(kept["birth_date"], kept["birth_precision"], declared_on=known_on)
    return Record(identity, of, commune, days=days, act=act, reference=reference, on=on, **kept)
