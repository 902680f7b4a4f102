"""The law this server applies, published to everybody: every dated parameter with its article, source and status."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from app.access.guards import public
from app.civil.declaration import refuse
from app.law.parameters import Parameter, law, published
from app.law.topics import Topic
from sync.catalogue import is_date

router = APIRouter(prefix="/v1", tags=["État civil"])


class LawColumn(BaseModel):
    """Ce que veut dire une valeur."""

    name: str = Field(description="Nom de la valeur.", examples=["days"])
    meaning: str = Field(description="Ce qu'elle veut dire.", examples=["jours"])


class LawParameter(BaseModel):
    """Une valeur de la loi, datée."""

    code: str = Field(description="De quoi il s'agit ; vide s'il n'y en a qu'un.", examples=["children"])
    values: dict[str, int | str | None] = Field(
        description="Les valeurs ; null : inconnue.", examples=[{"days": 90}]
    )
    in_force_from: str | None = Field(
        description="En vigueur du (compris) ; null : depuis toujours.", examples=["2016-07-15"]
    )
    in_force_to: str | None = Field(description="Au (compris) ; null : encore.", examples=["2016-07-14"])
    article: str = Field(description="Article.", examples=["art. 116 du Code de la famille"])
    description: str = Field(description="En une phrase.", examples=["Délivrance gratuite dans les délais"])
    source: str = Field(description="D'où la valeur est connue.", examples=["Code de la famille, art. 117"])
    status: Literal["verified", "unverified"] = Field(
        description="verified : lue dans une source ; unverified : à confirmer par un juriste.",
        examples=["unverified"],
    )


class LawTopic(BaseModel):
    """Un sujet de la loi et ses valeurs."""

    topic: str = Field(description="Sujet.", examples=["delay"])
    title: str = Field(description="Intitulé.", examples=["Délai légal de déclaration d'une naissance"])
    columns: list[LawColumn] = Field(description="Ce que veulent dire les valeurs.")
    parameters: list[LawParameter] = Field(description="Les valeurs, par code puis par date.")


class LawOut(BaseModel):
    """La loi telle que ce serveur l'applique."""

    on: str | None = Field(description="Jour demandé ; null : toutes les dates.", examples=["2026-11-22"])
    topics: list[LawTopic] = Field(description="Les sujets.")


@router.get("/law", summary="La loi appliquée par ce serveur", dependencies=[Depends(public())])
def read_law_in_force(
    on: Annotated[
        str | None,
        Query(
            max_length=40, description="Seulement ce qui est en vigueur ce jour-là.", examples=["2026-11-22"]
        ),
    ] = None,
) -> LawOut:
    """Délais, compétence, déclarants, tribunaux, frais, langue, registres, mentions, campagnes : chaque valeur avec
    ses dates, son article, sa source, et si elle est confirmée.

    Une valeur non confirmée ne bloque personne. 422 `invalid_input` pour une date qui n'existe pas.
    """
    if on is not None and not (len(on) == 10 and is_date(on)):
        raise refuse([{"field": "on", "message": "Une date de la forme AAAA-MM-JJ est attendue."}])
    day = date.fromisoformat(on) if on is not None else None
    return LawOut(on=on, topics=[_topic(*each) for each in published(law(), day)])


def _topic(topic: Topic, parameters: list[Parameter]) -> LawTopic:
    columns = [LawColumn(name=column.name, meaning=column.meaning) for column in topic.columns]
    shown = [
        LawParameter(
            code=each.code,
            values=dict(each.values),
            in_force_from=_iso(each.in_force_from),
            in_force_to=_iso(each.in_force_to),
            article=each.article,
            description=each.description,
            source=each.source,
            status="verified" if each.status == "verified" else "unverified",
        )
        for each in parameters
    ]
    return LawTopic(topic=topic.name, title=topic.title, columns=columns, parameters=shown)


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day is not None else None
