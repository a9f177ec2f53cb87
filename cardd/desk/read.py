"""Read a card: who issued it, who holds it, and the files that were asked for."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Personal
from cardd.desk.identify import bank_number, other_card
from cardd.desk.reading import CardReading, CardValue, Identity
from cardd.desk.refusals import refusals
from cardd.desk.social import SocialCard, gain, open_social, prove
from cardd.desk.stopped import StoppedKeys
from cardd.desk.values import StoredItems, holder_of, value_of
from cardd.iso7816.channel import Channel
from cardd.iso7816.status import SW, StatusError
from cardd.keys.service import UNASKED, KeyService
from cardd.readers.insertion import Insertion
from cardd.rules.address import ItemAddress, parse_address
from cardd.rules.files import EF05, EF06, FileRule
from cardd.rules.keys import KeyName
from cardd.wire.cards import Kind

READABLE: Final[Mapping[str, FileRule]] = MappingProxyType({rule.address: rule for rule in (EF05, EF06)})
"""Files that an address may name so far."""

_NOT_GIVEN: Final = UNASKED | {Reason.KEY_STOPPED, Reason.CARD_ID_MALFORMED}

Wanted = Mapping[str, tuple[ItemAddress, ...]]


def read_card(
    channel: Channel,
    insertion: Insertion,
    keys: KeyService | None,
    expected: Identity | None,
    deadline: float,
    files: str | None = None,
    *,
    stopped: StoppedKeys,
) -> CardReading:
    """Identify the card, then read its holder and the files of an address string (`SSSEEF05|01|07|$`).

    EF06 of a 3.0 card is read after external authentication with RKSSSE, made just before; never of a card that failed
    to prove itself: that one's holder is None. `expected` is what the card was before; `deadline` (monotonic seconds)
    bounds the key service.

    Without `files` also the number of the account card beside the social application is read, where there is one.

    Raises CarddError: those of `identify`; CARD_DATA_DIFFERS; CARD_UNKNOWN; INVALID, FILE_ABSENT, RECORD_ABSENT for the
    address; CARD_NOT_GENUINE where `files` asks for the holder of such a card; KEY_STOPPED and the key service's
    reasons, only where the holder's file is asked for, by `files` or by leaving `files` out; else the holder is None.
    """
    wanted = _wanted(files)
    with refusals():
        card = open_social(channel, insertion)
        identity = other_card(channel, insertion) if card is None else prove(card, keys, deadline)
        if expected is not None and not identity.same_card(expected):
            raise CarddError(Reason.CARD_DATA_DIFFERS, "another card than the one that was read before")
        if card is None:
            return _bare(identity, wanted)
        read_holder = _holder if files is None or EF06.address in wanted else _holder_if_given
        holder = read_holder(card, identity, keys, stopped, deadline)
        # last of all, because it ends the social environment and every right in it
        account = bank_number(channel) if files is None else None
    if holder is None and EF06.address in wanted:
        # an item that was not read must not look like one that is not set
        raise CarddError(Reason.CARD_NOT_GENUINE, "internal authentication failed: the holder is not read")
    stored = {EF05.address: card.stored, EF06.address: holder or {}}
    return CardReading(
        identity,
        card.issuer,
        None if holder is None else holder_of(holder),
        {name: _values(READABLE[name], items, stored[name]) for name, items in wanted.items()},
        account,
    )


def _wanted(files: str | None) -> Wanted:
    """Return the items that are asked for, by file; the same file several times is one file."""
    wanted: dict[str, tuple[ItemAddress, ...]] = {}
    for file in parse_address(files) if files is not None else ():
        rule = READABLE.get(file.name)
        if rule is None:
            raise CarddError(Reason.FILE_ABSENT, f"{file.name} is not among the files that can be read")
        if file.record is not None:
            raise CarddError(Reason.INVALID, f"{file.name} is read by items, not by record numbers")
        items = file.items or tuple(ItemAddress(item.tag) for item in rule.items)
        wanted[file.name] = tuple(dict.fromkeys((*wanted.get(file.name, ()), *_known(rule, items))))
    return wanted


def _known(rule: FileRule, items: Iterable[ItemAddress]) -> Iterable[ItemAddress]:
    for item in items:
        # no item of these files repeats
        if rule.item(item.tag) is None or item.occurrence not in {None, 1}:
            raise CarddError(Reason.RECORD_ABSENT, f"{rule.address} has no item {item}")
        yield item


def _bare(identity: Identity, wanted: Wanted) -> CardReading:
    if identity.kind is Kind.UNKNOWN:
        raise CarddError(Reason.CARD_UNKNOWN, "no application that is known here")
    if wanted:
        raise CarddError(Reason.FILE_ABSENT, f"a card of kind {identity.kind} has no such files")
    return CardReading(identity, holder=identity.holder, bank_number=_account(identity))


def _account(identity: Identity) -> Personal | None:
    return identity.number if identity.kind is Kind.BANK else None


def _holder(
    card: SocialCard, identity: Identity, keys: KeyService | None, stopped: StoppedKeys, deadline: float
) -> StoredItems | None:
    access = EF06.read[card.generation]
    if access.key is not None:
        if identity.authentic is False:
            # a forged card would use the answer elsewhere, or refuse it and stop the key on this station
            return None
        gain(card, keys, stopped, access.key, deadline)
        return _read_all(card, EF06)
    try:
        return _read_all(card, EF06)
    except StatusError as error:
        # free by its generation, guarded by its issuer: the card has the last word
        if error.sw != SW.SECURITY_STATUS_NOT_SATISFIED or identity.authentic is False:
            raise
        gain(card, keys, stopped, KeyName.RKSSSE, deadline)
        return _read_all(card, EF06)


def _holder_if_given(
    card: SocialCard, identity: Identity, keys: KeyService | None, stopped: StoppedKeys, deadline: float
) -> StoredItems | None:
    try:
        return _holder(card, identity, keys, stopped, deadline)
    except CarddError as error:
        if error.reason not in _NOT_GIVEN:
            raise
        return None


def _read_all(card: SocialCard, file: FileRule) -> StoredItems:
    return {item.tag: card.environment.read(file, item.tag) for item in file.items_of(card.generation)}


def _values(file: FileRule, items: Iterable[ItemAddress], stored: StoredItems) -> Mapping[str, CardValue]:
    rules = {item.tag: item for item in file.items}
    return {str(item): value_of(rules[item.tag], stored.get(item.tag)) for item in items}
