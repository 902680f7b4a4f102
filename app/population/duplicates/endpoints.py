"""REST calls about two records that may tell of one person: the tray, and what an officer decides of a pair."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import JSONResponse, Response

from app.access.guards import allow, clock, database, node_kind
from app.access.jurisdiction import communes_of
from app.access.officers import Officer
from app.access.paging import BAD_CURSOR, Cursor, Limit, Page, decode_cursor, encode_cursor
from app.access.permissions import Permission
from app.ledger.desk import Desk
from app.ledger.door import Door
from app.population.duplicates.deciding import PAIR_UNKNOWN, decide
from app.population.duplicates.index import Source
from app.population.duplicates.schemas import BIRTH, DecisionIn, Of, PairOut, State
from app.population.duplicates.sweeper import sweep_some
from app.population.duplicates.tray import decided, note_shown, show_pair, waiting
from app.territory.places import COMMUNE_UNKNOWN
from sync.catalogue import is_uuid4

router = APIRouter(prefix="/v1", tags=["Doublons"])
# Whoever opens the tray sees what just came in, but does not wait for years of registers.
SWEPT_ON_READING = 300
Register = Annotated[Of, Query(description="Registre des fiches.", examples=["birth"])]
First = Annotated[str, Path(max_length=100, description="Une fiche.", examples=[BIRTH])]
Second = Annotated[
    str,
    Path(max_length=100, description="L'autre fiche.", examples=["3d1f2b7c-64a2-4a0f-9a55-6a1b0c9d8e77"]),
]


def the_desk(request: Request, officer: Annotated[Officer, Depends(allow(Permission.MATCH))]) -> Desk:
    """Where the officer who may decide of pairs sits (a FastAPI dependency)."""
    door: Door = request.app.state.door
    route = f"{request.method} {request.scope['route'].path_format}"
    return Desk(door, officer, node_kind(request), clock(request).now(), route)


def the_source(request: Request, of: Register = "birth") -> Source:
    """The register the pairs are of (a FastAPI dependency)."""
    found: Source = request.app.state.matched[of]
    return found


AtDesk = Annotated[Desk, Depends(the_desk)]
From = Annotated[Source, Depends(the_source)]


@router.get("/duplicates", response_model=Page[PairOut], summary="Les doublons possibles")
def list_duplicates(
    request: Request,
    desk: AtDesk,
    *,
    source: From,
    commune: Annotated[
        str | None, Query(max_length=40, description="Code de la commune.", examples=["CD-KN-017"])
    ] = None,
    state: Annotated[State, Query(description="À trancher, ou tranchés.", examples=["open"])] = "open",
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """Les paires de fiches qui concernent peut-être une seule personne, avec le score et les raisons.

    À trancher : les plus ressemblantes d'abord. Une fiche d'une autre commune ne montre que la commune et la référence
    de l'acte. La lecture des fiches est inscrite au journal. 404 `commune_unknown`, 403 `other_commune`.
    """
    communes = _communes(desk, commune)
    sweep_some(desk.door, [source], most=SWEPT_ON_READING)
    with database(request).write() as connection:
        items: list[dict[str, Any]]
        following: tuple[Any, ...] | None
        if state == "open":
            after = _after(cursor, int, str, str)
            items, following = waiting(connection, desk, source, communes=communes, after=after, limit=limit)
        else:
            after = _after(cursor, int, int, str)
            items, following = decided(connection, desk, source, communes=communes, after=after, limit=limit)
        note_shown(connection, desk, items)
    return JSONResponse({"items": items, "next": following and encode_cursor(*following)})


@router.post("/duplicates/{first}/{second}/decision", response_model=PairOut, summary="Trancher un doublon")
def decide_duplicate(
    first: First, second: Second, *, request: Request, body: DecisionIn, desk: AtDesk, source: From
) -> Response:
    """Dit si deux fiches concernent la même personne. La décision vaut pour les deux communes.

    Rien n'est fusionné ni effacé : `next_step` dit ce qu'il reste à faire. Une décision contraire prise ailleurs reste
    lisible (`contested`). Il faut voir les deux fiches : 403 `other_commune` ; 404 `pair_unknown`.
    """
    if not (is_uuid4(first) and is_uuid4(second)) or first == second:
        raise PAIR_UNKNOWN()
    with database(request).write() as connection:
        pair = decide(connection, desk, source, ids=(first, second), verdict=body.verdict, note=body.note)
        shown = show_pair(connection, desk, pair)
        note_shown(connection, desk, [shown])
    return JSONResponse(shown)


def _communes(desk: Desk, commune: str | None) -> frozenset[str] | None:
    if commune is None:
        return communes_of(desk.officer, desk.kind)
    if commune not in desk.door.territory.communes:
        raise COMMUNE_UNKNOWN(f"Aucune commune ne porte le code « {commune} ».")
    desk.require(commune)
    return frozenset({commune})


def _after(cursor: str | None, *shape: type[str] | type[int]) -> Any:
    """The values of a cursor; each text in it is an id, each number within 64 bits."""
    if cursor is None:
        return None
    values = decode_cursor(cursor, *shape)
    if not all(is_uuid4(value) for value in values if isinstance(value, str)) or abs(values[0]) >= 1 << 31:
        raise BAD_CURSOR()
    return values
