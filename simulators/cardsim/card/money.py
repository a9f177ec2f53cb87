"""The commands of the medical account: INITIALIZE, CREDIT, DEBIT, balance, proof, starting day (LD/T 32.5, 32.7).

States are idle (no transaction), load and purchase. INITIALIZE begins one, whatever the state; CREDIT ends a load,
DEBIT a purchase; asking for the balance or the proof leaves it, anything else ends it.
"""

import hmac
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from msgspec.structs import replace

from cardd.base.structs import Struct
from cardd.crypto import money as computation
from cardd.crypto.block import Algorithm
from cardd.crypto.money import Amounts
from cardd.rules.account import (
    ALGORITHM_CODES,
    KEY_INDEXES,
    MOST_MONEY,
    MOST_SEQUENCE,
    OFFLINE,
    YearSums,
    payment_year,
    settled,
)
from cardd.rules.keys import KeyName
from cardsim.card.command import Command, Direction
from cardsim.card.filesystem import Application, RecordFile, needs
from cardsim.card.keyring import PIN
from cardsim.card.machine import Machine, Reply
from cardsim.card.memory import Change, Undo
from cardsim.card.money_file import Cell, Load, MoneyFile, Purchase, packed
from cardsim.card.status import Refusal, Status, right_length
from cardsim.card.system import ANY_LENGTH, Row, exactly

_BASIC_DATA: Final = 0xEF05
_TRANSACTIONS: Final = 0xEF08
_CARD_USAGE: Final = 0x8F
_HEAD: Final = 2
_YEAR: Final = 10_000
_MONTHS: Final = range(1, 13)
_DAYS: Final = range(1, 32)


class RecordChange(Struct, frozen=True):
    """A new number 1 of a cyclic file, as a part of a transaction: it counts once its last byte is written."""

    file: RecordFile
    record: bytes

    @property
    def size(self) -> int:
        """Return how many bytes it writes."""
        return len(self.record)

    def save(self) -> Undo:
        """Keep what is there; return what puts it back."""
        old = list(self.file.records)

        def undo() -> None:
            self.file.records[:] = old

        return undo

    def put(self, index: int) -> None:
        """Write one of its bytes."""
        if index == len(self.record) - 1:
            self.file.push(self.record)


def initialize_for_load(machine: Machine, command: Command) -> Reply:
    """Begin a load: key index 1, amount 4, terminal 6; answer what the host needs, with the card's MAC1."""
    money = _account(machine)
    index, amount, terminal = command.data[0], int.from_bytes(command.data[1:5], "big"), command.data[5:]
    key = _key(money.load, index, "DLK")
    certificate = _certificate_key(machine, money, index)
    machine.require(needs(PIN))
    balance, sequence = money.number(Cell.BALANCE), _sequence(money, Cell.ONLINE)
    if balance + amount > MOST_MONEY:
        raise Refusal(Status.CONDITIONS, "LD/T 32.7 12: the balance has no place for this amount")
    _give_up_proof(machine, money)
    random = machine.challenges.take(computation.RANDOM)
    session = computation.load_session(machine.algorithm, key, random, sequence)
    mac1 = computation.load_mac1(machine.algorithm, session, balance, amount, terminal)
    machine.session.transaction = Load(session, certificate, sequence, balance, amount, terminal, mac1)
    return Reply(money[Cell.BALANCE] + money[Cell.ONLINE] + _told_key(machine, index) + random + mac1)


def credit_for_load(machine: Machine, command: Command) -> Reply:
    """Do the load that was begun: host's time 7, MAC2 4; answer the certificate."""
    money = _account(machine)
    load = machine.session.transaction
    if not isinstance(load, Load):
        raise Refusal(Status.WRONG_STATE, "LD/T 32.7 12: no load was begun with the command before")
    algorithm = machine.algorithm
    time, given = command.data[: computation.TIME], command.data[computation.TIME :]
    mac2 = computation.load_mac2(algorithm, load.session, load.amount, load.terminal, time)
    _check_mac(given, mac2, "MAC2")
    balance = load.balance + load.amount
    certified = balance if machine.toggles.load_certificate_balance == "after" else load.balance
    tac = computation.load_tac(algorithm, load.certificate, certified, load.sequence, load.amount, load.terminal, time)
    told = _told_sequence(machine, load.sequence)
    record = _record(computation.LOAD, told, load.terminal, time, Amounts(load.amount))
    proved = mac2 if machine.toggles.load_proof_mac == "mac2" else load.mac1
    changes = [
        *_proof(money, computation.LOAD, told, proved, tac),
        money.change(Cell.ONLINE, load.sequence + 1),
        money.change(Cell.BALANCE, balance),
        *_entry(machine.session.application, record),
    ]
    machine.memory.transact(changes)
    return Reply(tac)


