"""What a social security card centre is asked and what it answers: the messages, as this program has them.

Nothing here can be printed by accident: messages hold whole names and numbers.
"""

from enum import StrEnum
from typing import Annotated, Final

import msgspec

from cardd.base.reasons import Reason
from cardd.base.structs import unshown

Updates = dict[str, dict[str, str]]
"""Records to write on the card: `{FILE: {tag: text}}`, for example `{"SSSEEF05": {"06": "20400101"}}`."""

Tries = Annotated[int, msgspec.Meta(ge=0, le=15)]

REFUSALS: Final = frozenset(
    {
        Reason.NAME_DIFFERS,
        Reason.NUMBER_DIFFERS,
        Reason.OTHER_PERSON,
        Reason.DOCUMENT_DIFFERS,
        Reason.CARD_LOST,
        Reason.CARD_VOID,
        Reason.CARD_EXPIRED,
        Reason.OTHER_REGION,
        Reason.OLD_CARD_LOST,
        Reason.OLD_CARD_VOID,
        Reason.OLD_CARD_FROZEN,
        Reason.OLD_PASSWORD_WRONG,
        Reason.OLD_PASSWORD_LOCKED,
    }
)
"""Why a centre may refuse; any other reason is not its to give."""


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """A message that shows only its name when it is printed."""

    __rich_repr__ = unshown

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class SocialCard(Closed, frozen=True, kw_only=True):
    """What was read from a social security card that proved itself. Numbers whole; `valid_until` is YYYY-MM-DD."""

    number: str
    identification_code: str
    region: str
    social_security_number: str
    name: str
    valid_until: str | None = None


class IdentityDocument(Closed, frozen=True, kw_only=True):
    """The original identity document that somebody at a counter has seen. `number` and `name` whole."""

    type: str
    number: str
    name: str


class Visit(Closed, frozen=True, kw_only=True):
    """The visit that a hospital registers: `kind` is outpatient or inpatient, `number` the hospital's own."""

    kind: str
    number: str


class OldCardStanding(Closed, frozen=True, kw_only=True):
    """What the authority says of an old card: `refusal` and nothing else counts, or whether a password is due."""

    refusal: Reason | None = None
    password: bool = False
    tries_left: Tries | None = None


class PasswordAnswer(Closed, frozen=True, kw_only=True):
    """Whether the old card's password was right, and how many tries are left (0: locked)."""

    right: bool
    tries_left: Tries


class Standing(StrEnum):
    """The authority's word on an activation, or on the prospect of one."""

    GRANTED = "granted"
    ALREADY_ACTIVE = "already_active"
    REFUSED = "refused"


class Prospect(Closed, frozen=True, kw_only=True):
    """What activating this card would come to now; changes nothing. `reason` stands with REFUSED only."""

    standing: Standing
    reason: Reason | None = None


class Verdict(Closed, frozen=True, kw_only=True):
    """What an activation came to. `updates` are to be written on the card; `receipt` is for the holder."""

    standing: Standing
    reason: Reason | None = None
    updates: Updates = msgspec.field(default_factory=dict)
    receipt: dict[str, str] = msgspec.field(default_factory=dict)


class HeadSignature(msgspec.Struct, frozen=True, kw_only=True):
    """Who vouches for a journal's head, and when (RFC 3339, UTC); key and signature in hex.

    Signed are the lines `cardd journal head`, the head, and the time, each ended by a line feed.
    """

    time: str
    algorithm: str
    key: str
    signature: str


class ActivationRequest(Closed, frozen=True, kw_only=True):
    """Everything the authority records. `challenge` and `answer` (hex) are the card's internal authentication.

    `journal_head` is what the counter's chain of events had come to, `STREAM:SEQUENCE:DIGEST`: who keeps it can tell
    later whether anything before it was changed or cut off.

    `key` is the activation's id and makes the deed one: the same key is the same deed and gets the same verdict.
    """

    key: str
    route: str
    card: SocialCard
    old_card: str | None
    document: IdentityDocument | None = None
    visit: Visit | None = None
    operator: str | None
    terminal: str
    time: str
    challenge: str | None
    answer: str | None
    journal_head: str
    journal_signature: HeadSignature | None = None
