"""Inventors of people: as many as are wanted, no two alike, and obviously nobody.

Their regions have the form of GB/T 2260 and a city that it gives to none (`99`), they were born from 1900 to 1909, and
they are called 测试 with a heavenly stem and a number. All keys are the shipped cards' own.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from random import Random
from types import MappingProxyType
from typing import Final, Literal

import msgspec

from cardd.register.document import Card, CardStatus, OldCard, OldCardStatus, RegisterDocument
from cardd.register.document import Person as RegisterEntry
from cardd.rules.identity import card_number_check
from cardd.rules.names import SSF33_REGION
from cardsim.persona import (
    AnyPersona,
    Holder,
    MedicalInsurancePersona,
    MemoryPersona,
    SocialSecurityPersona,
)
from cardsim.scenario.model import GenerateSpec, Person, StatusMix
from cardsim.stranger import citizen_check

Profile = Literal["1.0", "2.0", "3.0"]
AlgorithmName = Literal["des", "sm4"]

_ROOTS: Final = {"root": "00112233445566778899AABBCCDDEEFF", "stk_root": "0123456789ABCDEF"}
_ATR: Final = "3B6D00000081544C968684{place}{serial}"
_CODE: Final = "{region}D156000005{serial}FFFFFFFF"
_SERIAL: Final = "F1{number:06X}"
_STEMS: Final = "甲乙丙丁戊己庚辛壬癸"
_NUMERALS: Final = "零一二三四五六七八九"

_PROVINCES: Final = (*range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47), *range(50, 55), *range(61, 66))
"""The first two digits of GB/T 2260, without Taiwan, Hong Kong and Macao, whose cards are others."""
_USUALLY_DES: Final = tuple(province for province in _PROVINCES if province != int(SSF33_REGION))
"""Those whose cards compute with DES if they do not say with what; the others' do with a cipher nobody published."""
_NO_CITY: Final = 99
_DISTRICTS: Final = 20

_FIRST_DAY: Final = date(1900, 1, 1)
_DAYS: Final = (date(1910, 1, 1) - _FIRST_DAY).days
_OF_A_DAY: Final = 998
_ETHNIC_GROUPS: Final = 56


class Inventor:
    """Invents people of whom no two have a number in common, also those of different calls."""

    def __init__(self) -> None:
        self._taken: Final[set[str]] = set()

    def invent(self, spec: GenerateSpec, stream: Random) -> Iterator[Person]:
        """Yield `spec.count` people; the same stream and calls before give the same ones, byte for byte."""
        for number in range(1, spec.count + 1):
            yield self._person(spec, stream, _name(number))

    def _person(self, spec: GenerateSpec, stream: Random, name: str) -> Person:
        profile, algorithm = stream.choice(spec.profiles), stream.choice(spec.algorithms)
        # first cards do not say with what they compute
        untold = profile == "1.0" and algorithm == "des"
        city, region = _regions(spec, stream, untold=untold)
        number = self._another(lambda: _citizen_number(region, stream))
        social = self._social(stream, profile, algorithm, city, _holder(stream, number, name))
        status = _status(spec.status, stream)
        old = self._old(spec.old_card, stream, number, name)
        entry = RegisterEntry(
            social_security_number=number,
            name=name,
            cards=[
                Card(number=social.card_number, status=status, identification_code=social.identification_code),
            ],
            old_cards=[_entered(old.number, spec, stream, status)] if old is not None else [],
            updates={address: dict(items) for address, items in spec.updates.items()},
        )
        cards: dict[str, AnyPersona] = {"social": social} if old is None else {"old": old, "social": social}
        return Person(name, cards, entry)

    def _social(
        self, stream: Random, profile: Profile, algorithm: AlgorithmName, city: str, holder: Holder
    ) -> SocialSecurityPersona:
        serial = self._another(lambda: _SERIAL.format(number=stream.randrange(1 << 24)))
        number = self._another(lambda: _card_number(stream))
        return SocialSecurityPersona(
            card="social-security",
            profile=profile,
            interface="dual" if profile == "3.0" else "contact",
            algorithm=algorithm,
            atr=_ATR.format(place=city[:4], serial=serial),
            keys=dict(_ROOTS),
            identification_code=_CODE.format(region=city, serial=serial),
            card_number=number,
            holder=holder,
            pin=_digits(stream, 6),
        )

    def _old(
        self, wanted: str, stream: Random, number: str, name: str
    ) -> MedicalInsurancePersona | MemoryPersona | None:
        if wanted == "none":
            return None
        kind = stream.choice(tuple(_OLD)) if wanted == "any" else wanted
        layout, length, letter = stream.choice(_OLD[kind])
        printed = self._another(lambda: letter + "19" + _number(stream, length - 2 - len(letter)))
        if kind == "cpu":
            return MedicalInsurancePersona(card="medical-insurance", kind="cpu", interface="contact", number=printed)
        chip: Literal["sle4442", "sle4428"] = "sle4442" if kind == "sle4442" else "sle4428"
        if layout == "jinan":
            return MemoryPersona(
                card="memory",
                kind=chip,
                layout=layout,
                number=printed,
                identity_number=number,
                name=name,
                issue_date="20010203",
                employer="测试单位",
            )
        return MemoryPersona(card="memory", kind=chip, layout=layout, number=printed)

    def _another(self, make: Callable[[], str]) -> str:
        """Return a number that nobody has."""
        made = next(one for one in iter(make, None) if one not in self._taken)
        self._taken.add(made)
        return made


