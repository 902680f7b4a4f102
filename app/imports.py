"""`mboka import acts`: the acts of a spreadsheet enter the register of this node, whose server may be running."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import sqlalchemy as sa
import typer

from app.access.officers import Officer, find_username
from app.access.permissions import ROLE_FORBIDDEN, Permission, permissions_of
from app.civil.takeover import mapping
from app.civil.takeover.entering import enter
from app.civil.takeover.reading import read_sheet
from app.civil.takeover.receiving import faults_of, file_row, plan_for, receive, report
from app.ledger.node import at_work
from app.node import Node
from app.opening import AsJson, err, leave, opened, out, print_json
from app.progress import Progress
from sync.answers import counted

import_cli = typer.Typer(no_args_is_help=True, help="Reprise d'actes depuis un tableur.")
File = Annotated[
    Path, typer.Argument(metavar="FICHIER", help="Classeur XLSX ou CSV.", exists=True, dir_okay=False)
]
MOST_SHOWN = 20


@import_cli.callback()
def _group() -> None:
    """Reprise d'actes depuis un tableur."""


@import_cli.command("acts")
def acts(
    file: File,
    data: Annotated[Path | None, typer.Option("--data", help="Dossier du nœud.", file_okay=False)] = None,
    officer: Annotated[str | None, typer.Option(help="Identifiant de l'officier qui reprend.")] = None,
    mapping_file: Annotated[
        Path | None, typer.Option("--mapping", help="Correspondance des colonnes (JSON ou CSV).", exists=True)
    ] = None,
    sheet: Annotated[str | None, typer.Option(help="Feuille du classeur ; la première par défaut.")] = None,
    suggest: Annotated[
        bool, typer.Option("--suggest", help="Proposer une correspondance et s'arrêter.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Dire ce qui ne va pas, sans rien inscrire.")
    ] = False,
    skip_wrong: Annotated[
        bool, typer.Option("--skip-wrong", help="Inscrire les lignes justes, laisser les autres.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Inscrire les actes d'un classeur ; la même commande relancée continue, rien n'est compté deux fois."""
    content = file.read_bytes()
    if suggest:
        _suggest(content, sheet)
        return
    if data is None or officer is None:
        leave("Donnez --data DOSSIER et --officer IDENTIFIANT.")
    plan = plan_for(content, mapping_file.read_text(encoding="utf-8") if mapping_file else None, sheet=sheet)
    with opened(data) as node, at_work(node.database, data):
        by = _officer(node, officer)
        with Progress("Lecture", None, unit="lignes") as progress:
            identity = receive(
                node.database,
                node.door,
                officer=by,
                content=content,
                name=file.name,
                plan=plan,
                sheet=sheet,
                told=progress.at_of,
            )
        found = _report(node, by, identity)
        if not dry_run and (skip_wrong or not found["wrong"] or found["state"] != "checked"):
            with Progress("Reprise", found["lines"], unit="actes") as progress:
                enter(
                    node.database,
                    node.door,
                    officer=by,
                    file=identity,
                    skip_wrong=skip_wrong,
                    told=progress.at_of,
                )
            found = _report(node, by, identity)
    if as_json:
        print_json(found)
    else:
        _tell(found)
    if found["wrong"] and not skip_wrong:
        leave("Rien n'a été inscrit." if not found["entered"] else "Des lignes restent à corriger.")


def _suggest(content: bytes, sheet: str | None) -> None:
    headings = read_sheet(content, sheet).headings
    plan = mapping.suggest(headings)
    out.print_json(json.dumps(plan.shown(), ensure_ascii=False))
    left = [name for name in headings if name and name not in plan.columns]
    needed = [name for name in mapping.NEEDED if name not in {each.field for each in plan.columns.values()}]
    if left:
        err.print(f"Sans champ, à compléter (null pour laisser de côté) : {', '.join(left)}.", soft_wrap=True)
    if needed:
        err.print(f"À dire par une colonne ou une constante : {', '.join(needed)}.", soft_wrap=True)


def _officer(node: Node, username: str) -> Officer:
    with node.database.read() as connection:
        row = find_username(connection, username)
    found = Officer(row.id, row.username, row.name, row.role, row.commune)
    if row.disabled_at is not None or Permission.REPRISE not in permissions_of(
        found, node.door.standing.kind
    ):
        raise ROLE_FORBIDDEN(f"« {username} » ne peut pas reprendre d'actes sur ce nœud.")
    return found


def _report(node: Node, officer: Officer, identity: str) -> dict[str, Any]:
    with node.database.read() as connection:
        row = file_row(connection, officer, file=identity, kind=node.door.standing.kind)
        return report(row) | {"errors": _errors(connection, row)}


def _errors(connection: sa.Connection, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [shown for _, shown in faults_of(connection, row, after=(0, -1), limit=MOST_SHOWN)]


def _tell(found: Mapping[str, Any]) -> None:
    for each in found["errors"]:
        err.print(each["message"], markup=False, highlight=False, soft_wrap=True)
    if found["faults"] > len(found["errors"]):
        err.print(f"… et {found['faults'] - len(found['errors'])} autres erreurs.", soft_wrap=True)
    encoding = f", {found['encoding']}" if found["encoding"] else ""
    states = {"checked": "lu", "done": "repris", "entering": "en cours"}
    out.print(
        f"{found['name']} ({states.get(found['state'], found['state'])}{encoding}) : "
        f"{counted(found['lines'], 'ligne', many='lignes')}, {found['entered']} inscrites, {found['known']} déjà au "
        f"registre, {found['wrong']} à corriger, {found['waiting']} en attente.",
        soft_wrap=True,
        highlight=False,
    )
    if found["entered"]:
        delays = found["delays"]
        out.print(
            f"Dans les délais : {delays.get('in_delay', 0)}, hors délai : {delays.get('out_of_delay', 0)}, "
            f"indéterminé : {delays.get('undetermined', 0)}.",
            highlight=False,
        )
