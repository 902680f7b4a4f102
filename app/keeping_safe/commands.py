"""The operator's commands that keep a node safe: recovery key, backup, restore, rebuild."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from app import serving
from app.clock import Clock
from app.keeping_safe import backup as backing
from app.keeping_safe import rebuild as rebuilding
from app.keeping_safe import restore as restoring
from app.keeping_safe.recovery import make_recovery_key, read_private
from app.opening import AsJson, Data, opened, opened_database, out, print_json, settings_of
from app.progress import Progress
from sync.answers import counted

commands = typer.Typer()


def _passphrase() -> str:
    if sys.stdin.isatty():
        sys.stderr.write("Phrase de passe de la clé de secours : ")
        sys.stderr.flush()
    return sys.stdin.readline().rstrip("\r\n")


@commands.command()
def recovery_key(
    data: Data,
    to: Annotated[Path, typer.Option("--to", help="Fichier de la clé, sur une clé USB ; à imprimer aussi.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Une autre clé pour les sauvegardes à venir.")
    ] = False,
) -> None:
    """Faire la clé de secours qui seule ouvre les sauvegardes ; la phrase de passe se tape sur l'entrée."""
    settings_of(data)
    name = make_recovery_key(data, to, passphrase=_passphrase(), replace=replace)
    out.print(f"Clé de secours {name} écrite dans {to}.", soft_wrap=True)
    out.print("Imprimez-la, gardez-la hors de cette machine avec sa phrase de passe.", soft_wrap=True)


@commands.command()
def backup(
    data: Data,
    to: Annotated[
        Path, typer.Option("--to", help="Fichier, ou dossier où la sauvegarde reçoit un nom daté.")
    ],
    keep: Annotated[
        int | None, typer.Option(min=1, help="Garder tant de sauvegardes de ce nœud dans le dossier.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Sauvegarder le nœud, chiffré, relu et vérifié ; le serveur peut continuer."""
    settings = settings_of(data)
    with opened_database(settings) as database, Progress("Sauvegarde", None, unit="lignes") as progress:
        done = backing.back_up(database, data, to=to, clock=Clock(), told=progress.at_of)
    removed = backing.remove_older(Path(done["file"]), keep=keep) if keep and to.is_dir() else []
    if as_json:
        print_json(done | {"removed": [str(each) for each in removed]})
        return
    rows = counted(done["rows"], "ligne", many="lignes")
    size = counted(done["bytes"], "octet", many="octets")
    out.print(f"Sauvegarde vérifiée : {done['file']} ({rows}, {size}).", soft_wrap=True)
    if removed:
        out.print(f"{counted(len(removed), 'ancienne retirée', many='anciennes retirées')}.", soft_wrap=True)


@commands.command()
def restore(
    data: Data,
    file: Annotated[Path, typer.Option("--from", help="La sauvegarde.", dir_okay=False, exists=True)],
    recovery: Annotated[
        Path, typer.Option("--recovery-key", help="La clé de secours.", dir_okay=False, exists=True)
    ],
    database_url: Annotated[
        str | None, typer.Option(help="Base PostgreSQL vide ; sinon celle du dossier, ou SQLite.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="SQLite : mettre d'abord l'ancienne base de côté.")
    ] = False,
) -> None:
    """Rendre une sauvegarde à un dossier vide ; la phrase de passe se tape sur l'entrée."""
    key = read_private(recovery, passphrase=_passphrase())
    new = not data.exists()
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with serving.alone(data), Progress("Restauration", None, unit="lignes") as progress:
            manifest, identity = restoring.restore(
                data,
                file,
                recovery=key,
                database_url=database_url,
                replace=replace,
                clock=Clock(),
                told=progress.at_of,
            )
    except BaseException:
        if new:
            _leave_nothing(data)
        raise
    out.print(
        f"Nœud {identity.dev} restauré tel qu'il était le {manifest.taken_at}, sous un nouveau fil {identity.feed}.",
        soft_wrap=True,
    )
    out.print(
        f"À présent : lancez « mboka serve --data {data} ». Les tablettes et la province rapporteront d'elles-mêmes "
        "ce qui est venu après ; n'effacez rien sur les tablettes.",
        soft_wrap=True,
    )


def _leave_nothing(data: Path) -> None:
    (data / serving.LOCK).unlink(missing_ok=True)
    restoring.forget(data)
    if not any(data.iterdir()):
        data.rmdir()


@commands.command()
def rebuild(data: Data, as_json: AsJson = False) -> None:
    """Refaire les registres à partir des lots signés, serveur arrêté ; les lots, reçus et comptes restent."""
    settings_of(data)
    with (
        serving.alone(data),
        opened(data) as node,
        Progress("Reconstruction", None, unit="opérations") as progress,
    ):
        done = rebuilding.rebuild(node, told=progress.at_of)
    if as_json:
        print_json(asdict(done))
        return
    batches, operations = (
        counted(done.batches, "lot", many="lots"),
        counted(done.operations, "opération", many="opérations"),
    )
    out.print(f"Registres refaits à partir de {batches} ({operations}).", soft_wrap=True)
    for each in done.differences:
        out.print(f"Autre qu'avant : {each}", soft_wrap=True)
    if not done.differences:
        out.print("Identiques à avant.", soft_wrap=True)
