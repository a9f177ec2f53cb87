"""The social security card centre: what it is asked, and what it answers.

The authority owns the state of persons and cards. Every deed carries the activation's id as its idempotency key, so
that asking again never does it twice. Nothing here can be printed by accident: messages hold whole names and numbers.
"""

from enum import StrEnum
from typing import Protocol

import msgspec

from cardd.base.reasons import Reason
from cardd.base.secret import Secret

Updates = dict[str, dict[str, str]]
"""Records to write on the card: `{FILE: {tag: text}}`, for example `{"SSSEEF05": {"06": "20400101"}}`."""


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """A message that shows only its name when it is printed."""

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
    tries_left: int | None = None


class PasswordAnswer(Closed, frozen=True, kw_only=True):
    """Whether the old card's password was right, and how many tries are left (0: locked)."""

    right: bool
    tries_left: int


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


class ActivationRequest(Closed, frozen=True, kw_only=True):
    """Everything the authority records. `challenge` and `answer` (hex) are the card's internal authentication."""

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


class Authority(Protocol):
    """The centre. Every method raises CarddError(AUTHORITY_UNAVAILABLE) when it cannot be asked."""

    async def look_up_old_card(self, number: str) -> OldCardStanding:
        """Say whether an old card may be handed in, and whether its password must be asked for."""

    async def verify_old_password(self, key: str, number: str, password: Secret) -> PasswordAnswer:
        """Check an old card's password for one activation; the tries are counted here."""

    async def look_up_social_card(
        self, card: SocialCard, old_card: str | None, document: IdentityDocument | None
    ) -> Prospect:
        """Say what activating this card would come to, with this old card handed in or this document shown.

        Changes nothing. `document` was compared with the card already; whether it is the holder's is said here.
        """

    async def activate(self, request: ActivationRequest) -> Verdict:
        """Activate, in one transaction and once for each key: the same key gets the same verdict."""

    async def outcome(self, key: str) -> Verdict | None:
        """Return the verdict that a key got, None where that key never arrived."""

    async def report_update(self, key: str, *, written: bool) -> None:
        """Say whether the verdict's updates are on the card now."""