def initialize_for_purchase(machine: Machine, command: Command) -> Reply:
    """Begin a purchase: key index 1, amounts 12, terminal 6; answer balance, yearly sums, sequence, key, random."""
    money = _account(machine)
    index, amounts, terminal = command.data[0], Amounts.decode(command.data[1:13]), command.data[13:]
    key = _key(money.debit, index, "DPK")
    certificate = _certificate_key(machine, money, index)
    machine.require(needs(PIN))
    if amounts.account > money.number(Cell.BALANCE):
        raise Refusal(Status.BALANCE_TOO_SMALL, "LD/T 32.7 12: the account amount is more than the balance")
    sequence = _sequence(money, Cell.OFFLINE)
    _give_up_proof(machine, money)
    random = machine.challenges.take(computation.RANDOM)
    machine.session.transaction = Purchase(key, certificate, random, sequence, amounts, terminal)
    sums = money[Cell.SELF_PAID] + money[Cell.POOL] + money[Cell.YEAR]
    return Reply(money[Cell.BALANCE] + sums + money[Cell.OFFLINE] + _told_key(machine, index) + random)


def debit_for_purchase(machine: Machine, command: Command) -> Reply:
    """Do the purchase that was begun: terminal's sequence 4, time 7, MAC1 4; answer certificate and MAC2."""
    money = _account(machine)
    purchase = machine.session.transaction
    if not isinstance(purchase, Purchase):
        raise Refusal(Status.WRONG_STATE, "LD/T 32.7 12: no purchase was begun with the command before")
    algorithm, amounts, terminal = machine.algorithm, purchase.amounts, purchase.terminal
    terminal_sequence, time, given = int.from_bytes(command.data[:4], "big"), command.data[4:11], command.data[11:]
    session = computation.purchase_session(
        algorithm, purchase.key, purchase.random, purchase.sequence, terminal_sequence
    )
    _check_mac(given, computation.purchase_mac1(algorithm, session, amounts, terminal, time), "MAC1")
    sums = _yearly(machine, money, amounts, time)
    mac2 = computation.purchase_mac2(algorithm, session, amounts)
    tac = computation.purchase_tac(algorithm, purchase.certificate, amounts, terminal, terminal_sequence, time)
    told = _told_sequence(machine, purchase.sequence)
    record = _record(computation.PURCHASE, told, terminal, time, amounts)
    changes = [
        *_proof(money, computation.PURCHASE, told, mac2, tac),
        money.change(Cell.OFFLINE, purchase.sequence + 1),
        money.change(Cell.BALANCE, money.number(Cell.BALANCE) - amounts.account),
        money.change(Cell.SELF_PAID, sums.self_paid),
        money.change(Cell.POOL, sums.pool),
        money.change(Cell.YEAR, bytes.fromhex(f"{sums.year:04}")),
        *_entry(machine.session.application, record),
    ]
    machine.memory.transact(changes)
    return Reply(tac + mac2)


def get_balance(machine: Machine, command: Command) -> Reply:
    """Answer the balance, or one of the yearly sums with its year."""
    cells = _BALANCES[command.p2]
    _exact_le(command, sum(cell.value[1] for cell in cells))
    money = _account(machine)
    if machine.toggles.balance_asked == "with_pin":
        machine.require(needs(PIN))
    return Reply(b"".join(money[cell] for cell in cells))


