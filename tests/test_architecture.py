"""The house rules no linter knows: sizes, names, the one clock, the one commit, and files that must agree.
Who may import whom is checked by the contracts in pyproject.toml, which run here too."""

from __future__ import annotations

import ast
import fnmatch
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
REQUIRED = ["app", "migrations", "sync", "tests", "alembic.ini", "Dockerfile", "pyproject.toml", "README.md"]
ALLOWED = [
    *REQUIRED,
    *[
        "docs",
        "deploy",
        "frontend",
        ".ci",
        "Makefile",
        "requirements.lock",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "NOTICE",
        "LICENSES",
    ],
    *[".gitignore", ".dockerignore"],
]
DRAWERS = re.compile(r"(service|util|helper|common|manager|misc|repositor)(s|y|ies)?\.(py|ts|js)$")
FILE_LINES, FUNCTION_LINES, NINE_IN_TEN = 500, 60, 30
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

# Signatures given by a library.
GIVEN = {"settings_customise_sources", "__exit__", "__aexit__", "__call__", "add_usage"}
# Arguments that are one phrase of the protocol, always said in this order.
PHRASES = {
    *("dot", "absolute", "is_doubtful", "doubtful_fields", "checker", "verify_detached"),
    *("live", "provisional", "in_conflict", "show", "problem"),
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def files() -> tuple[str, ...]:
    """Every file that is or would be committed."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return tuple(sorted(name for name in set(listed.split("\0")) if name and (ROOT / name).exists()))


@cache
def modules() -> dict[str, ast.Module]:
    """The syntax tree of every Python file."""
    return {name: ast.parse((ROOT / name).read_bytes(), name) for name in files() if name.endswith(".py")}


def functions(*, below: tuple[str, ...] = ("",)) -> Iterator[tuple[str, Function, bool]]:
    """(place, definition, is it a method) of every function in files whose name starts with one of `below`."""
    for name, tree in modules().items():
        if name.startswith(below):
            methods = {
                item for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for item in node.body
            }
            for node in ast.walk(tree):
                if isinstance(node, Function):
                    yield f"{name}:{node.lineno} {node.name}", node, node in methods


def called(node: ast.Call) -> str:
    """The last name of what is called: `commit` for `session.commit()`."""
    target = node.func
    return (
        target.attr
        if isinstance(target, ast.Attribute)
        else target.id
        if isinstance(target, ast.Name)
        else ""
    )


def demand_none(found: Iterable[object]) -> None:
    """Fail with every finding on a line of its own."""
    lines = [str(each) for each in found]
    assert not lines, "\n".join(["", *lines])


def test_only_the_agreed_names_stand_at_the_top() -> None:
    names = {name.partition("/")[0] for name in files()}
    demand_none(sorted(set(REQUIRED) - names))
    demand_none(sorted(names - set(ALLOWED)))


def test_no_file_is_a_drawer_for_anything() -> None:
    demand_none(name for name in files() if DRAWERS.search(name.rpartition("/")[2]))


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    sizes = {name: len((ROOT / name).read_text(encoding="utf-8").splitlines()) for name in modules()}
    demand_none(f"{name}: {size}" for name, size in sizes.items() if size > FILE_LINES)


def test_functions_are_short() -> None:
    """A migration that creates a wide table is a list, not a function to be understood."""
    sizes = {
        place: (node.end_lineno or 0) - node.lineno + 1
        for place, node, _ in functions()
        if not place.startswith("migrations/versions/")
    }
    demand_none(f"{place}: {size}" for place, size in sizes.items() if size > FUNCTION_LINES)
    assert sorted(sizes.values())[len(sizes) * 9 // 10] <= NINE_IN_TEN


def test_every_module_says_what_it_owns() -> None:
    spoken = {name: ast.get_docstring(tree) or "" for name, tree in modules().items()}
    demand_none(name for name, text in spoken.items() if len(text) < 5)


def test_arguments_after_the_second_are_named() -> None:
    """Of public functions: those inside one file are read with their calls, decorated ones are called by a library.
    A connection in front says where, not what, and does not count."""
    long = []
    for place, node, method in functions(below=("app/", "sync/", "migrations/__init__.py")):
        names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)][method:]
        private = node.name.startswith("_") and node.name != "__init__"
        if not private and not node.decorator_list and node.name not in GIVEN | PHRASES:
            counted = names[1:] if names[:1] == ["connection"] else names
            long += [place] if len(counted) > 2 else []
    demand_none(long)


def test_only_the_database_commits() -> None:
    commits = [
        f"{name}:{node.lineno}"
        for name, tree in modules().items()
        if name.startswith("app/") and name != "app/database.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and called(node) == "commit"
    ]
    demand_none(commits)


def test_only_the_clock_knows_what_time_it_is() -> None:
    asked = [
        f"{name}:{node.lineno}"
        for name, tree in modules().items()
        if name.startswith("app/") and name != "app/clock.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and ast.unparse(node.func)
        in {"datetime.now", "datetime.utcnow", "date.today", "datetime.today", "time.time"}
    ]
    demand_none(asked)


def test_only_the_settings_read_the_environment() -> None:
    readers = [
        f"{name}:{node.lineno}"
        for name, tree in modules().items()
        if name.startswith(("app/", "sync/")) and name != "app/settings.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in {"os.environ", "os.getenv"}
    ]
    demand_none(readers)


def test_the_tests_stand_where_the_code_stands() -> None:
    """Each folder of tests/ is a package of app/ or sync, or one of the agreed others."""
    packages = {name.split("/")[1] for name in modules() if name.startswith("app/") and name.count("/") > 1}
    agreed = packages | {"sync", "vectors", "journeys", "faults", "bench"}
    folders = {name.split("/")[1] for name in modules() if name.startswith("tests/") and name.count("/") > 1}
    demand_none(sorted(folders - agreed))


def test_the_import_contracts_are_kept() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_committed_names_a_registry_or_somebodys_machine() -> None:
    banned = re.compile(
        r"files\.pythonhosted|pypi\.org|(index-url|find-links)\s*=|/(?:work|root|farm|opt/pypi|home/\w+)/|[.][.]/shared|/tmp/[a-z]"
    )
    found = []
    for name in files():
        if name != "tests/test_architecture.py" and not name.startswith(".ci/"):
            text = (ROOT / name).read_bytes().decode("utf-8", errors="replace")
            found += [f"{name}: {match[0]}" for match in [banned.search(text)] if match]
    demand_none(found)


def test_the_image_copies_files_that_exist_and_are_sent_to_the_builder() -> None:
    sent = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = []
    for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            copied += line.split()[1:-1]
    assert copied
    for name in copied:
        assert (ROOT / name).exists(), f"Dockerfile copies {name}, which is not there"
        assert any(fnmatch.fnmatch(name, pattern.rstrip("/")) for pattern in sent), (
            f".dockerignore hides {name}"
        )
    assert set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) <= set(copied)


def test_the_image_does_not_run_as_root_and_knows_when_it_is_ill() -> None:
    last = (ROOT / "Dockerfile").read_text(encoding="utf-8").rpartition("\nFROM ")[2]
    assert re.search(r"^USER (?!root)\w+$", last, re.MULTILINE)
    assert "HEALTHCHECK" in last


@cache
def pins() -> dict[str, str]:
    """Package → pinned requirement line of the lock."""
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pinned = [Requirement(line.rstrip("\\ ")) for line in lines if re.match(r"[a-z0-9]", line)]
    here = [
        requirement for requirement in pinned if requirement.marker is None or requirement.marker.evaluate()
    ]
    return {canonicalize_name(requirement.name): str(requirement.specifier) for requirement in here}


DECLARED = [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["dev"]]


@pytest.mark.parametrize("line", DECLARED)
def test_the_lock_holds_what_the_project_asks_for(line: str) -> None:
    wanted = Requirement(line)
    pinned = pins().get(canonicalize_name(wanted.name), "")
    assert pinned.startswith("=="), f"{wanted.name} is not in requirements.lock: make lock"
    assert wanted.specifier.contains(pinned.removeprefix("==")), f"{wanted} is not {pinned}: make lock"
    assert wanted.specifier, f"{wanted.name} has no range"


def test_every_pin_carries_its_hash_and_nothing_else() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[a-z0-9])", text.strip())
    demand_none(entry.partition(" ")[0] for entry in entries if "--hash=sha256:" not in entry)
    assert not re.search(r"https?:|file:|--(?!hash=)", text)
