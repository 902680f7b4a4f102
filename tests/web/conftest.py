"""An application whose routes do what a request asks of them, behind the real edge."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from fastapi import FastAPI, Request
from pydantic import BaseModel, Field

from app.errors import problem
from app.web import problems
from app.web.bodies import Bound, BoundedBodies
from tests.web.client import InProcess

LIMIT = 64 << 10
TEAPOT = problem("test_teapot", 418, "Théière", "Prenez du café.")
FAILURES: dict[str, Exception] = {"teapot": TEAPOT("Il n'y a que du thé.", headers={"X-Tea": "1"}, leaves=3)}


class Birth(BaseModel):
    nom: str = Field(min_length=1, max_length=20)
    order: int = Field(1, ge=1, le=9)
    witnesses: list[str] = Field([], max_length=2)


@pytest.fixture
def application() -> FastAPI:
    made = FastAPI(responses=problems.RESPONSES)
    problems.install(made)
    bounds = {"/small": Bound(LIMIT, 60), "/slow": Bound(LIMIT, 0.2)}
    made.add_middleware(BoundedBodies, bounds=bounds, most_held=8 << 20)

    async def echo(request: Request) -> dict[str, Any]:
        body = await request.body()
        return {
            "length": len(body),
            "sha256": hashlib.sha256(body).hexdigest(),
            "coding": request.headers.get("content-encoding"),
            "content-length": request.headers.get("content-length"),
        }

    for path in ("/small", "/slow", "/default"):
        made.post(path)(echo)

    @made.post("/births")
    def births(body: Birth) -> Birth:
        return body

    @made.get("/persons/{number}")
    def person(number: int, q: str = "") -> dict[str, Any]:
        return {"number": number, "q": q}

    @made.get("/failures/{name}")
    def fail(name: str) -> None:
        raise FAILURES[name]

    return made


@pytest.fixture
def client(application: FastAPI) -> InProcess:
    return InProcess(application)


def refusal(answer: Any) -> tuple[int, str]:
    """Status and code of an answer, which must be a whole problem in the right form."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    body = answer.json()
    assert {"type", "title", "status", "code", "detail"} <= body.keys()
    assert body["status"] == answer.status_code
    assert body["type"] == f"urn:mboka:problem:{body['code']}"
    return answer.status_code, body["code"]
