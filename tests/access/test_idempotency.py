"""A clerk's program that repeats a request because the answer got lost."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from app.access.idempotency import StoredAnswer, body_hash, forget_before, remember, replayed
from app.access.officers import Officer
from app.database import Database
from app.errors import Problem
from tests.access.conftest import AddOfficer
from tests.conftest import TestClock

KEY, ROUTE = "1f0f4e0c-6a0e-4a0e", "POST /v1/births"
BODY = body_hash(b'{"nom":"MBUYI"}')
FIRST = StoredAnswer(201, '{"id":"1"}', {"ETag": '"abc"'})


def officer(add: AddOfficer, username: str = "mbuyi") -> Officer:
    row = add(username, "clerk")
    return Officer(row.id, row.username, row.name, row.role, row.commune)


def answered(
    database: Database, who: Officer, *, body: str = BODY, key: str = KEY, route: str = ROUTE
) -> StoredAnswer | None:
    with database.write() as connection:
        return replayed(connection, officer=who, key=key, route=route, body_hash=body)


def keep(database: Database, who: Officer, clock: TestClock) -> None:
    with database.write() as connection:
        remember(connection, FIRST, officer=who, key=KEY, route=ROUTE, body_hash=BODY, at=clock.now())


def test_the_same_request_gets_the_first_answer_again(
    database: Database, add: AddOfficer, clock: TestClock
) -> None:
    who = officer(add)
    assert answered(database, who) is None
    keep(database, who, clock)
    assert answered(database, who) == FIRST


def test_the_key_of_one_officer_or_route_means_nothing_to_another(
    database: Database, add: AddOfficer, clock: TestClock
) -> None:
    who = officer(add)
    keep(database, who, clock)
    assert answered(database, officer(add, "kalala")) is None
    assert answered(database, who, route="POST /v1/persons") is None


def test_the_same_key_with_another_content_is_refused(
    database: Database, add: AddOfficer, clock: TestClock
) -> None:
    who = officer(add)
    keep(database, who, clock)
    with pytest.raises(Problem) as refused:
        answered(database, who, body=body_hash(b"{}"))
    assert (refused.value.type.code, refused.value.type.status) == ("idempotency_conflict", 422)


@pytest.mark.parametrize("key", ["", "short", "x" * 101, "clé-avec-accent", "with a blank", "nul\x00nul\x00"])
def test_a_key_that_is_no_key_is_refused(database: Database, add: AddOfficer, key: str) -> None:
    with pytest.raises(Problem) as refused:
        answered(database, officer(add), key=key)
    assert refused.value.type.code == "idempotency_key_invalid"


def test_a_write_that_failed_leaves_no_answer(database: Database, add: AddOfficer, clock: TestClock) -> None:
    who = officer(add)

    def write() -> None:
        with database.write() as connection:
            remember(connection, FIRST, officer=who, key=KEY, route=ROUTE, body_hash=BODY, at=clock.now())
            raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        write()
    assert answered(database, who) is None


def test_twins_of_one_request_at_the_same_moment_write_once(
    database: Database, add: AddOfficer, clock: TestClock
) -> None:
    who = officer(add)
    together = threading.Barrier(4)
    wrote: list[bool] = []

    def request() -> None:
        together.wait()
        with database.write() as connection:
            known = replayed(connection, officer=who, key=KEY, route=ROUTE, body_hash=BODY)
            if known is None:
                remember(connection, FIRST, officer=who, key=KEY, route=ROUTE, body_hash=BODY, at=clock.now())
            wrote.append(known is None)

    threads = [threading.Thread(target=request) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(wrote) == [False, False, False, True]


def test_answers_too_old_for_a_retry_are_forgotten(
    database: Database, add: AddOfficer, clock: TestClock
) -> None:
    who = officer(add)
    keep(database, who, clock)
    for moment, expected in ((clock.now(), FIRST), (clock.now() + timedelta(seconds=1), None)):
        with database.write() as connection:
            forget_before(connection, who.id, moment=moment)
        assert answered(database, who) == expected
