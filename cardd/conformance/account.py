"""Cases of the medical account: T-DEBIT, T-COUNT, T-DAY, T-TEAR."""

from collections.abc import Callable
from typing import Final

from cardd.base.structs import Struct
from cardd.conformance.card import DONE, NO_RIGHT, Card
from cardd.conformance.case import Case, Cost
from cardd.conformance.checks import FailedError, NotApplicableError, holds, same
from cardd.crypto import money as computation
from cardd.crypto.money import Amounts
from cardd.rules.account import MOST_SEQUENCE, OFFLINE, YearSums, settled
from cardd.rules.files import FILES
from cardd.rules.keys import KeyName

_BASIC, _TRANSACTIONS = FILES["DF04EF05"], FILES["DF04EF08"]
_USAGE: Final = 0x8F
_TERMINAL: Final = bytes.fromhex("510100000001")
_WRONG_STATE: Final = 0x6901
_WRONG_MAC: Final = 0x9302
_TOO_SMALL: Final = 0x9401
_COUNTED_OUT: Final = 0x9402
_WRONG_DATA: Final = 0x6A80
_NO_INDEX: Final = 0x9403
_NO_PROOF: Final = 0x9406
_LOAD, _PURCHASE = 0x01, 0x02
_TERMINAL_SEQUENCE: Final = 7
_MOST_WORK: Final = 400
_SURE: Final = 3
_NEAR: Final = 4
"""Transactions that a case does to see a counter end."""


class Account(Struct, frozen=True):
    """Everything that a transaction changes. `records` are the newest first."""

    balance: int
    sums: YearSums
    records: tuple[bytes, ...]


class Begun(Struct, frozen=True):
    """A transaction after INITIALIZE: the command that does it, and what proves it afterwards."""

    command: tuple[int, int, int, int, bytes]
    kind: int
    sequence: int
    answer: bytes
    mac: bytes
    tac: bytes


def account(card: Card) -> Account:
    """Return what the account holds, in DF04."""
    balance = card.data("GET BALANCE", card.send(0xB0, 0x26, 0x00, 0x01, le=4))
    own = card.data("GET BALANCE of what the holder paid", card.send(0xB0, 0x26, 0x00, 0x02, le=6))
    pool = card.data("GET BALANCE of the pool", card.send(0xB0, 0x26, 0x00, 0x03, le=6))
    holds(own[4:] == pool[4:], "the two yearly sums tell different years")
    sums = YearSums(int.from_bytes(own[:4], "big"), int.from_bytes(pool[:4], "big"), int(own[4:].hex()))
    return Account(int.from_bytes(balance, "big"), sums, tuple(card.read_all(_TRANSACTIONS)))


def begin_load(card: Card, amount: int, time: bytes) -> Begun:
    """INITIALIZE FOR LOAD, checked; return the CREDIT that belongs to it."""
    before = account(card)
    data = bytes((1,)) + amount.to_bytes(4, "big") + _TERMINAL
    told = card.data("INITIALIZE FOR LOAD", card.send(0xB0, 0x28, 0x00, 0x01, data, 0x10))
    balance, sequence, random = int.from_bytes(told[:4], "big"), int.from_bytes(told[4:6], "big"), told[8:12]
    holds(balance == before.balance, "INITIALIZE FOR LOAD tells another balance than GET BALANCE")
    holds(told[6] == 1, "INITIALIZE FOR LOAD tells another key")
    algorithm = card.subject.algorithm
    session = computation.load_session(algorithm, card.key(KeyName.DLK), random, sequence)
    mac1 = computation.load_mac1(algorithm, session, balance, amount, _TERMINAL)
    holds(told[12:] == mac1, "MAC1 of the load is not its issuer's")
    mac2 = computation.load_mac2(algorithm, session, amount, _TERMINAL, time)
    certificate = computation.certificate_key(algorithm, card.key(KeyName.DTK))
    tac = computation.load_tac(algorithm, certificate, balance + amount, sequence, amount, _TERMINAL, time)
    return Begun((0xB0, 0x2A, 0x00, 0x00, time + mac2), _LOAD, sequence, tac, mac2, tac)


