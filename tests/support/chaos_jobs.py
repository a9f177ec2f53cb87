"""Every kind of work on a card that the daemon does: brought to stand still, answered, and done once more."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final, TypeVar

from cardd.client.errors import CallError
from cardd.wire.accounts import AccountBalanceParams, AccountBalanceResult, AccountDebitParams, AccountMoved
from cardd.wire.cards import CardReadParams, CardReadResult
from cardd.wire.deeds import CardPinParams, CardPinResult, CardWriteParams, CardWriteResult
from cardd.wire.leases import CardTransmitParams, LeaseAcquireParams, LeaseReleaseParams, LeaseResult
from cardd.wire.methods import (
    ACCOUNT_BALANCE,
    ACCOUNT_DEBIT,
    CARD_PIN_VERIFY,
    CARD_READ,
    CARD_TRANSMIT,
    CARD_WRITE,
    LEASE_ACQUIRE,
    LEASE_RELEASE,
)
from support.chaos import MODULE, Stage
from support.moments import Hold, Recorded
from support.people import UPDATES

T = TypeVar("T")

ANSWER_S: Final = 10.0
"""No work here takes so long, disturbed or not; its own deadline is later."""

_NEVER: Final = frozenset({"STALE_INSERTION", "LEASE_LOST"})
"""What says never of that very insertion or lease; the next one may do."""

_GET_CHALLENGE: Final = "0084000008"
_BILL: Final = 12_50
_TRIES: Final = 5


def begins(*header: int) -> Callable[[bytes], bool]:
    return lambda command: command.startswith(bytes(header))


class Work(ABC):
    """One piece of it, with a card of its own."""

    def __init__(self, at: Stage) -> None:
        self.at = at
        self.card = self._card()
        self.request = f"{type(self).__name__}-{time.monotonic_ns()}"
        self.asked: Future[Any] | None = None

    def _card(self) -> Recorded:
        return self.at.person()[1]

    @abstractmethod
    def begin(self) -> Hold | None:
        """Begin it and return where it stands still; None where it is between two calls."""

    @abstractmethod
    def again(self) -> None:
        """Do it once more, with nothing in its way, and check what came of both together."""

    def answered(self) -> None:
        """Check that the client was answered: with the result, or with a reason that lets it go on."""
        if self.asked is not None:
            error = self.asked.exception(ANSWER_S)
            if error is not None:
                _check_it_lets_go_on(error)

    def offer(self) -> None:
        """Have the card in the reader, and known, and the module there to compute for it."""
        self.at.put(self.card)
        self.at.until(lambda views: "sam-0" in views and views["sam-0"].state == "present")
        self.at.identified()

    def close(self) -> None:
        """Leave nothing standing still."""
        self.card.release()
        self.at.module.release()

    def tried(self, call: Callable[[], T]) -> T:
        """Do as a client does that is told to try again: now, or when the card is there."""
        for _ in range(_TRIES):
            try:
                return call()
            except CallError as error:
                _check_it_lets_go_on(error)
                self.offer()
        return call()


def _check_it_lets_go_on(error: BaseException) -> None:
    assert isinstance(error, CallError), repr(error)
    assert error.retry != "never" or error.reason in _NEVER, error.message


class Identifying(Work):
    def begin(self) -> Hold:
        hold = self.card.hold_at(begins(0x00, 0x88))
        self.at.put(self.card)
        hold.reach()
        return hold

    def again(self) -> None:
        if self._authentic() is None:
            # after a restart of pcscd the card may have been asked before the module was there to judge its answer
            self.at.take()
            self.offer()
        assert self._authentic() is True

    def _authentic(self) -> bool | None:
        inside = self.at.views()["reader-0"].card
        assert inside is not None
        return inside.authentic


class Reading(Work):
    def begin(self) -> Hold:
        self.offer()
        hold = self._hold()
        self.asked = self.at.call_aside(CARD_READ, CardReadParams())
        hold.reach()
        return hold

    def _hold(self) -> Hold:
        return self.card.hold_at(begins(0x00, 0xB2, 0x08, 0x30))

    def again(self) -> None:
        assert self.tried(self._read).holder is not None

    def _read(self) -> CardReadResult:
        return self.at.clerk.client.call(CARD_READ, CardReadParams())


class Computing(Reading):
    """The module's part of a reading; neighbours turn to the module's reader."""

    def _hold(self) -> Hold:
        self.at.target = MODULE
        return self.at.module.hold_at(begins(0xBF, 0xDE))


class Writing(Work):
    def begin(self) -> Hold:
        self.offer()
        hold = self.card.hold_at(begins(0x00, 0xDC))
        self.asked = self.at.call_aside(CARD_WRITE, self._params())
        hold.reach()
        return hold

    def again(self) -> None:
        assert self.tried(self._write).written == {file: [*items] for file, items in UPDATES.items()}
        self.card.power_on()
        self.card.transmit(bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF"))
        assert self.card.transmit(bytes.fromhex("00B2062806"))[:6] == bytes.fromhex("060420440101")

    def _params(self) -> CardWriteParams:
        return CardWriteParams(files=UPDATES, request=self.request)

    def _write(self) -> CardWriteResult:
        return self.at.clerk.client.call(CARD_WRITE, self._params())


class VerifyingPin(Work):
    def begin(self) -> Hold:
        self.offer()
        hold = self.card.hold_at(lambda command: command[1] == 0x20 and len(command) > 5)
        self.asked = self._ask()
        hold.reach()
        return hold

    def _ask(self) -> "Future[CardPinResult]":
        return self.at.call_typing(CARD_PIN_VERIFY, CardPinParams(request=self.request))

    def again(self) -> None:
        same = self.tried(lambda: self._ask().result(ANSWER_S))
        if same.done == "unknown":
            # the card went while it compared: that is told and never repeated; another request is another deed
            self.request += "-anew"
            assert self.tried(lambda: self._ask().result(ANSWER_S)).done == "verified"
        else:
            assert same.done == "verified"
        assert len(self.card.asked(0x20)) <= self.at.typed


class Paying(Work):
    def _card(self) -> Recorded:
        self.at.person()
        return Recorded("p5-offline")

    def begin(self) -> Hold:
        self.offer()
        self._before = self._balance().account
        hold = self.card.hold_at(begins(0xB0, 0x2C))
        self.asked = self._ask()
        hold.reach()
        return hold

    def again(self) -> None:
        moved = self.tried(self._pay)
        deadline = time.monotonic() + ANSWER_S
        while moved.outcome == "in_doubt":
            # the card is asked when it comes back
            assert time.monotonic() < deadline
            self.at.identified()
            time.sleep(0.05)
            moved = self.tried(self._pay)
        paid = {"done": _BILL, "not_done": 0}[moved.outcome]
        assert self.tried(self._balance).account == self._before - paid
        assert sum(got[-2:] == b"\x90\x00" or got[0] == 0x61 for _, got in self._debits()) * _BILL == paid
        assert len(self._debits()) <= 1

    def _debits(self) -> list[tuple[bytes, bytes]]:
        return [(sent, got) for sent, got in self.card.exchanges if sent[:2] == b"\xb0\x2c"]

    def _pay(self) -> AccountMoved:
        return self._ask().result(ANSWER_S)

    def _ask(self) -> "Future[AccountMoved]":
        return self.at.call_typing(ACCOUNT_DEBIT, AccountDebitParams(request=self.request, account=_BILL))

    def _balance(self) -> AccountBalanceResult:
        return self.at.clerk.client.call(ACCOUNT_BALANCE, AccountBalanceParams())


class Leasing(Work):
    """A lease between two calls: the challenge that the card gave has to be the last that it gave."""

    def __init__(self, at: Stage) -> None:
        super().__init__(at)
        # a lease is its connection's
        self.line = at.clerk.rig.client()

    def begin(self) -> Hold | None:
        self.offer()
        self.lease = self.tried(self._acquire).lease
        self._challenge()
        self._given = len(self.card.exchanges)
        return None

    def answered(self) -> None:
        try:
            self._challenge()
        except CallError as error:
            _check_it_lets_go_on(error)
        else:
            # nobody else has spoken to the card meanwhile
            assert len(self.card.exchanges) == self._given + 1
        self._release()

    def again(self) -> None:
        self.lease = self.tried(self._acquire).lease
        assert self.line.call(CARD_READ, CardReadParams(lease=self.lease)).holder is not None
        self._release()

    def close(self) -> None:
        super().close()
        self.line.close()

    def _acquire(self) -> LeaseResult:
        return self.line.call(LEASE_ACQUIRE, LeaseAcquireParams(ttl_s=30))

    def _challenge(self) -> None:
        params = CardTransmitParams(lease=self.lease, apdu=_GET_CHALLENGE)
        assert self.line.call(CARD_TRANSMIT, params).response.endswith("9000")

    def _release(self) -> None:
        with suppress(CallError):
            # it may have ended
            self.line.call(LEASE_RELEASE, LeaseReleaseParams(lease=self.lease))


class ReadingUnderLease(Leasing):
    """A reading under a lease."""

    def begin(self) -> Hold:
        self.offer()
        self.lease = self.tried(self._acquire).lease
        hold = self.card.hold_at(begins(0x00, 0xB2, 0x08, 0x30))
        self.asked = self.at.call_aside(CARD_READ, CardReadParams(lease=self.lease), self.line)
        hold.reach()
        return hold

    def answered(self) -> None:
        Work.answered(self)
        self._release()


WORK: Final[dict[str, type[Work]]] = {
    "identify": Identifying,
    "read": Reading,
    "module": Computing,
    "write": Writing,
    "pin": VerifyingPin,
    "pay": Paying,
    "lease": ReadingUnderLease,
    "lease between calls": Leasing,
}
