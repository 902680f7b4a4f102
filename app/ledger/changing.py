"""One change of a stored entity, as the operation that says so: the new values, and the dots of those shown now. Writes
nothing and judges no value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from app.ledger.history import current_dots, forked_dots, registers_of
from sync.catalogue import register_of


def change(
    connection: sa.Connection,
    kind: str,
    row: Mapping[str, Any],
    *,
    values: Mapping[str, Any],
    evidence: str | None = None,
) -> dict[str, Any]:
    """The operation that sets `values` (protocol fields of `kind`) of the stored `row`, having seen all it shows.

    For `door.write`, under the door's lock: the new values replace those that stand, so nothing is left in conflict.
    Where several fields make one register, give them all. `evidence` is the protocol's `ev`.
    """
    registers = registers_of(connection, kind, row)
    forked = forked_dots(connection)
    names = sorted({register_of(kind, name).name for name in values})
    seen = {name: current_dots(registers, kind, register=name, forked=forked) for name in names}
    operation: dict[str, Any] = {"kind": kind, "id": row["id"], "set": dict(values)}
    if par := {name: dots for name, dots in seen.items() if dots}:
        operation["par"] = par
    if evidence is not None:
        operation["ev"] = evidence
    return operation
