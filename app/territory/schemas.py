"""What the territory looks like over REST."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class CommuneOut(BaseModel):
    """One commune of the province."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "code": "CD-KN-017",
                    "name": "Kintambo",
                    "district": "Lukunga",
                    "province": "CD-KN",
                    "offices": ["CD-KN-017-01"],
                }
            ]
        }
    )

    code: str = Field(description="Code de la commune, CD-KN-001 à CD-KN-024.", examples=["CD-KN-017"])
    name: str = Field(description="Nom de la commune.", examples=["Kintambo"])
    district: str = Field(description="District de la ville.", examples=["Lukunga"])
    province: str = Field(description="Code ISO 3166-2 de la province.", examples=["CD-KN"])
    offices: list[str] = Field(
        description="Bureaux de l'état civil en service, le bureau principal en premier.",
        examples=[["CD-KN-017-01"]],
    )


class CommunesOut(BaseModel):
    """All communes, in the order of their codes."""

    version: str | None = Field(
        description="Empreinte des listes du territoire en vigueur.", examples=["3f9a5c01d2e4"]
    )
    items: list[CommuneOut] = Field(description="Les communes, par code.")


class QuartierOut(BaseModel):
    """One quartier of a commune."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "code": "1017090",
                    "name": "WENZE",
                    "rank": 9,
                    "valid_from": None,
                    "valid_to": None,
                    "aliases": ["Wenze"],
                }
            ]
        }
    )

    code: str = Field(
        description="Code du quartier (texte opaque ; un ancien code reste compris).", examples=["1017090"]
    )
    name: str = Field(description="Nom du quartier.", examples=["WENZE"])
    rank: int = Field(description="Rang dans la liste de la commune.", examples=[9])
    valid_from: str | None = Field(
        description="Premier jour de validité ; null : depuis toujours.", examples=[None]
    )
    valid_to: str | None = Field(description="Dernier jour de validité ; null : en vigueur.", examples=[None])
    aliases: list[str] = Field(description="Autres graphies connues.", examples=[["Wenze"]])


class QuartiersOut(BaseModel):
    """The quartiers of one commune, ended ones included, in the commune's own order."""

    commune: str = Field(description="Code de la commune.", examples=["CD-KN-017"])
    items: list[QuartierOut] = Field(
        description="Les quartiers, par rang ; ceux qui ont pris fin portent valid_to."
    )
