"""The name key: what two spellings of one name of Kinshasa have in common, and how a search finds it. Pure; it never
says that two persons are one, and what was written is stored elsewhere, unchanged.

There are no family names, so a name is a *set* of keys in no order, and any of them may be missing. A key is a token
after the spelling rules of `data/name_orthography_rules.csv` (the rule stands beside each rewrite below).

Each person row carries `SLOTS` integers, the numbers of its keys in ascending order, then nulls: app.population.search
finds any part of a name in them, in any order, by plain B-tree seeks. Numbers may collide (1 in 4 billion).
"""

from __future__ import annotations

import csv
import re
import unicodedata
from functools import lru_cache
from importlib.resources import files
from zlib import crc32

SLOTS = 6
_EMPTY = (None,) * SLOTS
SLOT_COLUMNS = tuple(f"name{place}" for place in range(1, SLOTS + 1))
LONGEST_TOKEN = 40
LONGEST_NAME = 400
# Names repeat: few misses, and a commune server's memory stays small.
CACHED = 1 << 14

# Marks written inside a word (N'SEFU) glue; everything else that is no letter or digit separates (JEAN-PIERRE).
GLUED = dict.fromkeys(map(ord, "'’‘ʼʻ`´"))
LETTERS = str.maketrans({"Œ": "OE", "Æ": "AE", "Ɛ": "E", "Ɔ": "O", "Ŋ": "NG", "Ø": "O", "Ł": "L", "Đ": "D"})
WORD = re.compile(r"[^\W_]+")
# « N SELE », « M BUYI »: a nasal written apart from its word.
NASAL_APART = re.compile(r"\b([NM]) (?=[BCDFGJKLPRSTVZ][^\W_])")
PARTICLES = frozenset({"WA", "YA", "A", "KWA", "NE"})
MIXED = re.compile(r"(?=.*[A-Z])(?=.*[01])")

# (rule of the list, pattern, replacement), applied in this order to a token in capitals without accents.
REWRITES: tuple[tuple[str, str, str], ...] = (
    ("OCR and typing", "VV", "W"),
    ("OCR and typing", "IJ$", "U"),
    ("OCR and typing", "(?<=[BCFGKLMNPRSTVZ])J(?=[BCFGHKLMNPQRSTVZ])", "U"),
    ("particles wa, ya, a, kwa, ne glued or spaced", "^(?:WA|KWA|YA)(?=[BCDFGHJKLMNPRSTVZ].{4})", ""),
    ("French variants", "PH", "P"),
    ("French variants", "CH(?=[BCDFGKLMNPQRSTVZ])", "K"),
    ("TSHI~CI~TCHI~CHI", "T?CH|TSH|C(?=[EIY])", "*"),
    ("French variants", "CK|QU|[CQ]", "K"),
    ("TSHI~CI~TCHI~CHI", r"\*", "C"),
    ("SS~S, TH~T, double letters", "SH", "S"),
    ("DJ~J~DZ", "DJ|DZ", "J"),
    ("H~Y~none between vowels", "H", ""),
    ("OU~U~W (French / Brazzaville spelling)", "OU", "U"),
    ("U~W before vowel", "W", "U"),
    ("O~U", "O", "U"),
    ("B~MB, D~ND, G~NG inside", "(?<=.)(?:M(?=B)|N(?=[DG]))", ""),
    ("initial nasal N or M dropped before consonant", "^[NM](?=[BCDFGJKLMNPRSTVZ])", ""),
    ("S~Z", "Z", "S"),
    ("T~D", "D", "T"),
    ("L~R", "R", "L"),
    ("SS~S, TH~T, double letters", r"(.)\1+", r"\1"),
    ("IA~IYA", "(?<=[AEIU])[YI](?=[AEIUY])", ""),
    ("final Y~YI~I", "Y", "I"),
    ("long vowel doubled", "II+", "I"),
    ("TSHIA~TSHA", "CIA", "CA"),
    ("KE~KI final, E~A final", "(?<=.)KE$", "KI"),
    ("KE~KI final, E~A final", "(?<=..)E$", "A"),
)
_COMPILED = tuple((re.compile(pattern), replacement) for _, pattern, replacement in REWRITES)


def name_key(text: str) -> str:
    """The keys of a name in the order written, joined by a space; empty when it holds no letter or digit.

    `name_key("N'sefu") == name_key("NSEFU")`. At most the first 400 characters count, and 40 of one token.
    """
    return " ".join(_keys(text) if len(text) <= LONGEST_TOKEN else _read(text))


def tokens(*elements: str | None) -> tuple[str, ...]:
    """The distinct keys of a person's name elements (nom, postnom, prenom; None where missing), sorted."""
    found: set[str] = set()
    for element in elements:
        if element:
            found.update(_keys(element) if len(element) <= LONGEST_TOKEN else _read(element))
    return tuple(sorted(found))


def slots(*elements: str | None) -> tuple[int | None, ...]:
    """The `SLOTS` integers of a person row (columns name1 … name6): numbers ascending, then None.

    Of a name of more than six keys the six least numbers stand for it, on both sides of a search.
    """
    found = set().union(*map(_NUMBERS.__getitem__, elements))
    return (*sorted(found), *_EMPTY)[:SLOTS]


def numbers(q: str) -> tuple[int, ...]:
    """The numbers (signed 32 bits) that a person's slots must all hold to answer the query, ascending, at most six."""
    return _least({_number(key) for key in _read(q)})


def _least(found: set[int]) -> tuple[int, ...]:
    return tuple(sorted(found)[:SLOTS])


def _number(key: str) -> int:
    return crc32(key.encode()) - (1 << 31)


class _Numbers(dict[str | None, tuple[int, ...]]):
    """The numbers of an element's keys, of the last thousands that were asked for."""

    def __missing__(self, element: str | None) -> tuple[int, ...]:
        found = tuple(_number(key) for key in _read(element)) if element else ()
        if len(self) >= CACHED:
            self.clear()
        if element is None or len(element) <= LONGEST_TOKEN:
            self[element] = found
        return found


_NUMBERS = _Numbers()


@lru_cache(maxsize=CACHED)
def _keys(element: str) -> tuple[str, ...]:
    return _read(element)


def _read(text: str) -> tuple[str, ...]:
    words = WORD.findall(NASAL_APART.sub(r"\1", _plain(text[:LONGEST_NAME])))
    named = [word for word in words if word not in PARTICLES] or words
    return tuple(_key(word[:LONGEST_TOKEN]) for word in named)


def _plain(text: str) -> str:
    """Capitals without accents; marks inside words gone."""
    if text.isascii():
        return text.translate(GLUED).upper()
    decomposed = unicodedata.normalize("NFKD", text.translate(GLUED)).upper().translate(LETTERS)
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


@lru_cache(maxsize=CACHED)
def _key(word: str) -> str:
    if MIXED.match(word):
        word = word.replace("1", "I").replace("0", "O")
    key = MISSPELT.get(word, word)
    for pattern, replacement in _COMPILED:
        key = pattern.sub(replacement, key)
    return key or word


def _misspelt() -> dict[str, str]:
    text = files("app.population").joinpath("data", "prenoms_misspelt.csv").read_text(encoding="utf-8")
    return {line["misspelt"]: line["standard"] for line in csv.DictReader(text.splitlines())}


MISSPELT = _misspelt()
