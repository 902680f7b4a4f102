"""What tables of figures look like over REST. Rows have the members of the dimensions asked for, and only those."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Commune = Annotated[
    str | None,
    Field(description="Code de la commune ; null : lieu inconnu.", examples=["CD-KN-008"]),
]
Quartier = Annotated[
    str | None, Field(description="Code du quartier en vigueur ; null : inconnu.", examples=["1017090"])
]
Sex = Annotated[Literal["F", "M", "unknown"], Field(description="Sexe.", examples=["F"])]
Delay = Annotated[
    Literal["in_delay", "out_of_delay", "undetermined", "unknown"],
    Field(description="Dans le délai légal de déclaration, hors délai, indéterminé.", examples=["in_delay"]),
]
Mode = Annotated[
    Literal["direct", "procuration", "judgment", "transcription", "other", "unknown"],
    Field(description="Mode de déclaration.", examples=["direct"]),
]
Group = Annotated[
    Literal["national", "foreign", "indeterminate", "unknown"],
    Field(description="Groupe de nationalité.", examples=["national"]),
]
Count = Annotated[int | None, Field(description="Effectif ; null : non montré (voir `suppressed`).")]
Rate = Annotated[
    float | None,
    Field(description="Rapport en fraction de 1 ; null : dénominateur nul ou effectif non montré."),
]


class RowOut(BaseModel):
    """Members every row may have."""

    model_config = ConfigDict(extra="forbid")

    commune: Commune = None
    quartier: Quartier = None
    suppressed: bool = Field(
        False,
        description="true : un petit effectif de cette ligne n'est pas montré (1 à 4 ; 1 à 9 par nationalité).",
        examples=[True],
    )


class BirthRow(RowOut):
    """Naissances d'une combinaison des ventilations demandées."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"commune": "CD-KN-008", "year": 2011, "delay": "in_delay", "births": 1957}]
        }
    )

    year: int | None = Field(None, description="Année ; null : inconnue.", examples=[2011])
    month: int | None = Field(None, description="Mois, 1 à 12 ; null : inconnu.", examples=[5])
    delay: Delay = "unknown"
    sex: Sex = "unknown"
    mode: Mode = "unknown"
    births: Count


class PopulationRow(RowOut):
    """Résidents d'une combinaison des ventilations demandées."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"commune": "CD-KN-017", "sex": "F", "age_group": "0-4", "persons": 3912}]
        }
    )

    sex: Sex = "unknown"
    age_group: str = Field(
        "unknown", description="Groupe d'âges de cinq ans : 0-4 à 75-79, 80+, unknown.", examples=["0-4"]
    )
    nationality_group: Group = "unknown"
    persons: Count


class CensusRow(RowOut):
    """Résultats du recensement d'un lieu."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "commune": "CD-KN-017",
                    "households": 9361,
                    "persons": 52907,
                    "contacted": 9552,
                    "refused": 191,
                    "under18": 24106,
                    "under18_no_act": 2570,
                    "refusal_rate": 0.019996,
                    "persons_per_household": 5.651853,
                    "under18_no_act_rate": 0.106612,
                }
            ]
        }
    )

    households: Count
    persons: Count
    contacted: Count
    refused: Count
    under18: Count
    under18_no_act: Count
    refusal_rate: Rate
    persons_per_household: Rate
    under18_no_act_rate: Rate


class DeliveryRow(RowOut):
    """Actes dressés et remis d'une commune."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"commune": "CD-KN-017", "acts": 4, "delivered": 3, "delivered_rate": 0.75}]
        }
    )

    acts: Count
    delivered: Count
    delivered_rate: Rate


class FiguresOut(BaseModel):
    """What is said once for a whole table."""

    model_config = ConfigDict(extra="forbid")

    by: list[str] = Field(description="Ventilations, dans l'ordre.", examples=[["commune", "year", "delay"]])
    filters: dict[str, str | int] = Field(
        description="Filtres appliqués.", examples=[{"commune": "CD-KN-008", "from": 2011, "to": 2017}]
    )
    cutoff: str | None = Field(
        description="Réception (UTC) du dernier lot compté ; null : rien n'est arrivé.",
        examples=["2026-11-22T18:04:11.250Z"],
    )
    definition: str = Field(
        description="Ce que comptent ces chiffres.", examples=["Naissances vivantes inscrites …"]
    )
    territory: str | None = Field(
        description="Version des listes du territoire (GET /v1/communes).", examples=["3f9a5c01d2e4"]
    )
    notice: str | None = Field(
        None,
        description="« DONNÉES FICTIVES » sur un serveur de démonstration.",
        examples=["DONNÉES FICTIVES"],
    )


class BirthsOut(FiguresOut):
    """Naissances inscrites."""

    basis: Literal["registration", "birth"] = Field(
        description="Année du registre ou année de naissance.", examples=["registration"]
    )
    rows: list[BirthRow] = Field(description="Une ligne par combinaison qui compte au moins une naissance.")


class PopulationOut(FiguresOut):
    """Résidents."""

    reference_year: int = Field(
        description="Année au 31 décembre de laquelle l'âge est atteint.", examples=[2026]
    )
    rows: list[PopulationRow] = Field(
        description="Une ligne par combinaison qui compte au moins une personne."
    )


class CensusOut(FiguresOut):
    """Résultats du recensement."""

    reference_year: int = Field(
        description="Année au 31 décembre de laquelle l'âge est atteint.", examples=[2026]
    )
    rows: list[CensusRow] = Field(description="Une ligne par lieu.")


class DeliveryOut(FiguresOut):
    """Actes remis à leur famille."""

    rows: list[DeliveryRow] = Field(description="Une ligne par commune où un acte a été dressé.")
