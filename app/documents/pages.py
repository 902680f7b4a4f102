"""The public page on which anybody verifies a paper: plain HTML without a script. Everything on it that came from
outside is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from app.documents.verifying import Line

_PAGE = """<!doctype html>
<html lang="fr">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Vérifier un document de l'état civil</title>
<style>
body {{ font-family: sans-serif; max-width: 40rem; margin: 1rem auto; padding: 0 1rem; line-height: 1.4; }}
textarea {{ width: 100%; box-sizing: border-box; font-family: monospace; }}
th {{ text-align: left; font-weight: normal; color: #555; padding-right: 1rem; vertical-align: top; }}
.good {{ border-left: .4rem solid #17703a; padding-left: .8rem; }}
.bad {{ border-left: .4rem solid #b00000; padding-left: .8rem; }}
</style>
</head>
<body>
<h1>Vérifier un document de l'état civil</h1>
{demo}{result}
<form method="get" action="/verify">
<p><label for="code">Texte du QR imprimé sur le document (il commence par MBK1:)</label></p>
<p><textarea id="code" name="code" rows="6" maxlength="4296" required></textarea></p>
<p><button>Vérifier</button></p>
</form>
<p>Cette page ne cherche ni un nom ni un numéro : elle dit seulement ce que le papier signé doit montrer.</p>
</body>
</html>
"""
_DEMO = "<p><strong>DONNÉES FICTIVES : serveur de démonstration.</strong></p>\n"


def empty_page(*, demo: bool) -> str:
    """The form alone."""
    return _page("", demo=demo)


def refused_page(reason: str, *, demo: bool) -> str:
    """The form under the reason (French) why a text is no valid document."""
    return _page(f'<div class="bad"><h2>Non valable</h2><p>{escape(reason)}</p></div>', demo=demo)


def valid_page(lines: Sequence[Line], *, annulled: str | None, demo: bool) -> str:
    """The form under what the paper must show; an annulled act is said before anything else."""
    rows = "\n".join(f"<tr><th>{escape(label)}</th><td>{escape(value)}</td></tr>" for label, value in lines)
    head = (
        f'<div class="bad"><h2>{escape(annulled)}</h2><p>La signature est vraie, mais cet acte ne vaut plus.</p>'
        if annulled
        else '<div class="good"><h2>Signature valable</h2><p>Le papier doit montrer exactement ceci :</p>'
    )
    return _page(f"{head}\n<table>\n{rows}\n</table></div>", demo=demo)


def _page(result: str, *, demo: bool) -> str:
    return _PAGE.format(result=result, demo=_DEMO if demo else "")
