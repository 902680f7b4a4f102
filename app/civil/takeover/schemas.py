"""What travels over REST about files of paper acts and pages keyed twice."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from app.civil.schemas import Code, Delay, Mark, Short, Strict

_ID = "1f0f4e0c-6a0e-4a0e-9d53-0f6c0b1c7a11"


class FaultOut(BaseModel):
    """Ce qui ne va pas dans une cellule du fichier."""

    sheet: str | None = Field(description="Feuille du classeur ; null pour un CSV.", examples=["Registres"])
    row: int = Field(description="Ligne, comme le tableur la numérote.", examples=[12])
    heading: str = Field(description="En-tête de la colonne.", examples=["Sexe"])
    field: str = Field(description="Champ de l'acte.", examples=["sex"])
    found: str = Field(description="Ce que la cellule contient.", examples=["X"])
    expected: str = Field(description="Ce qui est attendu.", examples=["F ou M"])
    message: str = Field(
        description="La phrase entière.",
        examples=["Feuille « Registres », ligne 12, colonne « Sexe » : trouvé « X » ; attendu : F ou M."],
    )


class ImportOut(BaseModel):
    """Un fichier d'actes : où il en est."""

    id: str = Field(description="Identifiant de l'import.", examples=[_ID])
    commune: str = Field(description="Commune.", examples=["CD-KN-008"])
    name: str = Field(description="Nom du fichier.", examples=["registre-2011.xlsx"])
    sheet: str | None = Field(description="Feuille lue.", examples=["Registres"])
    encoding: str | None = Field(
        description="Codage du texte ; null pour un classeur.", examples=["Windows-1252"]
    )
    state: Literal["checking", "checked", "entering", "done", "keying"] = Field(
        description="En lecture, lu, en cours d'inscription, fini, ou pris par une double saisie.",
        examples=["checked"],
    )
    at: str = Field(description="Quand il a été apporté (UTC).", examples=["2026-11-22T08:00:00.000Z"])
    officer: str = Field(description="Qui l'a apporté.", examples=["Paul Ilunga"])
    lines: int = Field(description="Lignes d'actes.", examples=[1200])
    entered: int = Field(description="Actes inscrits.", examples=[0])
    known: int = Field(description="Lignes déjà au registre, mot pour mot.", examples=[0])
    wrong: int = Field(description="Lignes à corriger.", examples=[3])
    waiting: int = Field(description="Lignes justes qui attendent.", examples=[1197])
    faults: int = Field(description="Erreurs en tout.", examples=[4])
    delays: dict[Delay, int] = Field(description="Actes inscrits par délai.", examples=[{"in_delay": 0}])
    mapping: dict[str, Any] = Field(
        description="La correspondance des colonnes.",
        examples=[{"columns": {"Sexe": "sex"}, "constants": {}}],
    )


class ImportFileOut(ImportOut):
    """Un fichier d'actes et une page de ses erreurs."""

    errors: list[FaultOut] = Field(description="Les erreurs, dans l'ordre des lignes.")
    next: str | None = Field(
        None, description="Curseur des erreurs suivantes ; null à la fin.", examples=["WzEyLDBd"]
    )


class RunIn(Strict):
    """Inscrire les actes d'un fichier lu."""

    skip_wrong: bool = Field(False, description="Laisser de côté les lignes à corriger.", examples=[False])


class KeyingIn(Strict):
    """Deux saisies des mêmes pages, par deux officiers."""

    name: Short = Field(description="Quelles pages.", examples=["Registre 2011, volume 1"])
    first: Code = Field(description="Premier fichier (identifiant d'import).", examples=[_ID])
    second: Code = Field(description="Second fichier.", examples=["7d1c9b3e-52aa-4e0f-8b6d-90c3f1e2a745"])


class KeyingItem(BaseModel):
    """Une double saisie dans une liste."""

    id: str = Field(description="Identifiant.", examples=[_ID])
    commune: str = Field(description="Commune.", examples=["CD-KN-008"])
    name: str = Field(description="Quelles pages.", examples=["Registre 2011, volume 1"])
    first: str = Field(description="Premier fichier.", examples=[_ID])
    second: str = Field(description="Second fichier.", examples=["7d1c9b3e-52aa-4e0f-8b6d-90c3f1e2a745"])
    at: str = Field(description="Quand elles ont été comparées (UTC).", examples=["2026-11-22T08:00:00.000Z"])
    fields: int = Field(description="Champs comparés, sur les lignes saisies deux fois.", examples=[2400])


