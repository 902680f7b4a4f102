"""The family the journeys write down, and how they read a problem. Owns no assertion about a server's promises."""

from __future__ import annotations

import httpx

from .client import Refused, Tablet
from .nodes import ITIMBIRI, KINTAMBO
from .rows import Entity
from .signatures import JSON

HIDDEN_FROM_AGENTS = {"nationality", "birth_words"}
MBUYI: JSON = {
    "line": 1,
    "relation": "head",
    "nom": "Mbuyi",
    "postnom": "Kalala",
    "prenom": "Béatrice",
    "sex": "F",
    "birth_date": "1987-05-03",
    "birth_precision": "day",
    "birth_words": "saison des pluies",
    "nationality": "CD",
    "phone": "+243810000000",
    "status": "present",
}


def household_fields(area: str = ITIMBIRI) -> JSON:
    """A household of Kintambo in this quartier."""
    return {"commune": KINTAMBO, "quartier": area, "avenue": "Bangala", "number": "12", "tenure": "owner"}


def family(tablet: Tablet, area: str = ITIMBIRI) -> tuple[Entity, Entity]:
    """A household and its head, written down on the tablet."""
    household = tablet.create("household", household_fields(area))
    return household, tablet.create("person", {"household": household[1], **MBUYI})


def known_family(tablet: Tablet) -> Entity:
    """The head of a household the commune has and the tablet shows."""
    _, person = family(tablet)
    assert tablet.push(tablet.seal()).dispositions == {}
    tablet.pull()
    return person


def refused(answer: httpx.Response, *statuses: int) -> str:
    """The code of a problem answer with one of these statuses."""
    problem = Refused(answer)
    assert problem.status in statuses, str(problem)
    assert problem.code, f"a problem without a code: {problem}"
    return problem.code