def begin_purchase(card: Card, amounts: Amounts, time: bytes) -> Begun:
    """INITIALIZE FOR PURCHASE, checked; return the DEBIT that belongs to it."""
    before = account(card)
    told = card.data("INITIALIZE FOR PURCHASE", card.send(0xB0, 0x28, 0x01, 0x01, _purchase(1, amounts), 0x16))
    sums = YearSums(int.from_bytes(told[4:8], "big"), int.from_bytes(told[8:12], "big"), int(told[12:14].hex()))
    sequence, random = int.from_bytes(told[14:16], "big"), told[18:22]
    holds(int.from_bytes(told[:4], "big") == before.balance, "INITIALIZE FOR PURCHASE tells another balance")
    holds(sums == before.sums, "INITIALIZE FOR PURCHASE tells other yearly sums")
    algorithm = card.subject.algorithm
    session = computation.purchase_session(algorithm, card.key(KeyName.DPK), random, sequence, _TERMINAL_SEQUENCE)
    mac1 = computation.purchase_mac1(algorithm, session, amounts, _TERMINAL, time)
    mac2 = computation.purchase_mac2(algorithm, session, amounts)
    certificate = computation.certificate_key(algorithm, card.key(KeyName.DTK))
    tac = computation.purchase_tac(algorithm, certificate, amounts, _TERMINAL, _TERMINAL_SEQUENCE, time)
    debit = _TERMINAL_SEQUENCE.to_bytes(4, "big") + time + mac1
    return Begun((0xB0, 0x2C, 0x01, 0x00, debit), _PURCHASE, sequence, tac + mac2, mac2, tac)


def finish(card: Card, begun: Begun) -> None:
    """Do what was begun; the certificate is the issuer's, and the proof tells the same."""
    response = card.send(*begun.command, len(begun.answer))
    holds(card.data("CREDIT or DEBIT", response) == begun.answer, "the certificate is not its issuer's")
    holds(proof(card, begun) == begun.mac + begun.tac, "the proof is not that of the transaction")


def proof(card: Card, begun: Begun) -> bytes | None:
    """Return the proof of a transaction, None where the card says that it was not done."""
    asked = card.send(0xB0, 0x2E, 0x00, begun.kind, begun.sequence.to_bytes(2, "big"), 8)
    return None if asked.sw == _NO_PROOF else card.data("GET TRANSACTION PROOF", asked)


def open_account(card: Card) -> None:
    """Go to DF04 with the PIN. Not applicable on cards that are used online."""
    card.go("DF04")
    card.gain_pin()
    usage = card.read_tag(_BASIC, _USAGE)
    if usage.sw != DONE or usage.data[2:] != OFFLINE.encode():
        raise NotApplicableError("online card")


def debit(card: Card) -> None:
    """Hold the account to its states, MACs, certificates, refusals and yearly sums."""
    open_account(card)
    _needs_pin(card)
    year = account(card).sums.year or 2026
    for step in (_load_counts, _states, _refusals):
        step(card, _time(year))
    day = int(_day(card).hex())
    amounts = Amounts(100, 20, 30)
    for later in (1, 1, 2):
        before, time = account(card), _time(year + later)
        date = int(time.hex()[:8])
        finish(card, begin_purchase(card, amounts, time))
        after = account(card)
        holds(after.balance == before.balance - amounts.account, "the purchase did not take its amount")
        sums = settled(before.sums, day, date, amounts.self_paid, amounts.pool)
        # which of them, not how much: that is the holder's affair
        holds(after.sums.year == sums.year, f"the payment year is {after.sums.year}, expected {sums.year}")
        holds(after.sums == sums, "the yearly sums are not what the purchase makes of those of before")
        _is_entered(after, b"2", amounts.account)


def _needs_pin(card: Card) -> None:
    if not card.subject.pin:
        return
    card.restart()
    card.go("DF04")
    for name, command in (("LOAD", _a_load(1)), ("PURCHASE", _a_purchase(1))):
        same(f"INITIALIZE FOR {name} without PIN", card.send(*command).sw, NO_RIGHT)
    card.gain_pin()


