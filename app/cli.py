"""The operator's commands (`mboka`). Each opens the node in DIR, does one thing and says in French what came of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any

import httpx
import sqlalchemy as sa
import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

import migrations
from app import doctor, serving
from app.access import officers
from app.access.commands import add_commands as add_officer_commands
from app.bundles import bundle_cli
from app.clock import Clock
from app.database import Database, NotDurable
from app.documents import commands as documents
from app.errors import Problem
from app.keeping_safe import commands as keeping
from app.law.parameters import LawError
from app.ledger.commands import add_commands
from app.ledger.enrolment import invite
from app.ledger.node import at_work
from app.ledger.relay import Relayed, exchange, join
from app.ledger.setup import make_node_rows, nothing_left, require_commune
from app.ledger.standing import devices, status
from app.opening import AsJson, Data, err, opened, out, print_json
from app.opening import leave as _leave
from app.progress import Progress
from app.settings import CONFIGURATION, UnreadableLaw, load, save
from app.territory.places import COMMUNE_UNKNOWN
from app.upgrading import SchemaDiffers, upgrade_node
from sync.answers import counted

cli = typer.Typer(
    name="mboka",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Registre de la population et état civil : un nœud.",
)
officer_cli = typer.Typer(no_args_is_help=True, help="Officiers : ajouter, lister, fermer, mot de passe.")
device_cli = typer.Typer(
    no_args_is_help=True, help="Appareils : inviter, lister, révoquer, changer de zones."
)
upstream_cli = typer.Typer(no_args_is_help=True, help="Rattachement de la commune à la province.")
cli.add_typer(keeping.commands)
cli.add_typer(doctor.commands)
cli.add_typer(officer_cli, name="officer")
cli.add_typer(device_cli, name="device")
cli.add_typer(upstream_cli, name="upstream")
cli.add_typer(bundle_cli, name="bundle")
UUID_WIDTH = 36


class Kind(StrEnum):
    """Kinds of node."""

    commune = "commune"
    province = "province"
    both = "both"


class Role(StrEnum):
    """Roles of officers."""

    agent = "agent"
    clerk = "clerk"
    registrar = "registrar"
    delegate = "delegate"
    supervisor = "supervisor"
    planner = "planner"
    admin = "admin"


def main() -> None:
    """Run the command line; problems are told in one French sentence and end with code 1."""
    try:
        cli()
    except Problem as problem:
        _leave(f"{problem.type.title} : {problem.detail or problem.type.advice} [{problem.type.code}]")
    except (
        *(NotDurable, SchemaDiffers, serving.CannotListen, serving.AlreadyServing, UnreadableLaw, LawError),
    ) as error:
        _leave(str(error))
    except sa.exc.OperationalError as error:
        _leave(f"La base de données ne répond pas : {error.orig}")


@cli.command()
def init(
    data: Data,
    kind: Annotated[Kind, typer.Option(help="commune, province, ou both (les deux sur un seul serveur).")],
    commune: Annotated[str | None, typer.Option(help="Code de la commune, par exemple CD-KN-017.")] = None,
    database_url: Annotated[
        str, typer.Option(help="Adresse PostgreSQL ; sans elle, SQLite dans le dossier.")
    ] = "",
    demo: Annotated[
        bool, typer.Option(help="Nœud de démonstration, pour toujours : DONNÉES FICTIVES.")
    ] = False,
) -> None:
    """Créer un nœud : schéma, territoire, clé, certificat."""
    if (data / CONFIGURATION).exists():
        _leave(f"Un nœud existe déjà dans {data}.")
    require_commune(kind, commune)
    with nothing_left(data):
        database = Database(database_url or f"sqlite:///{data / 'mboka.db'}")
        try:
            database.assert_durable()
            migrations.upgrade(database)
            identity = make_node_rows(database, data, kind=kind, commune=commune, demo=demo, clock=Clock())
            save(data, {"database_url": database_url})
        finally:
            database.close()
    out.print(f"Nœud {identity.dev} ({kind}) créé dans {data}.", soft_wrap=True)
    if kind != Kind.commune:
        out.print(f"Empreinte de la province : {identity.key.public.thumbprint()}", soft_wrap=True)


@cli.command()
def serve(
    data: Data,
    host: Annotated[str, typer.Option(help="Adresse d'écoute.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port d'écoute.")] = 8017,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificat TLS (PEM).")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Clé TLS (PEM).")] = None,
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="Un serveur HTTPS de confiance est devant.")
    ] = False,
) -> None:
    """Servir les tablettes et les officiers ; une commune relaie aussi vers la province."""
    protected = behind_proxy or (tls_cert is not None and tls_key is not None)
    if not protected and not _is_loopback(host):
        _leave(
            "Hors de cette machine, donnez --tls-cert et --tls-key, ou --behind-proxy : rien ne circule en clair."
        )
    with opened(data) as node, serving.alone(data):
        serving.run(node, host=host, port=port, tls_cert=tls_cert, tls_key=tls_key, behind_proxy=behind_proxy)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


# -- officers ----------------------------------------------------------------------------------------------------


def _password() -> str:
    return sys.stdin.readline().rstrip("\r\n")


@officer_cli.command("add")
def officer_add(
    username: str,
    data: Data,
    role: Annotated[Role, typer.Option(help="Rôle.")],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Lire le mot de passe sur l'entrée.")
    ],
    commune: Annotated[str | None, typer.Option(help="Commune de l'officier.")] = None,
    name: Annotated[str, typer.Option(help="Nom complet.")] = "",
) -> None:
    """Ajouter un officier."""
    if not password_stdin:
        _leave("Donnez --password-stdin et le mot de passe sur l'entrée standard.")
    with opened(data) as node, node.database.write() as connection:
        standing = node.door.standing
        home = commune or officers.default_commune(role, standing.kind, node_commune=standing.commune)
        if home is not None and home not in node.territory.communes:
            raise COMMUNE_UNKNOWN()
        row = officers.add_officer(
            connection,
            username=username,
            name=name or username,
            role=role,
            commune=home,
            password=_password(),
            at=node.clock.now(),
            whole_province=standing.is_province,
        )
    out.print(f"Officier {row.username} ({row.role}) ajouté.", soft_wrap=True)


@officer_cli.command("list")
def officer_list(data: Data, as_json: AsJson = False) -> None:
    """Lister les officiers."""
    with opened(data) as node, node.database.read() as connection:
        rows = officers.list_officers(connection, limit=100_000)
    if as_json:
        print_json(
            [
                {
                    c: getattr(row, c)
                    for c in (
                        "username",
                        "name",
                        "role",
                        "commune",
                        "disabled_at",
                        "office_from",
                        "office_to",
                    )
                }
                for row in rows
            ]
        )
        return
    shown = [(r.username, r.name, r.role, r.commune or "", (r.disabled_at or "")[:10]) for r in rows]
    _table("Officiers", ("Identifiant", "Nom", "Rôle", "Commune", "Fermé le"), shown)


@officer_cli.command("disable")
def officer_disable(username: str, data: Data) -> None:
    """Fermer le compte d'un officier et ses sessions."""
    with opened(data) as node, node.database.write() as connection:
        officers.disable(connection, officers.find_username(connection, username).id, at=node.clock.now())
    out.print(f"Compte {username} fermé.", soft_wrap=True)


