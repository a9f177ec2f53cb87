from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from support.account import account_card
from support.cards import DEADLINE, ROOT, OpenCard, answered_instead, insert, on_channel, software_keys

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.cards.account import Certificate, Deed
from cardd.crypto.block import Algorithm
from cardd.crypto.money import Amounts
from cardd.desk.account import Intent, Order, Outcome, Services, Settled, UnsettledError, debit, load
from cardd.desk.account_reading import ask_proof, read_balances, read_debit_records, read_proof
from cardd.desk.identify import identify
from cardd.iso7816.device import Transport
from cardd.keys.money import CardKeys, Load
from cardd.keys.software_money import SoftwareMoney

TERMINAL = bytes.fromhex("510100000001")
PIN = Secret(b"123456")
AMOUNTS = Amounts(12_50, 3_00, 20_00)
PURCHASE = Order(Deed.PURCHASE, AMOUNTS, "20240506101112")
LOAD = Order(Deed.LOAD, Amounts(5_000), "20240506101112")
ALGORITHMS = pytest.mark.parametrize("algorithm", [Algorithm.DES, Algorithm.SM4])
CREDIT, DEBIT, PROOF = 0x2A, 0x2C, 0x2E
SERVICES = Services(software_keys(), SoftwareMoney(Secret(ROOT), tests_only=True, terminal=TERMINAL))


def account(directory: Path, algorithm: Algorithm = Algorithm.SM4, **changes: Any) -> OpenCard:
    """Return a card with 1000.00 on it, sequences 7 online and 3 offline, PIN 123456."""
    return on_channel(account_card(directory, algorithm, **changes).on("contact"), Transport.T0)


class Book:
    """What was intended, and what the card had been told by then."""

    def __init__(self, card: OpenCard) -> None:
        self.intents: list[Intent] = []
        self.moved: list[bool] = []
        self._card = card

    def __call__(self, intent: Intent) -> None:
        self.intents.append(intent)
        self.moved.append(bool({CREDIT, DEBIT} & set(self._card.record.instructions)))


def settle(
    card: OpenCard,
    order: Order = PURCHASE,
    pin: Secret | None = PIN,
    services: Services = SERVICES,
    intend: Callable[[Intent], None] | None = None,
) -> Settled:
    move = debit if order.deed is Deed.PURCHASE else load
    return move(card.channel, card.insertion, None, services, order, pin, intend or Book(card), DEADLINE)


def refused(card: OpenCard, *how: Any, **more: Any) -> CarddError:
    with pytest.raises(CarddError) as caught:
        settle(card, *how, **more)
    return caught.value


def balance(card: OpenCard) -> int:
    again = card.again()
    return read_balances(again.channel, again.insertion, None).account


@ALGORITHMS
def test_a_debit_takes_the_money_and_both_sides_prove_it(tmp_path: Path, algorithm: Algorithm) -> None:
    card = account(tmp_path, algorithm)
    settled = settle(card)
    assert (settled.outcome, settled.tac_right, settled.mac_right) == (Outcome.DONE, True, True)
    assert settled.intent.balance == 1000_00
    found = read_balances(card.again().channel, card.insertion, None)
    assert (found.account, found.self_paid, found.pool, found.year) == (987_50, 3_00, 20_00, "2024")


@ALGORITHMS
def test_a_load_puts_the_money_on_the_account_with_the_hosts_consent(tmp_path: Path, algorithm: Algorithm) -> None:
    card = account(tmp_path, algorithm)
    settled = settle(card, LOAD)
    assert (settled.outcome, settled.tac_right, settled.intent.sequence) == (Outcome.DONE, True, 7)
    assert balance(card) == 1050_00


@pytest.mark.parametrize("order", [PURCHASE, LOAD])
def test_the_intent_is_handed_out_before_the_card_is_told_to_move_money(tmp_path: Path, order: Order) -> None:
    card = account(tmp_path)
    book = Book(card)
    settle(card, order, intend=book)
    (intent,) = book.intents
    assert book.moved == [False]
    assert (intent.sequence, intent.terminal, intent.balance) == (3 if order is PURCHASE else 7, TERMINAL, 1000_00)


