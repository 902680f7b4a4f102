"""Where a visit lies."""

from __future__ import annotations

import pytest

from app.census.projector import PROJECTIONS, visit_area
from app.ledger.projection import Shape, Values

HOUSEHOLD = "0c0b1a52-8f63-4a4e-bb0f-9a3a4e9a7a10"


@pytest.mark.parametrize(
    ("values", "area"),
    [
        ({"quartier": "1017090", "household": HOUSEHOLD, "commune": "CD-KN-017"}, "1017090"),
        ({"household": HOUSEHOLD, "commune": "CD-KN-017"}, None),
        ({"commune": "CD-KN-017"}, "commune:CD-KN-017"),
        ({}, None),
    ],
)
def test_a_visit_lies_in_its_quartier_else_with_its_household_else_in_its_commune(
    values: Values, area: str | None
) -> None:
    assert visit_area(values, "CD-KN-008") == area


def test_a_visits_row_has_a_column_for_every_field_and_follows_its_household() -> None:
    (projection,) = PROJECTIONS
    shape = Shape(projection, {})
    assert (projection.kind, projection.follows, projection.followed) == ("visit", "household", "household")
    clean, extra = shape.split({"outcome": "refused", "members": [HOUSEHOLD], "started_at": "hier"})
    assert clean == {"outcome": "refused", "members": [HOUSEHOLD]}
    assert extra == {"started_at": "hier"}