@officer_cli.command("password")
def officer_password(
    username: str,
    data: Data,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Lire le mot de passe sur l'entrée.")
    ],
) -> None:
    """Changer le mot de passe d'un officier."""
    if not password_stdin:
        _leave("Donnez --password-stdin et le mot de passe sur l'entrée standard.")
    with opened(data) as node, node.database.write() as connection:
        officer = officers.find_username(connection, username).id
        officers.change_password(connection, officer, password=_password())
    out.print(f"Mot de passe de {username} changé.", soft_wrap=True)


# -- devices -----------------------------------------------------------------------------------------------------


@device_cli.command("invite")
def device_invite(
    data: Data,
    agent: Annotated[str, typer.Option(help="Nom d'utilisateur de l'officier ; un admin pour un serveur.")],
    area: Annotated[list[str], typer.Option(help="Commune ou quartier ; répétable.")],
    as_json: AsJson = False,
) -> None:
    """Inviter un appareil : le contenu du code QR, valable quelques minutes, une fois."""
    with opened(data) as node:
        with node.database.write() as connection:
            invited = officers.find_username(connection, agent)
            made = invite(
                connection,
                node.door,
                agent=invited.id,
                role=invited.role,
                areas=area,
                at=node.clock.now(),
                minutes=node.settings.invitation_minutes,
            )
        url = node.settings.public_url or serving.address(data)
        answer = {
            "url": url,
            "code": made.code,
            "province": node.door.standing.province,
            "expires_at": made.expires_at,
        }
    if as_json:
        print_json(answer)
        return
    for name, value in answer.items():
        out.print(f"{name} : {value}", soft_wrap=True, highlight=False)


