"""Accounts of officers: names, passwords, communes, closing."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from app.access import officers, tables
from app.access.passwords import require_strong
from app.database import Database
from app.errors import Problem
from tests.access.conftest import PASSWORD, AddOfficer
from tests.conftest import TestClock


def code_of(refused: pytest.ExceptionInfo[Problem]) -> str:
    return refused.value.type.code


def test_an_officer_is_listed_under_a_tidied_user_name(database: Database, add: AddOfficer) -> None:
    added = add("  M.Mbuyi ", "clerk")
    with database.read() as connection:
        assert officers.list_officers(connection) == [added]
        assert officers.find_username(connection, "m.MBUYI") == added
    assert (added.username, added.role, added.commune, added.disabled_at) == (
        "m.mbuyi",
        "clerk",
        "CD-KN-017",
        None,
    )


def test_two_officers_cannot_share_a_user_name(database: Database, add: AddOfficer) -> None:
    add("mbuyi", "clerk")
    with pytest.raises(Problem) as refused:
        add("MBUYI", "agent")
    assert code_of(refused) == "username_taken"
    with database.read() as connection:
        assert len(officers.list_officers(connection)) == 1


@pytest.mark.parametrize(
    ("username", "role", "commune", "code"),
    [
        ("mbuyi", "mayor", "CD-KN-017", "role_unknown"),
        ("mbuyi", "clerk", None, "commune_required"),
        ("mbuyi", "agent", None, "commune_required"),
        ("m", "clerk", "CD-KN-017", "username_invalid"),
        ("mbuyi\x00", "clerk", "CD-KN-017", "username_invalid"),
        ("élise", "clerk", "CD-KN-017", "username_invalid"),
    ],
)
def test_an_officer_with_an_impossible_name_role_or_commune_is_refused(
    add: AddOfficer, username: str, role: str, commune: str | None, code: str
) -> None:
    with pytest.raises(Problem) as refused:
        add(username, role, commune=commune)
    assert code_of(refused) == code


@pytest.mark.parametrize("role", ["registrar", "supervisor", "planner"])
def test_the_provinces_officers_need_no_commune(add: AddOfficer, role: str) -> None:
    assert add("kalala", role, commune=None).commune is None


def test_an_admin_belongs_to_no_commune(add: AddOfficer) -> None:
    assert add("chef", "admin", commune="CD-KN-017").commune is None


@pytest.mark.parametrize(
    "password",
    [
        "",
        "short",
        "elevenchars",
        "motdepasse2026",
        "Azerty123456!",
        "aaaaaaaaaaaa",
        "kinshasa-2026",
        "123456789012",
        "mbuyi1234567",
    ],
)
def test_a_password_that_anybody_would_try_is_refused(password: str) -> None:
    with pytest.raises(Problem) as refused:
        require_strong(password, "mbuyi")
    assert code_of(refused) == "weak_password"
    assert not password or password not in refused.value.detail


@pytest.mark.parametrize(
    "password", [PASSWORD, "Lobi nakozonga na Kinshasa", "x7$Qk!0pLw2#", "kq-ZW7-Tb5-m2"]
)
def test_a_long_phrase_or_a_random_word_is_a_good_password(password: str) -> None:
    require_strong(password, "mbuyi")


@pytest.mark.usefixtures("slow_passwords")
def test_the_password_itself_is_stored_nowhere(database: Database, add: AddOfficer) -> None:
    add("mbuyi", "clerk")
    with database.read() as connection:
        stored = connection.execute(sa.select(tables.officer)).mappings().one()
    assert not any(PASSWORD in str(value) for value in stored.values())
    assert stored["password_hash"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_closing_an_account_twice_keeps_the_first_moment(
    database: Database, add: AddOfficer, clock: TestClock
) -> None:
    added = add("mbuyi", "clerk")
    with database.write() as connection:
        officers.disable(connection, added.id, at=clock.now())
    with database.write() as connection:
        officers.disable(connection, added.id, at=clock.now().replace(year=2030))
        assert officers.find_officer(connection, added.id).disabled_at == "2026-02-02T09:00:00.000Z"
        officers.enable(connection, added.id)
        assert officers.find_officer(connection, added.id).disabled_at is None


def test_an_unknown_officer_is_a_problem(database: Database) -> None:
    with database.read() as connection, pytest.raises(Problem) as refused:
        officers.find_username(connection, "nobody")
    assert code_of(refused) == "officer_unknown"


@pytest.mark.parametrize(
    ("role", "kind", "expected"),
    [
        ("clerk", "commune", "CD-KN-017"),
        ("planner", "commune", "CD-KN-017"),
        ("registrar", "both", "CD-KN-017"),
        ("supervisor", "both", None),
        ("planner", "both", None),
        ("admin", "commune", None),
    ],
)
def test_a_new_officer_gets_the_commune_of_his_node(role: str, kind: str, expected: str | None) -> None:
    assert officers.default_commune(role, kind, node_commune="CD-KN-017") == expected
