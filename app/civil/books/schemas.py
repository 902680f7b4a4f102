"""What travels over REST about offices, volumes, volets and provisional declarations. Checks form only."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from app.civil.schemas import Code, FullDate, Long, Mark, Short, Strict

Holder = Literal["parents", "court", "interior", "commune"]
Year = Annotated[int, Field(ge=1850, le=9999)]
Number = Annotated[int, Field(ge=1, le=999_999)]
VOLUME_ID = "b7c0e2f4-1d35-4c8a-9e60-5a2f7d9c1b34"
ACT_ID = "3d1f2b7c-64a2-4a0f-9a55-6a1b0c9d8e77"
BIRTH_ID = "9f0c6f0e-5c43-4b8e-8f0e-0d3b6f1a2c33"
_HOLDER = "À qui il va : parents, court (greffe du tribunal), interior (Intérieur) ou commune."


def _may(description: str, example: Any) -> Any:
    """A field that may be missing, with its French description and an example."""
    return Field(None, description=description, examples=[example])


def _is(description: str, example: Any) -> Any:
    """A field that is always there."""
    return Field(description=description, examples=[example])


class OfficeIn(Strict):
    """Ouverture d'un bureau de l'état civil ; son code est donné par le serveur."""

    commune: Code = _is("Commune.", "CD-KN-017")
    name: Short = _is("Nom du bureau.", "Bureau secondaire de Lubudi")
    main: bool | None = _may("Bureau principal de la commune ?", False)
    address: Long | None = _may("Adresse.", "avenue Kasaï n° 4, quartier Lubudi")
    valid_from: FullDate | None = _may("Premier jour ; aujourd'hui par défaut.", "2026-03-01")


class OfficeClosingIn(Strict):
    """Fermeture d'un bureau."""

    valid_to: FullDate = _is("Dernier jour où le bureau dresse des actes.", "2026-12-31")


class OfficeOut(BaseModel):
    """Un bureau de l'état civil."""

    code: str = _is("Code du bureau : celui de la commune et un numéro.", "CD-KN-017-02")
    commune: str = _is("Commune.", "CD-KN-017")
    name: str | None = _is("Nom.", "Bureau secondaire de Lubudi")
    main: bool = _is("Bureau principal ?", False)
    address: str | None = _is("Adresse.", "avenue Kasaï n° 4")
    valid_from: str | None = _is("Premier jour ; null : depuis toujours.", "2026-03-01")
    valid_to: str | None = _is("Dernier jour ; null : en service.", None)


class OfficesOut(BaseModel):
    """Les bureaux d'une commune, anciens compris."""

    commune: str = _is("Commune.", "CD-KN-017")
    items: list[OfficeOut] = Field(description="Les bureaux, par code.")


class VolumeIn(Strict):
    """Ouverture d'un volume du registre des naissances."""

    office: Code = _is("Bureau de l'état civil.", "CD-KN-017-01")
    year: Year | None = _may("Année du registre ; cette année par défaut.", 2026)
    volume: Mark = _is("Volume.", "1")
    sheets: Annotated[int, Field(ge=1, le=10_000)] | None = _may(
        "Nombre de feuillets ; celui que la loi fixe par défaut.", 534
    )
    initialled_on: FullDate | None = _may("Jour de la cote et du paraphe.", "2026-01-02")
    initialled_by: Short | None = _may(
        "Autorité qui a coté et paraphé.", "Parquet près le tribunal de paix de Kinshasa/Assossa"
    )
    opened_on: FullDate | None = _may("Jour de l'ouverture ; aujourd'hui par défaut.", "2026-01-05")


class InitialsIn(Strict):
    """Cote et paraphe d'un volume déjà ouvert."""

    initialled_on: FullDate = _is("Jour de la cote et du paraphe.", "2026-01-02")
    initialled_by: Short = _is("Autorité.", "Parquet près le tribunal de paix de Kinshasa/Assossa")


class VolumeClosingIn(Strict):
    """Clôture d'un volume par l'officier."""

    otp: Annotated[str, Field(min_length=1, max_length=40)] | None = _may(
        "Code à usage unique du second facteur.", "492031"
    )


