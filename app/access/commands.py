"""`mboka officer office` and `reset-factor`: what an administrator at the server's keyboard decides on officers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from app.access import factors, officers
from app.access.office import OFFICE_INVALID, Office, set_office
from sync.catalogue import is_date

Data = Annotated[Path, typer.Option("--data", help="Dossier du nœud.", file_okay=False)]
Username = Annotated[str, typer.Argument(help="Identifiant de l'officier.")]
Since = Annotated[str | None, typer.Option("--from", help="Premier jour en fonction, AAAA-MM-JJ.")]
Until = Annotated[str | None, typer.Option("--to", help="Dernier jour en fonction, AAAA-MM-JJ.")]
Act = Annotated[str | None, typer.Option("--appointed-by", help="Acte de nomination ou de délégation.")]


def _day(text: str | None) -> str | None:
    if text is not None and not (len(text) == 10 and is_date(text)):
        raise OFFICE_INVALID(f"« {text[:20]} » n'est pas une date de la forme AAAA-MM-JJ.")
    return text


def add_commands(
    cli: typer.Typer, opened: Callable[[Path], AbstractContextManager[Any]], *, out: Console
) -> None:
    """Add the commands to `mboka officer`; `opened(DIR)` opens the node."""

    @cli.command("office")
    def office(
        username: Username, data: Data, since: Since = None, until: Until = None, appointed_by: Act = None
    ) -> None:
        """Inscrire les dates de fonction d'un officier et l'acte qui le nomme ; ce qui n'est pas donné reste."""
        given = {"office_from": _day(since), "office_to": _day(until), "appointed_by": appointed_by}
        with opened(data) as node, node.database.write() as connection:
            row = officers.find_username(connection, username)
            before = Office(row.office_from, row.office_to, row.appointed_by)
            after = replace(before, **{name: value for name, value in given.items() if value is not None})
            set_office(connection, row.id, after, by=None, at=node.clock.now())
        days = f"du {after.office_from or '…'} au {after.office_to or '…'}"
        out.print(f"{username} est en fonction {days}.", soft_wrap=True, highlight=False)

    @cli.command("reset-factor")
    def reset_factor(username: Username, data: Data) -> None:
        """Retirer le second facteur d'un officier qui a perdu son téléphone et ses codes de secours."""
        with opened(data) as node, node.database.write() as connection:
            officer = officers.find_username(connection, username).id
            factors.reset(connection, officer, by=None, at=node.clock.now())
        out.print(f"Second facteur de {username} retiré : il en inscrit un autre.", soft_wrap=True)
