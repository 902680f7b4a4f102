"""Which communes an officer sees."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from app.access import jurisdiction
from app.access.officers import Officer
from app.access.tables import ROLES
from app.database import Database
from app.errors import Problem

KINTAMBO, KIMBANSEKE = "CD-KN-017", "CD-KN-008"
ROWS = sa.union_all(
    *(sa.select(sa.literal(commune, sa.Text).label("commune")) for commune in (KINTAMBO, KIMBANSEKE)),
    sa.select(sa.cast(sa.null(), sa.Text)),
).subquery()


def officer(role: str, commune: str | None) -> Officer:
    return Officer("1", role, role, role, commune)


def seen(database: Database, who: Officer, kind: str) -> list[str | None]:
    query = jurisdiction.limit(sa.select(ROWS.c.commune), ROWS.c.commune, officer=who, node_kind=kind)
    with database.read() as connection:
        return list(connection.scalars(query))


@pytest.mark.parametrize("role", [role for role in ROLES if role != "admin"])
@pytest.mark.parametrize("kind", ["commune", "province", "both"])
def test_an_officer_of_a_commune_sees_that_commune_only(database: Database, role: str, kind: str) -> None:
    who = officer(role, KINTAMBO)
    assert seen(database, who, kind) == [KINTAMBO]
    jurisdiction.require(who, KINTAMBO, node_kind=kind)
    for other in (KIMBANSEKE, None, ""):
        with pytest.raises(Problem) as refused:
            jurisdiction.require(who, other, node_kind=kind)
        assert refused.value.type.code == "other_commune"


@pytest.mark.parametrize("role", ["registrar", "supervisor", "planner"])
def test_an_officer_of_the_province_sees_all_communes(database: Database, role: str) -> None:
    who = officer(role, None)
    assert seen(database, who, "province") == [KINTAMBO, KIMBANSEKE, None]
    jurisdiction.require(who, KIMBANSEKE, node_kind="both")


@pytest.mark.parametrize(
    ("role", "kind"),
    [("supervisor", "commune"), ("planner", "commune"), ("clerk", "province"), ("agent", "both")],
)
def test_an_officer_without_a_commune_elsewhere_sees_nothing(
    database: Database, role: str, kind: str
) -> None:
    assert seen(database, officer(role, None), kind) == []
    with pytest.raises(Problem):
        jurisdiction.require(officer(role, None), KINTAMBO, node_kind=kind)
