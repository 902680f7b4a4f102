"""Households and persons over REST: parses, names the permission, and answers after the one transaction's commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, Literal

import orjson
import sqlalchemy as sa
from fastapi import APIRouter, Depends, Path, Query, Request, Response

from app.access.guards import allow, clock, database, node_kind
from app.access.headers import IdempotencyKey, IfMatch
from app.access.idempotency import StoredAnswer, body_hash, remember, replayed
from app.access.officers import Officer
from app.access.paging import BAD_CURSOR, Cursor, Page, decode_cursor, encode_cursor
from app.access.permissions import Permission
from app.ledger.desk import Desk
from app.ledger.door import Door
from app.population.households import (
    change_household,
    list_households,
    read_household,
    read_household_history,
    write_household_down,
)
from app.population.joining import merge_record, restore_record, unmerge_record, void_record
from app.population.persons import change_person, read_person, read_person_history, write_person_down
from app.population.records import show
from app.population.schemas import (
    EntityId,
    HistoryOut,
    HouseholdIn,
    HouseholdOut,
    HouseholdWithMembers,
    MergeHousehold,
    MergePerson,
    PersonIn,
    PersonOut,
    Sex,
    Strict,
)
from app.population.search import Place, Wanted, find_persons
from sync.catalogue import is_uuid4

router = APIRouter(prefix="/v1", tags=["Population"])
Work = Callable[[sa.Connection, Desk], dict[str, Any]]

Id = Annotated[
    EntityId,
    Path(
        alias="id",
        description="Identifiant (UUID version 4).",
        examples=["0c0b1a52-8f63-4a4e-bb0f-9a3a4e9a7a10"],
    ),
]
Commune = Annotated[
    str | None, Query(max_length=40, description="Code de la commune.", examples=["CD-KN-017"])
]
Quartier = Annotated[str | None, Query(max_length=40, description="Code du quartier.", examples=["1017090"])]
Few = Annotated[int, Query(ge=1, le=200, description="Nombre de fiches par page.")]


class Counter:
    """Opens the transaction of one call for the officer behind it; nothing is answered before it is committed."""

    def __init__(self, request: Request, officer: Officer) -> None:
        self.request = request
        self.officer = officer

    @contextmanager
    def open(self) -> Iterator[tuple[sa.Connection, Desk]]:
        """One transaction that may write: reads of persons are journalled in it."""
        door: Door = self.request.app.state.door
        at = clock(self.request).now()
        desk = Desk(door, self.officer, node_kind(self.request), at, self.route)
        with database(self.request).write() as connection:
            yield connection, desk

    @property
    def route(self) -> str:
        """The call's name without any value: "GET /v1/persons/{id}"."""
        return f"{self.request.method} {self.request.scope['route'].path_format}"

    @property
    def kind(self) -> Literal["person", "household"]:
        """What the call's path is about."""
        return "person" if "/persons/" in self.route else "household"

    def merge(self, identity: str, body: MergePerson | MergeHousehold, *, seen: str | None) -> Response:
        """The record that remains after this one was merged into it."""
        values = body.set.model_dump(exclude_unset=True) if body.set is not None else {}
        return self.answer(
            lambda connection, desk: merge_record(
                connection,
                desk,
                self.kind,
                identity=identity,
                into=body.into,
                values=values,
                seen=seen,
                evidence=body.evidence,
            )
        )

    def answer(self, work: Work) -> Response:
        """The record the work gives, with its ETag where it has one."""
        with self.open() as (connection, desk):
            found = work(connection, desk)
        return _json(found, etag=found.get("etag"))

    def create(self, kind: str, body: Strict, *, key: str | None, work: Work) -> Response:
        """201 with the new record; the first answer again where the Idempotency-Key was used before."""
        hashed = body_hash(body.model_dump_json(exclude_unset=True).encode())
        with self.open() as (connection, desk):
            said: dict[str, Any] = {"officer": self.officer, "route": self.route, "body_hash": hashed}
            stored = replayed(connection, key=key, **said) if key is not None else None
            if stored is None:
                found = work(connection, desk)
                headers = {"ETag": found["etag"], "Location": f"/v1/{kind}s/{found['id']}"}
                stored = StoredAnswer(201, orjson.dumps(found).decode(), headers)
                if key is not None:
                    remember(connection, stored, key=key, at=desk.at, **said)
        return Response(stored.body, stored.status, dict(stored.headers), "application/json")


def _reading(
    request: Request, officer: Annotated[Officer, Depends(allow(Permission.READ_PERSONS))]
) -> Counter:
    return Counter(request, officer)