def get_transaction_proof(machine: Machine, command: Command) -> Reply:
    """Answer MAC and certificate of the last transaction, if it is the one asked for: then the money has moved."""
    money = _account(machine)
    asked = _TYPES[command.p2], command.data
    if not money.has_proof or asked != (money[Cell.PROOF_TYPE], money[Cell.PROOF_SEQUENCE]):
        raise Refusal(Status.NO_PROOF, "LD/T 32.7 14: no such transaction was the last one to be done")
    return Reply(money[Cell.PROOF_MAC] + money[Cell.PROOF_TAC])


def update_starting_day(machine: Machine, command: Command) -> Reply:
    """Set the payment year's first day, mmdd, after the terminal proved its DSK."""
    money = _account(machine)
    machine.require(needs(KeyName.DSK))
    if not _is_day(command.data):
        raise Refusal(Status.WRONG_DATA, "LD/T 32.5 UPDATE STARTING DAY: this is no day of a year")
    machine.memory.transact([money.change(Cell.START_DAY, command.data)])
    return Reply()


def get_starting_day(machine: Machine, command: Command) -> Reply:
    """Answer the payment year's first day, mmdd."""
    _exact_le(command, Cell.START_DAY.value[1])
    return Reply(_account(machine)[Cell.START_DAY])


def _account(machine: Machine) -> MoneyFile:
    """Return the account of the current application. Refuses where there is none, and on cards for use online."""
    application = machine.session.application
    if application.money is None:
        raise Refusal(Status.CONDITIONS, f"LD/T 32.5: {application.label} has no account")
    if not _is_offline(application):
        status = int(machine.toggles.online_card, 16)
        raise Refusal(status, "LD/T 32.7 12: tag 8F of DF04EF05 is not 2, the card is not used offline")
    return application.money


def _is_offline(application: Application) -> bool:
    file = application.files.get(_BASIC_DATA)
    records = file.records if isinstance(file, RecordFile) else []
    return any(record[0] == _CARD_USAGE and record[_HEAD:] == OFFLINE.encode() for record in records)


def _key(versions: Mapping[int, bytes], index: int, name: str) -> bytes:
    key = versions.get(index) if index in KEY_INDEXES else None
    if key is None:
        raise Refusal(Status.KEY_INDEX_UNKNOWN, f"LD/T 32.7 12: there is no {name} of index {index:02X}")
    return key


def _certificate_key(machine: Machine, money: MoneyFile, index: int) -> bytes:
    key = money.certificate.get(index if machine.toggles.certificate_key == "same_index" else KEY_INDEXES[0])
    if key is None:
        raise Refusal(Status.KEY_ABSENT, f"LD/T 32.7 12: there is no DTK of index {index:02X} to certify with")
    return key


def _sequence(money: MoneyFile, counter: Cell) -> int:
    sequence = money.number(counter)
    if sequence == MOST_SEQUENCE:
        raise Refusal(Status.COUNTER_AT_MAXIMUM, "LD/T 32.7 12: the transaction counter is at its maximum")
    return sequence


def _told_key(machine: Machine, index: int) -> bytes:
    code = ALGORITHM_CODES[machine.algorithm]
    return bytes((index, int(machine.toggles.sm4_code, 16) if machine.algorithm is Algorithm.SM4 else code))


def _told_sequence(machine: Machine, sequence: int) -> int:
    return sequence if machine.toggles.told_sequence == "before" else sequence + 1


def _give_up_proof(machine: Machine, money: MoneyFile) -> None:
    if money.has_proof and machine.toggles.proof_lifetime == "initialize":
        machine.memory.transact([money.no_proof()])


def _check_mac(given: bytes, expected: bytes, name: str) -> None:
    if not hmac.compare_digest(given, expected):
        raise Refusal(Status.WRONG_MONEY_MAC, f"LD/T 32.7 12: this is not {name} of the transaction that was begun")


def _yearly(machine: Machine, money: MoneyFile, amounts: Amounts, time: bytes) -> YearSums:
    try:
        date = packed(time[:4])
    except ValueError:
        raise Refusal(Status.WRONG_DATA, "LD/T 32.7 12: the time is no packed digits") from None
    sums = _settled(machine, money, amounts, date)
    if max(sums.self_paid, sums.pool) > MOST_MONEY:
        raise Refusal(Status.CONDITIONS, "LD/T 32.7 12.6: the year's sums have no place for these amounts")
    return sums


