"""The security module's part in a purchase: MAC1 for the card, and the check of the card's MAC2 (LD/T 32.9)."""

import hmac
from typing import Final

from cardd.crypto.block import Algorithm
from cardd.crypto.messaging import mac
from cardd.crypto.money import RANDOM, Amounts, purchase_mac2, purchase_session
from cardd.rules.account import KEY_INDEXES
from cardd.rules.keys import MONEY_KEYS, KeyName, Usage
from cardd.rules.psam import TERMINAL_INFORMATION, TERMINAL_SEQUENCE
from cardsim.card.command import Command
from cardsim.card.filesystem import Application, TransparentFile
from cardsim.card.machine import Machine, PendingDebit, Reply
from cardsim.card.psam_environment import FACTOR, Environment
from cardsim.card.status import Refusal, Status
from cardsim.toggles import Toggles

DATA: Final = 0x1C
"""Random 4, card's sequence 2, amounts 12, type 1, date 4, time 3, key version 1, algorithm 1; factors follow."""

MAC2: Final = 4
LENGTHS: Final = frozenset(DATA + count * FACTOR for count in range(4))
_DES_CODES: Final = frozenset({0x00, 0x01})
_SEQUENCE: Final = 4
_LAST_SEQUENCE: Final = 0xFFFFFFFF


def make_mac1(environment: Environment, machine: Machine, command: Command) -> Reply:
    """Answer the terminal's sequence and MAC1, and count the sequence on."""
    data, factors = command.data[:DATA], command.data[DATA:]
    random, sequence = data[:RANDOM], int.from_bytes(data[4:6], "big")
    covered, version, code = data[6:26], data[26], data[27]
    amounts = Amounts.decode(covered[:12])
    if code not in _codes(environment.algorithm, machine.toggles):
        raise Refusal(Status.WRONG_DATA, f"LD/T 32.9 80 70: algorithm {code:02X} is not this environment's")
    held = environment.keys.get(MONEY_KEYS[KeyName.DPK].psam_ids[version - 1]) if version in KEY_INDEXES else None
    if held is None or Usage.DEBIT not in held.types:
        raise Refusal(Status.KEY_INDEX_UNKNOWN, f"LD/T 32.9 80 70: no DPK of version {version:02X}")
    key = environment.for_card(held, factors)
    counter = _file(machine.session.application, TERMINAL_SEQUENCE.fid)
    terminal_sequence = int.from_bytes(counter.content, "big")
    if terminal_sequence == _LAST_SEQUENCE:
        raise Refusal(Status.COUNTER_AT_MAXIMUM, "LD/T 32.9: the terminal's sequence is at its maximum")
    following = (terminal_sequence + 1).to_bytes(_SEQUENCE, "big")
    if machine.toggles.terminal_sequence == "after":
        terminal_sequence += 1
    machine.memory.write(_SEQUENCE, lambda: counter.put(0, following))
    session = purchase_session(environment.algorithm, key, random, sequence, terminal_sequence)
    machine.session.debit = PendingDebit(session, amounts)
    terminal = bytes(_file(_environment_of(machine), TERMINAL_INFORMATION.fid).content)
    # amounts, type, terminal, date and time: the type is the one that was given
    told = terminal_sequence.to_bytes(_SEQUENCE, "big")
    return Reply(told + mac(environment.algorithm, session, covered[:13] + terminal + covered[13:]))


def check_mac2(environment: Environment, machine: Machine, command: Command) -> Reply:
    """Say whether the card's MAC2 is that of the debit that MAC1 was made for; it is asked once."""
    debit, machine.session.debit = machine.session.debit, None
    if debit is None:
        raise Refusal(Status.WRONG_STATE, "LD/T 32.9 80 72: no MAC1 was made before")
    if not hmac.compare_digest(command.data, purchase_mac2(environment.algorithm, debit.session, debit.amounts)):
        raise Refusal(int(machine.toggles.wrong_debit, 16), "LD/T 32.9 80 72: this is not the MAC2 of that debit")
    return Reply()


def _codes(algorithm: Algorithm, toggles: Toggles) -> frozenset[int]:
    return _DES_CODES if algorithm is Algorithm.DES else frozenset({int(toggles.sm4_code, 16)})


def _environment_of(machine: Machine) -> Application:
    application = machine.session.application
    return application.parent or application


def _file(application: Application, fid: int) -> TransparentFile:
    file = application.files.get(fid)
    if not isinstance(file, TransparentFile):
        raise Refusal(Status.FILE_ABSENT, f"LD/T 32.9: the module has no file {fid:04X}")
    return file