def _writing(
    request: Request, officer: Annotated[Officer, Depends(allow(Permission.WRITE_PERSONS))]
) -> Counter:
    return Counter(request, officer)


Reading = Annotated[Counter, Depends(_reading)]
Writing = Annotated[Counter, Depends(_writing)]


@router.post("/households", status_code=201, summary="Inscrire un ménage", response_model=HouseholdOut)
def create_household(body: HouseholdIn, counter: Writing, *, key: IdempotencyKey = None) -> Response:
    """Sans commune ni quartier, le ménage est inscrit dans la commune de l'officier."""
    return counter.create(
        "household",
        body,
        key=key,
        work=lambda connection, desk: write_household_down(
            connection, desk, _given(body), evidence=body.evidence
        ),
    )


@router.get(
    "/households", summary="Les ménages d'un quartier ou d'une commune", response_model=Page[HouseholdOut]
)
def households(
    counter: Reading,
    *,
    commune: Commune = None,
    quartier: Quartier = None,
    cursor: Cursor = None,
    limit: Few = 50,
) -> Response:
    """Sans leurs membres. Un officier d'une commune ne voit que la sienne."""
    after = decode_cursor(cursor, str)[0] if cursor else None
    if after is not None and not is_uuid4(after):
        raise BAD_CURSOR()
    with counter.open() as (connection, desk):
        areas = desk.areas(commune, quartier)
        found = list_households(connection, desk, areas=areas, after=after, limit=limit + 1)
    more = encode_cursor(found[limit - 1]["id"]) if len(found) > limit else None
    return _page(found[:limit], more)


@router.get("/households/{id}", summary="Un ménage et ses membres", response_model=HouseholdWithMembers)
def household(identity: Id, counter: Reading) -> Response:
    """La lecture de chaque membre est inscrite au journal."""
    return counter.answer(lambda connection, desk: read_household(connection, desk, identity))


@router.patch("/households/{id}", summary="Modifier un ménage", response_model=HouseholdOut)
def patch_household(
    identity: Id,
    body: HouseholdIn,
    *,
    counter: Writing,
    if_match: IfMatch = None,
) -> Response:
    """Seulement les champs changés. 428 sans If-Match, 412 si la fiche a changé depuis sa lecture."""
    return counter.answer(
        lambda connection, desk: change_household(
            connection, desk, identity, values=_given(body), if_match=if_match, evidence=body.evidence
        )
    )


@router.get("/households/{id}/history", summary="L'histoire d'un ménage", response_model=HistoryOut)
def household_history(identity: Id, counter: Reading) -> Response:
    """Par registre : chaque valeur, qui l'a écrite, quand, sur quel appareil, sur quelle preuve."""
    return counter.answer(lambda connection, desk: read_household_history(connection, desk, identity))


@router.post("/persons", status_code=201, summary="Inscrire une personne", response_model=PersonOut)
def create_person(body: PersonIn, counter: Writing, *, key: IdempotencyKey = None) -> Response:
    """Le ménage, s'il est donné, doit être inscrit ici (422 `household_unknown`)."""
    return counter.create(
        "person",
        body,
        key=key,
        work=lambda connection, desk: write_person_down(
            connection, desk, _given(body), evidence=body.evidence
        ),
    )


@router.get("/persons", summary="Chercher des personnes", response_model=Page[PersonOut])
def persons(
    counter: Reading,
    *,
    q: Annotated[
        str | None,
        Query(
            max_length=200,
            description="Éléments du nom, dans n'importe quel ordre, sans égard aux accents, à la casse ni aux "
            "graphies ; il peut en manquer. Les noms les plus proches viennent d'abord.",
            examples=["grace mbuyi"],
        ),
    ] = None,
    commune: Commune = None,
    quartier: Quartier = None,
    birth_year: Annotated[
        int | None, Query(ge=1850, le=2200, description="Année de naissance.", examples=[1987])
    ] = None,
    sex: Annotated[Sex | None, Query(description="Sexe.", examples=["F"])] = None,
    cursor: Cursor = None,
    limit: Few = 50,
) -> Response:
    """Chaque fiche montrée est inscrite au journal des lectures."""
    after = _place(cursor)
    with counter.open() as (connection, desk):
        areas = desk.areas(commune, quartier)
        wanted = Wanted(q, None if areas is None else tuple(areas), birth_year, sex)
        rows, ended = find_persons(connection, wanted, after=after, limit=limit)
        desk.journal(connection, rows)
        found = show(connection, desk, "person", rows=rows)
    return _page(found, encode_cursor(ended.tier, ended.id) if ended else None)


