"""What may be typed after `python -m sync`, explained and refused in French. Runs nothing."""

import argparse
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

import httpx

# argparse knows English only; these are all the sentences a person can provoke here.
_FRENCH = (
    (r"argument (.+?): expected one argument", r"\1 : une valeur est attendue"),
    (
        r"argument (.+?): invalid choice: (.+?) \(choose from (.+)\)",
        r"\1 : \2 n'existe pas ; choisissez : \3",
    ),
    (r"argument (.+?): ignored explicit argument (.+)", r"\1 ne prend pas de valeur : \2"),
    (r"argument (.+?): (.+)", r"\1 : \2"),
    (r"the following arguments are required: (.+)", r"il manque : \1"),
    (r"unrecognized arguments: (.+)", r"argument inconnu : \1"),
    (r"ambiguous option: (.+?) could match (.+)", r"option ambiguë : \1 peut être \2"),
)


class _Help(argparse.HelpFormatter):
    def add_usage(
        self,
        usage: str | None,
        actions: Iterable[argparse.Action],
        groups: Iterable[Any],
        prefix: str | None = None,
    ) -> None:
        super().add_usage(usage, actions, groups, "Usage : " if prefix is None else prefix)


class Parser(argparse.ArgumentParser):
    """A parser that speaks French; wrong arguments end with code 2, as everywhere."""

    def __init__(self, **options: Any) -> None:
        super().__init__(add_help=False, formatter_class=_Help, **options)
        self._positionals.title, self._optionals.title = "arguments", "options"
        self.add_argument("-h", "--help", action="help", help="afficher cette aide")

    def error(self, message: str) -> NoReturn:
        """Say what is wrong in French and leave with code 2."""
        for english, french in _FRENCH:
            if re.fullmatch(english, message):
                message = re.sub(english, french, message)
                break
        self.print_usage(sys.stderr)
        self.exit(2, f"{self.prog} : {message}.\n")


def _address(text: str) -> str:
    try:
        found = httpx.URL(text)
    except httpx.InvalidURL:
        found = httpx.URL()
    if found.scheme not in ("http", "https") or not found.host:
        raise argparse.ArgumentTypeError("une adresse commence par https:// (ou http://)")
    return text


def make_parser() -> Parser:
    """The commands of the tablet and what each takes."""
    parser = Parser(prog="python -m sync", description="Une tablette sans écran.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="dossier de l'appareil")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMANDE", title="commandes")
    enrol = commands.add_parser("enrol", help="enrôler l'appareil avec le contenu du code QR")
    enrol.add_argument("--url", type=_address, required=True, help="adresse du serveur")
    enrol.add_argument("--code", required=True, help="code d'invitation")
    enrol.add_argument("--province", required=True, help="empreinte de la clé de la province")
    enrol.add_argument("--name", default="Tablette", help="nom de l'appareil")
    load = commands.add_parser("load", help="saisir des ménages depuis un fichier NDJSON")
    load.add_argument("file", type=Path, metavar="FICHIER")
    push = commands.add_parser("push", help="envoyer ce qui attend")
    push.add_argument(
        "--to", type=_address, metavar="URL", help="un autre serveur de la commune ou de la province"
    )
    commands.add_parser("pull", help="recevoir les fiches de ses zones")
    commands.add_parser("sync", help="envoyer, recevoir, prendre les reçus")
    carried = commands.add_parser("export", help="écrire sur une clé USB ce que la province n'a pas encore")
    carried.add_argument("file", type=Path, metavar="FICHIER")
    carried.add_argument(
        "--to",
        metavar="QUI",
        help="« province », ou un fichier avec le certificat d'un autre serveur (sa réponse à hello)",
    )
    back = commands.add_parser("import", help="prendre les reçus rapportés sur une clé USB")
    back.add_argument("file", type=Path, metavar="FICHIER")
    status = commands.add_parser("status", help="où en est l'appareil")
    status.add_argument("--json", action="store_true", help="en JSON")
    return parser
