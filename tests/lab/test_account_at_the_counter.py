"""The medical account at a real counter: pcscd, a virtual card and module, the daemon as a process, its socket."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from support.clerk import Clerk, Watched, counter

from cardd.wire.accounts import (
    AccountBalanceParams,
    AccountDebitParams,
    AccountLoadParams,
    AccountMoved,
    AccountProofParams,
    AccountRecordsParams,
)
from cardd.wire.base import Params
from cardd.wire.cards import CardReadParams
from cardd.wire.methods import (
    ACCOUNT_BALANCE,
    ACCOUNT_DEBIT,
    ACCOUNT_LOAD,
    ACCOUNT_PROOF,
    ACCOUNT_RECORDS,
    CARD_READ,
    Signature,
)
from cardsim.hsm import HsmServer, Machine

DEBIT = 0x2C
PAY = AccountDebitParams(request="bill-1", account=12_50, self_paid=3_00, pool=20_00)


P = TypeVar("P", bound=Params)
R = TypeVar("R")


def aside(clerk: Clerk, method: Signature[P, R], params: P) -> "Future[R]":
    """Call on a line of its own; the holder's PIN is asked for meanwhile."""
    future: Future[R] = Future()

    def ask() -> None:
        with clerk.rig.client() as client:
            try:
                future.set_result(client.call(method, params))
            except BaseException as error:  # noqa: BLE001 - handed to the test
                future.set_exception(error)

    threading.Thread(target=ask, daemon=True).start()
    return future


def debit(clerk: Clerk) -> "Future[AccountMoved]":
    return aside(clerk, ACCOUNT_DEBIT, PAY)


def balance(clerk: Clerk) -> int:
    return clerk.client.call(ACCOUNT_BALANCE, AccountBalanceParams()).account


def test_a_settlement_with_the_terminals_module_and_the_holders_pin(tmp_path: Path) -> None:
    with counter(tmp_path) as clerk:
        clerk.insert("p5-offline")
        clerk.wait("card.identified")
        before = balance(clerk)
        paying = debit(clerk)
        clerk.type("123456")
        moved = paying.result(20)
        assert (moved.outcome, moved.mac_right, moved.tac_right) == ("done", True, None)
        assert (moved.terminal, moved.balance_before) == ("510100000001", before)
        assert balance(clerk) == before - 12_50
        assert debit(clerk).result(20) == moved
        proof = clerk.client.call(ACCOUNT_PROOF, AccountProofParams(sequence=moved.sequence))
        assert (proof.outcome, proof.tac) == ("done", moved.tac)
        assert clerk.types().index("account.intended") < clerk.types().index("account.debited")


def test_a_card_torn_out_while_it_pays_is_asked_when_it_comes_back(tmp_path: Path) -> None:
    with counter(tmp_path) as clerk:
        card = Watched("p5-offline", lambda command: command[:2] == bytes((0xB0, DEBIT)))
        clerk.insert_card(card)
        clerk.wait("card.identified")
        before = balance(clerk)
        paying = debit(clerk)
        clerk.type("123456")
        assert card.reached.wait(10)
        removing = threading.Thread(target=clerk.remove)
        removing.start()
        moved = paying.result(20)
        card.go_on.set()
        removing.join(10)
        assert moved.outcome == "in_doubt"
        clerk.insert_card(card)
        ended = clerk.wait("account.debited")["data"]
        assert (ended["outcome"], ended["by_proof"]) == ("done", True)
        # the virtual card had begun to work, so it has paid: once
        assert balance(clerk) == before - 12_50
        assert debit(clerk).result(20).outcome == "done"
        assert balance(clerk) == before - 12_50


@contextmanager
def with_machine(directory: Path) -> Iterator[Clerk]:
    machine = Machine(bytes.fromhex("00112233445566778899AABBCCDDEEFF"), bytes.fromhex("0123456789ABCDEF"))
    with HsmServer(machine) as server:
        settings: dict[str, Any] = {"keys": {"provider": "remote", "url": server.url, "timeout_s": 3}}
        with counter(directory, settings=settings) as clerk:
            yield clerk


def test_a_security_machine_serves_reading_settling_and_loading(tmp_path: Path) -> None:
    with with_machine(tmp_path) as clerk:
        clerk.insert("p3-3.0-sm4")
        assert clerk.wait("card.identified")["data"]["authentic"] is True
        assert clerk.client.call(CARD_READ, CardReadParams()).holder is not None
        clerk.remove()
        clerk.wait("card.removed")
        clerk.insert("p5-offline")
        clerk.wait("card.identified")
        before = balance(clerk)
        paying = debit(clerk)
        clerk.type("123456")
        moved = paying.result(20)
        assert (moved.outcome, moved.mac_right, moved.tac_right) == ("done", True, True)
        loading = aside(clerk, ACCOUNT_LOAD, AccountLoadParams(request="top-up", amount=50_00))
        clerk.type("123456")
        loaded = loading.result(20)
        assert (loaded.outcome, loaded.tac_right) == ("done", True)
        assert balance(clerk) == before - 12_50 + 50_00
        reading = aside(clerk, ACCOUNT_RECORDS, AccountRecordsParams(limit=2))
        clerk.type("123456")
        records = reading.result(20).records
        assert [(record.type, record.account) for record in records] == [("1", 50_00), ("2", 12_50)]


def test_an_old_memory_card_is_recognised_through_the_reader(tmp_path: Path) -> None:
    with counter(tmp_path) as clerk:
        clerk.insert("old-sle4442")
        told = clerk.wait("card.identified")["data"]
        assert told["kind"] == "medical_insurance"
        assert told["number"].startswith("*")
