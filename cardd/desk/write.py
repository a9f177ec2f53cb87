"""Write files by their addresses on the card they were meant for, and make sure that it is there."""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.base.structs import Struct
from cardd.cards import records
from cardd.cards.files import CardFiles
from cardd.desk.files import OpenFiles, cyclic_records, scan
from cardd.desk.intending import at_once
from cardd.desk.reading import Identity
from cardd.desk.refusals import refusals
from cardd.desk.rights import Rights
from cardd.desk.social import reopen_genuine
from cardd.desk.stopped import StoppedKeys
from cardd.desk.updates import ItemValue, Update, Updates, as_stored, prepare
from cardd.iso7816.channel import Channel
from cardd.keys.service import KeyService
from cardd.readers.insertion import Insertion
from cardd.rules.layout import FileRule, Structure

__all__ = ["Difference", "Updates", "compare_records", "finish_records", "write_file", "write_records"]


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
    intend: Callable[[], None] = at_once,
) -> tuple[str, ...]:
    """Write whole records, add to cyclic files, replace transparent ones, and read all of it back.

    Doing it again after a tear comes to the same: a record that is the newest of its cyclic file already is not added
    once more. The identification code is read first and the card proves itself again: a copy may lie in its place. Then
    `intend` is called, and what it raises leaves the card as it is. Each file's update key is proved just before its
    records are written. `pin` is for files that only open with it.

    Returns the files that were written and could not be read back, because nothing that was given opens them.

    Raises CarddError: INVALID before the card is touched; CARD_DATA_DIFFERS; CARD_NOT_GENUINE; KEY_STOPPED; PIN_WRONG,
    PIN_LOCKED; reasons of the key service; FILE_ABSENT, RECORD_ABSENT; ACCESS_DENIED, also where a file that must be
    read to be written does not open; STATUS_WORD, also where a record does not read back as it was written.
    """
    prepared = prepare(updates)
    for update in prepared:
        stopped.check(insertion.station, update.key)
    with refusals():
        opened = _open(channel, insertion, keys, expected, deadline, stopped, pin)
        intend()
        return tuple(update.rule.address for update in prepared if not write_file(opened, update))


