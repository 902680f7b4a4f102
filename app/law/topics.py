"""Which topics the law's parameters are about, in which file each stands, and what its columns hold. Holds no value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """One value column: its French meaning, and what it may hold: `int`, `text`, or the words of `choices`."""

    name: str
    meaning: str
    kind: str = "text"
    choices: tuple[str, ...] = ()
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Topic:
    """One file of dated parameters. With `coded` a row is about one `code`; else only one row is in force at a time."""

    name: str
    file: str
    title: str
    columns: tuple[Column, ...]
    coded: bool = False


_AUTHORITIES = ("court", "peace_court_president", "registrar", "court_or_registrar", "authority")
_FROM_AGE = Column("from_age", "âge à partir duquel la ligne vaut, compris (ans)", "int", optional=True)
_BELOW_AGE = Column("below_age", "âge à partir duquel elle ne vaut plus (ans)", "int", optional=True)

TOPICS: tuple[Topic, ...] = (
    Topic(
        "delay",
        "legal_delay_rules.csv",
        "Délai légal de déclaration d'une naissance",
        (Column("days", "jours, le jour de la naissance étant le jour 0", "int"),),
    ),
    Topic(
        "delay_judged_on",
        "delay_judged_on.csv",
        "Jour dont la règle juge le délai",
        (Column("judged_on", "jour de la déclaration ou de la naissance", choices=("declaration", "birth")),),
    ),
    Topic(
        "estimates",
        "estimate_margins.csv",
        "Marge d'une date de naissance estimée, selon ce qui est écrit",
        (Column("months", "mois avant et après", "int"),),
        coded=True,
    ),
    Topic(
        "competence",
        "competence.csv",
        "Officier compétent pour recevoir la déclaration",
        (
            Column("competent", "cet officier est-il compétent", choices=("yes", "no")),
            Column("officer", "de qui il s'agit"),
        ),
        coded=True,
    ),
    Topic(
        "declarants",
        "declarants.csv",
        "Qui peut déclarer une naissance",
        (
            Column("rank", "rang : 1 d'abord, 2 à défaut", "int"),
            Column("words", "mots reconnus dans le lien déclaré, séparés par |"),
            Column("proof", "pièce demandée", choices=("written_power",), optional=True),
        ),
        coded=True,
    ),
    Topic(
        "courts",
        "courts.csv",
        "Tribunal compétent pour un jugement supplétif, selon l'âge au jour de la requête",
        (Column("court_kind", "tribunal"), _FROM_AGE, _BELOW_AGE),
        coded=True,
    ),
    Topic(
        "before_code",
        "before_code.csv",
        "Naissances antérieures au Code de la famille",
        (
            Column("born_before", "nées avant ce jour (AAAA-MM-JJ)", "date"),
            Column("path", "voie suivie", choices=("notoriety", "judgment")),
            Column("homologation", "homologation par le tribunal", choices=("required", "none")),
        ),
    ),
    Topic(
        "fees",
        "fees.csv",
        "Frais de la délivrance d'un acte",
        (
            Column("amount", "montant ; vide : inconnu", "int", optional=True),
            Column("currency", "monnaie", optional=True),
        ),
        coded=True,
    ),
    Topic("languages", "languages.csv", "Langue des actes", (Column("language", "langue"),)),
    Topic(
        "register_sheets",
        "register_sheets.csv",
        "Feuillets d'un volume",
        (Column("sheets", "nombre de feuillets", "int"),),
    ),
    Topic(
        "numbering",
        "numbering.csv",
        "Numérotation des actes",
        (Column("numbering", "suite des numéros", choices=("per_year", "per_volume")),),
    ),
    Topic(
        "volets",
        "volets.csv",
        "À qui va chaque volet d'un feuillet",
        (Column("holder", "destinataire", choices=("parents", "court", "interior", "commune")),),
        coded=True,
    ),
    Topic(
        "annotations",
        "annotations.csv",
        "Mentions marginales",
        (
            Column("label", "intitulé"),
            Column("authority", "autorité qui décide", choices=_AUTHORITIES),
            Column(
                "changes", "ce que la mention change : names, sex, dates, place, filiation", optional=True
            ),
        ),
        coded=True,
    ),
    Topic(
        "late_steps",
        "late_steps.csv",
        "Étapes de la procédure hors délai",
        (
            Column("path", "voie", choices=("judgment", "notoriety")),
            Column("rank", "rang de l'étape", "int"),
            Column(
                "step",
                "étape",
                choices=("sent", "requested", "judged", "served", "no_appeal", "homologated"),
            ),
            Column("needed", "la transcription l'attend", choices=("yes", "no")),
            Column("label", "intitulé"),
            Column("to_do", "ce qu'il faut faire"),
        ),
        coded=True,
    ),
    Topic(
        "appeal",
        "appeal.csv",
        "Délai d'appel d'un jugement supplétif, à dater de la signification",
        (Column("days", "jours", "int"),),
    ),
    Topic(
        "campaigns",
        "campaigns.csv",
        "Effets des campagnes",
        (
            Column("effect", "ce que la campagne change", choices=("court_travels", "fee_waived")),
            Column("judgment", "jugement encore nécessaire hors délai", choices=("required", "none")),
        ),
        coded=True,
    ),
    Topic(
        "lifeless",
        "lifeless.csv",
        "Enfant mort-né ou mort avant la déclaration",
        (Column("acts", "ce qui est dressé", choices=("birth_and_death", "lifeless_child", "none")),),
        coded=True,
    ),
)
