"""A tablet without a screen: `python -m sync --data DIR enrol | load | push | pull | sync | export | import | status`.

Speaks French to the person in front of it; everything it does is sync.client's.
"""

import argparse
import errno
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import httpx
import orjson

from sync import carrying
from sync.answers import SyncError, counted
from sync.arguments import make_parser
from sync.client import Pushed, Tablet
from sync.download import Pulled
from sync.outbox import BadOperation
from sync.sqlite_store import SqliteStore
from sync.store import Damaged

TIMEOUT = httpx.Timeout(60.0, connect=20.0)
# One connection through pauses too: on a slow line a new one costs several round trips. The server keeps it for 75 s.
LIMITS = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=60.0)
MOST_LINE = 8 << 20
_FILE_ERRORS: dict[type[OSError], str] = {
    FileNotFoundError: "Fichier introuvable",
    PermissionError: "Accès refusé",
    IsADirectoryError: "C'est un dossier, non un fichier",
    NotADirectoryError: "Ce n'est pas un dossier",
    FileExistsError: "Ce n'est pas un dossier",
}


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


class Lines:
    """The doors of an NDJSON file, and which line of the file each stands on."""

    def __init__(self, file: Path, progress: Progress) -> None:
        self._file = file
        self._progress = progress
        self._numbers: list[int] = []

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Raises SyncError at the first line that is no JSON object."""
        size, read = self._file.stat().st_size, 0
        with self._file.open("rb") as stream:
            for number, line in enumerate(iter(lambda: stream.readline(MOST_LINE), b""), 1):
                read += len(line)
                if not line.strip():
                    continue
                self._numbers.append(number)
                self._progress.tell(number, total=round(number * size / read))
                yield self._object(line)

    def _object(self, line: bytes) -> dict[str, Any]:
        try:
            found = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise self.refusal("not_json", "ce n'est pas du JSON.") from error
        if not isinstance(found, dict):
            raise self.refusal("not_json", "un objet JSON est attendu.")
        return found

    def refusal(self, code: str, text: str, *, door: int = -1) -> SyncError:
        """What is wrong with a door (from 0; the last one read without it), as a person finds it in the file."""
        return SyncError(code, f"{self._file.name}, ligne {self._numbers[door]} : {text}")


def _load(tablet: Tablet, file: Path) -> None:
    progress = Progress("Lignes lues")
    lines = Lines(file, progress)
    try:
        stored = tablet.load(lines)
    except BadOperation as error:
        if error.line is None:
            raise
        raise lines.refusal(error.code, str(error), door=error.line) from error
    progress.end()
    print(f"{counted(stored, 'opération enregistrée', many='opérations enregistrées')}.")


def _push(tablet: Tablet, to: str | None = None) -> None:
    progress = Progress("Opérations envoyées")

    def told(done: Pushed) -> None:
        progress.tell(done.operations, total=done.operations + done.left)

    done = tablet.push(told, to=to)
    progress.end()
    sent = counted(done.operations, "opération envoyée", many="opérations envoyées")
    print(f"{sent} en {counted(done.batches, 'lot', many='lots')} ({_bytes(done.wire_bytes)}).")
    if done.left:
        print(f"{counted(done.left, 'opération attend', many='opérations attendent')} encore.")


def _pull(tablet: Tablet) -> None:
    progress = Progress("Fiches reçues")

    def told(done: Pulled) -> None:
        progress.tell(done.rows, total=done.expected or None)

    done = tablet.pull(told)
    progress.end()
    rows, removed = (
        counted(done.rows, "fiche reçue", many="fiches reçues"),
        counted(done.removed, "retirée", many="retirées"),
    )
    print(f"{rows}, {removed} ({_bytes(done.wire_bytes)}).")


def _bytes(number: int) -> str:
    return counted(number, "octet", many="octets")


def _sync(tablet: Tablet) -> None:
    _push(tablet)
    _pull(tablet)
    print(f"{counted(tablet.fetch_receipts(), 'nouveau reçu', many='nouveaux reçus')}.")
    _status(tablet, as_json=False)


def _export(tablet: Tablet, file: Path, to: str | None) -> None:
    progress = Progress("Lots écrits")
    total = sum(each.settled_at is None for each in tablet.store.batches())
    cert = to if to in (None, "province") else carrying.read_certificate(Path(str(to)))
    done = carrying.Exported()
    for done in carrying.export(tablet, file, receiver=carrying.receiver_of(tablet, cert)):
        progress.tell(done.batches, total=total)
    progress.end()
    lots = counted(done.batches, "lot écrit", many="lots écrits")
    print(f"{lots} ({counted(done.operations, 'opération', many='opérations')}).")
    for path in done.files:
        print(f"À porter : {path}")


def _import(tablet: Tablet, file: Path) -> None:
    for path in carrying.files_of(file):
        found = carrying.take_file(tablet, path)
        print(f"{path.name} : {counted(found.receipts, 'nouveau reçu', many='nouveaux reçus')}.")
        if found.refused:
            print(f"{counted(found.refused, 'lot refusé', many='lots refusés')} par le serveur.")
        if found.strange:
            print(f"{counted(found.strange, 'reçu non valable laissé', many='reçus non valables laissés')}.")


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
        case "export":
            _export(tablet, asked.file, asked.to)
        case "import":
            _import(tablet, asked.file)
        case "sync":
            _sync(tablet)
        case _:
            _status(tablet, as_json=asked.json)


def _told(error: OSError, data: Path) -> str:
    """A failure of the file system in French, with the file it is about."""
    known = next((text for kind, text in _FILE_ERRORS.items() if isinstance(error, kind)), None)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        known = "Disque plein"
    return f"{known or f'Erreur {error.errno} du système'} : {error.filename or data}"


def main(typed: list[str] | None = None) -> int:
    """Run one command; 0 when done, 1 with a French sentence and a stable code on the error stream otherwise."""
    asked = make_parser().parse_args(typed)
    try:
        store = SqliteStore(asked.data)
        try:
            with httpx.Client(timeout=TIMEOUT, limits=LIMITS) as http:
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
        print(f"[file] {_told(error, asked.data)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
