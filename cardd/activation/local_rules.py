"""What this counter refuses by itself, before the authority is asked: one table, first match counts."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from cardd.activation.authority import IdentityDocument, SocialCard
from cardd.activation.policy import Policy
from cardd.base.reasons import Reason
from cardd.base.structs import Struct


class Entry(Struct, frozen=True):
    """The card that was read, the document that was shown, and today (YYYY-MM-DD, local)."""

    card: SocialCard
    document: IdentityDocument | None
    policy: Policy
    today: str

    __repr__ = object.__repr__


WITH_SOCIAL_SECURITY_NUMBER: Final = frozenset({"resident", "identity_card"})
"""Documents that bear their holder's social security number: the resident identity card, by either of its names."""


def _document_differs(entry: Entry) -> bool:
    document, card = entry.document, entry.card
    if document is None:
        return False
    if document.name.strip() != card.name.strip():
        return True
    # its last character may be typed as a small x; whose a passport is, only the authority knows
    number = document.number.strip().upper()
    return document.type in WITH_SOCIAL_SECURITY_NUMBER and number != card.social_security_number.strip().upper()


def _expired(entry: Entry) -> bool:
    until = entry.card.valid_until
    return not entry.policy.accept_expired and until is not None and until < entry.today


def _elsewhere(entry: Entry) -> bool:
    own = entry.policy.region
    if own is None:
        return False
    while own.endswith("00"):
        own = own[:-2]
    return not entry.card.region.startswith(own)


_CHECKS: Final[tuple[tuple[Reason, Callable[[Entry], bool]], ...]] = (
    (Reason.OTHER_REGION, _elsewhere),
    (Reason.DOCUMENT_DIFFERS, _document_differs),
    (Reason.CARD_EXPIRED, _expired),
)


def refused_here(card: SocialCard, document: IdentityDocument | None, policy: Policy, now: datetime) -> Reason | None:
    """Return why a card is refused whatever the authority might say, None where it has the word."""
    entry = Entry(card, document, policy, now.astimezone().date().isoformat())
    return next((reason for reason, applies in _CHECKS if applies(entry)), None)