class KeyerOut(BaseModel):
    """La part d'un des deux officiers."""

    name: str = Field(description="Officier.", examples=["Marie Mbuyi"])
    wrong: int = Field(description="Champs que l'arbitrage a trouvés faux dans sa saisie.", examples=[3])
    rate: float | None = Field(description="Ces champs ÷ champs comparés.", examples=[0.00125])
    missing_lines: int = Field(description="Lignes qu'il n'a pas saisies.", examples=[0])


class KeyingOut(KeyingItem):
    """Une double saisie : ce qui est égal, ce qui diffère, ce qui est entré."""

    differing: int = Field(description="Champs qui diffèrent.", examples=[7])
    rate: float | None = Field(description="Champs qui diffèrent ÷ champs comparés.", examples=[0.002917])
    waiting_fields: int = Field(description="Champs qui attendent un arbitrage.", examples=[4])
    states: dict[str, int] = Field(
        description="Lignes par état : equal, differs, first_only, second_only, wrong, ruled, taken, entered.",
        examples=[{"equal": 96, "differs": 3, "first_only": 1}],
    )
    keyers: list[KeyerOut] = Field(description="Le premier officier, puis le second.")


class FieldDifference(BaseModel):
    """Un champ que les deux officiers ont saisi autrement."""

    field: str = Field(description="Champ.", examples=["nom"])
    first: str = Field(description="Ce qu'a saisi le premier ; vide : rien.", examples=["MBUYI"])
    second: str = Field(description="Ce qu'a saisi le second ; vide : rien.", examples=["MBUYA"])


class FieldMessage(BaseModel):
    """Ce qui ne peut pas être vrai d'un champ."""

    field: str = Field(description="Champ.", examples=["birth_date"])
    message: str = Field(description="Explication.", examples=["La naissance est datée dans l'avenir."])


class DifferenceOut(BaseModel):
    """Une ligne qui attend quelqu'un."""

    office: str | None = Field(description="Bureau.", examples=["CD-KN-008-01"])
    year: Any = Field(description="Année du registre.", examples=[2011])
    volume: str | None = Field(description="Volume.", examples=["1"])
    number: Any = Field(description="Numéro de l'acte.", examples=[17])
    state: Literal["differs", "first_only", "second_only", "wrong", "taken"] = Field(
        description="Diffère, saisie une seule fois, impossible, ou numéro déjà pris.",
        examples=["differs"],
    )
    fields: list[FieldDifference] = Field(description="Les champs qui diffèrent ; saisie une fois : tous.")
    errors: list[FieldMessage] = Field(description="Ce qui ne peut pas être vrai.")


class ArbitrationIn(Strict):
    """Ce que dit le papier, pour une ligne."""

    office: Code = Field(description="Bureau.", examples=["CD-KN-008-01"])
    year: int = Field(ge=1850, le=9999, description="Année du registre.", examples=[2011])
    volume: Mark = Field(description="Volume.", examples=["1"])
    number: int = Field(ge=1, le=999_999, description="Numéro de l'acte.", examples=[17])
    values: dict[
        Annotated[str, Field(max_length=100)], Annotated[str, Field(max_length=1000)] | int | None
    ] = Field(
        default_factory=dict,
        description="Champ → valeur lue sur le papier (null : rien) ; au moins chaque champ qui diffère.",
        examples=[{"nom": "MBUYI", "birth_date": "10/02/2011"}],
    )


class RuledOut(BaseModel):
    """La ligne telle qu'elle entrera au registre."""

    office: str = Field(description="Bureau.", examples=["CD-KN-008-01"])
    year: int = Field(description="Année du registre.", examples=[2011])
    volume: str = Field(description="Volume.", examples=["1"])
    number: int = Field(description="Numéro de l'acte.", examples=[17])
    state: str = Field(description="ruled.", examples=["ruled"])
    fields: dict[str, Any] = Field(description="Tous les champs retenus.", examples=[{"nom": "MBUYI"}])
