"""The territory as one immutable picture in memory, so that checking a code costs no SQL. It is read once and
read again after the lists changed; it writes nothing."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from app.errors import problem
from app.territory.tables import commune, office, quartier, quartier_alias, territory_version

COMMUNE_UNKNOWN = problem(
    "commune_unknown",
    404,
    "Commune inconnue",
    "Utilisez un code de commune de CD-KN-001 à CD-KN-024 (GET /v1/communes).",
)
QUARTIER_UNKNOWN = problem(
    "quartier_unknown", 422, "Quartier inconnu", "Utilisez un code de GET /v1/communes/{code}/quartiers."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Territory:
    """Codes of the communes, quartiers and offices ever in force, and how spellings lead to them.

    `quartiers` holds codes whose validity has ended too: a tablet may still write them.
    """

    version: str | None
    communes: frozenset[str]
    quartiers: frozenset[str]
    commune_names: Mapping[str, str]
    quartier_names: Mapping[str, str]
    _commune_of: Mapping[str, str]
    _successors: Mapping[str, tuple[str, ...]]
    _quartiers_of: Mapping[str, tuple[str, ...]]
    _offices_of: Mapping[str, tuple[str, ...]]
    _office_commune: Mapping[str, str]
    _by_name: Mapping[tuple[str, str], str]
    _candidates: Mapping[tuple[str, str], tuple[str, ...]]

    @classmethod
    def read(cls, connection: sa.Connection) -> Territory:
        """The picture as of this connection's snapshot: five SELECTs; empty before `load_territory`."""
        communes = connection.execute(
            sa.select(commune.c.code, commune.c.name).order_by(commune.c.code)
        ).all()
        quartiers = connection.execute(
            sa.select(quartier).order_by(quartier.c.commune, quartier.c.rank)
        ).all()
        offices = connection.execute(sa.select(office).order_by(office.c.code)).all()
        aliases = connection.execute(sa.select(quartier_alias)).all()
        spellings = _Spellings(quartiers)
        spellings.add_aliases(aliases)
        commune_of = {row.code: row.commune for row in quartiers}
        successors = _grouped((row.predecessor, row.code) for row in quartiers if row.predecessor)
        return cls(
            version=connection.scalar(sa.select(territory_version.c.version)),
            communes=frozenset(row.code for row in communes),
            quartiers=frozenset(commune_of),
            commune_names={row.code: row.name for row in communes},
            quartier_names={row.code: row.name for row in quartiers},
            _commune_of=commune_of,
            _successors=successors,
            _quartiers_of=_grouped((row.commune, row.code) for row in quartiers if row.valid_to is None),
            _offices_of=_grouped((row.commune, row.code) for row in offices if row.valid_to is None),
            _office_commune={row.code: row.commune for row in offices},
            _by_name=spellings.certain(),
            _candidates=spellings.candidates(),
        )

    def commune_of(self, code: str) -> str | None:
        """The commune of a quartier code, old codes included; None for an unknown code."""
        return self._commune_of.get(code)

    def current(self, code: str) -> str | None:
        """The code in force for a quartier code of any age: the code itself, or the one that replaced it.

        A quartier that was split keeps its own old code (nobody can say which part); None for an unknown code.
        """
        seen: set[str] = set()
        while len(after := self._successors.get(code, ())) == 1 and code not in seen:
            seen.add(code)
            code = after[0]
        return code if code in self._commune_of else None

    def quartiers_of(self, commune: str) -> tuple[str, ...]:
        """Codes of the quartiers not ended, in the commune's own order; empty for an unknown commune."""
        return self._quartiers_of.get(commune, ())

    def offices_of(self, commune: str) -> tuple[str, ...]:
        """Codes of the civil-status offices not ended, the main one (…-01) first; empty for an unknown commune."""
        return self._offices_of.get(commune, ())

    def office_commune(self, code: str) -> str | None:
        """The commune an office code belongs to, ended offices included; None for an unknown code."""
        return self._office_commune.get(code)

    def find_quartier(self, commune: str, name: str) -> str | None:
        """The one quartier of the commune that a spelling surely means, else None.

        Accents, case, spaces and hyphens do not matter; known aliases and codes of any age are understood. A name
        alone is no key: 21 names occur in several communes.
        """
        found = self._by_name.get((commune, fold_place(name)))
        return found and self.current(found)

    def quartier_candidates(self, commune: str, name: str) -> tuple[str, ...]:
        """Every quartier the spelling may mean, unconfirmed correspondences included, for a clerk to choose from."""
        return self._candidates.get((commune, fold_place(name)), ())


class _Spellings:
    """Collects which spellings (commune, folded name) lead to which quartier, and how sure that is."""

    def __init__(self, quartiers: Iterable[sa.Row[tuple[object, ...]]]) -> None:
        self._sure: dict[tuple[str, str], set[str]] = defaultdict(set)
        self._possible: dict[tuple[str, str], set[str]] = defaultdict(set)
        ended = []
        for row in quartiers:
            self._sure[row.commune, fold_place(row.code)].add(row.code)
            if row.valid_to is None:
                self._sure[row.commune, fold_place(row.name)].add(row.code)
            else:
                ended.append(row)
        for row in ended:
            # The old name of an ended quartier counts only while no living one bears it.
            self._sure.setdefault((row.commune, fold_place(row.name)), {row.code})

    def add_aliases(self, aliases: Iterable[sa.Row[tuple[object, ...]]]) -> None:
        """Aliases come after names: a quartier's own name always wins over another's alias."""
        names = frozenset(self._sure)
        for row in aliases:
            key = (row.commune, fold_place(row.alias))
            if row.quartier is None:
                stem = fold_place(row.alias)
                # A name later cut in parts (LISALA → LISALA I, LISALA II) may mean each of them.
                parts = [
                    codes
                    for (home, name), codes in self._sure.items()
                    if home == row.commune and name.startswith(stem)
                ]
                self._possible[key].update(*parts)
            elif row.certain and key not in names:
                self._sure[key].add(row.quartier)
            else:
                self._possible[key].add(row.quartier)

    def certain(self) -> dict[tuple[str, str], str]:
        """Spelling → code, where there is exactly one."""
        return {key: next(iter(codes)) for key, codes in self._sure.items() if len(codes) == 1}

    def candidates(self) -> dict[tuple[str, str], tuple[str, ...]]:
        """Spelling → all codes it may mean, sorted."""
        keys = self._sure.keys() | self._possible.keys()
        return {
            key: tuple(sorted(self._sure.get(key, set()) | self._possible.get(key, set()))) for key in keys
        }


def fold_place(name: str) -> str:
    """Letters and digits only, upper case, without accents: « Lubudi-Luka » and « LUBUDI LUKA » are one spelling."""
    return "".join(letter for letter in unicodedata.normalize("NFKD", name).upper() if letter.isalnum())


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return {key: tuple(values) for key, values in groups.items()}
