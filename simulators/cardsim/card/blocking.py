"""APPLICATION BLOCK and CARD BLOCK, both for good (LD/T 32.5; LD/T 32.7 13)."""

from typing import Final

from cardsim.card.command import Command, Direction
from cardsim.card.filesystem import Application, needs
from cardsim.card.machine import Machine, Reply
from cardsim.card.messaging import (
    MAC,
    STK_GLOBAL,
    STK_LOCAL,
    check_mac,
    maintenance_key,
    maintenance_session,
    require_order,
)
from cardsim.card.status import Refusal, Status
from cardsim.card.system import Row, exactly

_BK: Final = 0x05
_LK: Final = 0x83
_LOCKS: Final = ("BK", "LK")
_ONE_MAC: Final = frozenset({MAC})


def application_block(machine: Machine, command: Command) -> Reply:
    """Block the current application, after the terminal proved its lock key."""
    application = machine.session.application
    lock, stk = (_BK, STK_GLOBAL) if application.is_environment else (_LK, STK_LOCAL)
    _check(machine, command, lock, stk)
    machine.memory.write(1, lambda: _block(application))
    return Reply()


def card_block(machine: Machine, command: Command) -> Reply:
    """Block the whole card, after the terminal proved the BK."""
    _check(machine, command, _BK, STK_GLOBAL)

    def change() -> None:
        machine.blocked = True

    machine.memory.write(1, change)
    return Reply()


def _check(machine: Machine, command: Command, lock: int, stk: int) -> None:
    challenge = machine.take_challenge()
    key = machine.key(lock)
    if not key.name.startswith(_LOCKS):
        # the number of the lock key is another key's in applications that have none
        raise Refusal(Status.KEY_ABSENT, f"LD/T 32.5 table 14: {machine.session.application.label} has no lock key")
    maintenance = maintenance_key(machine, stk)
    require_order(machine, challenge)
    machine.require(needs(key.name))
    check_mac(machine, maintenance_session(machine, maintenance, challenge), command)


def _block(application: Application) -> None:
    application.blocked = True


ROWS: Final = (
    Row("APPLICATION BLOCK", 0x84, 0x1E, Direction.IN, exactly(0, 1), _ONE_MAC, application_block),
    Row("CARD BLOCK", 0x84, 0x16, Direction.IN, exactly(0, 0), _ONE_MAC, card_block),
)
