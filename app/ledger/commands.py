"""`mboka device revoke`, `release` and `areas`: what an administrator of this server decides about a device."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from app.ledger import revoking
from app.ledger.revoking import Effect
from sync.answers import counted

PATIENCE_SECONDS = 2.0
Data = Annotated[Path, typer.Option("--data", help="Dossier du nœud.", file_okay=False)]
Device = Annotated[str, typer.Argument(help="Identifiant de l'appareil (mboka device list).")]


@contextmanager
def _patience(err: Console) -> Iterator[None]:
    """Says once, after two seconds, that the work goes on: taking many batches out takes a while."""
    said = threading.Timer(
        PATIENCE_SECONDS, err.print, ["Les lots de cet appareil sont repris un à un, patientez…"]
    )
    said.start()
    try:
        yield
    finally:
        said.cancel()


def told(effect: Effect) -> str:
    """The effect in words (French)."""
    standing = counted(effect.standing, "lot tient", many="lots tiennent")
    aside = counted(effect.set_aside, "lot mis de côté", many="lots mis de côté")
    return f"{standing}, {aside} ({counted(effect.operations, 'opération', many='opérations')})."


def add_commands(
    cli: typer.Typer, opened: Callable[[Path], AbstractContextManager[Any]], *, out: Console, err: Console
) -> None:
    """Add the commands to `mboka device`; `opened(DIR)` opens the node."""

    @cli.command("revoke")
    def revoke(
        dev: Device,
        data: Data,
        after: Annotated[str, typer.Option(help="SHA-256 du dernier lot qui tient, ou « none » pour aucun.")],
        reason: Annotated[str, typer.Option(help="Pourquoi, en quelques mots.")],
    ) -> None:
        """Révoquer un appareil : ce qui suit le lot donné est mis de côté, ses sessions finissent."""
        with opened(data) as node, _patience(err), node.database.write() as connection:
            by = node.door.identity.dev
            done = revoking.revoke(connection, node.door, dev, after=after, reason=reason, by=by)
        out.print(f"Appareil {dev} révoqué : {told(done)}", soft_wrap=True, highlight=False)

    @cli.command("release")
    def release(
        dev: Device,
        data: Data,
        batch: Annotated[list[str], typer.Option(help="SHA-256 d'un lot qui tient malgré tout ; répétable.")],
    ) -> None:
        """Reprendre des lots qu'une révocation a mis de côté."""
        with opened(data) as node, _patience(err), node.database.write() as connection:
            by = node.door.identity.dev
            done = revoking.release(connection, node.door, dev, batches=batch, by=by)
        out.print(f"Appareil {dev} : {told(done)}", soft_wrap=True, highlight=False)

    @cli.command("areas")
    def areas(
        dev: Device,
        data: Data,
        area: Annotated[list[str], typer.Option(help="Commune ou quartier ; répétable.")],
    ) -> None:
        """Changer les zones d'un appareil : il les reçoit à sa prochaine session."""
        with opened(data) as node, node.database.write() as connection:
            revoking.change_areas(
                connection,
                node.door,
                dev,
                areas=area,
                by=node.door.identity.dev,
                at=node.clock.now(),
                grant_days=node.settings.grant_days,
            )
        out.print(f"Appareil {dev} ; zones : {', '.join(area)}.", soft_wrap=True, highlight=False)
