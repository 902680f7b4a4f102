"""What the law answers to a question of yes or no: the verdict, and the French sentence that explains it."""

from __future__ import annotations

from dataclasses import dataclass

from app.law.parameters import Parameter


@dataclass(frozen=True, slots=True)
class Answer:
    """`yes` is None where the law, or what is known of the case, does not decide. `rule` is one French sentence; an
    answer that is not `verified` rests on a text nobody has confirmed."""

    yes: bool | None
    rule: str
    article: str = ""
    verified: bool = False

    @classmethod
    def of(cls, yes: bool | None, sentence: str, *, by: Parameter) -> Answer:
        """The answer of one parameter; the article is named at the end of the sentence."""
        verified = by.status == "verified"
        return cls(yes, f"{sentence}{cited(by)}.", by.article, verified)


def cited(parameter: Parameter) -> str:
    """ " (art. 117 du Code de la famille)"; " (règle à confirmer)" is added where nobody has confirmed the text."""
    said = [parameter.article] if parameter.article else []
    if parameter.status != "verified":
        said.append("règle à confirmer")
    return f" ({' ; '.join(said)})" if said else ""