@pytest.mark.parametrize("order", [PURCHASE, LOAD])
def test_an_intent_that_cannot_be_recorded_moves_nothing(tmp_path: Path, order: Order) -> None:
    card = account(tmp_path)

    def full(intent: Intent) -> None:
        raise CarddError(Reason.JOURNAL_FULL, str(intent.sequence))

    assert refused(card, order, intend=full).reason is Reason.JOURNAL_FULL
    assert not {CREDIT, DEBIT} & set(card.record.instructions)
    assert balance(card) == 1000_00


def torn(card: OpenCard, instruction: int, *, before: bool) -> None:
    """Pull the card at a command: before it reaches the card, or after the card has done it."""
    inner = card.card.transmit

    def transmit(command: bytes) -> bytes:
        if command[1] != instruction:
            return inner(command)
        if not before:
            inner(command)
        raise CarddError(Reason.CARD_REMOVED, "pulled")

    card.channel._transmit = transmit


@ALGORITHMS
@pytest.mark.parametrize(("order", "command"), [(PURCHASE, DEBIT), (LOAD, CREDIT)])
@pytest.mark.parametrize("before", [True, False])
def test_after_a_tear_the_cards_proof_decides_and_nothing_is_repeated(
    tmp_path: Path, algorithm: Algorithm, order: Order, command: int, *, before: bool
) -> None:
    card = account(tmp_path, algorithm)
    torn(card, command, before=before)
    with pytest.raises(UnsettledError) as caught:
        settle(card, order)
    again = card.again()
    settled = ask_proof(again.channel, again.insertion, SERVICES, caught.value.intent, DEADLINE)
    assert settled.by_proof
    if before:
        assert (settled.outcome, settled.certificate) == (Outcome.NOT_DONE, None)
        assert balance(card) == 1000_00
    else:
        assert (settled.outcome, settled.tac_right) == (Outcome.DONE, True)
        assert balance(card) == (987_50 if order is PURCHASE else 1050_00)
    assert not {CREDIT, DEBIT} & set(again.record.instructions)


def test_a_proof_is_asked_of_the_very_card(tmp_path: Path) -> None:
    card = account(tmp_path)
    intent = settle(card).intent
    other = insert("p5-offline")
    with pytest.raises(CarddError) as caught:
        ask_proof(other.channel, other.insertion, SERVICES, intent, DEADLINE)
    assert caught.value.reason is Reason.CARD_DATA_DIFFERS
    assert PROOF not in other.record.instructions


def test_a_proof_without_a_key_service_is_the_cards_bare_word(tmp_path: Path) -> None:
    card = account(tmp_path)
    intent = settle(card).intent
    again = card.again()
    settled = ask_proof(again.channel, again.insertion, Services(None, None), intent, DEADLINE)
    assert (settled.outcome, settled.tac_right, settled.mac_right) == (Outcome.DONE, None, None)


def test_a_memory_failure_leaves_open_what_was_done(tmp_path: Path) -> None:
    card = account(tmp_path)
    answered_instead(card, {DEBIT: b"\x65\x81"})
    with pytest.raises(UnsettledError) as caught:
        settle(card)
    assert caught.value.cause.facts["status_word"] == "6581"


@pytest.mark.parametrize("wrong", [slice(0, 4), slice(4, 8)])
def test_a_card_whose_word_is_wrong_settles_nothing(tmp_path: Path, wrong: slice) -> None:
    card = account(tmp_path)
    inner = card.card.transmit
    debited: list[bytes] = []

    def transmit(command: bytes) -> bytes:
        if debited and command[1] == 0xC0:
            answer = bytearray(inner(command))
            answer[wrong] = bytes(byte ^ 1 for byte in answer[wrong])
            debited.clear()
            return bytes(answer)
        if command[1] == DEBIT:
            debited.append(command)
        return inner(command)

    card.channel._transmit = transmit
    settled = settle(card)
    assert settled.outcome is Outcome.UNPROVEN
    assert (settled.tac_right, settled.mac_right) == (wrong.start != 0, wrong.start == 0)


def test_a_load_that_the_card_signed_wrongly_is_not_granted(tmp_path: Path) -> None:
    class Doubting(SoftwareMoney):
        def load_mac2(self, card: CardKeys, load: Load, mac1: bytes, *, deadline: float) -> bytes | None:
            return super().load_mac2(card, load, bytes(4) if mac1 else mac1, deadline=deadline)

    card = account(tmp_path)
    services = replace(SERVICES, money=Doubting(Secret(ROOT), tests_only=True))
    assert refused(card, LOAD, services=services).reason is Reason.CARD_NOT_GENUINE
    assert CREDIT not in card.record.instructions