class VolumeOut(BaseModel):
    """Un volume du registre et ce qui y est écrit."""

    id: str = _is("Identifiant du volume.", VOLUME_ID)
    commune: str | None = _is("Commune.", "CD-KN-017")
    office: str | None = _is("Bureau.", "CD-KN-017-01")
    register_: str | None = Field(
        alias="register", description="Registre : birth (naissances).", examples=["birth"]
    )
    year: int | None = _is("Année.", 2026)
    volume: str | None = _is("Volume.", "1")
    state: Literal["open", "closed"] = _is("Ouvert ou clos.", "open")
    sheets: int | None = _is("Nombre de feuillets.", 534)
    sheets_left: int | None = _is("Feuillets qui restent.", 331)
    acts: int = _is("Actes écrits.", 203)
    last_number: int | None = _is("Dernier numéro ; null : aucun acte.", 203)
    initialled: bool = _is("La cote et le paraphe sont-ils inscrits ?", True)
    initialled_on: str | None = _is("Jour de la cote et du paraphe.", "2026-01-02")
    initialled_by: str | None = _is("Autorité.", "Parquet près le tribunal de paix")
    opened_on: str | None = _is("Jour de l'ouverture.", "2026-01-05")
    opened_by: str | None = _is("Officier qui l'a ouvert.", ACT_ID)
    closed_on: str | None = _is("Jour de la clôture.", None)
    closed_name: str | None = _is("Officier qui l'a clos.", None)
    closed_acts: int | None = _is("Actes comptés à la clôture.", None)
    statement: str | None = _is("Formule de clôture.", None)


class FindingOut(BaseModel):
    """Une irrégularité constatée ; rien n'est corrigé."""

    code: Literal[
        "number_missing",
        "number_doubled",
        "out_of_date_order",
        "beyond_sheets",
        "folio_beyond_sheets",
        "volume_not_opened",
        "volume_opened_twice",
        "changed_after_closing",
    ] = _is("Code stable.", "number_missing")
    message: str = _is("Constat.", "Les numéros 12 à 14 manquent dans l'année.")
    volume: str | None = _is("Volume ; null : la série de l'année.", None)
    first: int | None = _is("Premier numéro concerné.", 12)
    last: int | None = _is("Dernier numéro concerné.", 14)
    acts: list[str] = _is("Actes concernés.", [])
    registers: list[str] = _is("Volumes concernés.", [])


class _Sending(Strict):
    volet: Annotated[int, Field(ge=1, le=4)] = _is("Volet, de 1 à 4.", 2)
    holder: Holder | None = _may(f"{_HOLDER} Par défaut celui que la loi fixe pour ce volet.", "court")
    sent_on: FullDate | None = _may("Jour de l'envoi ; aujourd'hui par défaut.", "2026-01-15")
    sent_to: Short | None = _may("Destinataire.", "Greffe du tribunal de paix de Kinshasa/Assossa")
    slip: Mark | None = _may("Numéro du bordereau.", "B-014/2026")
    note: Long | None = _may("Note.", "Remis en mains propres.")


class VoletIn(_Sending):
    """Où est allé un volet d'un acte."""


class VoletsIn(_Sending):
    """Un volet de tout un volume, ou d'une suite de numéros, envoyé avec un seul bordereau."""

    slip: Mark = _is("Numéro du bordereau.", "B-014/2026")
    from_number: Number | None = _may("Premier numéro ; le premier du volume par défaut.", 1)
    to_number: Number | None = _may("Dernier numéro ; le dernier du volume par défaut.", 100)


class VoletOut(BaseModel):
    """Un volet envoyé."""

    id: str = _is("Identifiant de l'envoi.", "6a1f0b8c-2c55-4f7a-9d0e-7b3e5a9c4d21")
    act: str | None = _is("L'acte.", ACT_ID)
    volet: int | None = _is("Volet.", 2)
    holder: str | None = _is(_HOLDER, "court")
    sent_on: str | None = _is("Jour de l'envoi.", "2026-01-15")
    sent_to: str | None = _is("Destinataire.", "Greffe du tribunal de paix")
    slip: str | None = _is("Bordereau.", "B-014/2026")
    note: str | None = _is("Note.", None)
    recorded_by: str | None = _is("Officier qui l'a noté.", ACT_ID)


