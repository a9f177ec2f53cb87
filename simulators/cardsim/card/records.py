"""READ RECORD and UPDATE RECORD (LD/T 32.5; record pointer: LD/T 32.3 5.3)."""

from collections.abc import Callable
from typing import Final

from cardsim.card.command import Command, Direction
from cardsim.card.filesystem import Access, ElementaryFile, Mode, RecordFile, Structure
from cardsim.card.machine import Machine, Reply
from cardsim.card.messaging import protected, require_no_mac
from cardsim.card.selection import addressed_file, challenge_after_reading
from cardsim.card.status import Refusal, Status, right_length
from cardsim.card.system import ANY_LENGTH, Row
from cardsim.toggles import Toggles

_RESERVED: Final = 0xFF
_LAST_SFI: Final = 0x1E
_HEAD: Final = 2
_EVERYTHING: Final = 256
_SEVERAL: Final = frozenset({Mode.FROM_NUMBER, Mode.TO_NUMBER})
_NUMBERED: Final = _SEVERAL | {Mode.NUMBER}


def _reading(p1: int, p2: int) -> bool:
    return p1 != _RESERVED and p2 >> 3 <= _LAST_SFI and p2 & 7 <= Mode.TO_NUMBER


def _writing(p1: int, p2: int) -> bool:
    return _reading(p1, p2) and Mode(p2 & 7) not in _SEVERAL


def read_record(machine: Machine, command: Command) -> Reply:
    """Answer one record, or with modes 5 and 6 several behind each other, whole with their padding."""
    mode = Mode(command.p2 & 7)
    file = _record_file(machine, command.p2 >> 3, lambda found: found.read)
    if machine.toggles.missing_or_right == "right_first":
        machine.require(file.read)
    indexes = _found(machine, file, command.p1, mode)
    machine.require(file.read)
    data = b"".join([file.records[index] for index in indexes])
    asked = command.le or 0
    if _is_wrong(machine.toggles, asked, len(data), mode):
        raise right_length(len(data), "LD/T 32.5 READ RECORD: Le is not the record's length")
    if mode not in _NUMBERED or machine.toggles.pointer_by_number == "moved":
        machine.session.pointer = indexes[0]
    challenge_after_reading(machine)
    return Reply(data[:asked])


def _is_wrong(toggles: Toggles, asked: int, there: int, mode: Mode) -> bool:
    if asked > there:
        return asked == _EVERYTHING or mode not in _SEVERAL or toggles.le_beyond_several == "refused"
    return asked < there and toggles.short_le == "refused"


def _record_file(machine: Machine, sfi: int, access: Callable[[ElementaryFile], Access]) -> RecordFile:
    file = addressed_file(machine, sfi)
    if not isinstance(file, RecordFile):
        if machine.toggles.structure_or_right == "right_first":
            machine.require(access(file))
        raise Refusal(Status.WRONG_STRUCTURE, "LD/T 32.5: the file has no records")
    return file


def _found(machine: Machine, file: RecordFile, p1: int, mode: Mode) -> range | tuple[int]:
    lost = mode not in _NUMBERED and _leads_nowhere(machine, p1, mode)
    index = None if lost else _index(machine, file, p1, mode)
    if index is None or index >= len(file.records):
        raise Refusal(Status.RECORD_ABSENT, f"LD/T 32.5: no record {p1:02X} in {file.fid:04X}")
    if mode is Mode.FROM_NUMBER:
        return range(index, len(file.records))
    if mode is Mode.TO_NUMBER:
        return range(len(file.records) - 1, index - 1, -1)
    return (index,)


def _leads_nowhere(machine: Machine, p1: int, mode: Mode) -> bool:
    if p1 == 0 and machine.toggles.identifier_zero == "absent":
        return True
    steps = mode in {Mode.NEXT, Mode.PREVIOUS} and machine.session.pointer is None
    return steps and machine.toggles.step_without_record == "absent"


def _index(machine: Machine, file: RecordFile, p1: int, mode: Mode) -> int | None:
    if mode not in _NUMBERED:
        return file.find(p1, mode, machine.session.pointer)
    return p1 - 1 if p1 else machine.session.pointer


def plan_update(machine: Machine, command: Command) -> Callable[[], None]:
    """Check an UPDATE RECORD up to the rights; return the write.

    A number one past the end or a new tag appends; mode 3 with P1 00 makes a new number 1 of a cyclic file.
    """
    mode = Mode(command.p2 & 7)
    file = _record_file(machine, command.p2 >> 3, lambda found: found.write)
    if machine.toggles.missing_or_right == "right_first":
        machine.require(file.write)
    record = command.data
    _check_shape(file, record)
    appends_cyclic = file.structure is Structure.CYCLIC and mode is Mode.PREVIOUS and command.p1 == 0
    index = 0 if appends_cyclic else _target(machine, file, command.p1, mode)
    machine.require(file.write)
    if appends_cyclic:
        return lambda: machine.memory.write(len(record), lambda: file.push(record))
    if mode is not Mode.NUMBER and command.p1 and record[0] != command.p1:
        raise Refusal(Status.WRONG_DATA, "LD/T 32.5 UPDATE RECORD: the record carries another tag than P1")
    if not file.has_room(index, record):
        raise Refusal(Status.NO_SPACE, f"LD/T 32.5 UPDATE RECORD: {file.fid:04X} is full")
    return lambda: _write(machine, file, mode, index, record)


def _write(machine: Machine, file: RecordFile, mode: Mode, index: int, record: bytes) -> None:
    machine.memory.write(len(record), lambda: file.put(index, record))
    if mode is not Mode.NUMBER or machine.toggles.pointer_by_number == "moved":
        machine.session.pointer = index


def _check_shape(file: RecordFile, record: bytes) -> None:
    fits = file.structure is Structure.VARIABLE or len(record) == file.record_length
    if file.identified:
        fits = fits and len(record) >= _HEAD and record[1] == len(record) - _HEAD
    if not fits:
        raise Refusal(Status.WRONG_TLV, "LD/T 32.5 UPDATE RECORD: Lc is not the length of the record")


def _target(machine: Machine, file: RecordFile, p1: int, mode: Mode) -> int:
    index = _index(machine, file, p1, mode)
    count = len(file.records)
    if index is None and mode is not Mode.NUMBER and p1 and file.structure is Structure.VARIABLE:
        return count
    past_end = file.structure is Structure.CYCLIC or index is None or index > count
    if index is None or (index >= count and past_end):
        raise Refusal(Status.RECORD_ABSENT, f"LD/T 32.5 UPDATE RECORD: no record {p1:02X} in {file.fid:04X}")
    return index


def update_record(machine: Machine, command: Command) -> Reply:
    """Replace or append one record."""
    write = plan_update(machine, command)
    require_no_mac(machine)
    write()
    return Reply()


ROWS: Final = (
    Row("READ RECORD", 0x00, 0xB2, Direction.OUT, _reading, ANY_LENGTH, read_record),
    Row("UPDATE RECORD", 0x00, 0xDC, Direction.IN, _writing, range(1, 256), update_record),
    Row("UPDATE RECORD with MAC", 0x04, 0xDC, Direction.IN, _writing, range(5, 256), protected(plan_update)),
)
