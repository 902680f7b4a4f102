"""P10 and search: how long an answer takes over the API against a person by id over the same API, at demo size."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from itertools import islice

import httpx
import orjson

from app.demo import births, census
from tests import postgres
from tests.bench import report
from tests.bench.workload import SEED, folder, open_node, sealed_census, served
from tests.nodes import PASSWORD, TestNode

REQUESTS = 60


def measure(scale: float, rounds: int) -> None:
    """Print P10 and the search's ratio on both engines."""
    server = postgres.start(postgres.packaged())
    try:
        for engine, url in (("SQLite", ""), ("PostgreSQL", server.url(server.create()))):
            with folder() as home:
                node = open_node(home / "node", url)
                people = _fill(node, scale)
                node.database.close()
                with served(home / "node", url) as running:
                    _compare(engine, running.url, people=people, rounds=rounds)
    finally:
        server.close()


def _fill(node: TestNode, scale: float) -> list[dict[str, str]]:
    for batch in sealed_census(node, households=100, scale=scale):
        node.door.accept(batch.data, batch.signature)
    registrar = node.officer("registrar", "CD-KN-008") | {"Content-Type": "application/x-ndjson"}
    lines = births.lines(SEED, scale)
    while portion := list(islice(lines, 1000)):
        body = b"".join(orjson.dumps(line) + b"\n" for line in portion)
        key = {"Idempotency-Key": f"bench-{portion[0]['year']}-{portion[0]['number']}"}
        answer = node.client.post("/v1/imports/acts", content=body, headers=registrar | key)
        if answer.status_code >= 300:
            raise RuntimeError(answer.text[:500])
    node.add_officer("clerk", census.COMMUNE, username="prepose")
    node.add_officer("planner", "CD-KN-008", username="planificateur")
    people = (person for plan in census.households(SEED, scale) for person in plan.line.get("persons", ()))
    return [{"id": each["id"], **each["set"]} for each in islice(people, 0, None, 997)]


def _login(client: httpx.Client, username: str) -> dict[str, str]:
    body = {"username": username, "password": PASSWORD, "purpose": "mesure"}
    return {"Authorization": f"Bearer {client.post('/v1/sessions', json=body).json()['token']}"}


def _compare(engine: str, url: str, *, people: list[dict[str, str]], rounds: int) -> None:
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        clerk, planner = _login(client, "prepose"), _login(client, "planificateur")

        def by_id(number: int) -> None:
            _get(client, f"/v1/persons/{people[number % len(people)]['id']}", clerk, {})

        def births_of_a_year(number: int) -> None:
            year = 2011 + number % 7
            asked = {"by": "commune,year,delay", "commune": "CD-KN-008", "from": str(year), "to": str(year)}
            _get(client, "/v1/statistics/births", planner, asked)

        def search(number: int) -> None:
            person = people[number % len(people)]
            words = " ".join(person[name] for name in ("prenom", "nom") if person.get(name))
            _get(client, "/v1/persons", clerk, {"q": words.lower(), "limit": "20"})

        limits, figures, found = [], [], []
        for _ in range(rounds):
            limits.append(_median(by_id))
            figures.append(_median(births_of_a_year))
            found.append(_median(search))
    report.ratios(f"P10 {engine}, births of a commune and year ÷ a person by id", figures, limits, goal=2)
    report.ratios(f"Search {engine}, two names over a commune ÷ a person by id", found, limits, goal=25)


def _get(client: httpx.Client, path: str, headers: dict[str, str], params: dict[str, str]) -> None:
    answer = client.get(path, headers=headers, params=params)
    if answer.status_code != 200:
        raise RuntimeError(f"{path}: {answer.status_code} {answer.text[:300]}")


def _median(call: Callable[[int], None]) -> float:
    seconds = []
    for number in range(REQUESTS):
        begun = time.perf_counter()
        call(number)
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)
