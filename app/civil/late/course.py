"""The course of one file of the late procedure: at which step it stands and since when, what comes next, and why it
cannot move yet. Pure: reads the file's values, the state of its birth and the law's data; writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from app.law.courts import CourtAnswer, competent_court
from app.law.dates import PossibleDays, possible_days
from app.law.late import Step, appeal_until, names_another_court, steps_of

Values = Mapping[str, Any]

OPENED, CLOSED, TRANSCRIPTION = "opened", "closed", "transcription"
UNDETERMINED = "undetermined"
# Which fields keep a step: the day, and what is said with it.
DAY = {
    "sent": "sent_on",
    "requested": "requested_on",
    "judged": "judged_on",
    "served": "served_on",
    "no_appeal": "no_appeal_on",
    "homologated": "homologated_on",
}
SAID: Mapping[str, Mapping[str, str]] = {
    "sent": {"court": "court", "slip": "slip", "campaign": "campaign"},
    "requested": {"court": "court", "number": "request_number", "campaign": "campaign"},
    "judged": {"court": "court", "number": "judgment_number", "outcome": "outcome"},
    "served": {"to": "served_to"},
    "no_appeal": {"number": "no_appeal_number"},
    "homologated": {"number": "homologation_number"},
    "closed": {},
}
LABEL = {OPENED: "Dossier ouvert", CLOSED: "Dossier clos", TRANSCRIPTION: "Transcription"}


@dataclass(frozen=True, slots=True)
class BirthState:
    """What the register says of the birth: its clean values, what is contested, whether it is void, its act (id)."""

    id: str
    values: Values
    contested: Sequence[str] = ()
    void: bool = False
    act: str | None = None

    def days(self, on: date) -> PossibleDays | None:
        """The possible days of birth, as known on a day."""
        return possible_days(
            self.values.get("birth_date"), self.values.get("birth_precision"), declared_on=on
        )


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a file cannot move; `blocks` the transcription, or only asks for a look (an unconfirmed rule)."""

    code: str
    message: str
    blocks: bool = True


@dataclass(frozen=True, slots=True)
class Stay:
    """A step the file reached: on which day, and how many days it stayed there (until today for the last)."""

    step: str
    label: str
    on: str
    days: int
    said: Mapping[str, Any] = field(default_factory=dict)


def path_of(values: Values) -> tuple[Step, ...]:
    """The steps of the file's path, as the law asked for them when it was opened."""
    opened = values.get("opened_on")
    return steps_of(values.get("path", ""), date.fromisoformat(opened)) if opened else ()


def stage_of(values: Values) -> tuple[str, str]:
    """(step, day): where the file stands and since when."""
    if values.get("closed_on"):
        return CLOSED, values["closed_on"]
    reached = [step.step for step in path_of(values) if values.get(DAY[step.step])]
    return (reached[-1], values[DAY[reached[-1]]]) if reached else (OPENED, values.get("opened_on", ""))


def stays(values: Values, *, today: date) -> list[Stay]:
    """Every step reached, in order of the path, with the days spent at each."""
    days = [(OPENED, LABEL[OPENED], values.get("opened_on"))]
    days += [(step.step, step.label, values.get(DAY[step.step])) for step in path_of(values)]
    days += [(CLOSED, LABEL[CLOSED], values.get("closed_on"))]
    reached = [(step, label, on) for step, label, on in days if on]
    # A file may be opened after the family has been to court: its opening is no step backwards.
    until = [on for _, _, on in reached[1:]] + [
        reached[-1][2] if values.get("closed_on") else today.isoformat()
    ]
    return [
        Stay(
            step,
            label,
            on,
            max(0, (date.fromisoformat(end) - date.fromisoformat(on)).days),
            {name: values.get(kept) for name, kept in SAID.get(step, {}).items() if values.get(kept)},
        )
        for (step, label, on), end in zip(reached, until, strict=True)
    ]


def court_for(values: Values, birth: BirthState, *, today: date) -> CourtAnswer:
    """The competent court by the age on the day of the request; before there is one, as if it were made today."""
    on = asked_on(values, today=today)
    return competent_court(birth.days(on), on)


