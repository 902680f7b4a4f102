"""Who lives together: deals the residents of the commune into households and writes each one down as a person.

Ages and sexes come from the cards it is handed; it knows neither addresses nor visits.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from types import MappingProxyType
from typing import Any

from app.demo.people import Card, Names, age_cards, household_sizes, uuid4

_WORDS = {
    "spouse": ("père", "mère"), "child": ("fils", "fille"), "grandchild": ("petit-fils", "petite-fille"),
    "parent": ("grand-père", "grand-mère"), "sibling": ("oncle", "tante"),
    "nephew_niece": ("neveu", "nièce"), "cousin": ("cousin", "cousine"), "uncle_aunt": ("oncle", "tante"),
    "ward": ("pupille", "pupille"), "other_relative": ("parenté", "parenté"), "unrelated": ("sans lien", "sans lien"),
}  # fmt: skip
_OLDER = ("parent",) * 6 + ("uncle_aunt",) * 3 + ("unrelated",)
_MUCH_YOUNGER = ("grandchild",) * 7 + ("nephew_niece", "nephew_niece", "other_relative")
_YOUNGER = ("nephew_niece",) * 6 + ("cousin", "ward", "other_relative", "unrelated")
_SAME_AGE = ("sibling",) * 6 + ("cousin", "cousin", "other_relative", "unrelated")
_WORK = {
    "M": ("commerçant",) * 9 + ("sans emploi",) * 6 + ("chauffeur",) * 5 + ("agent de l'État",) * 3 + (
          "enseignant", "maçon", "mécanicien", "tailleur", "militaire"),
    "F": ("ménagère",) * 10 + ("vendeuse",) * 10 + ("couturière", "coiffeuse", "infirmière", "enseignante",
          "sans emploi"),
}  # fmt: skip
_TOWNS = (
    "Matadi", "Kikwit", "Bandundu", "Mbanza-Ngungu", "Boma", "Mbandaka", "Kananga", "Mbuji-Mayi", "Lubumbashi",
    "Kisangani", "Gemena", "Idiofa",
)  # fmt: skip
_ABROAD = {
    "AO": ("Luanda", 8), "CG": ("Brazzaville", 7), "CF": ("Bangui", 1), "RW": ("Kigali", 1), "BI": ("Bujumbura", 1),
    "TZ": ("Dar es Salaam", 1), "ZM": ("Lusaka", 1), "LB": ("Beyrouth", 1), "IN": ("Mumbai", 1), "CN": ("Pékin", 1),
}  # fmt: skip
_NATIONALITIES = tuple(code for code, (_, weight) in _ABROAD.items() for _ in range(weight))
_FOREIGN_HOUSEHOLDS = 0.027
_BETWEEN_BIRTHS = timedelta(days=300)


@dataclass(slots=True)
class Member:
    """A person with what later members of the household need to know: true day of birth and stated age."""

    id: str
    age: int
    sex: str
    born: date
    set: dict[str, Any]


@dataclass(slots=True)
class Family:
    """The cards of one household: its head, the spouse if there is one, everybody else from old to young."""

    head: Card
    spouse: Card | None
    others: list[Card]


def families(rng: Random, *, households: int, persons: int, no_act: int) -> Iterator[Family]:
    """`households` families of `persons` residents together, of whom `no_act` are children without an act."""
    sizes = household_sizes(rng, households=households, persons=persons)
    cards = age_cards(rng, persons=persons, no_act=no_act)
    heads, rest = _take(rng, cards, number=households, weight=_head_weight)
    couples = [at for at, size in enumerate(sizes) if size > 1 and rng.random() < _married_share(heads[at])]
    wives = [at for at in couples if heads[at].sex == "M"]
    husbands = [at for at in couples if heads[at].sex == "F"]
    spouses: dict[int, Card] = {}
    for places, sex in ((wives, "F"), (husbands, "M")):
        fit = [card for card in rest if card.sex == sex and card.age >= 20]
        chosen, _ = _take(rng, fit, number=min(len(fit), len(places)), weight=_spouse_weight)
        # Pairing by rank keeps couples close in age without a search.
        places.sort(key=lambda at: heads[at].age + rng.gauss(0, 3))
        chosen.sort(key=lambda card: card.age)
        spouses.update(zip(places, chosen, strict=False))
    taken = {id(card) for card in spouses.values()}
    rest = [card for card in rest if id(card) not in taken]
    for at, size in enumerate(sizes):
        spouse = spouses.get(at)
        mother = spouse if spouse and spouse.sex == "F" else heads[at]
        others = [_deal(rng, rest, mother=mother.age) for _ in range(size - 1 - (spouse is not None))]
        yield Family(heads[at], spouse, sorted(others, key=lambda card: -card.age))


def _take(
    rng: Random, cards: list[Card], *, number: int, weight: Callable[[Card], float]
) -> tuple[list[Card], list[Card]]:
    """`number` cards drawn without replacement in proportion to `weight`, and the cards left."""
    order = sorted(cards, key=lambda card: rng.random() / weight(card))
    chosen = order[:number]
    rng.shuffle(chosen)
    return chosen, order[number:]


def _head_weight(card: Card) -> float:
    if card.age < 20:
        return 1e-9
    by_age = 0.1 if card.age < 25 else 0.5 if card.age < 30 else 1.5 if card.age < 65 else 1.0
    return by_age if card.sex == "M" else by_age * 0.22


def _spouse_weight(card: Card) -> float:
    return 0.3 if card.age < 25 else 1.0 if card.age < 60 else 0.4


def _married_share(head: Card) -> float:
    return 0.12 if head.sex == "F" else 0.84 if head.age >= 28 else 0.5


def _deal(rng: Random, cards: list[Card], *, mother: int) -> Card:
    """Takes one card out of `cards`, rather one that can be a child of a woman of that age."""
    at = 0
    for _ in range(3):
        at = int(rng.random() * len(cards))
        if 16 <= mother - cards[at].age <= 42:
            break
    cards[at], cards[-1] = cards[-1], cards[at]
    return cards.pop()


class Scribe:
    """Writes families down as persons, in the fields of the protocol's section 9."""

    def __init__(self, rng: Random, *, last_birth: date) -> None:
        self._rng = rng
        self._random = rng.random
        self._names = Names(rng)
        self._last_birth = last_birth

    def persons(self, family: Family, *, household: str) -> list[dict[str, Any]]:
        """`[{"id", "set"}, …]` in the order of the card: head, spouse, children, then the others."""
        home = _Home(household, self._nationality())
        head = self._write(home, family.head, relation="head")
        spouse = None
        if family.spouse:
            # Spouses of foreigners are often Congolese.
            nationality = "CD" if self._random() < 0.3 else home.nationality
            spouse = self._write(home, family.spouse, relation="spouse", nationality=nationality)
        mother = next((one for one in (spouse, head) if one and one.sex == "F"), None)
        father = next((one for one in (head, spouse) if one and one.sex == "M"), None)
        children: list[Member] = []
        for card in family.others:
            child = self._child(home, card, mother=mother, father=father, before=children)
            if child is None:
                self._relative(home, card, head=head)
            else:
                children.append(child)
        self._close(home, head=head, spouse=spouse, children=children)
        return home.persons(children)

    def _nationality(self) -> str:
        return _pick(self._rng, _NATIONALITIES) if self._random() < _FOREIGN_HOUSEHOLDS else "CD"

    def _child(
        self, home: "_Home", card: Card, *, mother: Member | None, father: Member | None, before: list[Member]
    ) -> Member | None:
        """The child of the couple, or of one of the two; None where the ages allow neither or chance says no."""
        of_mother = mother is not None and 15 <= mother.age - card.age <= 45
        of_father = father is not None and 15 <= father.age - card.age <= 65
        if not (of_mother or of_father) or self._random() > (0.9 if of_mother else 0.6):
            return None
        born = self._day(card.age)
        twin: Member | None = None
        if of_mother and mother is not None:
            siblings = [one for one in before if one.set.get("mother") == mother.id]
            twin = self._twin(card, siblings)
            if twin is None and any(abs(one.born - born) < _BETWEEN_BIRTHS for one in siblings):
                of_mother = False
        parents = {"mother": mother if of_mother else None, "father": father if of_father else None}
        known = {name: parent.id for name, parent in parents.items() if parent is not None}
        if not known:
            return None
        child = self._write(home, card, relation="child", born=twin.born if twin else born, parents=known)
        if father is not None and of_father and self._random() < 0.6:
            # A child may bear a nom of its father; most bear their own.
            child.set["nom"] = father.set["nom"]
        if "mother" not in known:
            self._absent_mother(child)
        if twin is not None:
            _make_twins(twin, child, names=self._names.twins(twin.sex, child.sex))
        return child

    def _twin(self, card: Card, siblings: list[Member]) -> Member | None:
        """A brother or sister of the same year who becomes the first of twins, never of triplets."""
        for one in siblings:
            if one.age == card.age and self._random() < 0.5:
                alone = sum(other.born == one.born for other in siblings) == 1
                return one if alone else None
        return None

    def _absent_mother(self, member: Member) -> None:
        if member.age < 18 and self._random() < 0.12:
            member.set["mother_name"] = self._names.full("F")

    def _relative(self, home: "_Home", card: Card, *, head: Member) -> None:
        gap = head.age - card.age
        kinds = _OLDER if gap <= -15 else _SAME_AGE if gap < 15 else _YOUNGER if gap < 36 else _MUCH_YOUNGER
        self._absent_mother(self._write(home, card, relation=_pick(self._rng, kinds)))

    def _write(
        self,
        home: "_Home",
        card: Card,
        *,
        relation: str,
        nationality: str = "",
        born: date | None = None,
        parents: Mapping[str, str] = MappingProxyType({}),
    ) -> Member:
        sex, words = card.sex, _WORDS.get(relation, ("", ""))
        nationality = nationality or home.nationality
        # What brothers and sisters share stands together and first: it compresses into one repetition.
        fields: dict[str, Any] = {"household": home.id, **parents}
        self._name(fields, sex=sex, nationality=nationality)
        fields["line"], fields["relation"], fields["relation_words"] = 0, relation, words[sex == "F"]
        fields["sex"] = sex
        member = Member(uuid4(self._rng), card.age, sex, born or self._day(card.age), fields)
        self._birth(member)
        fields["birth_place"] = self._birth_place(card.age, nationality)
        fields["nationality"] = nationality
        fields["status"] = "present"
        self._activity(fields, age=card.age, sex=sex)
        act = self._birth_act(card)
        if act:
            fields["birth_act"] = act
        home.members.append(member)
        return member

    def _birth_place(self, age: int, nationality: str) -> str:
        if nationality != "CD":
            return _ABROAD[nationality][0]
        elsewhere = self._random() < (0.01 if age < 18 else 0.2)
        return _pick(self._rng, _TOWNS) if elsewhere else "Kinshasa"

    def _name(self, fields: dict[str, Any], *, sex: str, nationality: str) -> None:
        names = self._names
        foreign = names.foreign(sex, nationality)
        if foreign:
            fields["nom"], fields["prenom"] = foreign
            return
        fields["nom"], fields["postnom"] = names.nom(sex), names.postnom(sex)
        if self._random() < 0.9:
            fields["prenom"] = names.prenom(sex)

    def _day(self, age: int) -> date:
        """A day of the year in which `age` is reached in the census year; never after the last possible birth."""
        first = date(self._last_birth.year - age, 1, 1)
        days = 365 if age else (self._last_birth - first).days
        # Days nobody remembers become 1 January.
        forgotten = self._random() < (0.015 if age < 18 else 0.07)
        return first if forgotten else first + timedelta(days=int(self._random() * days))

    def _birth(self, member: Member) -> None:
        chance, fields = self._random(), member.set
        if member.age < 25:
            precision = "day" if chance < 0.93 else "month" if chance < 0.97 else "year"
        else:
            steps = ((0.7, "day"), (0.74, "month"), (0.88, "year"), (0.995, "estimated"), (1.0, "unknown"))
            precision = next(name for limit, name in steps if chance < limit)
        if precision == "unknown":
            fields["birth_precision"] = precision
            return
        if precision == "estimated":
            # Estimated ages end in 0 or 5.
            member.age -= member.age % 5
            member.born = member.born.replace(year=self._last_birth.year - member.age, day=1)
        text = member.born.isoformat()
        fields["birth_date"] = text if precision == "day" else text[:7] if precision == "month" else text[:4]
        fields["birth_precision"] = precision
        if precision == "estimated":
            fields["birth_words"] = f"environ {member.age} ans"

    def _activity(self, fields: dict[str, Any], *, age: int, sex: str) -> None:
        near = fields["relation"] in ("head", "spouse")
        if near or age >= 25:
            fields["marital_status"] = "married" if age > 30 and self._random() < 0.1 else "single"
        if self._random() < (0.85 if near else 0.25 if age >= 18 else 0.0):
            fields["occupation"] = _pick(self._rng, _WORK[sex])
        elif 16 <= age < 22 and not near:
            fields["occupation"] = "élève" if age < 20 else "étudiant"

    def _birth_act(self, card: Card) -> str | None:
        """Asked for every minor; adults older than 20 are mostly not asked (None)."""
        if card.no_act:
            return "none"
        chance = self._random()
        if card.age <= 18:
            return "seen" if chance < 0.45 else "said"
        if card.age <= 20:
            return "seen" if chance < 0.35 else "said" if chance < 0.8 else "unknown"
        return None if chance < 0.75 else "seen" if chance < 0.85 else "said" if chance < 0.96 else "none"

    def _close(self, home: "_Home", *, head: Member, spouse: Member | None, children: list[Member]) -> None:
        """What depends on the whole card: words and marital status of the head, phone."""
        parent = spouse is not None or bool(children)
        words = ("père (C)", "mère (C)") if parent else ("tuteur (C)", "tutrice (C)")
        head.set["relation_words"] = words[head.sex == "F"]
        chance = self._random()
        if spouse is not None:
            status = "married" if chance < 0.7 else "union"
            spouse.set["marital_status"] = status
        else:
            status = "single" if chance < 0.5 else "widowed" if head.age > 45 else "divorced"
        head.set["marital_status"] = status
        if self._random() < 0.2:
            head.set["phone"] = f"+243870{int(self._random() * 1_000_000):06d}"


@dataclass(slots=True)
class _Home:
    """A household while its card is being filled."""

    id: str
    nationality: str
    members: list[Member] = field(default_factory=list)

    def persons(self, children: list[Member]) -> list[dict[str, Any]]:
        """Numbers the lines of the card; children come before other relatives."""
        own = {child.id for child in children}
        first = [one for one in self.members if one.set["relation"] in ("head", "spouse")]
        rest = [one for one in self.members if one.set["relation"] not in ("head", "spouse", "child")]
        ordered = first + [one for one in self.members if one.id in own] + rest
        for line, member in enumerate(ordered, 1):
            member.set["line"] = line
        return [{"id": member.id, "set": member.set} for member in ordered]


def _make_twins(first: Member, second: Member, *, names: tuple[str, str]) -> None:
    first.set["nom"], second.set["nom"] = names
    second.age, second.born = first.age, first.born
    for name in ("birth_date", "birth_precision", "birth_words"):
        second.set.pop(name, None)
        if name in first.set:
            second.set[name] = first.set[name]


def _pick(rng: Random, pool: tuple[str, ...]) -> str:
    return pool[int(rng.random() * len(pool))]
