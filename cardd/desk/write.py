"""Write records that the authority sent, on the card they were meant for, and make sure that they are there."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.cards.records import Stored
from cardd.desk.reading import Identity
from cardd.desk.refusals import refusals
from cardd.desk.social import SocialCard, gain, prove, reopen
from cardd.desk.stopped import StoppedKeys
from cardd.iso7816.channel import Channel
from cardd.keys.service import KeyService
from cardd.readers.insertion import Insertion
from cardd.rules import values
from cardd.rules.address import parse_item
from cardd.rules.files import BASIC_FILES as FILES
from cardd.rules.files import FileRule
from cardd.rules.items import Form
from cardd.rules.keys import KeyName

Updates = Mapping[str, Mapping[str, str]]
"""`{"SSSEEF06": {"0C": "510100"}}`: by file and tag, texts as the driver writes them, dates also as YYYY-MM-DD."""

_ISO_DATE: Final = re.compile(r"^(\d{4})-(\d{2})-(\d{2})$", re.ASCII)


def write_records(
    channel: Channel,
    insertion: Insertion,
    keys: KeyService | None,
    expected: Identity,
    updates: Updates,
    deadline: float,
    *,
    stopped: StoppedKeys,
) -> None:
    """Write whole records and read them back. Doing it again after a tear comes to the same.

    The identification code is read first and the card proves itself again: a copy may lie in its place. Each file's
    update key is proved just before its records are written.

    Raises CarddError: INVALID before the card is touched; CARD_DATA_DIFFERS; CARD_NOT_GENUINE; KEY_STOPPED; reasons of
    the key service; FILE_ABSENT; ACCESS_DENIED; STATUS_WORD, also where a record does not read back as it was written.
    """
    _refuse_forged(expected)
    prepared = [_prepare(name, texts) for name, texts in updates.items()]
    for update in prepared:
        stopped.check(insertion.station, update.key)
    with refusals():
        card = reopen(channel, insertion, expected)
        _refuse_forged(prove(card, keys, deadline))
        for update in prepared:
            gain(card, keys, stopped, update.key, deadline)
            for tag, value in update.records.items():
                card.environment.update(update.rule, tag, value)
            read_key = update.rule.read[card.generation].key
            if read_key is not None:
                gain(card, keys, stopped, read_key, deadline)
            _compare(card, update)


def _refuse_forged(identity: Identity) -> None:
    if identity.authentic is False:
        raise CarddError(Reason.CARD_NOT_GENUINE, "nothing is written to a card that failed to prove itself")


@dataclass(frozen=True, slots=True)
class _Update:
    """One file's records in the bytes that go onto the card."""

    rule: FileRule
    key: KeyName
    records: Mapping[int, bytes] = field(repr=False)


def _prepare(name: str, texts: Mapping[str, str]) -> _Update:
    rule = FILES.get(name)
    if rule is None or rule.write is None:
        raise CarddError(Reason.INVALID, f"{name} is not among the files that can be written")
    return _Update(rule, rule.write, dict(_record(rule, address, text) for address, text in texts.items()))


def _record(rule: FileRule, address: str, text: str) -> tuple[int, bytes]:
    item = rule.item(parse_item(address).tag)
    if item is None:
        raise CarddError(Reason.INVALID, f"{rule.address} has no item {address}")
    try:
        return item.tag, values.encode(item, _ISO_DATE.sub(r"\1\2\3", text) if item.form is Form.DATE else text)
    except values.ValueFault as fault:
        raise CarddError(Reason.INVALID, f"{rule.address}, {fault}") from None


def _compare(card: SocialCard, update: _Update) -> None:
    for tag, value in update.records.items():
        if card.environment.read(update.rule, tag) != Stored(value):
            raise CarddError(Reason.STATUS_WORD, f"{update.rule.address} {tag:02X} does not read back as written")
