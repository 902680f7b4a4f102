"""Which counts a reader may see: small ones are withheld from planners, the same on every way out.
Whose communes he sees is the question of app.access.jurisdiction."""

from __future__ import annotations

from dataclasses import replace

from app.access import jurisdiction
from app.access.officers import Officer
from app.access.permissions import Permission, permissions_of
from app.settings import Settings
from app.statistics.census import CENSUS
from app.statistics.figures import Figures, Row
from app.statistics.population import NATIONALITY
from app.territory.places import COMMUNE_UNKNOWN, Territory


def visible_communes(
    officer: Officer, asked: str | None, *, node_kind: str, territory: Territory
) -> frozenset[str] | None:
    """The communes to count: the one asked for, else all the officer sees (None = the whole province).

    Raises `other_commune` (403) for a commune he does not see, `commune_unknown` (404) for one that does not exist.
    """
    if asked is None:
        return jurisdiction.communes_of(officer, node_kind)
    jurisdiction.require(officer, asked, node_kind=node_kind)
    if asked not in territory.communes:
        raise COMMUNE_UNKNOWN(f"Aucune commune ne porte le code « {asked[:40]} ».")
    return frozenset({asked})


def disclose(figures: Figures, officer: Officer, *, node_kind: str, settings: Settings) -> Figures:
    """The table as this officer may see it: true counts with the permission for them, small cells withheld without.

    Who follows the progress of a census (a supervisor) sees the true counts of that table, of no other.
    """
    permissions = permissions_of(officer, node_kind)
    follows = figures.name == CENSUS and Permission.PROGRESS in permissions
    if follows or Permission.TRUE_STATISTICS in permissions:
        return figures
    below = settings.suppress_nationality_below if NATIONALITY in figures.by else settings.suppress_below
    return withhold(figures, below=below)


def withhold(figures: Figures, *, below: int) -> Figures:
    """Counts from 1 to `below` - 1 become null, and with them every ratio built on one; the row says `suppressed`."""
    return replace(figures, rows=[_withheld(row, figures, below) for row in figures.rows])


def _withheld(row: Row, figures: Figures, below: int) -> Row:
    small = {name for name in figures.counts if 0 < row[name] < below}
    if not small:
        return row
    hidden = small | {name for name, ratio in figures.ratios.items() if {ratio.above, ratio.below} & small}
    return {**row, **dict.fromkeys(hidden), "suppressed": True}
