"""What the desk finds on a card: typed values in which personal data cannot be shown by accident."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

from cardd.base.reasons import Reason
from cardd.base.secret import Personal
from cardd.base.structs import Hidden, Struct
from cardd.crypto.block import Algorithm
from cardd.rules.files import Generation
from cardd.wire.cards import Kind


class Via(StrEnum):
    """Which way the card was spoken to."""

    CONTACT = "contact"
    CONTACTLESS = "contactless"


class Unreadable(Struct, frozen=True):
    """A value that does not follow its rule: the stored bytes, and what is wrong with them."""

    raw: Hidden[bytes]
    error: str
    personal: bool


CardValue = str | Personal | Unreadable | None
"""A value from the card; None where the item is not set or not there. Dates are ISO 8601."""


class IssuerData(Struct, frozen=True):
    """EF05 of the environment (LD/T 32.6), and the region (six digits) of the identification code."""

    identification_code: CardValue
    card_class: CardValue
    specification_version: CardValue
    initialising_organisation: CardValue
    issue_date: CardValue
    valid_until: CardValue
    card_number: CardValue
    region: CardValue


class HolderData(Struct, frozen=True):
    """EF06 of the environment (LD/T 32.6), the name whole where it lies in two records."""

    social_security_number: CardValue
    name: CardValue
    sex: CardValue
    ethnic_group: CardValue
    birthplace: CardValue
    birth_date: CardValue


class Proof(Struct, frozen=True):
    """An internal authentication: what the card was asked (8 + 8 random bytes) and its answer (None: it refused).

    Anybody with the issuer's key can check it later, which is why the authority gets it. `version` is that of the key
    by which the card proved itself, None where it chose by itself (the first).
    """

    process_factor: bytes
    original: bytes
    answer: bytes | None
    version: int | None = None


class Identity(Struct, frozen=True):
    """What a card is.

    `authentic` is True or False where a key service has judged the proof. None: the card has nothing to prove itself
    with, or nobody could judge; `unproven` then says why nobody could. `number` is the card number, of an old card its
    own number, of a bank card its account's (None: it cannot be read). `holder` is what an old card tells of its
    holder while it is recognised; a social security card is asked for that on purpose only. `layout` is how an old card
    is written.
    """

    kind: Kind
    via: Via
    generation: Generation | None = None
    algorithm: Algorithm | None = None
    authentic: bool | None = None
    unproven: Reason | None = None
    identification_code: Hidden[str | None] = None
    number: Personal | None = None
    issuer: Hidden[IssuerData | None] = None
    proof: Hidden[Proof | None] = None
    holder: Hidden[HolderData | None] = None
    layout: str | None = None

    def same_card(self, other: "Identity") -> bool:
        """Tell whether the other reading was of this very card, by whichever way."""
        return (self.kind, self.identification_code, self.number) == (
            other.kind,
            other.identification_code,
            other.number,
        )


Records = Mapping[str, Mapping[str, CardValue]]
"""`{"SSSEEF05": {"01": value}}`: by file and item as in an address.

The records of a cyclic file stand under their numbers, 1 the newest, and a transparent file under `WHOLE`.
"""

WHOLE: Final = "whole"
"""Stands for the item of a file that has none."""

OldMeanings = Mapping[str, Mapping[str, str]]
"""`{"DF04EF05": {"81": "hospital_1"}}`: values that are meant as on a 1.0 card, and what the item was there."""


Absent = Mapping[str, frozenset[str] | None]
"""`{"DF01EF05": {"20"}}`: items whose records are not on the card, by file; None where it has no such file."""


class CardReading(Struct, frozen=True):
    """A card that was read. `holder` is None where the card has none, or does not give it to us.

    `bank_number` is the account's number where the card has a bank application and it was asked for.
    """

    identity: Identity
    issuer: Hidden[IssuerData | None] = None
    holder: Hidden[HolderData | None] = None
    records: Hidden[Records] = msgspec.field(default_factory=dict)
    bank_number: Personal | None = None
    old_meanings: OldMeanings = msgspec.field(default_factory=dict)
    absent: Absent = msgspec.field(default_factory=dict)

    @property
    def proof(self) -> Proof | None:
        """The internal authentication that was made while reading."""
        return self.identity.proof