def _load_counts(card: Card, time: bytes) -> None:
    before = account(card)
    begun = begin_load(card, 1000, time)
    finish(card, begun)
    after = account(card)
    holds(after.balance == before.balance + 1000, "the load did not add its amount")
    holds(after.sums == before.sums, "a load changed the yearly sums")
    _is_entered(after, b"1", 1000)
    other = Begun(begun.command, begun.kind, begun.sequence + 1, b"", b"", b"")
    holds(proof(card, other) is None, "there is a proof of a transaction that was not done")


def _states(card: Card, time: bytes) -> None:
    """CREDIT and DEBIT only after their own INITIALIZE and once; what lies between ends it, except asking."""
    load, amounts = begin_load(card, 1, time), Amounts(1)
    finish(card, load)
    same("CREDIT a second time", card.send(*load.command).sw, _WRONG_STATE)
    purchase = begin_purchase(card, amounts, time)
    same("CREDIT after INITIALIZE FOR PURCHASE", card.send(*load.command).sw, _WRONG_STATE)
    same("DEBIT after a command in the wrong state", card.send(*purchase.command).sw, _WRONG_STATE)
    load = begin_load(card, 1, time)
    same("INITIALIZE FOR PURCHASE after that of a load", card.send(*_a_purchase(1)).sw, DONE)
    same("CREDIT after another INITIALIZE", card.send(*load.command).sw, _WRONG_STATE)
    load = begin_load(card, 1, time)
    card.challenge()
    same("CREDIT after another command", card.send(*load.command).sw, _WRONG_STATE)
    load = begin_load(card, 1, time)
    same("GET BALANCE between", card.send(0xB0, 0x26, 0x00, 0x01, le=4).sw, DONE)
    finish(card, load)


def _refusals(card: Card, time: bytes) -> None:
    before = account(card)
    beginnings: tuple[Callable[[], Begun], ...] = (
        lambda: begin_load(card, 1, time),
        lambda: begin_purchase(card, Amounts(1), time),
    )
    for begin in beginnings:
        begun = begin()
        cla, ins, p1, p2, data = begun.command
        same("a wrong MAC", card.send(cla, ins, p1, p2, data[:-1] + bytes((data[-1] ^ 1,))).sw, _WRONG_MAC)
        same("the right MAC after a wrong one", card.send(*begun.command).sw, _WRONG_STATE)
    for index in (0, 4):
        same(f"INITIALIZE FOR LOAD with key {index}", card.send(*_a_load(index)).sw, _NO_INDEX)
        same(f"INITIALIZE FOR PURCHASE with key {index}", card.send(*_a_purchase(index)).sw, _NO_INDEX)
    much = Amounts(before.balance + 1)
    same("INITIALIZE FOR PURCHASE of too much", card.send(0xB0, 0x28, 0x01, 0x01, _purchase(1, much)).sw, _TOO_SMALL)
    holds(account(card) == before, "what was refused changed the account")


def counters(card: Card) -> None:
    """Refuse a transaction with 9402 once its counter is at its maximum, and change nothing by it."""
    open_account(card)
    time = _time(account(card).sums.year or 2026)
    beginnings: tuple[tuple[str, Callable[[], Begun], tuple[int, int, int, int, bytes]], ...] = (
        ("LOAD", lambda: begin_load(card, 1, time), _a_load(1)),
        ("PURCHASE", lambda: begin_purchase(card, Amounts(0), time), _a_purchase(1)),
    )
    seen = [_counts_out(card, *beginning) for beginning in beginnings]
    if not any(seen):
        raise NotApplicableError("no counter is near its maximum")


def _counts_out(card: Card, name: str, begin: Callable[[], Begun], command: tuple[int, int, int, int, bytes]) -> bool:
    """Go on to the end of one counter; False where that is too far away."""
    first = card.send(*command)
    if first.sw == DONE:
        sequence = int.from_bytes(first.data[4:6] if name == "LOAD" else first.data[14:16], "big")
        if MOST_SEQUENCE - sequence > _NEAR:
            return False
        for _ in range(sequence, MOST_SEQUENCE):
            finish(card, begin())
    before = account(card)
    same(f"INITIALIZE FOR {name} with its counter at the maximum", card.send(*command).sw, _COUNTED_OUT)
    holds(account(card) == before, "a transaction that was refused changed the account")
    return True