def test_more_than_the_balance_is_refused_and_nothing_is_intended(tmp_path: Path) -> None:
    card = account(tmp_path)
    book = Book(card)
    error = refused(card, replace(PURCHASE, amounts=Amounts(1000_01)), intend=book)
    assert (error.reason, error.facts["status_word"]) == (Reason.BALANCE_TOO_SMALL, "9401")
    assert book.intents == []


@pytest.mark.parametrize("order", [PURCHASE, LOAD])
def test_money_is_moved_with_the_holders_pin_only(tmp_path: Path, order: Order) -> None:
    assert refused(account(tmp_path), order, None).reason is Reason.ACCESS_DENIED
    error = refused(account(tmp_path), order, Secret(b"999999"))
    assert (error.reason, error.facts["tries_left"]) == (Reason.PIN_WRONG, 5)


def test_no_money_is_moved_on_a_card_that_fails_to_prove_itself(tmp_path: Path) -> None:
    card = account(tmp_path, keys={"IRK": "00" * 16})
    assert refused(card).reason is Reason.CARD_NOT_GENUINE
    assert 0x20 not in card.record.instructions


def test_without_money_keys_an_account_is_looked_at_only(tmp_path: Path) -> None:
    card = account(tmp_path)
    assert refused(card, services=Services(software_keys(), None)).reason is Reason.PSAM_ABSENT
    assert card.record.commands == []
    assert balance(card) == 1000_00


def test_a_card_without_the_accounts_application_has_no_such_file() -> None:
    card = insert("old-jia")
    with pytest.raises(CarddError) as caught:
        read_balances(card.channel, card.insertion, None)
    assert caught.value.reason is Reason.FILE_ABSENT


@pytest.mark.parametrize("persona", ["social-jia-3.0", "p2-2.0-des"])
def test_a_card_for_use_online_says_that_its_account_is_not_in_use(persona: str) -> None:
    looks: tuple[Callable[[OpenCard], object], ...] = (
        lambda card: read_balances(card.channel, card.insertion, None),
        lambda card: read_proof(card.channel, card.insertion, None, Deed.PURCHASE, 1),
    )
    for look in looks:
        with pytest.raises(CarddError) as caught:
            look(insert(persona))
        assert (caught.value.reason, caught.value.facts["status_word"]) == (Reason.ACCOUNT_NOT_IN_USE, "6985")


def test_the_debited_card_is_the_one_that_was_meant(tmp_path: Path) -> None:
    card, other = account(tmp_path), insert("p5-offline")
    expected = identify(other.channel, other.insertion, None, DEADLINE)
    with pytest.raises(CarddError) as caught:
        debit(card.channel, card.insertion, expected, SERVICES, PURCHASE, PIN, Book(card), DEADLINE)
    assert caught.value.reason is Reason.CARD_DATA_DIFFERS
    assert 0x20 not in card.record.instructions


def test_the_records_tell_what_was_done_newest_first(tmp_path: Path) -> None:
    card = account(tmp_path)
    settle(card)
    settle(card.again(), LOAD)
    again = card.again()
    newest, before, *_ = read_debit_records(again.channel, again.insertion, None, PIN)
    assert newest.text == "0007^1^510100000001^20240506101112^50.00^0.00^0.00^"
    assert before.text == "0003^2^510100000001^20240506101112^12.50^3.00^20.00^"
    with pytest.raises(CarddError) as caught:
        read_debit_records(card.again().channel, card.insertion, None, None)
    assert caught.value.reason is Reason.ACCESS_DENIED


def test_the_card_tells_its_proof_by_a_sequence(tmp_path: Path) -> None:
    card = account(tmp_path)
    given = settle(card).certificate
    again = card.again()
    assert isinstance(given, Certificate)
    assert read_proof(again.channel, again.insertion, None, Deed.PURCHASE, 3) == given
    assert read_proof(again.channel, again.insertion, None, Deed.PURCHASE, 4) is None
    assert read_proof(again.channel, again.insertion, None, Deed.LOAD, 3) is None
