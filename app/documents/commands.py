"""`mboka verify-document`, `mboka keys export` and `mboka templates check`: what can be done about documents without a
server, the first with nothing but public keys."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from app.documents import annulled, keys, seal
from app.documents.printing import Press
from app.documents.verifying import annulled_on, lines_of

Data = Annotated[Path, typer.Option("--data", help="Dossier du nœud.", file_okay=False)]
_CODE = re.compile(rb"MBK1:[0-9A-Z $%*+\-./:]+")


def add_commands(
    cli: typer.Typer, opened: Callable[[Path], AbstractContextManager[Any]], *, out: Console, err: Console
) -> None:
    """Add the commands to `mboka`; `opened(DIR)` opens the node."""

    def leave(message: str) -> NoReturn:
        err.print(message, style="bold red", markup=False, highlight=False, soft_wrap=True)
        raise SystemExit(1)

    @cli.command("verify-document")
    def verify_document(
        keys_file: Annotated[
            Path, typer.Option("--keys", help="Clés publiques (mboka keys export).", dir_okay=False)
        ],
        text: Annotated[str, typer.Argument(help="Texte du QR ; « - » : lu sur l'entrée.")] = "",
        file: Annotated[
            Path | None,
            typer.Option("--file", help="Fichier : le texte du QR, ou le PDF du document.", dir_okay=False),
        ] = None,
        annulled_file: Annotated[
            Path | None,
            typer.Option("--annulled", help="Liste des actes annulés (GET /v1/annulled).", dir_okay=False),
        ] = None,
    ) -> None:
        """Vérifier un document sans connexion ; code 1 s'il n'est pas valable ou si l'acte est annulé."""
        try:
            signers = seal.read_keys(_json(keys_file))
            listed = annulled.read_list(_json(annulled_file), signers) if annulled_file else {}
            codes = _codes(text, file)
            for code in codes:
                _tell(out, code, signers=signers, listed=listed)
        except seal.NotValid as refusal:
            leave(f"Non valable : {refusal}")

    keys_cli = typer.Typer(no_args_is_help=True, help="Clés publiques des serveurs.")
    cli.add_typer(keys_cli, name="keys")

    @keys_cli.command("export")
    def export(data: Data) -> None:
        """Écrire sur la sortie les clés publiques connues de ce nœud (JWK Set)."""
        with opened(data) as node, node.database.read() as connection:
            found = keys.key_set(connection, node.door)
        sys.stdout.write(json.dumps(found, ensure_ascii=False, indent=2) + "\n")

    templates_cli = typer.Typer(no_args_is_help=True, help="Modèles de documents des communes.")
    cli.add_typer(templates_cli, name="templates")

    @templates_cli.command("check")
    def check(
        data: Data, commune: Annotated[str, typer.Option(help="Code de la commune, par exemple CD-KN-017.")]
    ) -> None:
        """Imprimer chaque type de document d'essai avec les modèles de la commune (DIR/templates/<commune>/)."""
        with opened(data) as node:
            name = Press(Path(node.settings.data) / "templates").check(commune)
        out.print(f"Les modèles s'impriment : {name}.", soft_wrap=True, highlight=False)


def _tell(out: Console, code: str, *, signers: dict[str, seal.Signer], listed: dict[str, str]) -> None:
    paper, signer = seal.verify(code, signers)
    lines = lines_of(paper, signer)
    said = annulled_on(paper, listed)
    out.print(
        said or "Signature valable. Le papier doit montrer exactement ceci :", markup=False, highlight=False
    )
    for label, value in lines:
        out.print(f"  {label} : {value}", markup=False, highlight=False, soft_wrap=True)
    if said is not None:
        raise seal.NotValid(f"{said} : la signature est vraie, mais cet acte ne vaut plus.")


def _codes(text: str, file: Path | None) -> list[str]:
    """The signed texts given: as an argument, on the input, in a text file, or inside the PDF a server printed."""
    if file is None:
        return [sys.stdin.readline() if text == "-" else text]
    try:
        content = file.read_bytes()
    except OSError as error:
        raise seal.NotValid(f"Le fichier {file} ne se lit pas.") from error
    if not content.startswith(b"%PDF"):
        return [content.decode("utf-8", "replace")]
    found = list(dict.fromkeys(match.decode().rstrip() for match in _CODE.findall(content)))
    if not found:
        raise seal.NotValid(
            "Ce PDF ne contient aucun texte signé : lisez le QR avec un téléphone, donnez son texte."
        )
    return found


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise seal.NotValid(f"Le fichier {file} ne se lit pas.") from error
