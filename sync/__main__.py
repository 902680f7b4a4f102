"""A tablet without a screen: `python -m sync --data DIR enrol | load | push | pull | sync | status`.

Speaks French to the person in front of it; everything it does is sync.client's.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import httpx
import orjson

from sync.answers import SyncError
from sync.client import Pulled, Pushed, Tablet
from sync.sqlite_store import SqliteStore
from sync.store import Damaged

TIMEOUT = httpx.Timeout(60.0, connect=20.0)
MOST_LINE = 8 << 20


class Progress:
    """One line on the error stream with count, rate and time left, from the third second on; plain lines in a file."""

    def __init__(self, what: str, *, total: int | None = None, stream: TextIO = sys.stderr) -> None:
        self._what = what
        self._total = total
        self._stream = stream
        self._started = self._shown = time.monotonic()
        self._written = False

    def tell(self, done: int, total: int | None = None) -> None:
        """Show how far the work is, at most once a second (every ten in a file)."""
        now = time.monotonic()
        live = self._stream.isatty()
        if now - self._started < 2 or now - self._shown < (1 if live else 10):
            return
        self._shown, self._written = now, live
        rate = done / (now - self._started)
        text = f"{self._what} : {done} ({rate:.0f}/s)"
        if (most := total or self._total) and rate > 0:
            text += f" sur {most}, reste {_duration((most - done) / rate)}"
        self._stream.write(f"\r\x1b[K{text}" if live else f"{text}\n")
        self._stream.flush()

    def end(self) -> None:
        """Leave the line."""
        if self._written:
            self._stream.write("\n")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(max(0, round(seconds)), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sync", description="Une tablette sans écran.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="dossier de l'appareil")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMANDE")
    enrol = commands.add_parser("enrol", help="enrôler l'appareil avec le contenu du code QR")
    enrol.add_argument("--url", required=True, help="adresse du serveur")
    enrol.add_argument("--code", required=True, help="code d'invitation")
    enrol.add_argument("--province", required=True, help="empreinte de la clé de la province")
    enrol.add_argument("--name", default="Tablette", help="nom de l'appareil")
    load = commands.add_parser("load", help="saisir des ménages depuis un fichier NDJSON")
    load.add_argument("file", type=Path, metavar="FICHIER")
    push = commands.add_parser("push", help="envoyer ce qui attend")
    push.add_argument("--to", metavar="URL", help="un autre serveur de la commune ou de la province")
    commands.add_parser("pull", help="recevoir les fiches de ses zones")
    commands.add_parser("sync", help="envoyer, recevoir, prendre les reçus")
    status = commands.add_parser("status", help="où en est l'appareil")
    status.add_argument("--json", action="store_true", help="en JSON")
    return parser


def _read_lines(file: Path, progress: Progress) -> Iterator[dict[str, Any]]:
    """The lines of a file; SyncError names the first one that is no JSON object."""
    size, read = file.stat().st_size, 0
    with file.open("rb") as stream:
        for number, line in enumerate(iter(lambda: stream.readline(MOST_LINE), b""), 1):
            read += len(line)
            if not line.strip():
                continue
            try:
                found = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise SyncError(
                    "not_json", f"Ligne {number} de {file.name} : ce n'est pas du JSON."
                ) from error
            if not isinstance(found, dict):
                raise SyncError("not_json", f"Ligne {number} de {file.name} : un objet JSON est attendu.")
            progress.tell(number, total=round(number * size / read))
            yield found


def _load(tablet: Tablet, file: Path) -> None:
    progress = Progress("Lignes lues")
    stored = tablet.load(_read_lines(file, progress))
    progress.end()
    print(f"{stored} opérations enregistrées.")


def _push(tablet: Tablet, to: str | None = None) -> None:
    progress = Progress("Opérations envoyées")

    def told(done: Pushed) -> None:
        progress.tell(done.operations, total=done.operations + done.left)

    done = tablet.push(told, to=to)
    progress.end()
    print(f"{done.operations} opérations envoyées en {done.batches} lots ({done.wire_bytes} octets).")
    if done.left:
        print(f"{done.left} opérations attendent encore.")


def _pull(tablet: Tablet) -> None:
    progress = Progress("Fiches reçues")

    def told(done: Pulled) -> None:
        progress.tell(done.rows)

    done = tablet.pull(told)
    progress.end()
    print(f"{done.rows} fiches reçues, {done.removed} retirées ({done.wire_bytes} octets).")


def _sync(tablet: Tablet) -> None:
    _push(tablet)
    _pull(tablet)
    print(f"{tablet.fetch_receipts()} nouveaux reçus.")
    _status(tablet, as_json=False)


def _status(tablet: Tablet, *, as_json: bool) -> None:
    found = tablet.status()
    if as_json:
        print(orjson.dumps(found).decode())
        return
    print(f"Appareil {found['dev']}")
    print(f"Saisies : {found['entered']} · scellées : {found['sealed']} · reçues : {found['received']}")
    print(f"Reçues par la province : {found['settled']}")
    for kind, number in found["rows"].items():
        print(f"Fiches {kind} : {number}")
    for alarm in found["alarms"]:
        print(f"ALERTE [{alarm['code']}] {alarm['text']}")


def _run(asked: argparse.Namespace, store: SqliteStore, http: httpx.Client) -> None:
    if asked.command == "enrol":
        tablet = Tablet.enrol(
            store, url=asked.url, code=asked.code, province=asked.province, name=asked.name, http=http
        )
        facts = store.facts()
        print(
            f"Appareil {tablet.dev} enrôlé chez {facts['node_name']} ; zones : {', '.join(facts['areas'])}."
        )
        return
    tablet = Tablet(store, http)
    match asked.command:
        case "load":
            _load(tablet, asked.file)
        case "push":
            _push(tablet, asked.to)
        case "pull":
            _pull(tablet)
        case "sync":
            _sync(tablet)
        case _:
            _status(tablet, as_json=asked.json)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when done, 1 with a French sentence and a stable code on the error stream otherwise."""
    asked = _arguments().parse_args(arguments)
    try:
        store = SqliteStore(asked.data)
        try:
            with httpx.Client(timeout=TIMEOUT) as http:
                _run(asked, store, http)
        finally:
            store.close()
    except SyncError as error:
        print(f"[{error.code}] {error}", file=sys.stderr)
        return 1
    except Damaged as error:
        print(f"[damaged] {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"[file] {error.filename or asked.data} : {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
