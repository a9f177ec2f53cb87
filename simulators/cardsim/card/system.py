"""The order in which a card checks a command, the same for every card of the rule; the commands are rows of a table."""

from collections.abc import Callable, Container, Iterable, Sequence
from functools import lru_cache
from typing import Final

from cardd.base.structs import Struct
from cardsim.card.command import HEADER, IN, Command, Direction, Framing
from cardsim.card.machine import Machine, Reply
from cardsim.card.memory import MemoryFailureError
from cardsim.card.status import Refusal, Status, is_progress

Handler = Callable[[Machine, Command], Reply]

LONGEST: Final = 256
ANY_LENGTH: Final = range(LONGEST + 1)
_HEADERS: Final = 256


class Row(Struct, frozen=True):
    """One command. `lengths` are the Lc (data to the card) or Le (data from it) that it takes at all.

    Several rows may have one instruction: P1 and P2 tell them apart. `in_blocked` marks what an application that was
    blocked still answers by its own checks, `keeps_transaction` what does not end a load or purchase that was begun.
    """

    name: str
    cla: int
    ins: int
    direction: Direction
    parameters: Callable[[int, int], bool]
    lengths: Container[int]
    handler: Handler
    in_blocked: bool = False
    keeps_transaction: bool = False


class _Meaning(Struct, frozen=True):
    """The command that a header means, and whether its P1 and P2 are that command's."""

    row: Row
    fits: bool


def exactly(p1: int, p2: int) -> Callable[[int, int], bool]:
    """Return the check that P1 and P2 are these."""
    return lambda given1, given2: (given1, given2) == (p1, p2)


class OperatingSystem:
    """A machine that understands the commands of a table (LD/T 32.5).

    Checks in this order: card blocked, class, instruction, application blocked, P1 P2, lengths; then the handler's own:
    existence, structure, rights, challenge, cryptography.
    """

    def __init__(self, machine: Machine, classes: Iterable[int], rows: Iterable[Row]) -> None:
        self.machine = machine
        self._classes = frozenset(classes)
        self._rows: dict[bytes, list[Row]] = {}
        for row in rows:
            self._rows.setdefault(bytes((row.cla, row.ins)), []).append(row)
        # terminals say the same few headers all day
        self._found = lru_cache(_HEADERS)(self._find)

    @property
    def names(self) -> frozenset[str]:
        """Return the names of all commands that this card knows."""
        return frozenset(row.name for rows in self._rows.values() for row in rows)

    def name(self, raw: bytes) -> str | None:
        """Return the name of a command of any bytes; None for one that this card does not know."""
        return None if len(raw) < HEADER else next((row.name for row in self._alike(raw) if _means(row, raw)), None)

    def execute(self, raw: bytes, framing: Framing) -> tuple[Reply, Direction]:
        """Answer a command of any bytes. Raises PowerLostError and nothing else."""
        direction, keeps = IN, False
        machine = self.machine
        begun = machine.session.transaction
        try:
            meaning = self._meaning(raw)
            direction, keeps = meaning.row.direction, meaning.row.keeps_transaction
            reply = self._run(meaning, raw, framing)
        except Refusal as refusal:
            reply = Reply(status=refusal.status, clause=refusal.clause)
        except MemoryFailureError:
            reply = self._failed(raw)
        session = machine.session
        # a transaction is good for the next command only, and any failure ends it (LD/T 32.7 12)
        if begun is not None and session.transaction is begun and not (keeps and is_progress(reply.status)):
            session.transaction = None
        machine.memory.end_command()
        return reply, direction

    def _failed(self, raw: bytes) -> Reply:
        """Answer where the memory failed: nothing was written, and after the account's commands the card is locked."""
        self.machine.memory.undo()
        if raw[0] == MONEY_CLASS:
            self.machine.blocked = True
        return Reply(status=Status.MEMORY_FAILURE, clause="LD/T 32.5 table 5: the memory failed")

    def _meaning(self, raw: bytes) -> _Meaning:
        machine = self.machine
        if raw[:2] != GET_RESPONSE:
            machine.session.waiting = b""
        if machine.blocked:
            raise Refusal(Status.CARD_BLOCKED, "LD/T 32.5 CARD BLOCK: the card is blocked for good")
        if len(raw) < HEADER:
            raise Refusal(Status.WRONG_LENGTH, "ISO 7816-4: a command has at least four bytes")
        return self._found(raw[:HEADER])

    def _find(self, header: bytes) -> _Meaning:
        cla, ins = header[:2]
        if cla not in self._classes:
            raise Refusal(Status.UNKNOWN_CLASS, f"LD/T 32.5: no class {cla:02X}")
        rows = self._alike(header)
        if not rows:
            raise Refusal(Status.UNKNOWN_INSTRUCTION, f"LD/T 32.5: no instruction {ins:02X} in class {cla:02X}")
        fitting = next((row for row in rows if _means(row, header)), None)
        return _Meaning(fitting or rows[0], fitting is not None)

    def _alike(self, raw: bytes) -> Sequence[Row]:
        return self._rows.get(raw[:2], ())

    def _run(self, meaning: _Meaning, raw: bytes, framing: Framing) -> Reply:
        row = meaning.row
        machine = self.machine
        order = machine.toggles
        if order.application_blocked == "before_parameters":
            self._require_open(row)
        if order.parameters_or_length == "parameters_first":
            _require_parameters(meaning)
            command = _framed(row, raw, framing)
        else:
            command = _framed(row, raw, framing)
            _require_parameters(meaning)
        if order.application_blocked == "after_lengths":
            self._require_open(row)
        return row.handler(machine, command)

    def _require_open(self, row: Row) -> None:
        if self.machine.session.application.is_blocked and not row.in_blocked:
            raise Refusal(Status.APPLICATION_BLOCKED, "LD/T 32.5 APPLICATION BLOCK: this application is blocked")


def _require_parameters(meaning: _Meaning) -> None:
    if not meaning.fits:
        raise Refusal(Status.WRONG_PARAMETERS, f"LD/T 32.5 {meaning.row.name}: P1 P2 are not of this command")


def _framed(row: Row, raw: bytes, framing: Framing) -> Command:
    command = framing(raw, row.direction)
    if command is None or (len(command.data) if row.direction is IN else command.le) not in row.lengths:
        raise Refusal(Status.WRONG_LENGTH, f"LD/T 32.5 {row.name}: Lc or Le are not of this command")
    return command


GET_RESPONSE: Final = b"\x00\xc0"
MONEY_CLASS: Final = 0xB0


def _means(row: Row, raw: bytes) -> bool:
    return row.parameters(raw[2], raw[3])