def asked_on(values: Values, *, today: date) -> date:
    """The day of the request; before there is one, today."""
    asked = values.get("requested_on")
    return date.fromisoformat(asked) if asked else today


def missing_steps(values: Values) -> list[Step]:
    """The steps the transcription waits for."""
    return [step for step in path_of(values) if step.needed and not values.get(DAY[step.step])]


def next_step(values: Values) -> tuple[str, str] | None:
    """(step, what is to be done in French); None for a closed file."""
    if values.get("closed_on"):
        return None
    if values.get("outcome") in ("refused", "withdrawn"):
        return CLOSED, "Clore le dossier, ou noter le nouveau jugement après recours."
    path = path_of(values)
    reached = [at for at, step in enumerate(path) if values.get(DAY[step.step])]
    last = reached[-1] if reached else -1
    for at, step in enumerate(path):
        if not values.get(DAY[step.step]) and (step.needed or at > last):
            return step.step, f"{step.to_do}{_named(values, step.step)}."
    return TRANSCRIPTION, f"Transcrire au registre de l'année en cours{_named(values, TRANSCRIPTION)}."


def reasons(values: Values, birth: BirthState, *, today: date) -> list[Reason]:
    """Why the file cannot move yet, or what somebody should look at; none for a closed file."""
    if values.get("closed_on"):
        return []
    return [
        *_of_the_birth(birth),
        *_of_the_court(values, birth, today=today),
        *_of_the_steps(values, today=today),
    ]


def _of_the_birth(birth: BirthState) -> list[Reason]:
    found = []
    if birth.void:
        found.append(Reason("birth_void", "La déclaration de naissance est annulée."))
    if birth.contested:
        fields = ", ".join(sorted(birth.contested))
        found.append(
            Reason("birth_contested", f"La déclaration est en conflit ({fields}) : réglez-le d'abord.")
        )
    if birth.act is not None:
        found.append(Reason("already_registered", "Un acte existe déjà pour cette naissance."))
    return found


def _of_the_court(values: Values, birth: BirthState, *, today: date) -> list[Reason]:
    answer = court_for(values, birth, today=today)
    if answer.code is None:
        return [Reason("court_undetermined", answer.rule, blocks=False)]
    other = names_another_court(values.get("court", ""), answer.code, on=asked_on(values, today=today))
    if other is None:
        return []
    message = f"Le dossier nomme un {other}, mais : {answer.rule}"
    return [Reason("other_court", message, blocks=False)]


def _of_the_steps(values: Values, *, today: date) -> list[Reason]:
    found = []
    path = path_of(values)
    last = max((at for at, step in enumerate(path) if values.get(DAY[step.step])), default=-1)
    found += [
        Reason("step_missing", f"Il manque une étape : {step.label}.")
        for step in path[: max(last, 0)]
        if step.needed and not values.get(DAY[step.step])
    ]
    if values.get("outcome") in ("refused", "withdrawn"):
        said = "a rejeté la demande" if values["outcome"] == "refused" else "a pris acte du désistement"
        found.append(Reason("judgment_refused", f"Le tribunal {said} : rien à transcrire."))
    served = values.get("served_on")
    appeal = appeal_until(date.fromisoformat(served)) if served else None
    if appeal is not None:
        certified = values.get("no_appeal_on")
        if certified is None and today <= appeal.until:
            message = f"Le délai d'appel court jusqu'au {appeal.until:%d/%m/%Y} : {appeal.rule}."
            found.append(Reason("appeal_running", message, blocks=False))
        elif certified is not None and certified <= appeal.until.isoformat():
            end = f"{appeal.until:%d/%m/%Y}"
            message = f"Le certificat de non-appel précède la fin du délai d'appel ({end}) : {appeal.rule}."
            found.append(Reason("appeal_short", message, blocks=False))
    return found


def _named(values: Values, step: str) -> str:
    """The judgment, where the step is about it and it is known."""
    number, judged = values.get("judgment_number"), values.get("judged_on")
    if step in ("served", "no_appeal", "homologated", TRANSCRIPTION) and number and judged:
        return f" : n° {number} du {date.fromisoformat(judged):%d/%m/%Y}"
    court = values.get("court")
    return f" ({court})" if step in ("requested", "judged") and court else ""