def generate(spec: GenerateSpec, stream: Random) -> Sequence[Person]:
    """Return `spec.count` people of whom no two have a number in common."""
    return tuple(Inventor().invent(spec, stream))


def register_of(people: Iterable[Person]) -> RegisterDocument:
    """Return the register that knows these people and takes cards of all regions."""
    return RegisterDocument(people=[person.register for person in people if person.register is not None])


def document_of(persona: AnyPersona) -> dict[str, object]:
    """Return a persona as it would stand in a file: what is as it is without being said is left out."""
    built: dict[str, object] = {"card": persona.card, **msgspec.to_builtins(persona)}
    kind = type(persona)
    usual = {field.name: field.default for field in msgspec.structs.fields(kind) if not field.required}
    usual |= {
        field.name: field.default_factory()
        for field in msgspec.structs.fields(kind)
        if field.default_factory is not msgspec.NODEFAULT
    }
    return {key: value for key, value in built.items() if key not in usual or getattr(persona, key) != usual[key]}


# -- numbers


def _regions(spec: GenerateSpec, stream: Random, *, untold: bool) -> tuple[str, str]:
    """Return the six digits of the city that issued the card, and of the district that somebody was born in.

    Where a card does not tell with what it computes, a region in which that is usually DES.
    """
    if spec.regions:
        given = stream.choice([one for one in spec.regions if not (untold and one.startswith(SSF33_REGION))])
        return given, given
    city = f"{stream.choice(_USUALLY_DES if untold else _PROVINCES)}{_NO_CITY}"
    return city + "00", f"{city}{stream.randint(1, _DISTRICTS):02d}"


def _citizen_number(region: str, stream: Random) -> str:
    born = _FIRST_DAY + timedelta(days=stream.randrange(_DAYS))
    digits = f"{region}{born:%Y%m%d}{stream.randint(1, _OF_A_DAY):03d}"
    return digits + citizen_check(digits)


def _card_number(stream: Random) -> str:
    eight = "T" + _number(stream, 7)
    return eight + card_number_check(eight)


def _number(stream: Random, length: int) -> str:
    """Return so many digits, of which the first is not 0: those of shipped cards are."""
    return str(stream.randrange(10 ** (length - 1), 10**length))


def _digits(stream: Random, count: int) -> str:
    return "".join(stream.choices("0123456789", k=count))


def _name(number: int) -> str:
    """Return the name of the n-th one: a stem, and where they begin again also how often they have."""
    again, stem = divmod(number - 1, len(_STEMS))
    return "测试" + _STEMS[stem] + "".join(_NUMERALS[int(digit)] for digit in (str(again) if again else ""))


def _holder(stream: Random, number: str, name: str) -> Holder:
    return Holder(
        social_security_number=number,
        name=name,
        sex="1" if int(number[16]) % 2 else "2",
        ethnic_group=f"{stream.randint(1, _ETHNIC_GROUPS):02d}",
        birthplace=number[:6],
        birth_date=f"{number[6:10]}-{number[10:12]}-{number[12:14]}",
    )


_OLD: Final[Mapping[str, tuple[tuple[str, int, str], ...]]] = MappingProxyType(
    {
        "cpu": (("cpu", 10, ""),),
        "sle4442": (("loudi", 10, ""),),
        "sle4428": (
            ("loudi-a", 10, ""),
            ("loudi-b", 10, ""),
            ("loudi-c", 10, ""),
            ("loudi-d", 10, ""),
            ("jinan", 9, "A"),
        ),
    }
)
"""Layouts of old cards by chip: how many characters their numbers have, and the letter that they begin with."""


# -- the register


def _status(mix: StatusMix, stream: Random) -> CardStatus:
    weights: dict[CardStatus, float] = {
        "not_enabled": mix.not_enabled,
        "normal": mix.normal,
        "lost": mix.lost,
        "pre_lost": mix.pre_lost,
        "void": mix.void,
        "sealed": mix.sealed,
    }
    return stream.choices(tuple(weights), tuple(weights.values()))[0]


def _entered(number: str, spec: GenerateSpec, stream: Random, new: CardStatus) -> OldCard:
    """Return what the register says of an old card: it is void once the new one is in use."""
    status: OldCardStatus = "void" if new == "normal" else "valid"
    with_password = stream.random() < spec.password
    digits = _digits(stream, 6)
    return OldCard(number=number, status=status, password=digits if with_password else None)
