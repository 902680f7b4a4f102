"""What a register row must hold, said a second time: the table of each kind, which values are clean, what is computed
from them, and in which area the row lies (protocol sections 3, 7 and 9). Reads the columns from the database itself."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from app.population.names import SLOT_COLUMNS, slots
from sync.catalogue import CATALOGUE, checker

TABLES = {
    "household": "household",
    "person": "person",
    "visit": "visit",
    "birth": "birth",
    "act": "act",
    "link": "link",
    "task": "task",
    "device": "device",
    "clock": "clock_confirmation",
    "question": "question",
    "office": "civil_office",
    "book": "book",
    "volet": "volet",
    "provisional": "provisional",
    "draft": "draft",
    "procedure": "late_procedure",
    "campaign": "campaign",
    "annotation": "annotation",
    "annulment": "annulment",
    "document": "civil_document",
    "delivery": "civil_delivery",
    "pairing": "pairing",
}
OTHER = "other"
SYSTEM = ("origin", "n", "area", "seq", "rev", "registers", "doubtful", "void", "merged_into")
ORIGIN, N, AREA, SEQ, REV, REGISTERS, DOUBTFUL, VOIDED, MERGED, EXTRA = range(1, 2 + len(SYSTEM))
REFERENCE = frozenset({"device", "clock"})
CIVIL = frozenset(TABLES) - REFERENCE - {"household", "person", "visit", "question"}
NUMBER_KEY = "number_key"
LONGEST_NAME = 96

Values = dict[str, Any]


def short(name: str) -> str:
    """A name of a kind or register as it is stored: a long one is its beginning and a digest."""
    return (
        name if len(name) <= LONGEST_NAME else f"{name[:64]}~{hashlib.sha256(name.encode()).hexdigest()[:24]}"
    )


def reflect(connection: sa.Connection, name: str) -> sa.Table:
    """A table as it stands in the database; ids are text on both engines."""
    metadata = sa.MetaData()

    def _as_text(_inspector: object, _table: object, column: Any) -> None:
        if isinstance(column["type"], sa.Uuid | postgresql.UUID):
            column["type"] = postgresql.UUID(as_uuid=False)

    return sa.Table(
        name, metadata, autoload_with=connection, resolve_fks=False, listeners=[("column_reflect", _as_text)]
    )


class Shape:
    """One kind of entity and its table: how an operation's values become the columns of a row."""

    def __init__(self, kind: str, table: sa.Table, *, codes: Mapping[str, Collection[str]]) -> None:
        self.kind = kind
        self.table = table
        self.is_other = kind not in TABLES
        known = CATALOGUE[kind].fields if not self.is_other else {}
        columns = [column.name for column in table.columns]
        self.fields = tuple(name for name in columns if name in known)
        self._checks = {name: checker(kind, name, codes) for name in self.fields}
        self._json = tuple(name for name in self.fields if known[name].type in ("ids", "json"))
        self.names_searched = kind == "person"
        self.numbered = kind == "act"
        self.derived = SLOT_COLUMNS if self.names_searched else ()
        last = (NUMBER_KEY,) if self.numbered else ("kind",) if self.is_other else ()
        self.order = ("id", *SYSTEM, "extra", *self.fields, *self.derived, *last)
        if unplaced := set(columns) - {*self.order}:
            raise ValueError(f"{table.name}: columns the audit does not know: {sorted(unplaced)}")
        self.body = slice(EXTRA + 1, EXTRA + 1 + len(self.fields) + len(self.derived))

    def query(self) -> sa.Select[Any]:
        """The columns in the order used here: id, system columns, extra, fields, derived, the act's number key."""
        return sa.select(*(self.table.c[name] for name in self.order))

    def key(self, identity: str, kind: str) -> str:
        """What distinguishes an entity of this table."""
        return f"{identity} {short(kind)}" if self.is_other else identity

    def key_of(self, row: sa.Row[Any]) -> str:
        """The key of a stored row."""
        return f"{row[0]} {row[-1]}" if self.is_other else str(row[0])

    def split(self, values: Mapping[str, Any]) -> tuple[Values, Values]:
        """(clean, extra): a known field with a value of its type and list is clean, everything else is kept apart."""
        clean: Values = {}
        extra: Values = {}
        for name, value in values.items():
            check = self._checks.get(name)
            (clean if check is not None and check(value) else extra)[name] = value
        return clean, extra

    def names_doubtful(self, extra: Values) -> str | None:
        """What the `doubtful` column holds: the known fields among those kept apart, each between spaces."""
        names = sorted(self._checks.keys() & extra.keys())
        return f" {' '.join(names)} " if names else None

    def cells(self, clean: Values) -> tuple[Any, ...]:
        """The columns of the fields and those derived from them, in the order of `query`."""
        if self._json:
            clean = clean | {name: orjson.dumps(clean[name]).decode() for name in self._json if name in clean}
        found = tuple(map(clean.get, self.fields))
        if self.names_searched:
            return (*found, *slots(clean.get("nom"), clean.get("postnom"), clean.get("prenom")))
        return found


def object_of(stored: str | None) -> dict[str, Any]:
    """The JSON object of a text column; empty where the column holds anything else."""
    try:
        found = orjson.loads(stored or "{}")
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def same_extra(stored: str | None, extra: Values) -> bool:
    """Whether the `extra` column holds these values; the order of names has no meaning."""
    if stored is None or not extra:
        return stored is None and not extra
    return orjson.dumps(object_of(stored), option=orjson.OPT_SORT_KEYS) == orjson.dumps(
        extra, option=orjson.OPT_SORT_KEYS
    )


def number_key(clean: Values) -> str | None:
    """The place of an act in the books: office, year, volume and number; None where one of them is missing."""
    place = [clean.get("office"), clean.get("year"), clean.get("volume"), clean.get("number")]
    return None if None in place else "|".join(str(each) for each in place)


# -- areas -----------------------------------------------------------------------------------------------------


def due_area(kind: str, clean: Values) -> str | None:
    """The area an entity's own values put it in; None where its household or the writer's commune decides."""
    commune, quartier = clean.get("commune"), clean.get("quartier")
    if kind in REFERENCE:
        return "ref"
    if kind in CIVIL:
        return f"civil:{commune}" if commune is not None else None
    if kind in ("household", "question") and quartier is None and commune is not None:
        return f"commune:{commune}"
    if kind == "visit" and quartier is None and commune is not None and clean.get("household") is None:
        return f"commune:{commune}"
    return str(quartier) if kind in ("household", "visit", "question") and quartier is not None else None


def followed(kind: str, clean: Values) -> str | None:
    """The household whose area a person or visit shares, where nothing of its own decides."""
    return clean.get("household") if kind in ("person", "visit") and due_area(kind, clean) is None else None


def fallback_area(kind: str, commune: str | None, *, area_codes: Collection[str]) -> str:
    """Where an entity without a place is kept: the commune of its writer's grant."""
    area = f"civil:{commune}" if kind in CIVIL else f"commune:{commune}"
    return area if area in area_codes else "commune:?"


def place_of(
    area: str, *, commune_of: Callable[[str], str | None], communes: Collection[str]
) -> tuple[str, str]:
    """(commune, quartier) an area counts in; '' where it is in none."""
    head, _, tail = area.partition(":")
    if tail:
        return (tail, "") if tail in communes and head in ("commune", "civil") else ("", "")
    commune = commune_of(area)
    return (commune, area) if commune else ("", "")