@device_cli.command("list")
def device_list(data: Data, as_json: AsJson = False) -> None:
    """Lister les appareils et ce qui a été reçu d'eux."""
    with opened(data) as node, node.database.read() as connection:
        rows = devices(connection, door=node.door, now=node.clock.now())
    if as_json:
        print_json(rows)
        return
    shown = [
        (
            f"{row['name'] or '(sans nom)'}\n{row['dev']}",
            _areas(row["areas"]),
            f"{row['operations']}\n{row['settled']}",
            "\n".join([(row["last_contact"] or "jamais")[:10], *_troubles(row)]),
        )
        for row in rows
    ]
    _table("Appareils", ("Appareil", "Zones", "Reçues, province", "Contact"), shown, first=UUID_WIDTH)


add_commands(device_cli, opened, out=out, err=err)
add_officer_commands(officer_cli, opened, out=out)
documents.add_commands(cli, opened, out=out, err=err)


def _areas(codes: list[str]) -> str:
    most = 3
    return "\n".join(codes[:most]) + (f"\net {len(codes) - most} de plus" if len(codes) > most else "")


def _troubles(row: dict[str, Any]) -> list[str]:
    told = {
        "révoqué": row["revoked"],
        "silencieux": row["silent"],
        "cloné ?": row["forks"],
        "lacune": row["prev_gap"],
    }
    ahead = row["clock_offset"]
    clock = [f"horloge {ahead:+.0f} s"] if ahead is not None and abs(ahead) >= 1 else []
    return [name for name, true in told.items() if true] + clock


def _table(
    title: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, first: int | None = None
) -> None:
    """Nothing is cut: what a narrow terminal has no room for goes on in the next line of its cell.

    `first` is the width of the first column in characters, where it is fixed.
    """
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for at, name in enumerate(columns):
        table.add_column(name, overflow="fold", width=None if at else first)
    for row in rows:
        table.add_row(*map(escape, row))
    out.print(table)


# -- province ----------------------------------------------------------------------------------------------------


@upstream_cli.command("join")
def upstream_join(
    data: Data,
    url: Annotated[str, typer.Option(help="Adresse du serveur provincial.")],
    code: Annotated[str, typer.Option(help="Code d'invitation donné par la province.")],
    province: Annotated[str, typer.Option(help="Empreinte de la clé de la province.")],
) -> None:
    """Rattacher ce nœud communal à la province."""
    with opened(data) as node, httpx.Client(timeout=60) as client:
        join(node.door, url=url, code=code, province=province, client=client)
    out.print(f"Rattaché à la province {province}.", soft_wrap=True)