def starting_day(card: Card) -> None:
    """Tell the starting day to anybody; take another one, if it is a day, from a terminal that proves DSK."""
    open_account(card)
    day = _day(card)
    other = b"\x07\x01" if day != b"\x07\x01" else b"\x01\x01"
    same("UPDATE STARTING DAY without DSK", _set_day(card, other), NO_RIGHT)
    same("EXTERNAL AUTHENTICATION DSK", card.prove(KeyName.DSK), DONE)
    same("UPDATE STARTING DAY with no day", _set_day(card, b"\x13\x01"), _WRONG_DATA)
    holds(_day(card) == day, "a day that was refused was set")
    for new in (other, day):
        same("UPDATE STARTING DAY", _set_day(card, new), DONE)
        holds(_day(card) == new, "GET STARTING DAY does not tell the day that was set")


def _day(card: Card) -> bytes:
    return card.data("GET STARTING DAY", card.send(0xB0, 0x56, 0x01, 0x00, le=2))


def _set_day(card: Card, day: bytes) -> int:
    return card.send(0xB0, 0x56, 0x00, 0x00, day).sw


def tears(card: Card) -> None:
    """Power cut anywhere in CREDIT or DEBIT: all of it is done or nothing, and the proof tells which."""
    if card.link.tear is None:
        raise NotApplicableError("power cannot be cut here")
    open_account(card)
    time = _time((account(card).sums.year or 2026) + 1)
    finish(card, begin_load(card, 5 * _MOST_WORK, time))
    beginnings: tuple[Callable[[], Begun], ...] = (
        lambda: begin_load(card, 3, time),
        lambda: begin_purchase(card, Amounts(2, 1, 1), time),
    )
    for begin in beginnings:
        done = 0
        for work in range(_MOST_WORK):
            before = account(card)
            begun = begin()
            card.link.tear(work)
            if card.link.transmit(_raw(begun)):
                raise FailedError("the card answered although its power was cut")
            card.restart()
            open_account(card)
            moved = _is_whole(card, begun, before)
            holds(moved or not done, f"cut after {work} bytes: not done, though a cut before was")
            done += moved
            if done == _SURE:
                break
        holds(done == _SURE, f"not done after {_MOST_WORK} bytes of work")


def _is_whole(card: Card, begun: Begun, before: Account) -> bool:
    """Hold the card to all or nothing, and return which."""
    after, shown = account(card), proof(card, begun)
    if shown is None:
        holds(after == before, "no proof, and yet something has changed")
        return False
    holds(shown == begun.mac + begun.tac, "the proof is not that of the transaction")
    changed = (after.balance != before.balance, after.records != before.records)
    holds(all(changed), "a proof, and yet not everything has changed")
    _is_entered(after, bytes((0x30 + begun.kind,)), abs(after.balance - before.balance))
    return True


def _is_entered(after: Account, kind: bytes, amount: int) -> None:
    """Hold the newest record to the transaction. A card that keeps only the account amount has shorter ones."""
    holds(after.records, "no record of the transaction")
    newest = after.records[0]
    holds(newest[2:3] == kind and newest[3:9] == _TERMINAL, "the newest record is not of this transaction")
    holds(int.from_bytes(newest[16:20], "big") == amount, "the newest record has another amount")


def _raw(begun: Begun) -> bytes:
    *header, data = begun.command
    return bytes((*header, len(data))) + data


def _a_load(index: int) -> tuple[int, int, int, int, bytes]:
    return 0xB0, 0x28, 0x00, 0x01, bytes((index,)) + (1).to_bytes(4, "big") + _TERMINAL


def _a_purchase(index: int) -> tuple[int, int, int, int, bytes]:
    return 0xB0, 0x28, 0x01, 0x01, _purchase(index, Amounts(0))


def _purchase(index: int, amounts: Amounts) -> bytes:
    return bytes((index,)) + amounts.encode() + _TERMINAL


def _time(year: int) -> bytes:
    return bytes.fromhex(f"{year:04}1231120000")


CASES: Final = (
    Case("T-DEBIT", "loads, purchases, their states and sums", Cost.TRIES, debit),
    Case("T-COUNT", "the end of the transaction counters", Cost.LIFE, counters),
    Case("T-DAY", "the day on which the payment year begins", Cost.TRIES, starting_day),
    Case("T-TEAR", "power cut in CREDIT and DEBIT", Cost.TRIES, tears),
)
