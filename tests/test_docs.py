"""Documentation that fails when it lies: generated pages, commands, make targets and links, compared with the code."""

from __future__ import annotations

import importlib
import importlib.util
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from tests.test_architecture import ROOT, files

PAGES = [name for name in files() if name.endswith(".md") and not name.startswith("tests/")]


def text(name: str) -> str:
    """One page."""
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_generated_pages_are_up_to_date() -> None:
    """In a process of its own: problems defined by other tests are no part of the catalogue."""
    command = [sys.executable, "-m", "tests.generated", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def commands() -> Any:
    """The click command behind `mboka`."""
    module = importlib.import_module("app.cli")
    found = [value for value in vars(module).values() if isinstance(value, typer.Typer)]
    groups = [group.typer_instance for value in found for group in value.registered_groups]
    roots = [value for value in found if value not in groups]
    assert len(roots) == 1
    return typer.main.get_command(roots[0])


def shown(page: str) -> Iterator[list[str]]:
    """The words of every `mboka …` or `python -m app …` command a page shows, continuation lines joined."""
    for line in text(page).replace("\\\n", " ").splitlines():
        for match in re.finditer(r"(?:^\s*|[`/]|\$ )(?:mboka|python -m app) ([a-z][^`#|<>;&]*)", line):
            yield shlex.split(match[1].replace("'", ""))


@pytest.mark.parametrize("page", PAGES)
def test_commands_shown_to_people_exist(page: str) -> None:
    asked = list(shown(page))
    if not asked or importlib.util.find_spec("app.cli") is None:
        return
    for words in asked:
        command, rest = commands(), words
        while hasattr(command, "commands"):
            assert rest, f"{page}: mboka {' '.join(words)} is not a whole command"
            assert rest[0] in command.commands, f"{page}: mboka {' '.join(words)}"
            command, rest = command.commands[rest[0]], rest[1:]
        options = {
            option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]
        }
        named = {word.partition("=")[0].strip("[]…") for word in rest if word.startswith(("--", "[--"))} - {
            "--help"
        }
        assert named <= options, f"{page}: mboka {' '.join(words)}: {sorted(named - options)}"


@pytest.mark.parametrize("page", PAGES)
def test_make_targets_shown_to_people_exist(page: str) -> None:
    targets = set(re.findall(r"^([.\w-]+):(?!=)", text("Makefile"), re.MULTILINE))
    assert (
        set(re.findall(r"`make ([.\w-]+)", text(page)))
        | set(re.findall(r"^\s*make ([.\w-]+)", text(page), re.MULTILINE))
        <= targets
    )


@pytest.mark.parametrize("page", PAGES)
def test_links_between_pages_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", text(page)):
        if not re.match(r"[a-z]+:", target):
            assert (ROOT / page).parent.joinpath(target).exists(), f"{page}: {target}"


def test_the_make_file_passes_its_variables_to_the_demonstration() -> None:
    recipe = text("Makefile")
    for variable in ("ONCE", "OUT", "SCALE", "KEEP"):
        assert f"$({variable})" in recipe
        assert f"--{variable.lower()}" in recipe
