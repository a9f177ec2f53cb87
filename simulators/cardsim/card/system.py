"""The order in which a card checks a command, the same for every card of the rule; the commands are rows of a table."""

from collections.abc import Callable, Container, Iterable, Sequence
from functools import lru_cache
from typing import Final

from cardd.base.structs import Struct
from cardsim.card.command import HEADER, IN, SHORT, Command, Direction, Framing
from cardsim.card.machine import Machine, Reply
from cardsim.card.memory import MemoryFailureError
from cardsim.card.status import Refusal, Status, is_progress

Handler = Callable[[Machine, Command], Reply]

LONGEST: Final = 256
ANY_LENGTH: Final = range(LONGEST + 1)
_SHORT_COMMANDS: Final = 256


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


class _Understood(Struct, frozen=True):
    """What a command says, whatever the card's state: whose it is and its parts, or what refuses it for its form."""

    row: Row
    command: Command = Command(0, 0, 0, 0)
    fault: Reply | None = None


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
        # terminals say the same few short commands all day; those with data are others each time
        self._known = lru_cache(_SHORT_COMMANDS)(self._understand)

    @property
    def names(self) -> frozenset[str]:
        """Return the names of all commands that this card knows."""
        return frozenset(row.name for rows in self._rows.values() for row in rows)

    def name(self, raw: bytes) -> str | None:
        """Return the name of a command of any bytes; None for one that this card does not know."""
        return None if len(raw) < HEADER else next((row.name for row in self._alike(raw) if _means(row, raw)), None)

    def execute(self, raw: bytes, framing: Framing) -> tuple[Reply, Direction]:
        """Answer a command of any bytes. Raises PowerLostError and nothing else."""
        machine = self.machine
        session = machine.session
        begun = session.transaction
        if raw[:2] != GET_RESPONSE:
            session.waiting = b""
        understood = (self._known if len(raw) <= SHORT else self._understand)(raw, framing)
        row = understood.row
        try:
            reply = self._refused(understood) or row.handler(machine, understood.command)
        except Refusal as refusal:
            reply = Reply(status=refusal.status, clause=refusal.clause)
        except MemoryFailureError:
            reply = self._failed(raw)
        # a transaction is good for the next command only, and any failure ends it (LD/T 32.7 12)
        if (
            begun is not None
            and session.transaction is begun
            and not (row.keeps_transaction and is_progress(reply.status))
        ):
            session.transaction = None
        machine.memory.end_command()
        return reply, row.direction

    def _refused(self, understood: _Understood) -> Reply | None:
        """Return what refuses a command before its handler: blocked card, blocked application, its own form."""
        machine = self.machine
        fault = understood.fault
        if machine.blocked:
            return _CARD_BLOCKED
        if not understood.row.in_blocked and machine.session.application.is_blocked:
            early = machine.toggles.application_blocked == "before_parameters"
            return _APPLICATION_BLOCKED if early or fault is None else fault
        return fault

    def _failed(self, raw: bytes) -> Reply:
        """Answer where the memory failed: nothing was written, and after the account's commands the card is locked."""
        self.machine.memory.undo()
        if raw[0] == MONEY_CLASS:
            self.machine.blocked = True
        return Reply(status=Status.MEMORY_FAILURE, clause="LD/T 32.5 table 5: the memory failed")

    def _understand(self, raw: bytes, framing: Framing) -> _Understood:
        rows = self._alike(raw)
        if len(raw) < HEADER or not rows:
            return _Understood(_NO_ROW, fault=self._unknown(raw))
        fitting = next((row for row in rows if _means(row, raw)), None)
        row = fitting or rows[0]
        command = framing(raw, row.direction)
        if command is not None and (len(command.data) if row.direction is IN else command.le) not in row.lengths:
            command = None
        parameters_first = self.machine.toggles.parameters_or_length == "parameters_first"
        if fitting is None and (parameters_first or command is not None):
            return _Understood(row, fault=_wrong_parameters(row))
        return _Understood(row, fault=_wrong_length(row)) if command is None else _Understood(row, command)

    def _unknown(self, raw: bytes) -> Reply:
        if len(raw) < HEADER:
            return Reply(status=Status.WRONG_LENGTH, clause="ISO 7816-4: a command has at least four bytes")
        cla, ins = raw[:2]
        if cla not in self._classes:
            return Reply(status=Status.UNKNOWN_CLASS, clause=f"LD/T 32.5: no class {cla:02X}")
        return Reply(
            status=Status.UNKNOWN_INSTRUCTION, clause=f"LD/T 32.5: no instruction {ins:02X} in class {cla:02X}"
        )

    def _alike(self, raw: bytes) -> Sequence[Row]:
        return self._rows.get(raw[:2], ())


def _wrong_parameters(row: Row) -> Reply:
    return Reply(status=Status.WRONG_PARAMETERS, clause=f"LD/T 32.5 {row.name}: P1 P2 are not of this command")


def _wrong_length(row: Row) -> Reply:
    return Reply(status=Status.WRONG_LENGTH, clause=f"LD/T 32.5 {row.name}: Lc or Le are not of this command")


GET_RESPONSE: Final = b"\x00\xc0"
MONEY_CLASS: Final = 0xB0


def _means(row: Row, raw: bytes) -> bool:
    return row.parameters(raw[2], raw[3])


def _unreachable(machine: Machine, command: Command) -> Reply:
    raise AssertionError((machine, command))


_NO_ROW: Final = Row("no command", 0, 0, IN, exactly(0, 0), ANY_LENGTH, _unreachable, in_blocked=True)
"""Stands for what no row is: class and instruction are checked before an application's being blocked."""

_CARD_BLOCKED: Final = Reply(status=Status.CARD_BLOCKED, clause="LD/T 32.5 CARD BLOCK: the card is blocked for good")
_APPLICATION_BLOCKED: Final = Reply(
    status=Status.APPLICATION_BLOCKED, clause="LD/T 32.5 APPLICATION BLOCK: this application is blocked"
)
