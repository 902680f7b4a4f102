"""Who may declare a birth and to which officer, as people say it at the counter."""

from __future__ import annotations

from datetime import date

import pytest

from app.law.declarants import competent_office, may_declare, written_power_needed

TODAY = date(2026, 2, 2)
KINTAMBO, KIMBANSEKE = "CD-KN-017", "CD-KN-008"


@pytest.mark.parametrize(
    ("relation", "allowed", "who"),
    [
        ("père", True, "Le père"),
        ("Mère", True, "La mère"),
        ("papa de l'enfant", True, "Le père"),
        ("grand-mère maternelle", True, "Un ascendant"),
        ("grand-père", True, "Un ascendant"),
        ("tante paternelle", True, "Un proche parent"),
        ("les parents", True, "Un proche parent"),
        ("sage-femme de la maternité", True, "Une personne présente à la naissance"),
        ("mandataire", True, "Un mandataire porteur d'une procuration écrite"),
        ("voisin", None, "« voisin »"),
        ("compère", None, "« compère »"),
        ("commère", None, "« commère »"),
        ("", None, "Le lien"),
        (None, None, "Le lien"),
    ],
)
def test_the_law_lists_who_may_declare(relation: str | None, allowed: bool | None, who: str) -> None:
    answer = may_declare(relation, TODAY)
    assert answer.yes is allowed
    assert answer.rule.startswith(who), answer.rule
    assert answer.verified is (allowed is True)
    if allowed:
        assert answer.rule.endswith("(art. 117 du Code de la famille).")


def test_only_a_proxy_brings_a_written_power() -> None:
    assert written_power_needed("mandataire de la mère", TODAY)
    assert not written_power_needed("père", TODAY)
    assert not written_power_needed("voisin", TODAY)


def test_before_the_code_nobody_knows_who_may_declare() -> None:
    assert may_declare("père", date(1988, 7, 31)).yes is None
    assert may_declare("père", date(1988, 8, 1)).yes is True


@pytest.mark.parametrize(
    ("father", "mother", "competent"),
    [
        (KINTAMBO, KINTAMBO, True),
        (KIMBANSEKE, KINTAMBO, True),
        (KINTAMBO, None, True),
        # born in Kintambo's maternity, the parents live elsewhere: the place of birth makes no officer competent
        (KIMBANSEKE, KIMBANSEKE, False),
        (None, KIMBANSEKE, None),
        (None, None, None),
    ],
)
def test_the_officer_of_the_fathers_or_the_mothers_residence_is_competent(
    father: str | None, mother: str | None, competent: bool | None
) -> None:
    answer = competent_office(KINTAMBO, (father, mother), on=TODAY)
    assert answer.yes is competent
    assert "art. 116" in answer.rule
    assert competent_office(KINTAMBO, (father, mother), on=date(1988, 7, 31)).yes is None
