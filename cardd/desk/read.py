"""Read a card: who issued it, who holds it, and the files that were asked for."""

from collections.abc import Iterable, Mapping
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Personal, Secret
from cardd.cards.files import CardFiles
from cardd.desk.files import FileReading, OpenFiles, parse_wanted, read_file
from cardd.desk.identify import bank_number, other_card
from cardd.desk.reading import Absent, CardReading, CardValue, Identity, Records
from cardd.desk.refusals import refusals
from cardd.desk.rights import Rights
from cardd.desk.social import SocialCard, gain, open_social, prove
from cardd.desk.stopped import StoppedKeys
from cardd.desk.values import StoredItems, holder_of, value_of
from cardd.iso7816.channel import Channel
from cardd.iso7816.status import SW, StatusError
from cardd.keys.service import UNASKED, KeyService
from cardd.readers.insertion import Insertion
from cardd.rules.address import FileAddress, ItemAddress
from cardd.rules.files import EF05, EF06, FileRule
from cardd.rules.keys import KeyName
from cardd.wire.cards import Kind

_BASIC: Final = {rule.address: rule for rule in (EF05, EF06)}
"""Files that are read to know card and holder, also when nobody asks for them by address."""

_NOT_GIVEN: Final = UNASKED | {Reason.KEY_STOPPED, Reason.CARD_ID_MALFORMED}


def read_card(
    channel: Channel,
    insertion: Insertion,
    keys: KeyService | None,
    expected: Identity | None,
    deadline: float,
    files: str | None = None,
    *,
    stopped: StoppedKeys,
    pin: Secret | None = None,
) -> CardReading:
    """Identify the card, then read its holder and the files of an address string (`SSSEEF05|01|07|$DF04EF08|$`).

    EF06 of a 3.0 card is read after external authentication with RKSSSE, made just before; never of a card that failed
    to prove itself: that one's holder is None. `expected` is what the card was before; `deadline` (monotonic seconds)
    bounds the key service.

    Every file is opened with the least right that opens it, obtained right before: `pin` instead of a key where either
    does. What is not on the card is None.

    Without `files` also the number of the account card beside the social application is read, where there is one.

    Raises CarddError: those of `identify`; CARD_DATA_DIFFERS; CARD_UNKNOWN; INVALID, FILE_ABSENT, RECORD_ABSENT for the
    address; CARD_NOT_GENUINE where `files` asks such a card for what is guarded; ACCESS_DENIED, also for want of a PIN;
    PIN_LENGTH, PIN_WRONG, PIN_LOCKED; KEY_STOPPED and the key service's reasons, of the holder's file only where it is
    asked for, by `files` or by leaving `files` out: else the holder is None. What is about a file names it.
    """
    wanted = parse_wanted(files)
    basic = [file for file in wanted if file.name in _BASIC]
    with refusals():
        card, identity = _recognise(channel, insertion, keys, expected, deadline)
        if card is None:
            return _bare(identity, wanted)
        asks_holder = EF06.address in {file.name for file in basic}
        read_holder = _holder if files is None or asks_holder else _holder_if_given
        with refusals(file=EF06.address):
            holder = read_holder(card, identity, keys, stopped, deadline)
        if holder is None and asks_holder:
            # an item that was not read must not look like one that is not set
            raise CarddError(Reason.CARD_NOT_GENUINE, "internal authentication failed: the holder is not read")
        forged = identity.authentic is False
        rights = Rights(card, keys, stopped, deadline, forged=forged, pin=pin)
        opened = OpenFiles(channel, CardFiles(channel, card.environment.directory), card.generation, rights)
        others = {file: read_file(opened, file) for file in wanted if file.name not in _BASIC}
        # last of all, because it ends the social environment and every right in it
        account = bank_number(channel) if files is None else None
    stored = {EF05.address: card.stored, EF06.address: holder or {}}
    basics = {file: _basic(file, stored[file.name]) for file in basic}
    return CardReading(
        identity,
        card.issuer,
        None if holder is None else holder_of(holder),
        _in_order(wanted, basics | others),
        account,
        {file.name: reading.old for file, reading in others.items() if reading.old},
        _absent(basics | others),
    )


def read_person(
    channel: Channel,
    insertion: Insertion,
    keys: KeyService | None,
    expected: Identity | None,
    deadline: float,
    *,
    stopped: StoppedKeys,
) -> CardReading:
    """Identify the card and read its holder, as `read_card` does: who it is, without the account beside it.

    Raises CarddError as `read_card` does without `files`.
    """
    with refusals():
        card, identity = _recognise(channel, insertion, keys, expected, deadline)
        if card is None:
            return _bare(identity, ())
        with refusals(file=EF06.address):
            holder = _holder(card, identity, keys, stopped, deadline)
    return CardReading(identity, card.issuer, None if holder is None else holder_of(holder))


def _recognise(
    channel: Channel, insertion: Insertion, keys: KeyService | None, expected: Identity | None, deadline: float
) -> tuple[SocialCard | None, Identity]:
    card = open_social(channel, insertion)
    identity = other_card(channel, insertion) if card is None else prove(card, keys, deadline)
    if expected is not None and not identity.same_card(expected):
        raise CarddError(Reason.CARD_DATA_DIFFERS, "another card than the one that was read before")
    return card, identity


def _in_order(wanted: Iterable[FileAddress], readings: Mapping[FileAddress, FileReading]) -> Records:
    """Return what was read by file, as it was asked for; records that were asked for one by one stand together."""
    found: dict[str, dict[str, CardValue]] = {}
    for file in wanted:
        found.setdefault(file.name, {}).update(readings[file].values)
    return found


def _absent(readings: Mapping[FileAddress, FileReading]) -> Absent:
    """Return what of it the card does not have; of a file that was read in pieces, all of them."""
    found: dict[str, frozenset[str] | None] = {}
    for file, reading in readings.items():
        known = found.get(file.name, frozenset())
        found[file.name] = None if known is None or not reading.there else known | reading.missing
    return {name: missing for name, missing in found.items() if missing is None or missing}


def _bare(identity: Identity, wanted: Iterable[FileAddress]) -> CardReading:
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


def _basic(file: FileAddress, stored: StoredItems) -> FileReading:
    rules = {item.tag: item for item in _BASIC[file.name].items}
    items = file.items or tuple(map(ItemAddress, rules))
    missing = frozenset(str(item) for item in items if stored.get(item.tag) is None)
    return FileReading({str(item): value_of(rules[item.tag], stored.get(item.tag)) for item in items}, missing=missing)
