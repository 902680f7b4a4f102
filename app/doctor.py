"""`mboka doctor`: how the node is and what to do about it, one line per finding. Reads only, also while it serves."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any

import sqlalchemy as sa
import typer
from cryptography import x509
from rich.markup import escape

import migrations
from app.clock import Clock, moment, stamp
from app.database import Database, NotDurable
from app.keeping_safe.backup import last_backup
from app.keeping_safe.recovery import PUBLIC
from app.ledger.node import IDENTITY, Identity, Marks, Standing, read_standing
from app.ledger.standing import SILENT_DAYS
from app.ledger.tables import batch, conflict, device, device_contact, fork, node, quarantine, waiting
from app.ledger.trays import HEAVY
from app.opening import AsJson, Data, out, print_json, settings_of
from app.settings import Settings
from sync.answers import counted

commands = typer.Typer()
GIB = 1 << 30
DISK_LOW, DISK_FULL = 5 * GIB, 1 * GIB
BACKUP_LATE, BACKUP_OLD = timedelta(hours=36), timedelta(days=7)
PROVINCE_LATE, PROVINCE_LOST = timedelta(days=1), timedelta(days=7)
CERTIFICATE_SOON = timedelta(days=21)
CLOCK_WRONG = timedelta(minutes=5)
# Looking at every page of a large file takes minutes; the quick check leaves out only the indexes' order.
INTEGRITY = "PRAGMA quick_check(1)"


class Level(IntEnum):
    """How bad a finding is; the worst is the command's exit code."""

    fine = 0
    todo = 1
    danger = 2


