"""Passwords of officers as NIST SP 800-63B has them: length and a list of what everybody chooses, no composition rules
and no expiry. Whose password it is, and when it changes, is the business of officers and sessions."""

from __future__ import annotations

import re
import threading
import unicodedata
from functools import cache
from importlib.resources import files

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from app.errors import problem

WEAK_PASSWORD = problem(
    "weak_password", 422, "Mot de passe trop faible", "Choisissez une phrase d'au moins 12 caractères."
)

PASSWORD_LEAST = 12
PASSWORD_MOST = 256
# So many well-known words in a row are no passphrase yet, and so few other letters make it none.
WORDS_IN_A_ROW = 2
OTHER_LETTERS = 4

_LOOKALIKES = str.maketrans("0134578@$€!", "oieastbasei")
_HASHER = PasswordHash((Argon2Hasher(time_cost=2, memory_cost=19 * 1024, parallelism=1),))
# Each hash takes 19 MiB: two at a time keeps a burst of logins from filling the machine's memory.
_HASHING = threading.BoundedSemaphore(2)


def hash_password(password: str) -> str:
    """Argon2id text of a password (19 MiB, 2 passes: OWASP's minimum)."""
    with _HASHING:
        return _HASHER.hash(unicodedata.normalize("NFC", password))


def verify_password(password: str, password_hash: str) -> bool:
    """True when the password is the one behind the hash; takes as long either way."""
    with _HASHING:
        return _HASHER.verify(unicodedata.normalize("NFC", password), password_hash)


def require_strong(password: str, username: str) -> None:
    """Raise `weak_password` unless it has 12 to 256 characters, is not made of well-known words nor the user name."""
    if not PASSWORD_LEAST <= len(password) <= PASSWORD_MOST:
        raise WEAK_PASSWORD(
            f"Le mot de passe compte {len(password)} caractères ; il en faut de {PASSWORD_LEAST} à {PASSWORD_MOST}."
        )
    if username in password.lower() and len(password) - len(username) < PASSWORD_LEAST:
        raise WEAK_PASSWORD("Le mot de passe ressemble à l'identifiant.")
    bare = _bare(password)
    if len(set(bare)) < 5 or _is_common(bare) or _is_common(_bare(password.translate(_LOOKALIKES))):
        raise WEAK_PASSWORD("Ce mot de passe est trop facile à deviner.")


@cache
def common_words() -> tuple[str, ...]:
    """The words everybody chooses, in small letters without accents or blanks, the longest first."""
    text = files("app.access").joinpath("data/common_passwords.txt").read_text(encoding="utf-8")
    words = {_bare(line) for line in text.splitlines() if line and not line.startswith("#")}
    return tuple(sorted(words, key=lambda word: (-len(word), word)))


def _is_common(bare: str) -> bool:
    rest = bare
    for word in [each for each in common_words() if each in bare][:WORDS_IN_A_ROW]:
        rest = rest.replace(word, "")
        if len(rest.strip("0123456789")) < OTHER_LETTERS:
            return True
    return False


def _bare(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.lower())
    return re.sub(r"[\W_]", "", "".join(each for each in letters if not unicodedata.combining(each)))
