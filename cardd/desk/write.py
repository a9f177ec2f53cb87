"""Write files by their addresses on the card they were meant for, and make sure that it is there."""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.cards import records
from cardd.cards.files import CardFiles
from cardd.desk.files import OpenFiles, cyclic_records, scan
from cardd.desk.reading import Identity
from cardd.desk.refusals import refusals
from cardd.desk.rights import Rights
from cardd.desk.social import refuse_forged, reopen_genuine
from cardd.desk.stopped import StoppedKeys
from cardd.desk.updates import ItemValue, Update, Updates, as_stored, prepare
from cardd.iso7816.channel import Channel
from cardd.keys.service import KeyService
from cardd.readers.insertion import Insertion
from cardd.rules.layout import Structure

__all__ = ["Updates", "write_records"]


def write_records(
    channel: Channel,
    insertion: Insertion,
    keys: KeyService | None,
    expected: Identity,
    updates: Updates,
    deadline: float,
    *,
    stopped: StoppedKeys,
    pin: Secret | None = None,
) -> tuple[str, ...]:
    """Write whole records, add to cyclic files, replace transparent ones, and read all of it back.

    Doing it again after a tear comes to the same: a record that is the newest of its cyclic file already is not added
    once more. The identification code is read first and the card proves itself again: a copy may lie in its place. Each
    file's update key is proved just before its records are written. `pin` is for files that only open with it.

    Returns the files that were written and could not be read back, because nothing that was given opens them.

    Raises CarddError: INVALID before the card is touched; CARD_DATA_DIFFERS; CARD_NOT_GENUINE; KEY_STOPPED; PIN_WRONG,
    PIN_LOCKED; reasons of the key service; FILE_ABSENT, RECORD_ABSENT; ACCESS_DENIED, also where a file that must be
    read to be written does not open; STATUS_WORD, also where a record does not read back as it was written.
    """
    refuse_forged(expected)
    prepared = prepare(updates)
    for update in prepared:
        stopped.check(insertion.station, update.key)
    with refusals():
        card = reopen_genuine(channel, insertion, keys, expected, deadline)
        # the proof was judged just now
        rights = Rights(card, keys, stopped, deadline, forged=False, pin=pin)
        opened = OpenFiles(channel, CardFiles(channel, card.environment.directory), card.generation, rights)
        return tuple(update.rule.address for update in prepared if not _write_file(opened, update))


def _write_file(card: OpenFiles, update: Update) -> bool:
    """Write one file, and return whether it could be read back."""
    rule = update.rule
    with refusals(file=rule.address):
        if not (card.files.select_application(rule.application) and card.files.select_file(rule)):
            raise CarddError(Reason.FILE_ABSENT, "the card has no such file")
        check = _WRITE[rule.structure](card, update)
        if not card.rights.can_read(rule):
            return False
        card.rights.to_read(rule, check)
        return True


Check = Callable[[], None]
"""Reads back what was written."""


def _write_tagged(card: OpenFiles, update: Update) -> Check:
    values = {new.name: as_stored(update.rule, card.generation, new) for new in update.items}
    places = _places(card, update) if any(new.occurrence for new in update.items) else {}
    card.rights.to_write(update.key)
    for new in update.items:
        with refusals(item=new.name):
            if new.occurrence is None:
                records.update_by_tag(card.channel, update.rule, new.item.tag, values[new.name])
            else:
                number = places[new.name]
                records.update_by_number(card.channel, update.rule, number, new.item.tag, values[new.name])

    def check() -> None:
        for new in update.items:
            with refusals(item=new.name):
                _same(_stored(card, update, new, places), values[new.name])

    return check


def _stored(card: OpenFiles, update: Update, new: ItemValue, places: Mapping[str, int]) -> bytes | None:
    if new.occurrence is None:
        found = records.read_by_tag(card.channel, update.rule, new.item.tag)
    else:
        length = new.item.record_length
        raw = records.read_by_number(card.channel, update.rule, places[new.name], length)
        found = None if raw is None else records.stored(new.item.tag, raw)
    return None if found is None or found.fault else found.raw


def _places(card: OpenFiles, update: Update) -> Mapping[str, int]:
    """Find the numbers of records whose tags repeat; one that is not there yet comes behind the last record.

    Only the card tells: a number taken from the rule might be another item's record on this one.
    """
    numbers: dict[str, int] = {}
    tags = card.rights.to_read(update.rule, lambda: [raw[0] if raw else 0 for _, raw in scan(card, update.rule)])
    for new in sorted(update.items, key=lambda new: new.occurrence or 0):
        if new.occurrence is None:
            continue
        there = [number for number, tag in enumerate(tags, 1) if tag == new.item.tag]
        if new.occurrence <= len(there):
            numbers[new.name] = there[new.occurrence - 1]
        elif new.occurrence == len(there) + 1:
            tags.append(new.item.tag)
            numbers[new.name] = len(tags)
        else:
            raise CarddError(Reason.RECORD_ABSENT, f"the card has {len(there)} of it", item=new.name)
    return numbers


def _write_cyclic(card: OpenFiles, update: Update) -> Check:
    wanted = update.records
    newest = card.rights.to_read(update.rule, lambda: _newest(card, update))
    missing = wanted[_already_there(newest, wanted) :]
    if missing:
        card.rights.to_write(update.key)
    for number, record in enumerate(missing, len(wanted) - len(missing) + 1):
        with refusals(item=f"record {len(wanted) - number + 1}"):
            records.append_fields(card.channel, update.rule, record)

    def check() -> None:
        found = _newest(card, update)
        for number, record in enumerate(reversed(wanted), 1):
            with refusals(item=f"record {number}"):
                _same(found[number - 1] if number <= len(found) else None, record)

    return check


def _newest(card: OpenFiles, update: Update) -> list[bytes]:
    """Return as many of the newest records as are to be added, the newest first."""
    numbers = range(1, len(update.records) + 1)
    return [raw for _, raw in islice(cyclic_records(card, update.rule, numbers), len(update.records))]


def _already_there(newest: Sequence[bytes], wanted: Sequence[bytes]) -> int:
    """Return how many of the records, oldest first, are the file's newest ones since an earlier attempt."""
    counts = range(min(len(newest), len(wanted)), 0, -1)
    return next((count for count in counts if list(newest[:count])[::-1] == list(wanted[:count])), 0)


def _write_transparent(card: OpenFiles, update: Update) -> Check:
    card.rights.to_write(update.key)
    card.files.update_transparent(update.whole)
    return lambda: _same(card.files.read_transparent(len(update.whole)), update.whole)


def _same(found: bytes | None, written: bytes) -> None:
    if found != written:
        raise CarddError(Reason.STATUS_WORD, "does not read back as written")


_WRITE: Final[Mapping[Structure, Callable[[OpenFiles, Update], Check]]] = MappingProxyType(
    {
        Structure.LINEAR_VARIABLE: _write_tagged,
        Structure.LINEAR_FIXED: _write_tagged,
        Structure.CYCLIC: _write_cyclic,
        Structure.TRANSPARENT: _write_transparent,
    }
)
