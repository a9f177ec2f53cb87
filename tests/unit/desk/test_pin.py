from pathlib import Path

import pytest
from support.cards import DEADLINE, OpenCard, altered, answered_instead, insert

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.desk.identify import identify
from cardd.desk.pin import query_pin, verify_pin
from cardd.desk.pin_block import pin_block
from cardd.desk.reading import Identity

VERIFY = 0x20
RIGHT, WRONG = Secret(b"123456"), Secret(b"654321")
WAYS = pytest.mark.parametrize("interface", ["contact", "contactless"])


def expected(card: OpenCard) -> Identity:
    found = identify(card.channel, card.insertion, None, DEADLINE)
    card.record.commands.clear()
    return found


def verify(card: OpenCard, pin: Secret, identity: Identity | None = None) -> None:
    verify_pin(card.channel, card.insertion, identity or expected(card), pin)


def refusal(card: OpenCard, pin: Secret, identity: Identity | None = None) -> CarddError:
    with pytest.raises(CarddError) as caught:
        verify(card, pin, identity)
    return caught.value


def tries(card: OpenCard) -> int | None:
    return query_pin(card.channel, card.insertion, expected(card))


@pytest.mark.parametrize(
    ("digits", "block"),
    [
        (b"1234", "1234"),
        (b"12345", "12345f"),
        (b"123456", "123456"),
        (b"123456789012345", "123456789012345f"),
        (b"1234567890123456", "1234567890123456"),
    ],
)
def test_digits_are_packed_and_an_odd_last_one_stands_beside_f(digits: bytes, block: str) -> None:
    assert pin_block(Secret(digits)).reveal().hex() == block


@pytest.mark.parametrize("digits", [b"", b"123", b"1" * 17, b"12345a", b"12 456", "１２３４".encode()])
def test_what_is_no_pin_never_reaches_the_card(digits: bytes) -> None:
    card = insert("social-jia-3.0")
    assert refusal(card, Secret(digits)).reason is Reason.PIN_LENGTH
    assert card.record.commands == []


@WAYS
def test_the_right_pin_is_accepted_after_the_card_was_recognised_again(interface: str) -> None:
    card = insert("social-jia-3.0", interface)
    verify(card, RIGHT)
    assert card.record.instructions.count(VERIFY) == 1
    assert card.record.instructions[-1] == VERIFY
    assert card.channel.rights_gained


@WAYS
def test_a_wrong_pin_costs_one_try_and_is_sent_once(interface: str) -> None:
    card = insert("social-jia-3.0", interface)
    error = refusal(card, WRONG)
    assert (error.reason, error.facts["tries_left"]) == (Reason.PIN_WRONG, 5)
    assert card.record.instructions.count(VERIFY) == 1


@WAYS
def test_asking_for_the_tries_costs_none(interface: str) -> None:
    card = insert("social-jia-3.0", interface)
    assert [tries(card), tries(card)] == [6, 6]
    refusal(card, WRONG)
    assert tries(card) == 5


def test_the_last_try_locks_the_pin_and_so_it_stays(tmp_path: Path) -> None:
    card = insert(altered(tmp_path, "social-jia-3.0", pin_tries=2))
    assert refusal(card, WRONG).reason is Reason.PIN_WRONG
    last = refusal(card, WRONG)
    assert (last.reason, last.facts["tries_left"]) == (Reason.PIN_LOCKED, 0)
    assert refusal(card, RIGHT).reason is Reason.PIN_LOCKED
    assert tries(card) == 0


def test_a_card_without_a_pin_has_no_tries(tmp_path: Path) -> None:
    assert tries(insert(altered(tmp_path, "social-jia-3.0", pin=""))) is None


def test_a_query_that_the_card_refuses_is_no_number_of_tries() -> None:
    card = insert("social-jia-3.0")
    identity = expected(card)
    answered_instead(card, {VERIFY: b"\x6d\x00"})
    with pytest.raises(CarddError) as caught:
        query_pin(card.channel, card.insertion, identity)
    assert (caught.value.reason, caught.value.facts["status_word"]) == (Reason.STATUS_WORD, "6D00")


@pytest.mark.parametrize("other", ["social-yi-3.0", "old-jia", "psam"])
def test_another_card_never_sees_the_pin(other: str) -> None:
    identity = expected(insert("social-jia-3.0"))
    card = insert(other)
    assert refusal(card, RIGHT, identity).reason is Reason.CARD_DATA_DIFFERS
    assert VERIFY not in card.record.instructions


def test_the_pin_is_in_no_error() -> None:
    assert "654321" not in str(refusal(insert("social-jia-3.0"), WRONG))
