"""What a family pays for its act, what campaigns change, and which notes may stand in a margin."""

from __future__ import annotations

from datetime import date

import pytest

from app.law.annotations import annotation_type, annotation_types
from app.law.fees import campaign_effects, fee_of, free_of_charge
from app.law.parameters import apply_law, read_law
from app.law.registers import language_of_acts, numbering_on

TODAY = date(2026, 2, 2)


@pytest.fixture
def of_a_jurist(shipped_law: None) -> None:
    """A law in which late acts cost 5,000 francs and each volume is numbered anew from 2027."""
    fees = "code,in_force_from,in_force_to,amount,currency,article,source,status\n"
    numbering = "in_force_from,in_force_to,numbering,source,status\n"
    apply_law(
        read_law(
            {
                "fees.csv": fees + "out_of_delay,2026-01-01,,5000,CDF,art. 3 de l'arrêté,arrêté,verified\n",
                "numbering.csv": numbering
                + "1988-08-01,2026-12-31,per_year,u,unverified\n2027-01-01,,per_volume,u,verified\n",
            }
        )
    )


def test_the_act_of_a_birth_declared_in_time_is_free_since_2009() -> None:
    answer = free_of_charge("in_delay", TODAY)
    assert answer.yes is True
    assert answer.rule == (
        "Naissance dans les délais : délivrance gratuite (art. 16 de la loi n° 09/001 du 10 janvier 2009 portant "
        "protection de l'enfant)."
    )
    assert fee_of("in_delay", TODAY) == 0
    assert free_of_charge("in_delay", date(2009, 1, 9)).yes is None
    assert free_of_charge("in_delay", date(2009, 1, 10)).yes is True


def test_what_a_late_act_costs_nobody_has_confirmed() -> None:
    answer = free_of_charge("out_of_delay", TODAY)
    assert answer.yes is None
    assert answer.rule == "Naissance hors délai : aucun montant n'est connu (règle à confirmer)."
    assert fee_of("out_of_delay", TODAY) is None
    assert free_of_charge("undetermined", TODAY).yes is None


@pytest.mark.usefixtures("of_a_jurist")
def test_a_jurists_amount_and_numbering_hold_from_their_day_on() -> None:
    answer = free_of_charge("out_of_delay", TODAY)
    assert answer.rule == "Naissance hors délai : délivrance au prix de 5000 CDF (art. 3 de l'arrêté)."
    assert (answer.yes, answer.verified) == (False, True)
    assert free_of_charge("in_delay", TODAY).yes is None
    assert numbering_on(date(2026, 12, 31)) == "per_year"
    assert numbering_on(date(2027, 1, 1)) == "per_volume"


def test_acts_are_numbered_through_the_year_and_drawn_up_in_french() -> None:
    assert numbering_on(TODAY) == numbering_on(date(1980, 1, 1)) == "per_year"
    assert (language_of_acts(TODAY), language_of_acts(date(1980, 1, 1))) == ("français", "")


def test_the_notes_of_a_margin_are_a_list_with_their_authority() -> None:
    assert {each.code for each in annotation_types(TODAY)} == {
        *("rectification", "court_ordered_change", "transcription", "recognition", "adoption"),
        *("marriage", "divorce", "death", "nationality", "judgment", "annulment"),
    }
    error = annotation_type("rectification", TODAY)
    assert error is not None
    assert (error.authority, error.verified, error.by_court) == ("peace_court_president", True, True)
    assert error.rule.endswith("(art. 105 du Code de la famille).")
    death = annotation_type("death", TODAY)
    assert death is not None
    assert (death.verified, death.by_court) == (False, False)
    assert annotation_type("baptism", TODAY) is None
    assert annotation_type("death", date(1988, 7, 31)) is None


def test_a_campaign_brings_the_court_or_waives_fees_but_no_judgment() -> None:
    found = {each.text("effect"): each.text("judgment") for each in campaign_effects(TODAY)}
    assert found == {"court_travels": "required", "fee_waived": "required"}
