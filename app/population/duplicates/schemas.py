"""What travels over REST about two records that may tell of one person."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from app.population.schemas import Words

Of = Literal["birth"]
State = Literal["open", "decided"]
Verdict = Literal["same", "different", "unsure"]
BIRTH = "9f0c6f0e-5c43-4b8e-8f0e-0d3b6f1a2c33"


class DecisionIn(BaseModel):
    """Ce que l'officier décide de deux fiches. Rien n'est fusionné, annulé ni effacé."""

    model_config = ConfigDict(extra="forbid", strict=True)

    verdict: Verdict = Field(
        description="same : la même personne ; different : deux personnes ; unsure : la paire reste à trancher.",
        examples=["same"],
    )
    note: Words | None = Field(
        None,
        description="Ce qui a permis de trancher.",
        examples=["La mère confirme : déclarée deux fois, ici et à Kimbanseke."],
    )


class SideOut(BaseModel):
    """Une des deux fiches. Hors de votre ressort, ou sur un autre serveur : seulement commune et référence."""

    id: str = Field(description="Identifiant de la déclaration.", examples=[BIRTH])
    commune: str | None = Field(description="Commune.", examples=["CD-KN-017"])
    reference: str | None = Field(
        description="Place de l'acte dans les registres ; null sans acte.",
        examples=["CD-KN-017-01 vol. 1/2026 n° 12"],
    )
    visible: bool = Field(description="La fiche est sur ce serveur et de votre ressort.", examples=[True])
    declared_on: str | None = Field(description="Jour de la déclaration.", examples=["2026-02-02"])
    nom: str | None = Field(description="Nom, tel qu'il est écrit.", examples=["Tshimanga"])
    postnom: str | None = Field(description="Post-nom.", examples=["Kalala"])
    prenom: str | None = Field(description="Prénom.", examples=["Grâce"])
    sex: str | None = Field(description="Sexe.", examples=["F"])
    birth_date: str | None = Field(description="Date de naissance.", examples=["2026-01-10"])
    birth_precision: str | None = Field(description="Précision de la date.", examples=["day"])
    birth_place: str | None = Field(description="Lieu de naissance.", examples=["Maternité de Kintambo"])
    mother: str | None = Field(description="La mère au registre de la population.", examples=[None])
    mother_name: str | None = Field(description="Noms de la mère.", examples=["Kapinga Ntumba Marie"])
    father: str | None = Field(description="Le père au registre de la population.", examples=[None])
    father_name: str | None = Field(description="Noms du père.", examples=["Jean Kabeya Ilunga"])
    multiple: str | None = Field(description="Naissance multiple.", examples=["single"])
    order: int | None = Field(description="Rang dans la naissance multiple.", examples=[1])


class ReasonOut(BaseModel):
    """Une raison de rapprocher ou d'écarter les deux fiches."""

    code: str = Field(description="Code stable.", examples=["birth_same_day"])
    text: str = Field(description="La raison.", examples=["le même jour de naissance"])
    weight: int = Field(description="Ce qu'elle ajoute au score, ou en retire.", examples=[30])


class DecisionOut(BaseModel):
    """Une décision prise sur cette paire ; toutes restent lisibles."""

    verdict: str | None = Field(description="same, different ou unsure.", examples=["same"])
    decided_on: str | None = Field(description="Jour de la décision.", examples=["2026-02-02"])
    decided_at: str | None = Field(
        description="Heure de la décision (UTC).", examples=["2026-02-02T09:00:00.000Z"]
    )
    decided_by: str | None = Field(description="Identifiant de l'officier.")
    decided_name: str | None = Field(description="Nom de l'officier.", examples=["Marie Mbuyi"])
    note: str | None = Field(description="Ce qui a permis de trancher.", examples=["La mère confirme."])
    live: bool = Field(description="Aucune décision ne l'a remplacée.", examples=[True])
    shown: bool = Field(description="C'est elle qui vaut pour la liste.", examples=[True])


class PairOut(BaseModel):
    """Deux fiches qui concernent peut-être une seule personne."""

    of: str = Field(description="Registre des deux fiches.", examples=["birth"])
    first: SideOut = Field(description="La première fiche.")
    second: SideOut = Field(description="La seconde fiche.")
    score: int = Field(description="Ressemblance, de 0 à 100 : la somme des raisons.", examples=[88])
    level: Literal["likely", "possible"] | None = Field(
        description="likely : à trancher d'abord ; possible : à comparer.", examples=["likely"]
    )
    reasons: list[ReasonOut] = Field(description="Les raisons, avec leur poids.")
    state: State = Field(description="open : à trancher ; decided : tranchée.", examples=["open"])
    verdict: Verdict | None = Field(description="Ce qui vaut aujourd'hui.", examples=[None])
    contested: bool = Field(
        description="Deux décisions contraires, prises sans se connaître, sont en vigueur.", examples=[False]
    )
    decisions: list[DecisionOut] = Field(description="Toutes les décisions prises.")
    next_step: str = Field(
        description="Ce qu'il reste à faire.",
        examples=["Annulez l'une des deux déclarations ; l'autre seule sera enregistrée."],
    )
