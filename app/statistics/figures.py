"""What every table of figures has in common: its dimensions, its rows, the moment it stands for and what it leaves out.
The figures themselves are in births, population and census; who may see which count is disclosure's question."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import sqlalchemy as sa

from app.clock import KINSHASA, moment
from app.errors import problem
from app.ledger.tables import batch
from app.territory.places import Territory

DIMENSION_UNKNOWN = problem(
    "dimension_unknown", 422, "Ventilation inconnue", "Choisissez dans « by » parmi les ventilations admises."
)
COMBINATION_REFUSED = problem(
    "combination_refused",
    422,
    "Ventilations à ne pas croiser",
    "La nationalité se croise avec la commune seulement : demandez deux tableaux séparés.",
)

UNKNOWN = "unknown"
# Places and numbers that are not known are null; categories say "unknown".
NULLABLE = frozenset({"commune", "quartier", "year", "month"})
AGE_GROUPS = (*(f"{age}-{age + 4}" for age in range(0, 80, 5)), "80+", UNKNOWN)
ADULT = 18

Row = dict[str, Any]
Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """A derived figure: `above` ÷ `below`, both counts of the same row."""

    above: str
    below: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One table: rows hold the dimensions of `by`, then the `counts`, then the `ratios`; `members` are said once for
    all rows (basis, reference year)."""

    name: str
    by: tuple[str, ...]
    counts: tuple[str, ...]
    rows: list[Row]
    cutoff: str | None
    definition: str
    filters: Mapping[str, Any]
    ratios: Mapping[str, Ratio] = field(default_factory=dict)
    members: Mapping[str, Any] = field(default_factory=dict)


def dimensions(asked: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
    """The dimensions of a `by`, each once, in order. Raises `dimension_unknown` (422) naming those allowed."""
    found = tuple(dict.fromkeys(part for each in asked.split(",") if (part := each.strip())))
    unknown = [name for name in found if name not in allowed]
    if unknown:
        raise DIMENSION_UNKNOWN(
            f"« {unknown[0][:40]} » n'est pas une ventilation de ce tableau ; sont admises : {', '.join(allowed)}.",
            allowed=list(allowed),
        )
    return found


def read_cutoff(connection: sa.Connection) -> str | None:
    """When the newest batch in this snapshot was received; None before the first. Moments rise with the id."""
    newest = sa.select(batch.c.received_at).order_by(batch.c.id.desc()).limit(1)
    return connection.execute(newest).scalar()


def reference_year(cutoff: str | None, today: date) -> int:
    """The year in Kinshasa at the cut-off, today's where nothing was received yet."""
    return moment(cutoff).astimezone(KINSHASA).year if cutoff else today.year


def age_group(birth_year: int, year: int) -> str:
    """The five-year group of the age reached on 31 December of `year`; "unknown" without a birth year or born later."""
    if birth_year == 0 or birth_year > year:
        return UNKNOWN
    return AGE_GROUPS[min((year - birth_year) // 5, len(AGE_GROUPS) - 2)]


def sums(
    connection: sa.Connection,
    table: sa.Table,
    *,
    keys: Iterable[str],
    counts: Iterable[sa.ColumnElement[int]],
    communes: frozenset[str] | None,
    where: Iterable[sa.ColumnElement[bool]] = (),
) -> list[tuple[Key, tuple[int, ...]]]:
    """(key, sums of the counts) of a rollup grouped by its columns `keys`, of these communes (None = all)."""
    columns = [table.c[name] for name in keys]
    query = sa.select(*columns, *(sa.func.coalesce(sa.func.sum(count), 0) for count in counts)).where(*where)
    if communes is not None:
        query = query.where(table.c.commune.in_(sorted(communes)))
    rows = connection.execute(query.group_by(*columns)).all()
    # PostgreSQL adds BIGINT to NUMERIC: counts are int again here.
    return [(tuple(row[: len(columns)]), tuple(int(each) for each in row[len(columns) :])) for row in rows]


def shown(dimension: str, stored: Any, *, territory: Territory) -> Any:
    """A stored key as a reader sees it: old quartier codes under the code in force, '' and 0 as null or "unknown"."""
    if stored in ("", 0):
        return None if dimension in NULLABLE else UNKNOWN
    return (territory.current(stored) or stored) if dimension == "quartier" else stored


def rates(counts: Mapping[str, int], ratios: Mapping[str, Ratio]) -> dict[str, float | None]:
    """The ratios of a row's counts, to six places; None over zero."""
    return {
        name: round(counts[ratio.above] / counts[ratio.below], 6) if counts[ratio.below] else None
        for name, ratio in ratios.items()
    }


def in_order(rows: Iterable[Row], by: tuple[str, ...]) -> list[Row]:
    """Rows in the order of their dimensions, what is unknown last."""
    return sorted(rows, key=lambda row: tuple(_rank(name, row[name]) for name in by))


def _rank(dimension: str, value: Any) -> tuple[bool, Any]:
    if value is None or value == UNKNOWN:
        return True, 0
    return False, AGE_GROUPS.index(value) if dimension == "age_group" else value
