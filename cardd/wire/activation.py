"""Activations as clients see them."""

from enum import StrEnum
from typing import Annotated

import msgspec

from cardd.wire.base import Params, Result, Text

Words = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
"""What a client says of itself or of a person and the journal keeps: an event has to fit a line."""


class Route(StrEnum):
    """How the social function is enabled."""

    PHARMACY = "pharmacy"
    HOSPITAL = "hospital"
    BANK = "bank"


class State(StrEnum):
    """Where an activation stands; the last four are ends."""

    WAITING_OLD_CARD = "waiting_old_card"
    READING_OLD_CARD = "reading_old_card"
    WAITING_OLD_PASSWORD = "waiting_old_password"  # noqa: S105 - a state's name
    WAITING_SOCIAL_CARD = "waiting_social_card"
    READING_SOCIAL_CARD = "reading_social_card"
    WAITING_PIN = "waiting_pin"
    AUTHORISING = "authorising"
    UPDATING_CARD = "updating_card"
    WAITING_SAME_CARD = "waiting_same_card"
    CONFIRMING = "confirming"
    IN_DOUBT = "in_doubt"
    COMPLETED = "completed"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


ENDS = frozenset({State.COMPLETED, State.REFUSED, State.CANCELLED, State.EXPIRED})


class Outcome(StrEnum):
    """What a completed activation came to."""

    ACTIVATED = "activated"
    ALREADY_ACTIVE = "already_active"
    ACTIVATED_UPDATE_PENDING = "activated_update_pending"


class Visit(Params):
    """The visit that a hospital registers: `kind` is outpatient or inpatient."""

    kind: Words
    number: Words


class IdentityDocument(Params):
    """The original identity document that a bank has seen."""

    type: Words
    number: Words
    name: Words


class OldCard(Params):
    """An old card without a chip, known by its number only."""

    number: Words


class ActivationStartParams(Params):
    """Begin an activation. With `wait_s` the answer comes at the end, or at that time.

    With a `purpose` the answer names holder and cards in full: that needs the right to personal data.
    """

    route: Route
    station: str | None = None
    reader: str | None = None
    operator: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    visit: Visit | None = None
    identity_document: IdentityDocument | None = None
    old_card: OldCard | None = None
    request: Words | None = None
    wait_s: float | None = None
    purpose: str | None = None


class Prompt(Result):
    """What the clerk or the holder is asked for now."""

    code: str
    text: Text
    prompt: str | None = None
    purpose: str | None = None
    digits: list[int] | None = None
    tries_left: int | None = None
    deadline: str | None = None


class ActivationResult(Result):
    """One activation as it stands.

    `holder`, `card`, `old_card` and `visit` are masked unless personal data were granted. They are there as soon as
    they are known, also where the authority could not be asked. `personal` is there only where they were granted and
    cannot be told: `erased`, or `unreadable` with the key of today; they are masked then.
    """

    activation: str
    route: Route
    station: str
    state: State
    outcome: Outcome | None = None
    reason: str | None = None
    text: Text | None = None
    holder: dict[str, str | None] | None = None
    card: dict[str, str | None] | None = None
    old_card: dict[str, str | None] | None = None
    visit: dict[str, str | None] | None = None
    receipt: dict[str, str | None] | None = None
    prompt: Prompt | None = None
    started: str | None = None
    ended: str | None = None
    personal: str | None = None


class ActivationIdParams(Params):
    """Name one activation. With a `purpose` the answer names holder and cards in full, as in `activation.start`."""

    activation: str
    purpose: str | None = None


class ActivationListParams(Params):
    """Ask for activations, the ended ones too unless `open_only`; at most `limit` (1 to 1000)."""

    open_only: bool = False
    limit: int = 100


class ActivationListResult(Result):
    """Open activations first, then the ended ones, newest first."""

    activations: list[ActivationResult]


class PromptAnswerParams(Params):
    """Answer a prompt: digits, or `cancel`. The PIN becomes a Secret before anything else sees it."""

    prompt: str
    pin: str | None = None
    cancel: bool = False

    def __repr__(self) -> str:
        """Name the prompt only."""
        return f"<PromptAnswerParams {self.prompt}>"


class PromptAnswerResult(Result):
    """The prompt that was answered. What came of it is told by events."""

    prompt: str
