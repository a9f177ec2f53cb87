"""Readings as clients see them: masked, or whole for those who may see persons."""

from collections.abc import Callable
from typing import Final

from cardd.base.secret import Personal, Secret
from cardd.crypto.digest import hmac_sm3
from cardd.desk.reading import CardReading, CardValue, HolderData, Identity, IssuerData, Unreadable
from cardd.wire.base import Unparsed, Value
from cardd.wire.cards import CardReadResult, CardSummary, Holder, Issuer, Kind

_TOKEN_DIGITS: Final = 32
_TOKEN_PURPOSE: Final = b"cardd holder token\x00"
_HIDDEN: Final = "*"

Show = Callable[[CardValue], Value]


def masked_result(insertion: str, reading: CardReading, token_key: Secret) -> CardReadResult:
    """Return what anybody may see who may read cards. `token_key` is this machine's own."""
    return _result(insertion, reading, token_key, masked_value)


def whole_result(insertion: str, reading: CardReading, token_key: Secret) -> CardReadResult:
    """Return everything. The caller has recorded the disclosure before this leaves the machine."""
    return _result(insertion, reading, token_key, whole_value)


def summary(insertion: str, identity: Identity | None) -> CardSummary:
    """Return a card as a list of readers shows it; None is a card that is not identified (yet)."""
    if identity is None:
        return CardSummary(insertion=insertion, kind=Kind.UNKNOWN, generation=None, authentic=None, number=None)
    return CardSummary(
        insertion=insertion,
        kind=identity.kind,
        generation=None if identity.generation is None else str(identity.generation),
        authentic=identity.authentic,
        number=None if identity.number is None else identity.number.masked(),
    )


def module_summary(insertion: str) -> CardSummary:
    """Return the card in a reader for security modules: nobody asks it what it is."""
    return CardSummary(insertion=insertion, kind=Kind.PSAM, generation=None, authentic=None, number=None)


def masked_value(value: CardValue) -> Value:
    """Return a value as anybody may see it; of what could not be parsed and may be a person's, only what is wrong."""
    if isinstance(value, Personal):
        return value.masked()
    if isinstance(value, Unreadable):
        return Unparsed(raw=_HIDDEN if value.personal else value.raw.hex().upper(), error=value.error)
    return value


def whole_value(value: CardValue) -> Value:
    """Return a value as it is on the card."""
    if isinstance(value, Personal):
        return value.disclose()
    if isinstance(value, Unreadable):
        return Unparsed(raw=value.raw.hex().upper(), error=value.error)
    return value


def holder_token(number: CardValue, key: Secret) -> str | None:
    """Name a person without saying who it is: the same person has the same token on this machine, and only here.

    `number` is the social security number; None where there is none that can be read.
    """
    if not isinstance(number, Personal):
        return None
    return hmac_sm3(key.reveal(), _TOKEN_PURPOSE + number.disclose().encode()).hex()[:_TOKEN_DIGITS]


def _result(insertion: str, reading: CardReading, token_key: Secret, show: Show) -> CardReadResult:
    identity = reading.identity
    return CardReadResult(
        insertion=insertion,
        kind=identity.kind,
        generation=None if identity.generation is None else str(identity.generation),
        authentic=identity.authentic,
        via=str(identity.via),
        number=show(identity.number),
        issuer=None if reading.issuer is None else _issuer(reading.issuer, show),
        holder=None if reading.holder is None else _holder(reading.holder, token_key, show),
        records={file: {item: show(value) for item, value in items.items()} for file, items in reading.records.items()},
        bank_number=show(reading.bank_number),
        old_meanings={file: dict(items) for file, items in reading.old_meanings.items()},
    )


def _issuer(issuer: IssuerData, show: Show) -> Issuer:
    return Issuer(
        identification_code=show(issuer.identification_code),
        card_class=show(issuer.card_class),
        specification_version=show(issuer.specification_version),
        initialising_organisation=show(issuer.initialising_organisation),
        issue_date=show(issuer.issue_date),
        valid_until=show(issuer.valid_until),
        card_number=show(issuer.card_number),
        region=show(issuer.region),
    )


def _holder(holder: HolderData, token_key: Secret, show: Show) -> Holder:
    return Holder(
        social_security_number=show(holder.social_security_number),
        name=show(holder.name),
        sex=show(holder.sex),
        ethnic_group=show(holder.ethnic_group),
        birthplace=show(holder.birthplace),
        birth_date=show(holder.birth_date),
        token=holder_token(holder.social_security_number, token_key),
    )
