"""READ BINARY and UPDATE BINARY (LD/T 32.5)."""

from collections.abc import Callable
from typing import Final

from cardsim.card.command import Command, Direction
from cardsim.card.filesystem import Access, ElementaryFile, TransparentFile
from cardsim.card.machine import Machine, Reply
from cardsim.card.messaging import protected, require_no_mac
from cardsim.card.selection import addressed_file, challenge_after_reading
from cardsim.card.status import Refusal, Status, right_length
from cardsim.card.system import ANY_LENGTH, Row

_BY_SFI: Final = 0x80
_SFI: Final = 0x1F
_LAST_SFI: Final = 0x1E
_EVERYTHING: Final = 256


def _parameters(p1: int, _p2: int) -> bool:
    return not p1 & _BY_SFI or (not p1 & 0x60 and 1 <= p1 & _SFI <= _LAST_SFI)


def _place(
    machine: Machine, command: Command, access: Callable[[ElementaryFile], Access]
) -> tuple[TransparentFile, int]:
    """Return file and offset. Refuses an offset that is not in the file."""
    by_sfi = bool(command.p1 & _BY_SFI)
    file = addressed_file(machine, command.p1 & _SFI if by_sfi else 0)
    if not isinstance(file, TransparentFile):
        if machine.toggles.structure_or_right == "right_first":
            machine.require(access(file))
        raise Refusal(Status.WRONG_STRUCTURE, "LD/T 32.5: the file consists of records")
    offset = command.p2 if by_sfi else command.p1 << 8 | command.p2
    if offset >= len(file.content):
        raise Refusal(Status.WRONG_OFFSET, f"LD/T 32.5: offset {offset} is outside the file {file.fid:04X}")
    return file, offset


def read_binary(machine: Machine, command: Command) -> Reply:
    """Answer bytes from an offset; Le 00 up to 256 or to the end of the file."""
    file, offset = _place(machine, command, lambda found: found.read)
    machine.require(file.read)
    asked = command.le or 0
    data = bytes(file.content[offset : offset + asked])
    if len(data) < asked != _EVERYTHING:
        raise right_length(len(data), "LD/T 32.5 READ BINARY: Le goes beyond the end of the file")
    challenge_after_reading(machine)
    return Reply(data)


def plan_update(machine: Machine, command: Command) -> Callable[[], None]:
    """Check an UPDATE BINARY up to the rights; return the write."""
    file, offset = _place(machine, command, lambda found: found.write)
    machine.require(file.write)
    data = command.data
    if offset + len(data) > len(file.content):
        raise Refusal(Status.NO_SPACE, "LD/T 32.5 UPDATE BINARY: the data goes beyond the end of the file")
    return lambda: machine.memory.write(len(data), lambda: file.put(offset, data))


def update_binary(machine: Machine, command: Command) -> Reply:
    """Overwrite bytes from an offset."""
    write = plan_update(machine, command)
    require_no_mac(machine)
    write()
    return Reply()


ROWS: Final = (
    Row("READ BINARY", 0x00, 0xB0, Direction.OUT, _parameters, ANY_LENGTH, read_binary),
    Row("UPDATE BINARY", 0x00, 0xD6, Direction.IN, _parameters, range(1, 256), update_binary),
    Row("UPDATE BINARY with MAC", 0x04, 0xD6, Direction.IN, _parameters, range(5, 256), protected(plan_update)),
)