class ActVolets(BaseModel):
    """Les volets d'un acte."""

    items: list[VoletOut] = Field(description="Les envois, par volet puis par jour.")
    not_sent: list[int] = _is("Les volets qui ne sont allés nulle part.", [1, 3, 4])


class VoletsSent(BaseModel):
    """Ce qui est parti avec le bordereau."""

    sent: int = _is("Actes dont le volet est parti.", 100)
    before: int = _is("Actes dont ce volet était déjà parti : ils ne sont pas renvoyés.", 0)
    first: int = _is("Premier numéro.", 1)
    last: int = _is("Dernier numéro.", 100)
    holder: str = _is(_HOLDER, "court")


class Stretch(BaseModel):
    """Une suite de numéros sans trou."""

    first: int = _is("Premier numéro.", 101)
    last: int = _is("Dernier numéro.", 203)


class VoletStanding(BaseModel):
    """Où en est un des quatre volets dans un volume."""

    volet: int = _is("Volet.", 2)
    holder: str | None = _is("À qui la loi le destine (à vérifier).", "court")
    sent: int = _is("Actes dont il est parti.", 100)
    waiting: int = _is("Actes dont il n'est allé nulle part.", 103)
    numbers: list[Stretch] = Field(description="Leurs numéros.")


class SlipOut(BaseModel):
    """Un bordereau."""

    slip: str | None = _is("Numéro.", "B-014/2026")
    volet: int | None = _is("Volet.", 2)
    holder: str | None = _is("Destinataire.", "court")
    sent_on: str | None = _is("Jour.", "2026-01-15")
    sent_to: str | None = _is("À qui.", "Greffe du tribunal de paix")
    acts: int = _is("Actes.", 100)
    first: int | None = _is("Premier numéro.", 1)
    last: int | None = _is("Dernier numéro.", 100)


class VolumeVolets(BaseModel):
    """Les volets d'un volume : ce qui attend, et les bordereaux."""

    items: list[VoletStanding] = Field(description="Les quatre volets.")
    slips: list[SlipOut] = Field(description="Les envois, par bordereau.")


class ProvisionalIn(Strict):
    """Numéro provisoire d'une naissance déclarée, faute de registre papier."""

    office: Code = _is("Bureau de l'état civil.", "CD-KN-017-01")
    reason: Long = _is("Motif.", "Plus de registre : le volume 2 n'est pas encore coté.")


class ProvisionalOut(BaseModel):
    """Une déclaration provisoire : elle ne tient pas lieu d'acte."""

    id: str = _is("Identifiant.", "0a4f7c1d-93b2-4e5f-8c66-1d2e3f4a5b6c")
    birth: str | None = _is("La naissance.", BIRTH_ID)
    commune: str | None = _is("Commune.", "CD-KN-017")
    office: str | None = _is("Bureau.", "CD-KN-017-01")
    year: int | None = _is("Année.", 2026)
    number: int | None = _is("Numéro provisoire du bureau et de l'année.", 7)
    declared_on: str | None = _is("Jour de la déclaration : lui seul juge le délai.", "2026-01-20")
    reason: str | None = _is("Motif.", "Plus de registre.")
    issued_on: str | None = _is("Jour du numéro provisoire.", "2026-01-20")
    stage: Literal["waiting", "numbered"] | None = _is("En attente, ou l'acte est dressé.", "waiting")
    act: str | None = _is("L'acte.", None)
    numbered_on: str | None = _is("Jour de l'acte.", None)
    days_waiting: int | None = _is("Jours d'attente, jusqu'à l'acte ou à ce jour.", 14)


class ProvisionalItem(ProvisionalOut):
    """Une déclaration provisoire dans la liste, avec le nom de l'enfant."""

    nom: str | None = _is("Nom de l'enfant.", "Mbuyi")
    postnom: str | None = _is("Post-nom.", "Kalala")
    prenom: str | None = _is("Prénom.", "Grâce")
