"""THE one definition of which communes an officer sees. What he may do there is the question of permissions."""

from __future__ import annotations

from typing import Any, TypeVar

import sqlalchemy as sa

from app.access.officers import PROVINCIAL, Officer
from app.errors import problem

OTHER_COMMUNE = problem(
    "other_commune", 403, "Autre commune", "Cette donnée relève d'une autre commune que la vôtre."
)

Query = TypeVar("Query", bound=sa.Select[Any])


def communes_of(officer: Officer, node_kind: str) -> frozenset[str] | None:
    """The communes whose data this officer may see on a node of this kind; None = all of them.

    An admin is bound to no commune (he holds no permission on persons or statistics); a registrar, supervisor or
    planner without a commune is the province's, and has nothing to see on a commune's node.
    """
    if officer.role == "admin":
        return None
    if officer.commune is not None:
        return frozenset({officer.commune})
    if node_kind in {"province", "both"} and officer.role in PROVINCIAL:
        return None
    return frozenset()


def limit(query: Query, column: sa.ColumnElement[Any], *, officer: Officer, node_kind: str) -> Query:
    """The query narrowed to the rows whose commune column is one the officer sees (none at all if he sees none)."""
    communes = communes_of(officer, node_kind)
    return query if communes is None else query.where(column.in_(sorted(communes)))


def require(officer: Officer, commune: str | None, *, node_kind: str) -> None:
    """Raise `other_commune` (403) unless the officer sees that commune; one that is not known only who sees all."""
    communes = communes_of(officer, node_kind)
    if communes is not None and commune not in communes:
        raise OTHER_COMMUNE()
