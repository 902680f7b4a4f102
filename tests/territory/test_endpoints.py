"""What a clerk's program reads of the territory over HTTP."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from fastapi import Depends, FastAPI

from app.access.guards import public
from app.database import Database
from app.errors import Problem
from app.territory.endpoints import router


def get(database: Database, path: str) -> httpx.Response:
    """The answer of an application that has only this router, without a network between."""
    application = FastAPI()
    application.state.database = database
    application.include_router(router(Depends(public())))

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.get(path)

    return asyncio.run(ask())


def test_a_clerk_reads_the_24_communes_in_order(database: Database) -> None:
    answer = get(database, "/v1/communes")
    assert answer.status_code == 200
    items = answer.json()["items"]
    assert [item["code"] for item in items] == [f"CD-KN-{number:03}" for number in range(1, 25)]
    assert items[16] == {
        "code": "CD-KN-017",
        "name": "Kintambo",
        "district": "Lukunga",
        "province": "CD-KN",
        "offices": ["CD-KN-017-01"],
    }


def test_a_clerk_reads_the_quartiers_of_kintambo_with_their_other_spellings(database: Database) -> None:
    body = get(database, "/v1/communes/CD-KN-017/quartiers").json()
    assert body["commune"] == "CD-KN-017"
    assert [item["rank"] for item in body["items"]] == list(range(1, 10))
    assert body["items"][5] == {
        "code": "1017060",
        "name": "LUBUDI NGANDU",
        "rank": 6,
        "valid_from": None,
        "valid_to": None,
        "aliases": ["Nganda"],
    }


def test_a_commune_that_does_not_exist_is_answered_with_a_problem_in_french(database: Database) -> None:
    with pytest.raises(Problem) as refused:
        get(database, "/v1/communes/CD-KN-099/quartiers")
    assert refused.value.body()["code"] == "commune_unknown"
    assert refused.value.body()["status"] == 404
    assert "CD-KN-099" in refused.value.body()["detail"]
