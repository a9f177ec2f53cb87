"""The register of persons and cards as its YAML file describes it."""

from typing import Annotated, Literal

import msgspec

from cardd.base.structs import unshown

Text = Annotated[str, msgspec.Meta(min_length=1)]
CardStatus = Literal["not_enabled", "normal", "lost", "pre_lost", "void", "sealed"]
OldCardStatus = Literal["valid", "lost", "void", "frozen"]
TRIES = 6
"""Wrong passwords that lock an old card where the register says nothing else."""


class Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A mapping in which an unknown key is an error; it shows only its name when it is printed."""

    __rich_repr__ = unshown

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class Card(Strict, frozen=True, kw_only=True):
    """A social security card that was issued to the person."""

    number: Text
    status: CardStatus = "not_enabled"
    identification_code: Text | None = None


class OldCard(Strict, frozen=True, kw_only=True):
    """A medical insurance card of the person; `password` in digits."""

    number: Text
    status: OldCardStatus = "valid"
    password: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{4,16}$")] | None = None
    password_tries: Annotated[int, msgspec.Meta(ge=0, le=15)] = TRIES


class Document(Strict, frozen=True, kw_only=True):
    """An identity document of the person beside the citizen's card, whose number is the social security number."""

    type: Text
    number: Text


class Person(Strict, frozen=True, kw_only=True):
    """One person; `updates` are written on the card when it is activated."""

    social_security_number: Text
    name: Text
    account: Literal["normal", "frozen"] = "normal"
    cards: list[Card] = msgspec.field(default_factory=list)
    old_cards: list[OldCard] = msgspec.field(default_factory=list)
    documents: list[Document] = msgspec.field(default_factory=list)
    updates: dict[str, dict[str, str]] = msgspec.field(default_factory=dict)


class RegisterDocument(Strict, frozen=True, kw_only=True):
    """The whole file. `region`: six digits; a trailing 00 stands for every district below it.

    Without a region, cards of every region are activated; with `accept_expired`, cards whose validity is over too.
    """

    region: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{6}$")] | None = None
    accept_expired: bool = False
    people: list[Person] = msgspec.field(default_factory=list)
