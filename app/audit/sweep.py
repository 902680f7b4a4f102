"""What one pass over the operations cannot see: rows nobody wrote, areas that follow a household, numbers two acts
claim, and the lists of conflicts, forks and quarantined lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import Any

import sqlalchemy as sa

from app.audit.compare import Comparison
from app.audit.report import Findings, said
from app.audit.shapes import NUMBER_KEY, Shape
from app.ledger.tables import area, conflict, fork, quarantine

FOLLOWERS = ("person", "visit")
Aside = tuple[str, int | None, int | None, str, str, bytes]
Names = Callable[[], dict[str, set[str]]]


def check_extra_rows(comparison: Comparison, names: Names) -> None:
    """Rows without an operation. They are counted first; `names()` (kind → keys written) is asked only where needed."""
    written: dict[str, set[str]] | None = None
    for shape in [*comparison.shapes.values(), comparison.other]:
        count = sa.select(sa.func.count()).select_from(shape.table)
        rows = comparison.connection.execute(count).scalar_one()
        entities = comparison.confirmed[shape.kind] + len(comparison.kept[shape.kind])
        if rows != entities - comparison.missing[shape.kind]:
            written = names() if written is None else written
            _name_extra_rows(comparison, shape, written.get(shape.kind, set()))


def _name_extra_rows(comparison: Comparison, shape: Shape, written: Collection[str]) -> None:
    for row in comparison.connection.execute(shape.query().order_by(shape.table.c.id)):
        if shape.key_of(row) not in written:
            kind = row[-1] if shape.is_other else shape.kind
            comparison.findings.add("row", f"{kind} {row[0]} : aucune opération n'a écrit cette ligne")


def check_followers(comparison: Comparison, device_of: dict[int, str]) -> None:
    """Persons and visits lie where their household lies; where it is unknown, in the commune of who wrote them."""
    home = comparison.shapes["household"].table
    for kind in FOLLOWERS:
        table = comparison.shapes[kind].table
        without_own = [table.c.quartier.is_(None)] if kind == "visit" else []
        query = (
            sa.select(
                table.c.id, table.c.origin, table.c.area, home.c.id.label("home"), home.c.area.label("due")
            )
            .outerjoin(home, home.c.id == table.c.household)
            .where(table.c.household.is_not(None), *without_own)
            .where(sa.or_(home.c.id.is_(None), home.c.area != table.c.area))
            .order_by(table.c.id)
        )
        for row in comparison.connection.execute(query):
            held = comparison.areas.get(row.area, f"inconnue ({row.area})")
            if row.home is not None:
                due = comparison.areas.get(row.due, "?")
            else:
                own = comparison.fallback(kind, device_of.get(row.origin, ""))
                due = comparison.homes.get((kind, row.id), own)
            if held != due:
                comparison.findings.add("area", f"{kind} {row.id} : zone {held} au lieu de {due}")


def check_positions(comparison: Comparison) -> None:
    """No row stands beyond the counter of its area: a reader of the feed would not see it."""
    for shape in [*comparison.shapes.values(), comparison.other]:
        table = shape.table
        query = (
            sa.select(table.c.id, table.c.seq)
            .join(area, area.c.id == table.c.area)
            .where(table.c.seq > area.c.seq)
        )
        for row in comparison.connection.execute(query.order_by(table.c.id)):
            text = f"numéro {row.seq} au-delà du compteur de sa zone"
            comparison.findings.add("area", f"{shape.kind} {row.id} : {text}")


def check_numbers(comparison: Comparison, batch_of: Callable[[int, int], int | None]) -> None:
    """Of several acts that claim one place in the books the first to come holds it; all of them are listed.

    `batch_of(origin, n)` is the first batch that brought an operation."""
    table = comparison.shapes["act"].table
    for identity, due, batch in comparison.yielded:
        query = sa.select(table.c.id, table.c.origin, table.c.n).where(table.c[NUMBER_KEY] == due)
        holder = comparison.connection.execute(query).one_or_none()
        earlier = batch_of(holder.origin, holder.n) if holder is not None else None
        if holder is None or earlier is None or earlier > batch:
            text = f"{NUMBER_KEY} vaut rien dans la table, {said(due)} d'après les opérations"
            comparison.findings.add("row", f"act {identity} : {text}")
        else:
            comparison.open_cases["act", identity, NUMBER_KEY] = 1
            comparison.open_cases["act", holder.id, NUMBER_KEY] = 1


def check_conflicts(comparison: Comparison) -> None:
    """The list of open conflicts and their legal weight."""
    columns = (conflict.c.kind, conflict.c.id, conflict.c.register, conflict.c.weight)
    held = {(row[0], row[1], row[2]): row[3] for row in comparison.connection.execute(sa.select(*columns))}
    for case in sorted(held.keys() | comparison.open_cases.keys()):
        weight = comparison.open_cases.get(case)
        if held.get(case) == weight:
            continue
        if weight is None:
            text = "la liste des conflits en montre un, les opérations n'en laissent pas"
        elif case not in held:
            text = "un conflit est ouvert et manque dans la liste"
        else:
            text = f"conflit de poids {held[case]} au lieu de {weight}"
        comparison.findings.add("conflict", f"{case[0]} {case[1]}, {case[2]} : {text}")


def check_forks(connection: sa.Connection, findings: Findings, forked: Collection[str]) -> None:
    """The numbers under which a device signed two different lines."""
    held = set(connection.execute(sa.select(fork.c.dot)).scalars())
    for dot in sorted(held ^ set(forked)):
        text = "manque dans la liste" if dot in forked else "est listé, les lots n'en montrent pas"
        findings.add("fork", f"double numéro {dot} : {text}")


def check_quarantine(connection: sa.Connection, findings: Findings, due: Iterable[Aside]) -> None:
    """The lines set aside: which, of which batch, and why."""
    columns = (quarantine.c[name] for name in ("dev", "ep", "n", "sha256", "reason", "line"))
    held = Counter(tuple(row) for row in connection.execute(sa.select(*columns)))
    wanted: Counter[tuple[Any, ...]] = Counter(due)
    for each in sorted((held - wanted) + (wanted - held), key=str):
        dev, ep, n, sha256, reason, _ = each
        place = f"opération {dev}:{ep}:{n}" if n is not None else f"lot {sha256} de l'appareil {dev}"
        text = "devrait être en quarantaine" if each in wanted else "est en quarantaine sans raison"
        findings.add("quarantine", f"{place} : {text} ({reason})")