MARKS = {Level.fine: ("✓", "green"), Level.todo: ("!", "yellow"), Level.danger: ("✗", "bold red")}


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: stable `code`, level, what was found and what to do (French; nothing to do when fine)."""

    code: str
    level: Level
    found: str
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined: the folder, its settings, an open snapshot, and the moment."""

    settings: Settings
    connection: sa.Connection
    standing: Standing
    now: datetime

    @property
    def data(self) -> Path:
        """The node's folder."""
        return Path(self.settings.data)

    def count(self, table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
        """Rows of a table."""
        query = sa.select(sa.func.count()).select_from(table).where(*where)
        return int(self.connection.execute(query).scalar_one())


def examine(settings: Settings, *, clock: Clock, tls_cert: Path | None = None) -> list[Finding]:
    """Every finding, the disk first; a database that cannot be read ends the list."""
    data = Path(settings.data)
    found = [*_disk(data)]
    database = Database(settings.url)
    try:
        found += _schema(database, data)
        if found[-1].level is not Level.danger:
            with database.read() as connection:
                patient = Patient(settings, connection, read_standing(connection), clock.now())
                for check in CHECKS:
                    found += check(patient)
            found += _durability(database)
    except sa.exc.SQLAlchemyError as error:
        told = str(getattr(error, "orig", error))
        found.append(
            Finding(
                "database_unreadable",
                Level.danger,
                f"La base de données ne se lit pas : {told}",
                "Vérifiez le disque ; si le fichier est abîmé, restaurez la dernière sauvegarde.",
            )
        )
    finally:
        database.close()
    if tls_cert is not None:
        found += _certificate(tls_cert, clock.now())
    return found


def _disk(data: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(data).free
    told = f"{free / GIB:.1f} Gio libres sur le disque de {data}"
    if free < DISK_FULL:
        yield Finding(
            "disk", Level.danger, told, "Libérez de la place aujourd'hui : bientôt rien ne s'enregistre plus."
        )
    elif free < DISK_LOW:
        yield Finding("disk", Level.todo, told, "Libérez de la place cette semaine.")
    else:
        yield Finding("disk", Level.fine, told)


def _schema(database: Database, data: Path) -> Iterator[Finding]:
    held, wanted = migrations.current(database), migrations.head()
    if held == wanted:
        yield Finding("schema", Level.fine, f"Schéma {held}")
    elif held is None or held in migrations.revisions():
        told = f"Schéma {held}, le programme veut {wanted}"
        yield Finding("schema", Level.danger, told, f"mboka backup, puis mboka upgrade --data {data}")
    else:
        told = f"Schéma {held}, plus récent que ce programme"
        yield Finding("schema", Level.danger, told, "Installez la version du programme qui l'a écrit.")


def _durability(database: Database) -> Iterator[Finding]:
    try:
        database.assert_durable()
    except NotDurable as error:
        yield Finding("durability", Level.danger, str(error), "Rendez au réglage sa valeur d'origine.")
    else:
        yield Finding("durability", Level.fine, "Ce qui est confirmé survit à une coupure de courant")


def _integrity(patient: Patient) -> Iterator[Finding]:
    if patient.connection.dialect.name != "sqlite":
        return
    said = str(patient.connection.exec_driver_sql(INTEGRITY).scalar_one())
    if said == "ok":
        yield Finding("integrity", Level.fine, "Fichier de la base intact")
    else:
        todo = "Arrêtez le serveur, copiez le dossier tel quel, restaurez la dernière sauvegarde."
        yield Finding("integrity", Level.danger, f"Fichier de la base abîmé : {said}", todo)


def _identity(patient: Patient) -> Iterator[Finding]:
    try:
        held = Identity.read(patient.data)
    except (OSError, ValueError, KeyError):
        yield Finding(
            "identity",
            Level.danger,
            f"{patient.data / IDENTITY} manque ou est illisible",
            "Restaurez la dernière sauvegarde dans un dossier vide : elle contient la clé du nœud.",
        )
        return
    row = patient.connection.execute(sa.select(node.c.dev, node.c.ep, node.c.feed)).one()
    behind = Marks.of(patient.connection).is_behind(Marks.read(patient.data))
    if row.dev != held.dev:
        todo = "Rendez au dossier sa propre base."
        yield Finding("identity", Level.danger, "Dossier et base sont de deux nœuds différents", todo)
    elif (row.ep, row.feed) != (held.ep, held.feed) or behind:
        told = "La base vient d'une copie : au prochain démarrage le nœud prend une nouvelle époque"
        yield Finding(
            "identity", Level.todo, told, "Laissez les tablettes et la province renvoyer leurs lots."
        )
    else:
        yield Finding("identity", Level.fine, f"Nœud {held.dev} ({patient.standing.kind})")
    if patient.standing.catching_up:
        todo = "Laissez le serveur joindre la province ; les actes s'enregistrent de nouveau ensuite."
        yield Finding(
            "catching_up", Level.todo, "Le nœud rattrape ce qui lui manque après une restauration", todo
        )


def _clock(patient: Patient) -> Iterator[Finding]:
    newest = patient.connection.execute(sa.select(sa.func.max(batch.c.received_at))).scalar()
    behind = moment(newest) - patient.now if newest else timedelta()
    offset = timedelta(seconds=patient.standing.upstream_offset or 0)
    todo = "Réglez date et heure de la machine (zone Africa/Kinshasa), et changez sa pile si cela revient."
    if behind > CLOCK_WRONG:
        yield Finding(
            "clock", Level.danger, f"L'horloge retarde de {_span(behind)} sur le dernier lot reçu", todo
        )
    elif abs(offset) > timedelta(hours=patient.settings.clock_ahead_hours):
        yield Finding(
            "clock", Level.danger, f"L'horloge s'écarte de {_span(abs(offset))} de la province", todo
        )
    elif abs(offset) > CLOCK_WRONG:
        yield Finding("clock", Level.todo, f"L'horloge s'écarte de {_span(abs(offset))} de la province", todo)
    else:
        yield Finding("clock", Level.fine, "Horloge d'accord avec la province et les lots reçus")


def _backup(patient: Patient) -> Iterator[Finding]:
    if not (patient.data / PUBLIC).exists():
        todo = f"mboka recovery-key --data {patient.data} --to FICHIER (clé USB)"
        yield Finding("recovery_key", Level.danger, "Aucune clé de secours : rien n'est sauvegardé", todo)
        return
    last = last_backup(patient.data)
    command = f"mboka backup --data {patient.data} --to DOSSIER"
    if last is None:
        yield Finding("backup", Level.danger, "Aucune sauvegarde n'a encore été faite", command)
        return
    age = patient.now - moment(last["at"])
    since = patient.count(batch, batch.c.id > last["batches"])
    told = f"Dernière sauvegarde il y a {_span(age)} : {last['file']}, {counted(since, 'lot', many='lots')} depuis"
    if not Path(last["file"]).exists():
        todo = f"Rebranchez le support ou refaites-la : {command}"
        yield Finding(
            "backup", Level.todo, f"Le fichier {last['file']} n'est plus là (support débranché ?)", todo
        )
    elif age > BACKUP_OLD:
        yield Finding("backup", Level.danger, told, command)
    elif age > BACKUP_LATE:
        yield Finding("backup", Level.todo, told, command)
    else:
        yield Finding("backup", Level.fine, told)


def _province(patient: Patient) -> Iterator[Finding]:
    standing = patient.standing
    if standing.is_province:
        return
    if standing.node_cert is None:
        told = "Ce nœud n'a pas de certificat de la province : il n'enrôle aucune tablette"
        yield Finding(
            "node_cert", Level.todo, told, "mboka upstream join, avec le code donné par la province"
        )
        return
    yield Finding("node_cert", Level.fine, "Certificat de la province présent")
    last = standing.relayed_at
    age = patient.now - moment(last) if last else None
    told = (
        f"Dernier reçu de la province il y a {_span(age)}"
        if age is not None
        else "La province n'a encore rien reçu"
    )
    waits = patient.count(batch, batch.c.province_receipt.is_(None)) > 0
    todo = "Vérifiez la ligne et l'adresse de la province : mboka sync --once"
    if waits and (age is None or age > PROVINCE_LOST):
        yield Finding("province", Level.danger, told, todo + " ; sinon portez une sauvegarde à la province.")
    elif waits and age is not None and age > PROVINCE_LATE:
        yield Finding("province", Level.todo, told, todo)
    else:
        yield Finding("province", Level.fine, told)


def _not_yet_safe(patient: Patient) -> Iterator[Finding]:
    """What exists on this machine alone: neither at the province nor in the last backup (protocol section 1)."""
    last = last_backup(patient.data)
    unsafe = [batch.c.id > (last["batches"] if last else 0)]
    if not patient.standing.is_province:
        unsafe.append(batch.c.province_receipt.is_(None))
    spans = sa.func.coalesce(sa.func.sum(batch.c.to_n - batch.c.from_n + 1), 0)
    query = sa.select(spans).where(*unsafe)
    total = int(patient.connection.execute(query).scalar_one())
    own = int(patient.connection.execute(query.where(batch.c.dev == patient.standing.dev)).scalar_one())
    if not total:
        yield Finding(
            "not_yet_safe", Level.fine, "Tout est aussi à la province ou dans la dernière sauvegarde"
        )
        return
    told = (
        f"{counted(total, 'opération', many='opérations')} sur cette machine seulement, dont {own} écrites ici, "
        "qu'aucune tablette ne peut renvoyer"
    )
    todo = f"mboka sync --once, ou mboka backup --data {patient.data} --to DOSSIER"
    yield Finding("not_yet_safe", Level.todo, told, todo)


def _devices(patient: Patient) -> Iterator[Finding]:
    limit = stamp(patient.now - timedelta(days=SILENT_DAYS))
    query = sa.select(sa.func.count()).select_from(
        device.outerjoin(device_contact, device_contact.c.dev == device.c.id)
    )
    silent = sa.or_(device_contact.c.last_contact.is_(None), device_contact.c.last_contact < limit)
    in_use = (device.c.server.is_not(True), device.c.revoked.is_(None))
    quiet = int(patient.connection.execute(query.where(silent, *in_use)).scalar_one())
    if quiet:
        told = f"{counted(quiet, 'tablette silencieuse', many='tablettes silencieuses')} depuis {SILENT_DAYS} jours"
        yield Finding("silent", Level.todo, told, "Appelez leurs agents : mboka device list")
    else:
        yield Finding("silent", Level.fine, "Toutes les tablettes ont donné signe de vie")
    gaps = patient.count(device_contact, device_contact.c.prev_gap.is_(True))
    forks = patient.count(fork)
    if gaps or forks:
        chains, twice = counted(gaps, "chaîne", many="chaînes"), counted(forks, "numéro", many="numéros")
        told = f"{chains} de lots avec une lacune, {twice} en double"
        todo = "mboka device list : une tablette copiée ou restaurée est à réenrôler."
        yield Finding("chains", Level.todo, told, todo)


def _trays(patient: Patient) -> Iterator[Finding]:
    heavy = patient.count(conflict, conflict.c.weight == HEAVY)
    if heavy:
        told = f"{counted(heavy, 'conflit', many='conflits')} qu'une personne doit trancher"
        yield Finding("conflicts", Level.todo, told, "Au guichet : la liste des conflits.")
    aside = patient.count(quarantine)
    if aside:
        told = f"{counted(aside, 'ligne mise', many='lignes mises')} de côté, illisibles ou hors du rôle"
        yield Finding("quarantine", Level.todo, told, "Au guichet : la liste des lignes de côté.")
    late = patient.count(waiting)
    if late:
        told = f"{counted(late, 'opération attend', many='opérations attendent')} une autre qui n'est pas arrivée"
        yield Finding("waiting", Level.fine, told)


def _certificate(file: Path, now: datetime) -> Iterator[Finding]:
    try:
        ends = x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc
    except (OSError, ValueError, ssl.SSLError) as error:
        yield Finding("tls", Level.danger, f"Certificat {file} illisible : {error}", "Vérifiez --tls-cert.")
        return
    told = f"Certificat TLS valable jusqu'au {ends:%Y-%m-%d}"
    if ends <= now:
        yield Finding("tls", Level.danger, told, "Renouvelez-le : aucune tablette ne se connecte plus.")
    elif ends - now < CERTIFICATE_SOON:
        yield Finding("tls", Level.todo, told, "Renouvelez-le avant cette date.")
    else:
        yield Finding("tls", Level.fine, told)


CHECKS: tuple[Callable[[Patient], Iterator[Finding]], ...] = (
    _integrity,
    _identity,
    _clock,
    _backup,
    _province,
    _not_yet_safe,
    _devices,
    _trays,
)


def _span(age: timedelta) -> str:
    hours = int(age.total_seconds() // 3600)
    if hours < 1:
        return counted(int(age.total_seconds() // 60), "minute", many="minutes")
    return (
        counted(hours, "heure", many="heures") if hours < 48 else counted(hours // 24, "jour", many="jours")
    )


@commands.command()
def doctor(
    data: Data,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificat TLS (PEM) dont voir l'échéance.")] = None,
    as_json: AsJson = False,
) -> None:
    """Examiner le nœud et dire quoi faire ; code 0 tout va bien, 1 à faire, 2 danger."""
    found = examine(settings_of(data), clock=Clock(), tls_cert=tls_cert)
    worst = max(each.level for each in found)
    if as_json:
        print_json({"level": int(worst), "findings": [_as_json(each) for each in found]})
    else:
        for each in found:
            mark, style = MARKS[each.level]
            todo = f" → {each.todo}" if each.todo else ""
            out.print(f"[{style}]{mark}[/] {escape(each.found + todo)}", soft_wrap=True, highlight=False)
    raise typer.Exit(int(worst))


def _as_json(finding: Finding) -> dict[str, Any]:
    return asdict(finding) | {"level": int(finding.level)}
