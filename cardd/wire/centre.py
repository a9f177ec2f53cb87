"""A card centre over HTTP: which questions there are, where they are posted, and what comes back.

Every question is a POST of one JSON object; numbers of persons and cards never stand in an address, where logs would
keep them. `question` names the question: one that is sent again because no answer came bears the same name, and its
answer repeats it. `key` names the activation that a question belongs to, and is repeated too.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final, Generic, TypeVar

import msgspec

from cardd.base.structs import Struct, unshown
from cardd.wire.authority import (
    ActivationRequest,
    Closed,
    IdentityDocument,
    OldCardStanding,
    PasswordAnswer,
    Prospect,
    SocialCard,
    Verdict,
)

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]

T_co = TypeVar("T_co", covariant=True)


class Question(Closed, frozen=True, kw_only=True):
    """What every question has: its own name, and the activation's where it belongs to one."""

    question: Id
    key: Id | None = None


class OldCardQuestion(Question, frozen=True, kw_only=True):
    """Whether this old card may be handed in, and whether a password is due."""

    number: str


class PasswordQuestion(Question, frozen=True, kw_only=True):
    """Whether this is the old card's password: counted once for each `question`, however often that arrives."""

    number: str
    password: str


class SocialCardQuestion(Question, frozen=True, kw_only=True):
    """What activating this card would come to. Changes nothing."""

    card: SocialCard
    old_card: str | None = None
    document: IdentityDocument | None = None


class ActivateQuestion(Question, frozen=True, kw_only=True):
    """Activate, once for each key; `key` and the request's are the same."""

    request: ActivationRequest


class OutcomeQuestion(Question, frozen=True, kw_only=True):
    """Which verdict this key got."""


class UpdateQuestion(Question, frozen=True, kw_only=True):
    """Whether the verdict's updates are on the card now."""

    written: bool


class Noted(Closed, frozen=True, kw_only=True):
    """It was taken down; there is nothing to say."""


class Answer(msgspec.Struct, Generic[T_co], frozen=True, kw_only=True):
    """What comes back with status 200: the names of the question and of the activation, and what was asked for."""

    question: Id
    key: Id | None
    result: T_co

    __rich_repr__ = unshown

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class Operation(Struct, Generic[T_co], frozen=True):
    """One question: the authority's word for it, where it is posted, and the types of question and answer.

    `keyed`: it belongs to an activation and bears that one's key.
    """

    name: str
    path: str
    question: type[Question]
    answer: type[Answer[T_co]]
    summary: str
    keyed: bool = True


LOOK_UP_OLD_CARD: Final = Operation(
    "look_up_old_card",
    "/v1/old-card",
    OldCardQuestion,
    Answer[OldCardStanding],
    "Say whether an old card may be handed in, and whether its password is due",
    keyed=False,
)
VERIFY_OLD_PASSWORD: Final = Operation(
    "verify_old_password",
    "/v1/old-password",
    PasswordQuestion,
    Answer[PasswordAnswer],
    "Check an old card's password and count the tries, once for each question",
)
LOOK_UP_SOCIAL_CARD: Final = Operation(
    "look_up_social_card",
    "/v1/social-card",
    SocialCardQuestion,
    Answer[Prospect],
    "Say what activating this card would come to; changes nothing",
    keyed=False,
)
ACTIVATE: Final = Operation(
    "activate",
    "/v1/activation",
    ActivateQuestion,
    Answer[Verdict],
    "Activate in one transaction, once for each key: the same key gets the same verdict",
)
OUTCOME: Final = Operation(
    "outcome",
    "/v1/outcome",
    OutcomeQuestion,
    Answer[Verdict | None],
    "Return the verdict that a key got, null where that key never arrived",
)
REPORT_UPDATE: Final = Operation(
    "report_update",
    "/v1/update",
    UpdateQuestion,
    Answer[Noted],
    "Take down whether the verdict's updates are on the card",
)

OPERATIONS: Final[Mapping[str, Operation[object]]] = MappingProxyType(
    {
        operation.name: operation
        for operation in (
            LOOK_UP_OLD_CARD,
            VERIFY_OLD_PASSWORD,
            LOOK_UP_SOCIAL_CARD,
            ACTIVATE,
            OUTCOME,
            REPORT_UPDATE,
        )
    }
)
"""All of them, by the authority's word for each."""
