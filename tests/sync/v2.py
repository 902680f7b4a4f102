"""A catalogue of tomorrow, which exists only here: it adds a field to a person and renames another; and what a client
of that version writes and reads, so that clients of v1 lose nothing and it loses nothing of theirs."""

from __future__ import annotations

from importlib import resources
from typing import Any

import orjson

from sync.catalogue import Kind, _read_kind

NEW, RENAMED, FORMER = "email", "telephone", "phone"


def person_v2() -> Kind:
    """The kind `person` as v2 describes it: the new field, and the renamed one beside its former name."""
    described = orjson.loads(resources.files("sync").joinpath("fields_v1.json").read_bytes())["kinds"][
        "person"
    ]
    fields = described["fields"]
    fields[NEW] = {"type": "text", "group": "contact"}
    fields[RENAMED] = fields[FORMER]
    return _read_kind("person", described)


def dots_of(row: dict[str, Any], register: str) -> list[str]:
    """The dots of the values of one register that a row shows: the `par` of whoever saw it."""
    named = {dot for dot, registers in row.get("dots", {}).items() if register in registers}
    elsewhere = any(register in registers for registers in row.get("dots", {}).values())
    if not elsewhere and register in row["set"]:
        named.add(row["dot"])
    return sorted(named)


def edit(row: dict[str, Any], **values: Any) -> dict[str, Any]:
    """The operation of a v1 client that saw this row and changed these fields."""
    par = {name: dots for name in values if (dots := dots_of(row, name))}
    return {"kind": row["kind"], "id": row["id"], "set": values, "par": par}


def edit_v2(row: dict[str, Any], **values: Any) -> dict[str, Any]:
    """The operation of a v2 client: a renamed field is written under both names in one operation for as long as v1
    clients are about, each name with the dots that stood under it."""
    if RENAMED in values:
        values[FORMER] = values[RENAMED]
    return edit(row, **values)


def read_v2(row: dict[str, Any]) -> dict[str, Any]:
    """A row as a v2 client shows it. While v1 clients are about the former name is the one read: everybody writes it,
    so it is never the older one, also where it was emptied."""
    shown = {name: value for name, value in row["set"].items() if name not in (FORMER, RENAMED)}
    return shown | {RENAMED: row["set"].get(FORMER)}


def conflict_v2(row: dict[str, Any]) -> list[Any]:
    """The values that stand beside each other under a renamed field, whatever name their authors knew."""
    return sorted(each["value"] for each in row.get("conflict", {}).get(FORMER, []))
