"""A table of figures as a French CSV file: `;`, decimal comma, UTF-8 with BOM, CRLF (RFC 4180 otherwise).

The first line holds the column names; after the rows come an empty line and lines beginning with `#` that say what the
figures are. It shows exactly what the API shows: whatever was withheld there is empty here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.clock import KINSHASA, moment
from app.reports.forms import FICTITIOUS, Cell, csv_text, form_wanted
from app.statistics.figures import UNKNOWN, Figures
from app.territory.places import Territory

UNSAID = "inconnu"

COLUMNS = {
    "commune": "Commune (code)",
    "quartier": "Quartier (code)",
    "year": "Année",
    "month": "Mois",
    "delay": "Délai",
    "sex": "Sexe",
    "mode": "Mode de déclaration",
    "age_group": "Groupe d'âges",
    "nationality_group": "Groupe de nationalité",
    "births": "Naissances",
    "persons": "Personnes",
    "households": "Ménages",
    "contacted": "Chefs de ménage contactés",
    "refused": "Refus",
    "under18": "Mineurs (moins de 18 ans)",
    "under18_no_act": "Mineurs sans acte de naissance",
    "refusal_rate": "Taux de refus (refus ÷ contactés)",
    "persons_per_household": "Personnes par ménage (personnes ÷ ménages)",
    "acts": "Actes dressés",
    "delivered": "Actes remis",
    "delivered_rate": "Part remise (remis ÷ dressés)",
    "under18_no_act_rate": "Part des mineurs sans acte (sans acte ÷ mineurs)",
}
WORDS = {
    "delay": {"in_delay": "dans le délai", "out_of_delay": "hors délai", "undetermined": "indéterminé"},
    "sex": {"F": "féminin", "M": "masculin"},
    "mode": {
        "direct": "directe",
        "procuration": "procuration",
        "judgment": "jugement",
        "transcription": "transcription",
        "other": "autre",
    },
    "nationality_group": {
        "national": "congolaise",
        "foreign": "étrangère",
        "indeterminate": "indéterminée",
    },
}
NAMES = {"commune": "Commune (nom)", "quartier": "Quartier (nom)"}
WITHHELD = "Effectif masqué"
TITLES = {
    "births": "Naissances inscrites",
    "population": "Population résidente",
    "census": "Résultats du recensement",
    "delivery": "Actes remis",
}
FILES = {"births": "naissances", "population": "population", "census": "recensement", "delivery": "remises"}


def csv_name(figures: Figures, *, fictitious: bool) -> str:
    """The file's name, in ASCII."""
    return f"{FILES[figures.name]}{'-DONNEES-FICTIVES' if fictitious else ''}.csv"


def write_csv(figures: Figures, territory: Territory, *, fictitious: bool) -> str:
    """The whole file as text, its BOM included."""
    return csv_text(_lines(figures, territory, fictitious))


def _lines(figures: Figures, territory: Territory, fictitious: bool) -> Iterator[list[Cell]]:
    warning = [FICTITIOUS] if fictitious else []
    values = [*figures.counts, *figures.ratios]
    head = [title for name in figures.by for title in _titles(name)]
    yield [*head, *(COLUMNS[name] for name in values), WITHHELD, *(["Avertissement"] if fictitious else [])]
    for row in figures.rows:
        places = [cell for name in figures.by for cell in _dimension(name, row[name], territory)]
        withheld = "oui" if row.get("suppressed") else ""
        yield [*places, *(row[name] for name in values), withheld, *warning]
    yield []
    yield ["# Tableau", TITLES[figures.name]]
    if fictitious:
        yield ["# Avertissement", FICTITIOUS]
    yield ["# Définition", figures.definition]
    yield ["# Données reçues jusqu'au", _moment(figures.cutoff)]
    yield ["# Ventilations", ", ".join(figures.by) or "aucune"]
    filters = [f"{name}={value}" for name, value in figures.filters.items()]
    yield ["# Filtres", ", ".join(filters) or "aucun"]
    yield ["# Version du territoire", territory.version or UNSAID]
    if any(row.get("suppressed") for row in figures.rows):
        yield [
            "# Effectifs masqués",
            "Les petits effectifs, et les rapports qui en dépendent, ne sont pas montrés.",
        ]


def _titles(dimension: str) -> list[str]:
    return [COLUMNS[dimension], NAMES[dimension]] if dimension in NAMES else [COLUMNS[dimension]]


def _dimension(name: str, value: Any, territory: Territory) -> list[str]:
    if name in NAMES:
        names = territory.commune_names if name == "commune" else territory.quartier_names
        return [UNSAID, UNSAID] if value is None else [value, names.get(value, UNSAID)]
    if value is None or value == UNKNOWN:
        return [UNSAID]
    if name == "age_group":
        return [_age(value)]
    return [WORDS[name].get(value, value) if name in WORDS else str(value)]


def _age(group: str) -> str:
    """In words: a spreadsheet reads « 5-9 » as the fifth of September."""
    return f"{group[:-1]} ans et plus" if group.endswith("+") else f"{group.replace('-', ' à ')} ans"


def _moment(cutoff: str | None) -> str:
    if cutoff is None:
        return "rien n'est arrivé"
    local = moment(cutoff).astimezone(KINSHASA)
    return f"{local:%d/%m/%Y à %H:%M:%S} (heure de Kinshasa)"


def csv_wanted(accept: str, form: str | None) -> bool:
    """Whether the answer is CSV: `form` ("csv" or "json") decides, else the Accept header names text/csv above JSON."""
    return form_wanted(accept, form, offered={"csv": "text/csv"}) == "csv"