@cli.command("sync")
def sync_command(
    data: Data, once: Annotated[bool, typer.Option("--once", help="Un seul échange, puis terminer.")] = False
) -> None:
    """Envoyer à la province tout ce qu'elle n'a pas encore, et rapporter ses reçus."""
    with opened(data) as node:
        if node.door.standing.upstream_url is None:
            _leave("Ce nœud n'est rattaché à aucune province : mboka upstream join.")
        if not once:
            serving.relay_for_ever(node)
            return
        with node.database.read() as connection:
            total = status(connection, node.door, schema=None)["unsettled_batches"]
        with (
            at_work(node.database, data),
            httpx.Client(timeout=120) as client,
            Progress("Relais vers la province", total, unit="lots") as progress,
        ):

            def told(done: Relayed) -> None:
                progress.at(done.batches)

            done = exchange(node.door, client, most_bytes=node.settings.relay_bytes, told=told)
    out.print(
        f"{counted(done.batches, 'lot envoyé', many='lots envoyés')}, "
        f"{counted(done.receipts, 'reçu', many='reçus')} de la province, "
        f"{counted(done.wire_bytes, 'octet', many='octets')}.",
        soft_wrap=True,
    )
    if done.refused:
        refused = counted(done.refused, "lot refusé", many="lots refusés")
        _leave(f"{refused} par la province : voyez son journal.")


# -- the node itself ---------------------------------------------------------------------------------------------


@cli.command("status")
def status_command(data: Data, as_json: AsJson = False) -> None:
    """L'état du nœud, en nombres."""
    with opened(data) as node, node.database.read() as connection:
        answer = status(connection, node.door, schema=migrations.current(node.database))
    if as_json:
        print_json(answer)
        return
    if answer["demo"]:
        out.print("DONNÉES FICTIVES", style="bold yellow")
    for name, value in answer.items():
        out.print(f"{name} : {value}", soft_wrap=True, highlight=False)


@cli.command()
def verify(data: Data, as_json: AsJson = False) -> None:
    """Tout vérifier à nouveau à partir des octets signés ; code 1 et première différence nommée, s'il y en a une."""
    from app import audit

    with opened(data) as node, Progress("Vérification", None, unit="opérations") as progress:
        report = audit.verify(node.database, key=node.door.identity.key.public, told=progress.at_of)
    if as_json:
        print_json(report.as_json())
    elif report.ok:
        found = (
            counted(report.batches, "lot", many="lots"),
            counted(report.operations, "opération", many="opérations"),
            counted(report.entities, "entité", many="entités"),
        )
        out.print(f"Vérifié : {', '.join(found)}. Aucune différence.", soft_wrap=True)
    if not report.ok:
        _leave(f"Différence : {report.first_difference}")


@cli.command()
def upgrade(
    data: Data,
    copy_made: Annotated[
        bool, typer.Option("--copy-made", help="PostgreSQL : une sauvegarde vérifiée existe déjà.")
    ] = False,
) -> None:
    """Mettre le schéma à jour, après une copie vérifiée."""
    if not (data / CONFIGURATION).exists():
        _leave(f"Aucun nœud dans {data}.")
    out.print(upgrade_node(load(data), data, clock=Clock(), copy_made=copy_made), soft_wrap=True)


@cli.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Terminer après le tableau.")] = False,
    out_file: Annotated[Path | None, typer.Option("--out", help="Écrire les chiffres en JSON.")] = None,
    scale: Annotated[
        float, typer.Option(help="Part du recensement et des naissances.", min=0.001, max=1.0)
    ] = 1.0,
    keep: Annotated[Path | None, typer.Option(help="Garder les nœuds dans ce dossier.")] = None,
    seed: Annotated[int, typer.Option(help="Graine du hasard.")] = 2026,
) -> None:
    """La démonstration : un recensement de Kintambo et sept ans de naissances de Kimbanseke jusqu'à la province."""
    from app.demo.run import demonstrate

    raise SystemExit(demonstrate(once=once, out=out_file, scale=scale, keep=keep, seed=seed))
