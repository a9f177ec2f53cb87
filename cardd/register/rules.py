"""Which persons and cards the local authority accepts: one table of refusals, first match counts."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from cardd.base.reasons import Reason
from cardd.base.structs import Struct
from cardd.wire.authority import IdentityDocument, Prospect, SocialCard, Standing

OLD_REFUSALS: Final[Mapping[str, Reason]] = MappingProxyType(
    {"lost": Reason.OLD_CARD_LOST, "void": Reason.OLD_CARD_VOID, "frozen": Reason.OLD_CARD_FROZEN}
)


class OldEntry(Struct, frozen=True):
    """An old card as the register has it."""

    ssn: str
    status: str
    password: bool
    tries_left: int

    @property
    def refusal(self) -> Reason | None:
        """Return why this card may not be handed in, None where it may."""
        return OLD_REFUSALS.get(self.status)


class Entry(Struct, frozen=True):
    """The card that came, and what the register has for it; None where it has nothing. `today` is YYYY-MM-DD."""

    card: SocialCard
    today: str
    region: str | None
    name: str | None
    card_ssn: str | None
    card_code: str | None
    card_status: str | None
    old_given: bool
    old: OldEntry | None
    document: IdentityDocument | None = None
    documents: frozenset[tuple[str, str]] = frozenset()
    accept_expired: bool = False

    __repr__ = object.__repr__


def _in_region(entry: Entry) -> bool:
    wanted, own = entry.region, entry.card.region
    if wanted is None:
        return True
    while wanted.endswith("00"):
        wanted = wanted[:-2]
    return own.startswith(wanted)


def _is_the_holders(document: IdentityDocument, entry: Entry) -> bool:
    """Tell whether a document is the registered person's: a citizen's number is the social security number."""
    own = {entry.card.social_security_number.strip().upper()}
    own |= {number.strip().upper() for kind, number in entry.documents if kind == document.type}
    return document.number.strip().upper() in own and document.name.strip() == (entry.name or "").strip()


Check = Callable[[Entry], bool]

BEFORE_ALREADY_ACTIVE: Final[tuple[tuple[Reason, Check], ...]] = (
    (Reason.OTHER_REGION, lambda e: not _in_region(e)),
    (Reason.NUMBER_DIFFERS, lambda e: e.name is None),
    (Reason.NAME_DIFFERS, lambda e: (e.name or "").strip() != e.card.name.strip()),
    (Reason.NUMBER_DIFFERS, lambda e: e.card_ssn != e.card.social_security_number),
    (Reason.DOCUMENT_DIFFERS, lambda e: e.document is not None and not _is_the_holders(e.document, e)),
    # the number was issued again on another chip: this one was replaced
    (Reason.CARD_VOID, lambda e: e.card_code is not None and e.card_code.upper() != e.card.identification_code.upper()),
    (Reason.OTHER_PERSON, lambda e: e.old is not None and e.old.ssn != e.card.social_security_number),
    (Reason.CARD_LOST, lambda e: e.card_status in {"lost", "pre_lost"}),
    (Reason.CARD_VOID, lambda e: e.card_status in {"void", "sealed"}),
    (Reason.CARD_EXPIRED, lambda e: not e.accept_expired and (e.card.valid_until or e.today) < e.today),
)

AFTER_ALREADY_ACTIVE: Final[tuple[tuple[Reason, Check], ...]] = (
    (Reason.OLD_CARD_VOID, lambda e: e.old_given and e.old is None),
    (Reason.OLD_CARD_LOST, lambda e: e.old is not None and e.old.refusal is Reason.OLD_CARD_LOST),
    (Reason.OLD_CARD_VOID, lambda e: e.old is not None and e.old.refusal is Reason.OLD_CARD_VOID),
    (Reason.OLD_CARD_FROZEN, lambda e: e.old is not None and e.old.refusal is Reason.OLD_CARD_FROZEN),
)


def judge(entry: Entry) -> Prospect:
    """Return what activating this card would come to.

    A card in use already is told as such before anything is asked of the old card: activating it made that one void.
    """
    reason = _first(BEFORE_ALREADY_ACTIVE, entry)
    if reason is None and entry.card_status == "normal":
        return Prospect(standing=Standing.ALREADY_ACTIVE)
    reason = reason or _first(AFTER_ALREADY_ACTIVE, entry)
    if reason is not None:
        return Prospect(standing=Standing.REFUSED, reason=reason)
    return Prospect(standing=Standing.GRANTED)


def _first(checks: tuple[tuple[Reason, Check], ...], entry: Entry) -> Reason | None:
    return next((reason for reason, applies in checks if applies(entry)), None)