@router.get("/persons/{id}", summary="Une personne", response_model=PersonOut)
def person(identity: Id, counter: Reading) -> Response:
    """La lecture est inscrite au journal. L'ETag sert à modifier la fiche."""
    return counter.answer(lambda connection, desk: read_person(connection, desk, identity))


@router.patch("/persons/{id}", summary="Modifier une personne", response_model=PersonOut)
def patch_person(identity: Id, body: PersonIn, *, counter: Writing, if_match: IfMatch = None) -> Response:
    """Seulement les champs changés. 428 sans If-Match, 412 si la fiche a changé depuis sa lecture."""
    return counter.answer(
        lambda connection, desk: change_person(
            connection, desk, identity, values=_given(body), if_match=if_match, evidence=body.evidence
        )
    )


@router.get("/persons/{id}/history", summary="L'histoire d'une personne", response_model=HistoryOut)
def person_history(identity: Id, counter: Reading) -> Response:
    """Par registre : chaque valeur, qui l'a écrite, quand, sur quel appareil ; laquelle est montrée."""
    return counter.answer(lambda connection, desk: read_person_history(connection, desk, identity))


@router.post("/persons/{id}/void", summary="Annuler une personne", response_model=PersonOut)
@router.post("/households/{id}/void", summary="Annuler un ménage", response_model=HouseholdOut)
def void(identity: Id, counter: Writing, *, if_match: IfMatch = None) -> Response:
    """La fiche reste visible par son identifiant, marquée annulée ; elle n'est plus ni listée ni comptée."""
    return counter.answer(
        lambda connection, desk: void_record(connection, desk, counter.kind, identity=identity, seen=if_match)
    )


@router.post("/persons/{id}/restore", summary="Rétablir une personne", response_model=PersonOut)
@router.post("/households/{id}/restore", summary="Rétablir un ménage", response_model=HouseholdOut)
def restore(identity: Id, counter: Writing, *, if_match: IfMatch = None) -> Response:
    """Lève toutes les annulations de la fiche, aussi une demande d'annulation restée sans effet."""
    return counter.answer(
        lambda connection, desk: restore_record(
            connection, desk, counter.kind, identity=identity, seen=if_match
        )
    )


@router.post(
    "/persons/{id}/merge", summary="Fusionner deux fiches d'une même personne", response_model=PersonOut
)
def merge_persons(identity: Id, body: MergePerson, *, counter: Writing, if_match: IfMatch = None) -> Response:
    """La fiche `{id}` entre dans `into`, montrée en réponse ; rien n'est perdu, `unmerge` les sépare à nouveau."""
    return counter.merge(identity, body, seen=if_match)


@router.post(
    "/households/{id}/merge", summary="Fusionner deux fiches d'un même ménage", response_model=HouseholdOut
)
def merge_households(
    identity: Id, body: MergeHousehold, *, counter: Writing, if_match: IfMatch = None
) -> Response:
    """Le ménage `{id}` entre dans `into` avec ses membres ; rien n'est perdu, `unmerge` les sépare à nouveau."""
    return counter.merge(identity, body, seen=if_match)


@router.post("/persons/{id}/unmerge", summary="Séparer des personnes fusionnées", response_model=PersonOut)
@router.post("/households/{id}/unmerge", summary="Séparer des ménages fusionnés", response_model=HouseholdOut)
def unmerge(identity: Id, counter: Writing, *, if_match: IfMatch = None) -> Response:
    """Défait la fusion de `{id}` ; pour la fiche qui reste, toutes celles qui y mènent. L'ETag est celui de la fiche
    montrée sous `{id}`. Chaque valeur retourne à l'identifiant sous lequel elle fut écrite."""
    return counter.answer(
        lambda connection, desk: unmerge_record(
            connection, desk, counter.kind, identity=identity, seen=if_match
        )
    )


def _given(body: Strict) -> dict[str, Any]:
    return body.model_dump(exclude_unset=True, exclude={"evidence"})


def _place(cursor: str | None) -> Place | None:
    if not cursor:
        return None
    tier, identity = decode_cursor(cursor, int, str)
    if tier < 0 or not is_uuid4(identity):
        raise BAD_CURSOR()
    return Place(tier, identity)


def _json(found: Mapping[str, Any], *, etag: str | None = None) -> Response:
    headers = {"Cache-Control": "no-store"} | ({"ETag": etag} if etag else {})
    return Response(orjson.dumps(found), 200, headers, "application/json")


def _page(items: list[dict[str, Any]], following: str | None) -> Response:
    # Sent as they are: a doubtful value has not the type the schema promises, and is marked doubtful.
    return _json({"items": items, "next": following})