def finish_records(
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
    """Go on with a write that was begun earlier: each file is read first, and written if it is not as it was to be.

    Returns and raises as `write_records` does.
    """
    prepared = prepare(updates)
    with refusals():
        opened = _open(channel, insertion, keys, expected, deadline, stopped, pin)
        left = [update for update in prepared if not _is_written(opened, update)]
        return tuple(update.rule.address for update in left if not write_file(opened, update))


class Difference(Struct, frozen=True):
    """Of files that were to be written: which are not as they were to be, and which nothing at hand opens."""

    missing: tuple[str, ...]
    unchecked: tuple[str, ...]


def compare_records(
    channel: Channel,
    insertion: Insertion,
    keys: KeyService | None,
    expected: Identity,
    updates: Updates,
    deadline: float,
    *,
    stopped: StoppedKeys,
    pin: Secret | None = None,
) -> Difference:
    """Tell what of a write is on the card, changing nothing: of cyclic files the newest records are compared.

    Raises CarddError as `write_records` does, except for what is not there: that is missing.
    """
    prepared = prepare(updates)
    with refusals():
        opened = _open(channel, insertion, keys, expected, deadline, stopped, pin)
        found = {update.rule.address: _is_written(opened, update) for update in prepared}
    return Difference(
        tuple(file for file, written in found.items() if written is False),
        tuple(file for file, written in found.items() if written is None),
    )


def _open(
    channel: Channel,
    insertion: Insertion,
    keys: KeyService | None,
    expected: Identity,
    deadline: float,
    stopped: StoppedKeys,
    pin: Secret | None,
) -> OpenFiles:
    card = reopen_genuine(channel, insertion, keys, expected, deadline)
    # the proof was judged just now
    rights = Rights(card, keys, stopped, deadline, forged=False, pin=pin)
    return OpenFiles(channel, CardFiles(channel, card.environment.directory), card.generation, rights)


def _select(card: OpenFiles, rule: FileRule) -> None:
    if not (card.files.select_application(rule.application) and card.files.select_file(rule)):
        raise CarddError(Reason.FILE_ABSENT, "the card has no such file")


def write_file(card: OpenFiles, update: Update) -> bool:
    """Write one file, and return whether it could be read back."""
    rule = update.rule
    with refusals(file=rule.address):
        _select(card, rule)
        _WRITE[rule.structure](card, update)
        return card.rights.to_check(rule, lambda: _CHECK[rule.structure](card, update))


def _is_written(card: OpenFiles, update: Update) -> bool | None:
    """Tell whether a file is as it was to be; None where nothing at hand opens it."""
    rule = update.rule
    with refusals(file=rule.address):
        try:
            _select(card, rule)
            if not card.rights.can_read(rule):
                return None
            card.rights.to_read(rule, lambda: _CHECK[rule.structure](card, update))
        except CarddError as error:
            if error.reason is Reason.ACCESS_DENIED:
                return None
            if error.reason in _ABSENT or _differs(error):
                return False
            raise
        return True


def _write_tagged(card: OpenFiles, update: Update) -> None:
    places = card.rights.to_look(update.rule, lambda: _places(card, update)) if _repeats(update) else {}
    card.rights.to_write(update.key)
    send = card.rights.sending(update.rule)
    for new in update.items:
        value = as_stored(update.rule, card.generation, new)
        with refusals(item=new.name):
            # of several with its tag the first is found by that, too
            if new.occurrence is None or (places is None and new.occurrence == 1):
                records.update_by_tag(send, update.rule, new.item.tag, value)
            elif places is None:
                raise CarddError(Reason.ACCESS_DENIED, "where it lies on this card can only be read")
            else:
                records.update_by_number(send, update.rule, places[new.name], new.item.tag, value)


def _check_tagged(card: OpenFiles, update: Update) -> None:
    places = _places(card, update) if _repeats(update) else {}
    for new in update.items:
        with refusals(item=new.name):
            _same(_stored(card, update, new, places), as_stored(update.rule, card.generation, new))


def _repeats(update: Update) -> bool:
    return any(new.occurrence for new in update.items)


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
    tags = [raw[0] if raw else 0 for _, raw in scan(card, update.rule)]
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


def _write_cyclic(card: OpenFiles, update: Update) -> None:
    wanted = update.records
    newest = card.rights.to_look(update.rule, lambda: _newest(card, update))
    missing = wanted[_already_there(newest or [], wanted) :]
    if missing:
        card.rights.to_write(update.key)
    send = card.rights.sending(update.rule)
    for number, record in enumerate(missing, len(wanted) - len(missing) + 1):
        with refusals(item=f"record {len(wanted) - number + 1}"):
            records.append_fields(send, update.rule, record)


def _check_cyclic(card: OpenFiles, update: Update) -> None:
    found = _newest(card, update)
    for number, record in enumerate(reversed(update.records), 1):
        with refusals(item=f"record {number}"):
            _same(found[number - 1] if number <= len(found) else None, record)


def _newest(card: OpenFiles, update: Update) -> list[bytes]:
    """Return as many of the newest records as are to be added, the newest first."""
    numbers = range(1, len(update.records) + 1)
    return [raw for _, raw in islice(cyclic_records(card, update.rule, numbers), len(update.records))]


def _already_there(newest: Sequence[bytes], wanted: Sequence[bytes]) -> int:
    """Return how many of the records, oldest first, are the file's newest ones since an earlier attempt."""
    counts = range(min(len(newest), len(wanted)), 0, -1)
    return next((count for count in counts if list(newest[:count])[::-1] == list(wanted[:count])), 0)


def _write_transparent(card: OpenFiles, update: Update) -> None:
    card.rights.to_write(update.key)
    card.files.update_transparent(card.rights.sending(update.rule), update.whole)


def _check_transparent(card: OpenFiles, update: Update) -> None:
    _same(card.files.read_transparent(len(update.whole)), update.whole)


def _same(found: bytes | None, written: bytes) -> None:
    if found != written:
        raise CarddError(Reason.STATUS_WORD, "does not read back as written")


def _differs(error: CarddError) -> bool:
    """Tell a record that is not as it was to be from a card that refused to give it."""
    return error.reason is Reason.STATUS_WORD and "status_word" not in error.facts


_ABSENT: Final = frozenset({Reason.FILE_ABSENT, Reason.RECORD_ABSENT})

_By = Mapping[Structure, Callable[[OpenFiles, Update], None]]

_WRITE: Final[_By] = MappingProxyType(
    {
        Structure.LINEAR_VARIABLE: _write_tagged,
        Structure.LINEAR_FIXED: _write_tagged,
        Structure.CYCLIC: _write_cyclic,
        Structure.TRANSPARENT: _write_transparent,
    }
)

_CHECK: Final[_By] = MappingProxyType(
    {
        Structure.LINEAR_VARIABLE: _check_tagged,
        Structure.LINEAR_FIXED: _check_tagged,
        Structure.CYCLIC: _check_cyclic,
        Structure.TRANSPARENT: _check_transparent,
    }
)
"""Read a file back; raise CarddError(STATUS_WORD) without a status word where it is not as it was to be."""
