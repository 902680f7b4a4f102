"""P10 and search: how long an answer takes over the API against a person by id over the same API, at demo size."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from itertools import islice

import httpx

from app.demo import census
from tests import postgres
from tests.bench import report
from tests.bench.workload import SEED, folder, open_node, sealed_census, served, take_over_acts
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
    take_over_acts(node, scale)
    node.add_officer("clerk", census.COMMUNE, username="prepose")
    node.add_officer("planner", "CD-KN-008", username="planificateur")
    people = (person for plan in census.households(SEED, scale) for person in plan.line.get("persons", ()))
    return [{"id": each["id"], **each["set"]} for each in islice(people, 0, None, 997)]


def login(client: httpx.Client, username: str) -> dict[str, str]:
    """Headers of this officer of a bench's node."""
    body = {"username": username, "password": PASSWORD, "purpose": "mesure"}
    return {"Authorization": f"Bearer {client.post('/v1/sessions', json=body).json()['token']}"}


def _compare(engine: str, url: str, *, people: list[dict[str, str]], rounds: int) -> None:
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        clerk, planner = login(client, "prepose"), login(client, "planificateur")

        def by_id(number: int) -> None:
            get(client, f"/v1/persons/{people[number % len(people)]['id']}", clerk, {})

        def births_of_a_year(number: int) -> None:
            year = 2011 + number % 7
            asked = {"by": "commune,year,delay", "commune": "CD-KN-008", "from": str(year), "to": str(year)}
            get(client, "/v1/statistics/births", planner, asked)

        def search(number: int) -> None:
            person = people[number % len(people)]
            words = " ".join(person[name] for name in ("prenom", "nom") if person.get(name))
            get(client, "/v1/persons", clerk, {"q": words.lower(), "limit": "20"})

        limits, figures, found = [], [], []
        for _ in range(rounds):
            limits.append(median_of(by_id))
            figures.append(median_of(births_of_a_year))
            found.append(median_of(search))
    report.ratios(f"P10 {engine}, births of a commune and year ÷ a person by id", figures, limits, goal=2)
    report.ratios(f"Search {engine}, two names over a commune ÷ a person by id", found, limits, goal=25)


def get(client: httpx.Client, path: str, headers: dict[str, str], params: dict[str, str]) -> None:
    """One answer of 200, or an accident."""
    answer = client.get(path, headers=headers, params=params)
    if answer.status_code != 200:
        raise RuntimeError(f"{path}: {answer.status_code} {answer.text[:300]}")


def median_of(call: Callable[[int], None]) -> float:
    """Seconds of the middle one of sixty calls."""
    return statistics.median(times_of(call))


def times_of(call: Callable[[int], None]) -> list[float]:
    """Seconds of each of sixty calls."""
    seconds = []
    for number in range(REQUESTS):
        begun = time.perf_counter()
        call(number)
        seconds.append(time.perf_counter() - begun)
    return seconds
