"""Secure messaging as the card checks it: maintenance key, challenge of one use, MAC (LD/T 32.4 8)."""

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from cardd.crypto.block import Algorithm
from cardd.crypto.derive import session_key
from cardd.crypto.messaging import mac
from cardsim.card.command import Command
from cardsim.card.machine import Machine, Reply
from cardsim.card.status import Refusal, Status

MAC: Final = 4
STK_GLOBAL: Final = 0x02
STK_LOCAL: Final = 0x82
_FIRST_VERSION: Final = 1
_DES_CHALLENGE: Final = 8


def process_factor(machine: Machine, challenge: bytes) -> bytes:
    """Return the part of a challenge that makes session keys: all of it, with DES its first 8 bytes."""
    return challenge[:_DES_CHALLENGE] if machine.algorithm is Algorithm.DES else challenge


def maintenance_key(machine: Machine, kid: int) -> bytes:
    """Return the STK of a level. Refuses where the card has none."""
    return machine.key(kid).versions[_FIRST_VERSION]


def maintenance_session(machine: Machine, stk: bytes, challenge: bytes | None) -> bytes:
    """Return the session key of a command with MAC. Refuses without a challenge."""
    if challenge is None:
        raise Refusal(Status.NO_CHALLENGE, "LD/T 32.4 8: no challenge of this application is there to be used")
    return session_key(machine.algorithm, stk, process_factor(machine, challenge))


def require_order(machine: Machine, challenge: bytes | None) -> None:
    """Refuse a command without a challenge before its rights are looked at, where cards do so."""
    if challenge is None and machine.toggles.right_or_challenge == "challenge_first":
        raise Refusal(Status.NO_CHALLENGE, "LD/T 32.4 8: no challenge of this application is there to be used")


def require_no_mac(machine: Machine) -> None:
    """Refuse an update without MAC where cards want one."""
    if machine.toggles.updates == "with_mac":
        raise Refusal(Status.MAC_MISSING, "LD/T 32.7 7.3: this card takes updates with a MAC only")


def check_mac(machine: Machine, session: bytes, command: Command) -> None:
    """Refuse unless the last four bytes are the MAC over header, Lc and the data before them."""
    covered = command.header + bytes((len(command.data),)) + command.data[:-MAC]
    if mac(machine.algorithm, session, covered) != command.data[-MAC:]:
        raise Refusal(Status.WRONG_MAC, "LD/T 32.4 8.2: the MAC is not that of this command")


def protected(plan: Callable[[Machine, Command], Callable[[], None]]) -> Callable[[Machine, Command], Reply]:
    """Make the handler of a write whose data is followed by a MAC under the STK of the current level."""

    def handler(machine: Machine, command: Command) -> Reply:
        challenge = machine.take_challenge()
        application = machine.session.application
        stk = maintenance_key(machine, STK_GLOBAL if application.is_environment else STK_LOCAL)
        require_order(machine, challenge)
        write = plan(machine, replace(command, data=command.data[:-MAC]))
        check_mac(machine, maintenance_session(machine, stk, challenge), command)
        write()
        return Reply()

    return handler
