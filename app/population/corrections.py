"""Writing a record down and changing it: which operation a form becomes, against which values, and when it is refused.
The door folds the operation; what a field may hold beyond its form is checked here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from app.clock import stamp
from app.errors import INVALID_INPUT, problem
from app.ledger.bulk import lock_door
from app.ledger.desk import Desk, Row, invalid
from app.ledger.entities import shown_row
from app.ledger.history import current_dots, forked_dots, registers_of
from app.ledger.resolution import FACT_OF_ACT
from app.ledger.values import complete_date
from sync import merge
from sync.catalogue import CATALOGUE, Register
from sync.protocol import Unreadable

RECORD_VOID = problem(
    "record_void",
    409,
    "Fiche annulée",
    "Rétablissez d'abord la fiche (POST …/restore), puis renvoyez l'opération.",
)

_CODES = {"commune": "Code de commune inconnu.", "quartier": "Code de quartier inconnu."}


def locked_row(connection: sa.Connection, table: sa.Table, identity: str) -> Row | None:
    """The row nobody else can change before this transaction ends: what an If-Match is compared with."""
    lock_door(connection)
    return find_row(connection, table, identity)


def find_row(connection: sa.Connection, table: sa.Table, identity: str) -> Row | None:
    """The row that shows an id (its own, or of the record it was merged into), None where there is none."""
    return shown_row(connection, table, identity)


def find_rows(connection: sa.Connection, query: sa.Select[Any]) -> list[Row]:
    """The stored rows a query of one register table gives, in its order."""
    return [dict(row) for row in connection.execute(query).mappings()]


def check_codes(desk: Desk, kind: str, *, values: Mapping[str, Any]) -> None:
    """Raise `invalid_input` naming the first field whose code is in no list in force."""
    codes = desk.door.registry.codes
    for name, value in values.items():
        known = CATALOGUE[kind].fields[name]
        if known.type != "code" or value is None or value in known.values:
            continue
        if value not in codes.get(known.codes or "", frozenset()):
            raise invalid(name, _CODES.get(name, "Code inconnu."))


def complete_birth_date(desk: Desk, given: Mapping[str, Any], *, shown: Mapping[str, Any]) -> dict[str, Any]:
    """The fields given, with the precision of the date of birth: see app.ledger.values.complete_date."""
    register = CATALOGUE["person"].register_of["birth_date"]
    return complete_date(desk, register, given=given, shown=shown)


def write_down(
    connection: sa.Connection,
    desk: Desk,
    kind: str,
    *,
    identity: str,
    values: Mapping[str, Any],
    evidence: str,
) -> None:
    """Write a new record down, as one operation of this server."""
    given = {name: value for name, value in values.items() if value is not None}
    write(connection, desk, {"kind": kind, "id": identity, "new": True, "set": given}, evidence=evidence)


def change(
    connection: sa.Connection, desk: Desk, kind: str, *, row: Row, values: Mapping[str, Any], evidence: str
) -> None:
    """Change the fields given of the record the officer has seen (`row`), replacing every value that stood then.

    Fields written together are written together, the others as shown. What already is the only value is not written
    again. Raises `fact_of_act` (409) where the value comes from a registered act, `record_void` (409) for a record
    that is void.
    """
    if row["void"]:
        raise RECORD_VOID()
    shown = desk.door.registry.shape(kind).values_of(row)
    registers = registers_of(connection, kind, row)
    forked = forked_dots(connection)
    written: dict[str, Any] = {}
    par: dict[str, list[str]] = {}
    touched = {known.name: known for known in (CATALOGUE[kind].register_of[name] for name in values)}
    for register in touched.values():
        wanted = {name: values[name] if name in values else shown.get(name) for name in register.fields}
        standing = merge.live(register, registers.get(register.name, []), forked)
        if _stands_already(register, wanted, shown=shown, standing=standing):
            continue
        if any(each.ev == "act" for each in standing):
            raise FACT_OF_ACT(f"« {register.name} » vient d'un acte enregistré.")
        written |= wanted
        if standing:
            par[register.name] = current_dots(registers, kind, register=register.name, forked=forked)
    if written:
        operation: dict[str, Any] = {"kind": kind, "id": row["id"], "set": written}
        write(connection, desk, operation | ({"par": par} if par else {}), evidence=evidence)


def _stands_already(
    register: Register, wanted: Mapping[str, Any], *, shown: Mapping[str, Any], standing: list[merge.Write]
) -> bool:
    if not standing:
        return all(value is None for value in wanted.values())
    same = all(merge.canonical(wanted[name]) == merge.canonical(shown.get(name)) for name in register.fields)
    return same and len(standing) == 1


def write(
    connection: sa.Connection, desk: Desk, operation: Mapping[str, Any], *, evidence: str = "declared"
) -> None:
    """Write one operation of this server in the officer's name, at this moment."""
    said = {} if evidence == "declared" else {"ev": evidence}
    try:
        desk.door.write(connection, [{**operation, **said, "at": stamp(desk.at)}], by=desk.officer.id)
    except Unreadable as error:
        raise INVALID_INPUT("Une valeur ne peut être écrite telle quelle.") from error
