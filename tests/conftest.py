"""Databases for the tests: SQLite files and a real PostgreSQL, their schema built by the migrations.
Also counts what was skipped and allows only the reasons named here."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import hypothesis
import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

import migrations
from app.access import passwords
from app.clock import KINSHASA, Clock
from app.database import Database
from app.law.parameters import apply_law, read_law
from tests import postgres

FULL = os.environ.get("MBOKA_TEST_FULL") == "1"
# How fast a machine is proves nothing: no property fails on a slow one.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")
# What the person who runs the tests has set for a node of their own is no part of a test.
for variable in [name for name in os.environ if name.startswith("MBOKA_") and name != "MBOKA_TEST_FULL"]:
    del os.environ[variable]

NO_SYSTEM_POSTGRESQL = "no PostgreSQL of the operating system under /usr/lib/postgresql"
ONLY_FULL = "takes long: runs in `make test-full`"
NOT_ROOT = "needs root to mount a small file system"
ALLOWED_SKIPS = (NO_SYSTEM_POSTGRESQL, ONLY_FULL, NOT_ROOT)

LONG = (
    "faults/", "journeys/", "sync/test_state_machine", "sync/test_planted_bugs", "access/test_matrix",
    "test_user_pages", "keeping_safe/", "documents/", "web/test_bad_", "web/test_schemathesis",
)  # fmt: skip
SKIPPED: Counter[str] = Counter()
SLOW = vars(passwords)["_HASHER"]


@dataclass
class Engines:
    """The PostgreSQL servers of this run, each started when first asked for, and the migrated copies to clone from."""

    home: Path
    servers: dict[str, postgres.Server] = field(default_factory=dict)
    templates: dict[str, str] = field(default_factory=dict)

    def server(self, name: str) -> postgres.Server:
        """The server `postgresql` (packaged) or `postgresql-system`; skips where the system has none."""
        if name not in self.servers:
            installation = postgres.packaged() if name == "postgresql" else postgres.system()
            if installation is None:
                if FULL:
                    pytest.fail(NO_SYSTEM_POSTGRESQL)
                pytest.skip(NO_SYSTEM_POSTGRESQL)
            self.servers[name] = postgres.start(installation)
        return self.servers[name]

    def template(self, name: str) -> str:
        """A migrated database nobody is connected to: a file for SQLite, else a database's name."""
        if name not in self.templates:
            if name == "sqlite":
                made = str(self.home / "template.db")
                migrate(f"sqlite:///{made}")
            else:
                made = self.server(name).create()
                migrate(self.server(name).url(made))
            self.templates[name] = made
        return self.templates[name]

    def close(self) -> None:
        """Stop every server."""
        for server in self.servers.values():
            server.close()


def migrate(url: str) -> None:
    """Build the schema at `url` as `mboka init` does."""
    database = Database(url)
    try:
        migrations.upgrade(database)
    finally:
        database.close()


class TestClock(Clock):
    """A clock that stands until it is moved."""

    __test__ = False

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self) -> datetime:
        """The moment it was set to."""
        return self.moment

    def today(self) -> date:
        """The calendar day in Kinshasa at that moment."""
        return self.moment.astimezone(KINSHASA).date()

    def forward(self, step: timedelta) -> None:
        """Move it by `step`, which may be negative."""
        self.moment += step


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """The servers and templates of the whole run."""
    made = Engines(tmp_path_factory.mktemp("engines"))
    yield made
    made.close()


@pytest.fixture
def server_name(request: pytest.FixtureRequest) -> str:
    """`sqlite`, `postgresql` (packaged) or `postgresql-system`: set by `pytest_generate_tests`."""
    return str(request.param)


@pytest.fixture
def engine(server_name: str, engines: Engines) -> str:
    """`sqlite` or `postgresql`: the test runs once on each."""
    if server_name != "sqlite":
        engines.server(server_name)
    return server_name.partition("-")[0]


@pytest.fixture
def fresh_database_url(engine: str, server_name: str, engines: Engines) -> Iterator[Callable[[], str | None]]:
    """A function that gives the address of a new empty PostgreSQL database at each call; None on SQLite."""
    made: list[str] = []

    def fresh() -> str | None:
        if engine == "sqlite":
            return None
        made.append(engines.server(server_name).create())
        return engines.server(server_name).url(made[-1])

    yield fresh
    for name in made:
        engines.server(server_name).drop(name)


@pytest.fixture
def database_url(engine: str, server_name: str, engines: Engines, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database of its own with the schema of the newest migration."""
    template = engines.template(server_name)
    if engine == "sqlite":
        shutil.copy(template, tmp_path / "mboka.db")
        yield f"sqlite:///{tmp_path / 'mboka.db'}"
        return
    server = engines.server(server_name)
    name = server.take(template)
    yield server.url(name)
    server.give_back(name, template)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty database of its own with the schema of the newest migration."""
    made = Database(database_url)
    yield made
    made.close()


@pytest.fixture(scope="session", autouse=True)
def _quick_passwords() -> Iterator[None]:
    """Hashing a password shall take long; nearly every test opens a node with its officers, and would wait for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            passwords, "_HASHER", PasswordHash((Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1),))
        )
        yield


@pytest.fixture
def slow_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing as it is in service."""
    monkeypatch.setattr(passwords, "_HASHER", SLOW)


@pytest.fixture
def shipped_law() -> Iterator[None]:
    """Whatever law a test applies, the next one finds the law as shipped."""
    yield
    apply_law(read_law())


@pytest.fixture
def clock() -> TestClock:
    """A clock standing at 2 February 2026, 10:00 in Kinshasa; `clock.forward(...)` moves it."""
    return TestClock(datetime(2026, 2, 2, 9, 0, tzinfo=UTC))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test that asks for a database runs on both engines; marked or full runs also on the system's PostgreSQL."""
    if "server_name" not in metafunc.fixturenames:
        return
    names = ["sqlite", "postgresql"]
    if FULL or metafunc.definition.get_closest_marker("every_server"):
        names.append("postgresql-system")
    metafunc.parametrize("server_name", names, indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave what takes long to the full run; begin with the files that take a minute, so that no core ends alone."""
    here = Path(__file__).parent
    items.sort(key=lambda item: not item.path.relative_to(here).as_posix().startswith(LONG))
    for item in items:
        if not FULL and item.get_closest_marker("full"):
            item.add_marker(pytest.mark.skip(reason=ONLY_FULL))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A skip for a reason that is not allowed is a failure."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if (reason := _skipped_for(report)) is not None and reason not in ALLOWED_SKIPS:
        report.outcome = "failed"
        report.longrepr = (
            f"{item.nodeid} was skipped for a reason that tests/conftest.py does not allow: {reason}"
        )
    return report  # type: ignore[return-value]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count skips by reason, in whichever process the test ran."""
    if (reason := _skipped_for(report)) is not None:
        SKIPPED[reason] += 1


def _skipped_for(report: pytest.TestReport) -> str | None:
    if not report.skipped or hasattr(report, "wasxfail"):
        return None
    return report.longrepr[2].removeprefix("Skipped: ") if isinstance(report.longrepr, tuple) else ""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was not run."""
    for reason, count in SKIPPED.items():
        terminalreporter.write_line(f"NOT RUN: {count} × {reason}")
