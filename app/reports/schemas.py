"""What travels over REST as a report."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

_BOOK = "3d1f2b7c-64a2-4a0f-9a55-6a1b0c9d8e77"


class MonthlyCounts(BaseModel):
    """Des personnes inscrites."""

    men: int = Field(description="Hommes : 18 ans ou plus le jour de l'acte.", examples=[12])
    women: int = Field(description="Femmes.", examples=[15])
    boys: int = Field(description="Garçons : moins de 18 ans.", examples=[310])
    girls: int = Field(description="Filles.", examples=[298])
    undetermined: int = Field(description="Âge ou sexe non déclaré.", examples=[1])
    total: int = Field(description="Total de la ligne.", examples=[636])


class MonthlyRow(MonthlyCounts):
    """Une ligne : un mode de déclaration, une origine des parents."""

    mode: Literal["direct", "procuration", "judgment", "transcription", "other", "unknown"] = Field(
        description="Mode de déclaration.", examples=["procuration"]
    )
    origin: Literal["national", "mixed", "foreign", "undetermined"] = Field(
        description="Deux parents congolais, un seul, aucun ; indéterminé si l'un n'est pas déclaré.",
        examples=["national"],
    )


class MonthlyOut(BaseModel):
    """Le rapport mensuel d'une commune."""

    commune: str = Field(description="Commune.", examples=["CD-KN-008"])
    commune_name: str | None = Field(description="Son nom.", examples=["Kimbanseke"])
    month: str = Field(description="Mois.", examples=["2026-01"])
    rows: list[MonthlyRow] = Field(description="Tous les modes et toutes les origines.")
    totals: MonthlyCounts = Field(description="Le total du mois.")
    by_delay: dict[Literal["in_delay", "out_of_delay", "undetermined"], int] = Field(
        description="Actes par délai.", examples=[{"in_delay": 560, "out_of_delay": 76, "undetermined": 0}]
    )
    annulled: int = Field(description="Actes du mois annulés par un tribunal, non comptés.", examples=[0])
    cutoff: str | None = Field(
        description="Données reçues jusqu'à (UTC).", examples=["2026-02-02T09:00:00.000Z"]
    )
    definition: str = Field(
        description="Ce qui est compté.", examples=["Actes de naissance inscrits dans le mois…"]
    )
    notice: str | None = Field(description="DONNÉES FICTIVES sur une démonstration.", examples=[None])


class IndexEntry(BaseModel):
    """Où se trouve l'acte d'une personne."""

    act: str = Field(description="Identifiant de l'acte.", examples=[_BOOK])
    nom: str | None = Field(description="Nom.", examples=["Mbuyi"])
    postnom: str | None = Field(description="Post-nom.", examples=["Kalala"])
    prenom: str | None = Field(description="Prénom.", examples=["Grâce"])
    number: int | None = Field(description="Numéro de l'acte.", examples=[17])
    volume: str | None = Field(description="Volume.", examples=["1"])
    folio: str | None = Field(description="Folio.", examples=["17"])
    registered_on: str | None = Field(description="Date de l'acte.", examples=["2011-03-02"])
    annulled: bool = Field(description="Annulé par un tribunal.", examples=[False])


class IndexOut(BaseModel):
    """Une page de la table alphabétique d'une année."""

    office: str = Field(description="Bureau.", examples=["CD-KN-008-01"])
    year: int = Field(description="Année du registre.", examples=[2011])
    acts: int = Field(description="Actes de l'année.", examples=[2347])
    items: list[IndexEntry] = Field(description="Dans l'ordre alphabétique.")
    next: str | None = Field(description="Curseur de la page suivante ; null à la fin.", examples=["WzEwMF0"])
    notice: str | None = Field(description="DONNÉES FICTIVES sur une démonstration.", examples=[None])


class Stretch(BaseModel):
    """Des numéros qui se suivent."""

    first: int = Field(description="Le premier.", examples=[18])
    last: int = Field(description="Le dernier.", examples=[19])


class ClosingOut(BaseModel):
    """Le procès-verbal de clôture d'un volume."""

    book: str = Field(description="Identifiant du volume.", examples=[_BOOK])
    office: str | None = Field(description="Bureau.", examples=["CD-KN-008-01"])
    commune: str | None = Field(description="Commune.", examples=["CD-KN-008"])
    year: int | None = Field(description="Année.", examples=[2026])
    volume: str | None = Field(description="Volume.", examples=["1"])
    sheets: int | None = Field(description="Feuillets.", examples=[534])
    initialled_on: str | None = Field(description="Jour de la cote et du paraphe.", examples=["2026-01-02"])
    initialled_by: str | None = Field(description="Qui a coté et paraphé.", examples=["Parquet de Matete"])
    opened_on: str | None = Field(description="Jour de l'ouverture.", examples=["2026-01-02"])
    state: Literal["open", "closed"] = Field(description="Ouvert ou clos.", examples=["closed"])
    closed_on: str | None = Field(description="Jour de la clôture.", examples=["2026-12-31"])
    closed_name: str | None = Field(description="Qui l'a clos.", examples=["Paul Ilunga"])
    statement: str | None = Field(description="La formule de clôture.", examples=["Clos et arrêté par nous…"])
    acts: int = Field(description="Actes inscrits.", examples=[534])
    annulled: int = Field(description="Actes annulés par un tribunal.", examples=[0])
    first_number: int | None = Field(description="Premier numéro.", examples=[1])
    last_number: int | None = Field(description="Dernier numéro.", examples=[534])
    gaps: list[Stretch] = Field(description="Numéros manquants entre les deux.")
    doubled: list[int] = Field(description="Numéros donnés deux fois.", examples=[[]])
    notice: str | None = Field(description="DONNÉES FICTIVES sur une démonstration.", examples=[None])