def _settled(machine: Machine, money: MoneyFile, amounts: Amounts, date: int) -> YearSums:
    before, day = money.sums, money.start_day
    if machine.toggles.before_the_year == "begins" and date < before.year * _YEAR + day:
        sums = YearSums(amounts.self_paid, amounts.pool, payment_year(date, day))
    else:
        sums = settled(before, day, date, amounts.self_paid, amounts.pool)
    begun = sums.year != before.year
    return replace(sums, year=date // _YEAR) if begun and machine.toggles.payment_year == "calendar" else sums


def _proof(money: MoneyFile, kind: bytes, sequence: int, mac: bytes, tac: bytes) -> Sequence[Change]:
    return (
        money.change(Cell.PROOF_TYPE, kind),
        money.change(Cell.PROOF_SEQUENCE, sequence),
        money.change(Cell.PROOF_MAC, mac),
        money.change(Cell.PROOF_TAC, tac),
    )


def _record(kind: bytes, sequence: int, terminal: bytes, time: bytes, amounts: Amounts) -> bytes:
    return sequence.to_bytes(2, "big") + kind + terminal + time + amounts.encode()


def _entry(application: Application, record: bytes) -> Sequence[Change]:
    """Return the change of the transactions' file; a short record leaves out the amounts beside the account's."""
    file = application.files.get(_TRANSACTIONS)
    return (RecordChange(file, record[: file.record_length]),) if isinstance(file, RecordFile) else ()


def _exact_le(command: Command, length: int) -> None:
    if command.le != length:
        raise right_length(length, "LD/T 32.5: Le is not the length of what is asked for")


def _is_day(value: bytes) -> bool:
    digits = value.hex()
    return digits.isdecimal() and int(digits[:2]) in _MONTHS and int(digits[2:]) in _DAYS


_BALANCES: Final = MappingProxyType(
    {0x01: (Cell.BALANCE,), 0x02: (Cell.SELF_PAID, Cell.YEAR), 0x03: (Cell.POOL, Cell.YEAR)}
)
_TYPES: Final = MappingProxyType(
    {0x31: computation.LOAD, 0x32: computation.PURCHASE, 0x01: computation.LOAD, 0x02: computation.PURCHASE}
)
"""P2 of GET TRANSACTION PROOF: the type as records write it, or as a number."""


def _one_of(values: Mapping[int, object]) -> Callable[[int, int], bool]:
    return lambda p1, p2: p1 == 0 and p2 in values


# fmt: off
ROWS: Final = (
    Row("INITIALIZE FOR LOAD", 0xB0, 0x28, Direction.IN, exactly(0, 1), frozenset({0x0B}), initialize_for_load),
    Row("INITIALIZE FOR PURCHASE", 0xB0, 0x28, Direction.IN, exactly(1, 1), frozenset({0x13}), initialize_for_purchase),
    Row("CREDIT FOR LOAD", 0xB0, 0x2A, Direction.IN, exactly(0, 0), frozenset({0x0B}), credit_for_load),
    Row("DEBIT FOR PURCHASE", 0xB0, 0x2C, Direction.IN, exactly(1, 0), frozenset({0x0F}), debit_for_purchase),
    Row("GET BALANCE", 0xB0, 0x26, Direction.OUT, _one_of(_BALANCES), ANY_LENGTH, get_balance,
        keeps_transaction=True),
    Row("GET TRANSACTION PROOF", 0xB0, 0x2E, Direction.IN, _one_of(_TYPES), frozenset({2}), get_transaction_proof,
        keeps_transaction=True),
    Row("UPDATE STARTING DAY", 0xB0, 0x56, Direction.IN, exactly(0, 0), frozenset({2}), update_starting_day),
    Row("GET STARTING DAY", 0xB0, 0x56, Direction.OUT, exactly(1, 0), ANY_LENGTH, get_starting_day),
)
# fmt: on
