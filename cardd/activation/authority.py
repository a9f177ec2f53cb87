"""The social security card centre: what it is asked, and what it answers.

The authority owns the state of persons and cards. Every deed carries the activation's id as its idempotency key, so
that asking again never does it twice.
"""

from collections.abc import Mapping
from typing import Protocol

from cardd.base.secret import Secret
from cardd.wire.authority import (
    ActivationRequest,
    Closed,
    IdentityDocument,
    OldCardStanding,
    PasswordAnswer,
    Prospect,
    SocialCard,
    Standing,
    Updates,
    Verdict,
    Visit,
)
from cardd.wire.base import Json

__all__ = (
    "ActivationRequest",
    "Authority",
    "Centre",
    "Closed",
    "IdentityDocument",
    "OldCardStanding",
    "PasswordAnswer",
    "Prospect",
    "SocialCard",
    "Standing",
    "Updates",
    "Verdict",
    "Visit",
)


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


class Centre(Authority, Protocol):
    """An authority that tells of itself."""

    def status(self) -> Mapping[str, Json]:
        """Return which authority it is, and how the last question ended (`available`; null: none was asked yet)."""
