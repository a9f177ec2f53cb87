"""Cards as clients see them."""

from enum import StrEnum
from typing import Annotated

import msgspec

from cardd.wire.base import Params, Result, Value


class Kind(StrEnum):
    """What a card was recognised as."""

    SOCIAL_SECURITY = "social_security"
    MEDICAL_INSURANCE = "medical_insurance"
    PSAM = "psam"
    BANK = "bank"
    UNKNOWN = "unknown"


class Issuer(Result):
    """EF05 of the environment (LD/T 32.6). `region` is the six digits of the identification code."""

    identification_code: Value
    card_class: Value
    specification_version: Value
    initialising_organisation: Value
    issue_date: Value
    valid_until: Value
    card_number: Value
    region: Value


class Holder(Result):
    """EF06 of the environment (LD/T 32.6), codes as in the rule. `token` names the person on this machine only."""

    social_security_number: Value
    name: Value
    sex: Value
    ethnic_group: Value
    birthplace: Value
    birth_date: Value
    token: str | None = None


class CardSummary(Result):
    """A card that is in a reader now. `number` is masked."""

    insertion: str
    kind: Kind
    generation: str | None
    authentic: bool | None
    number: str | None


class ReaderView(Result):
    """One reader; `state` is empty, present, mute, unpowered, in_use or unavailable.

    `device` is the same for all slots of one device; `serial` and `usb` (the path of ports, `1-2.3`) are null where the
    device does not tell them. A rule's `match` is held against `pcsc_name`, `serial` and `usb`.
    """

    reader: str
    station: str
    pcsc_name: str
    role: str
    state: str
    card: CardSummary | None
    device: str = ""
    serial: str | None = None
    usb: str | None = None


class ReadersListResult(Result):
    """Every reader there is, those of the configuration first."""

    readers: list[ReaderView]


class CardChoice(Params):
    """Which card: that of an insertion, the one in a reader, or the only one; wait so long for it to come."""

    reader: str | None = None
    insertion: str | None = None
    lease: str | None = None
    wait_s: float | None = None


class CardReadParams(CardChoice):
    """`files` is an address string of the national driver's grammar (`SSSEEF05|01|07|$DF04EF08|$`).

    `with_pin`: the holder is asked for the PIN by a prompt, which bears `request`, and what it opens is opened with it.
    """

    files: str | None = None
    purpose: str | None = None
    with_pin: bool = False
    request: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] | None = None


class CardReadResult(Result):
    """A card that was read and asked to prove itself. Masked unless personal data were asked for and granted.

    `number` is the card number, of an old card its own number. `bank_number` is the number of the account on the same
    card, null where there is none, or where `files` asked for something else. `records` are by file and item; the
    records of a cyclic file stand under their numbers, 1 the newest, a transparent file under `whole`. `old_meanings`
    names, by file and item, what a value of a 1.0 card means where it does not mean what the item means now.
    """

    insertion: str
    kind: Kind
    generation: str | None
    authentic: bool | None
    via: str
    issuer: Issuer | None
    holder: Holder | None
    records: dict[str, dict[str, Value]]
    number: Value = None
    bank_number: Value = None
    old_meanings: dict[str, dict[str, str]] = msgspec.field(default_factory=dict)
