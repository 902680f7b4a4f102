"""Which column of a file says which field of a paper act: read from JSON or CSV, or suggested from the headings."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as default
from importlib.resources import files
from typing import Any

from app.civil.takeover.translating import plain
from app.errors import problem

MAPPING_INVALID = problem(
    "mapping_invalid",
    422,
    "Correspondance des colonnes à corriger",
    "Chaque colonne a un champ, ou aucun ; « mboka import acts FICHIER --suggest » en propose une.",
)

NEEDED = ("office", "year", "volume", "number", "registered_on")
_MOST = 20_000


@dataclass(frozen=True, slots=True)
class Column:
    """What a column says: the field (None = left out on purpose) and its words, plain text → value."""

    field: str | None
    words: Mapping[str, str] = default(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """A mapping: heading → column, and the fields that are the same on every line of the file."""

    columns: Mapping[str, Column]
    constants: Mapping[str, str]

    def text(self) -> str:
        """Its JSON, the same for the same mapping."""
        return json.dumps(self.shown(), ensure_ascii=False, sort_keys=True)

    def shown(self) -> dict[str, Any]:
        """As a mapping file holds it."""
        columns = {
            name: {"field": each.field, "values": dict(each.words)} if each.words else each.field
            for name, each in self.columns.items()
        }
        return {"columns": columns, "constants": dict(self.constants)}

    def bound(self, headings: Sequence[str]) -> list[tuple[int, str, Column]]:
        """(position, heading, column) of the columns that are read.

        Raises `mapping_invalid` (422) where a heading has no field, a needed field no column, or a column no heading.
        """
        named = {plain(name): each for name, each in self.columns.items()}
        found = [(at, name, named.get(plain(name))) for at, name in enumerate(headings) if name]
        faults = [
            (name[:80], f"la colonne « {name[:80]} » n'a pas de champ")
            for _, name, each in found
            if each is None
        ]
        present = {plain(name) for name in headings}
        strange = [name for name in self.columns if plain(name) not in present]
        faults += [(name[:80], f"le fichier n'a pas de colonne « {name[:80]} »") for name in strange]
        bound = [(at, name, each) for at, name, each in found if each is not None and each.field is not None]
        given = [each.field for _, _, each in bound]
        twice = {name for name in given if given.count(name) > 1 and name != "witnesses"}
        faults += [(name, f"deux colonnes disent « {name} »") for name in sorted(filter(None, twice))]
        faults += [
            (name, f"aucune colonne ne dit « {name} »")
            for name in NEEDED
            if name not in {*given, *self.constants}
        ]
        if faults:
            shown = " ; ".join(message for _, message in faults[:20])
            said = f"{shown[0].upper()}{shown[1:]}."
            errors = [{"field": name, "message": message} for name, message in faults[:50]]
            raise MAPPING_INVALID(said, errors=errors, suggestion=suggest(headings).shown())
        return bound


def _titles() -> dict[str, str]:
    text = files("app.civil.takeover").joinpath("data", "headings.csv").read_text(encoding="utf-8")
    found: dict[str, str] = {}
    for line in csv.DictReader(text.splitlines(), delimiter=";"):
        for heading in (line["field"], *line["headings"].split("|")):
            found.setdefault(plain(heading), line["field"])
    return found


TITLES = _titles()
FIELDS = frozenset(TITLES.values())


def suggest(headings: Iterable[str], constants: Mapping[str, str] | None = None) -> Plan:
    """The mapping these headings speak for; a heading nobody knows has no column in it, for somebody to fill in."""
    columns: dict[str, Column] = {}
    taken: set[str] = set()
    for name in headings:
        found = TITLES.get(plain(name)) if name else None
        if found is not None and (found not in taken or found == "witnesses"):
            columns[name] = Column(found)
            taken.add(found)
    return Plan(columns, dict(constants or {}))


def read_mapping(text: str) -> Plan:
    """A mapping file: JSON {"columns": {heading: field | null | {"field", "values": {word: value}}}, "constants":
    {field: text}} or CSV `colonne;champ;valeurs;constante` (values `garçon=M|fille=F`). Raises `mapping_invalid`."""
    if len(text) > _MOST:
        raise MAPPING_INVALID("La correspondance est trop longue.")
    text = text.removeprefix("\ufeff")
    columns, constants = _of_json(text) if text.lstrip().startswith("{") else _of_csv(text)
    for name in (*(each.field for each in columns.values()), *constants):
        if name is not None and name not in FIELDS:
            raise MAPPING_INVALID(
                f"Le champ « {name[:80]} » n'existe pas ; sont admis : {', '.join(sorted(FIELDS))}."
            )
    return Plan(columns, constants)


def _of_json(text: str) -> tuple[dict[str, Column], dict[str, str]]:
    try:
        given = json.loads(text)
        columns, constants = given.pop("columns", {}), given.pop("constants", {})
        if given or not isinstance(columns, dict) or not isinstance(constants, dict):
            raise TypeError
        return (
            {_said(name): _column(each) for name, each in columns.items()},
            {name: _said(each) for name, each in constants.items()},
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise MAPPING_INVALID("Ce n'est pas un objet {columns, constants}.") from error


def _column(given: Any) -> Column:
    if given is None or isinstance(given, str):
        return Column(given)
    words = {plain(word): _said(value) for word, value in given.get("values", {}).items()}
    if set(given) - {"field", "values"}:
        raise TypeError
    return Column(_said(given["field"]), words)


def _said(given: Any) -> str:
    if isinstance(given, bool) or not isinstance(given, str | int):
        raise TypeError
    text = str(given)
    if "\x00" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise TypeError
    return text


def _of_csv(text: str) -> tuple[dict[str, Column], dict[str, str]]:
    columns: dict[str, Column] = {}
    constants: dict[str, str] = {}
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=";")
    if not {"colonne", "champ"} <= set(reader.fieldnames or ()):
        raise MAPPING_INVALID("La correspondance CSV commence par : colonne;champ;valeurs;constante.")
    for line in reader:
        name, target = (line["colonne"] or "").strip(), (line["champ"] or "").strip() or None
        constant = (line.get("constante") or "").strip()
        if target is not None and constant:
            constants[target] = constant
        elif name:
            pairs = (pair.partition("=") for pair in (line.get("valeurs") or "").split("|") if "=" in pair)
            columns[name] = Column(target, {plain(word): value.strip() for word, _, value in pairs})
    return columns, constants
