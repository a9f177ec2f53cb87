from collections.abc import Callable
from pathlib import Path

import pytest
from support.cards import (
    DEADLINE,
    OpenCard,
    RefusingKeys,
    altered,
    answered_instead,
    insert,
    pulled_after,
    software_keys,
)

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.desk.identify import identify
from cardd.desk.pin import change_pin, query_pin, reload_pin, unblock_pin, verify_pin
from cardd.desk.pin_block import pin_block
from cardd.desk.reading import Identity
from cardd.desk.stopped import StoppedKeys

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


# -- change, reload, unblock

CHANGE_PIN, RELOAD, EXTERNAL_AUTHENTICATION = 0x5E, 0x24, 0x82
NEW = Secret(b"8765432")
CARDS = pytest.mark.parametrize(
    ("persona", "interface"),
    [
        ("social-ding-1.0", "contact"),
        ("social-bing-2.0", "contact"),
        ("social-jia-3.0", "contact"),
        ("social-jia-3.0", "contactless"),
    ],
)


def known(directory: Path, persona: str, interface: str = "contact", **changes: object) -> OpenCard:
    """Make a card whose PIN is 123456 and that can take secure messages."""
    keys = {"root": "00112233445566778899AABBCCDDEEFF", "stk_root": "0123456789ABCDEF"} | changes.pop("keys", {})  # type: ignore[operator]
    return insert(altered(directory, persona, **{"pin": "123456", "keys": keys} | changes), interface)


def change(card: OpenCard, old: Secret | None, new: Secret, identity: Identity | None = None) -> None:
    change_pin(card.channel, card.insertion, identity or expected(card), old, new)


def reload(card: OpenCard, new: Secret, identity: Identity | None = None, **how: object) -> None:
    given = {"keys": software_keys(), "stopped": StoppedKeys()} | how
    reload_pin(
        card.channel,
        card.insertion,
        given["keys"],  # type: ignore[arg-type]
        identity or expected(card),
        new,
        DEADLINE,
        stopped=given["stopped"],  # type: ignore[arg-type]
    )


def unblock(card: OpenCard, **how: object) -> int:
    given = {"keys": software_keys(), "stopped": StoppedKeys()} | how
    return unblock_pin(
        card.channel,
        card.insertion,
        given["keys"],  # type: ignore[arg-type]
        expected(card),
        DEADLINE,
        stopped=given["stopped"],  # type: ignore[arg-type]
    )


def error_of(deed: Callable[[], object]) -> CarddError:
    with pytest.raises(CarddError) as caught:
        deed()
    return caught.value


@CARDS
def test_after_a_change_the_new_pin_holds_and_the_old_one_does_not(
    tmp_path: Path, persona: str, interface: str
) -> None:
    card = known(tmp_path, persona, interface)
    refusal(card, WRONG)
    change(card, RIGHT, NEW)
    assert tries(card.again()) == 6
    verify(card.again(), NEW)
    assert refusal(card.again(), RIGHT).reason is Reason.PIN_WRONG


def test_a_change_with_the_wrong_old_pin_costs_one_try_and_is_sent_once(tmp_path: Path) -> None:
    card = known(tmp_path, "social-jia-3.0")
    error = error_of(lambda: change(card, WRONG, NEW))
    assert (error.reason, error.facts["tries_left"]) == (Reason.PIN_WRONG, 5)
    assert card.record.instructions.count(CHANGE_PIN) == 1
    verify(card.again(), RIGHT)


def test_a_card_without_a_pin_gets_its_first_one(tmp_path: Path) -> None:
    card = known(tmp_path, "social-jia-3.0", pin="")
    change(card, None, NEW)
    verify(card.again(), NEW)


@pytest.mark.parametrize(("old", "new"), [(Secret(b"123"), NEW), (RIGHT, Secret(b"12x4")), (RIGHT, Secret(b""))])
def test_a_change_to_what_is_no_pin_never_reaches_the_card(old: Secret, new: Secret) -> None:
    card = insert("social-jia-3.0")
    assert error_of(lambda: change(card, old, new)).reason is Reason.PIN_LENGTH
    assert card.record.commands == []


def test_another_cards_pin_is_not_changed() -> None:
    identity = expected(insert("social-jia-3.0"))
    other = insert("social-yi-3.0")
    assert error_of(lambda: change(other, RIGHT, NEW, identity)).reason is Reason.CARD_DATA_DIFFERS
    assert error_of(lambda: reload(other, NEW, identity)).reason is Reason.CARD_DATA_DIFFERS
    assert not {CHANGE_PIN, RELOAD, EXTERNAL_AUTHENTICATION} & set(other.record.instructions)


@CARDS
@pytest.mark.parametrize("new", [b"1357", b"8765432", b"1234567890123456"])
def test_a_locked_pin_is_reloaded(tmp_path: Path, persona: str, interface: str, new: bytes) -> None:
    card = known(tmp_path, persona, interface, pin_tries=1)
    refusal(card, WRONG)
    assert tries(card.again()) == 0
    reload(card.again(), Secret(new))
    assert tries(card.again()) == 1
    verify(card.again(), Secret(new))


@CARDS
def test_an_unblocked_pin_is_the_old_one_with_all_its_tries(tmp_path: Path, persona: str, interface: str) -> None:
    card = known(tmp_path, persona, interface)
    refusal(card, WRONG)
    assert unblock(card.again()) == 6
    verify(card.again(), RIGHT)


def test_the_right_is_proved_before_a_fresh_challenge_for_the_message(tmp_path: Path) -> None:
    card = known(tmp_path, "social-jia-3.0", "contactless")
    reload(card, NEW)
    assert card.record.instructions[-4:] == [0x84, EXTERNAL_AUTHENTICATION, 0x84, RELOAD]
    assert [(command.cla, command.p2, len(command.data)) for command in card.record.commands[-1:]] == [(0x84, 1, 20)]


def test_a_refused_right_is_stopped_and_the_next_card_is_spared(tmp_path: Path) -> None:
    stopped = StoppedKeys()
    card = known(tmp_path, "social-jia-3.0", keys={"PUK": "FF" * 16})
    assert error_of(lambda: reload(card, NEW, stopped=stopped)).reason is Reason.KEY_STOPPED
    assert RELOAD not in card.record.instructions
    other = insert("social-yi-3.0")
    assert error_of(lambda: unblock(other, stopped=stopped)).reason is Reason.KEY_STOPPED
    assert EXTERNAL_AUTHENTICATION not in other.record.instructions


def test_a_message_that_the_card_does_not_take_is_told_by_its_word(tmp_path: Path) -> None:
    card = known(tmp_path, "social-jia-3.0", keys={"STKSSSE": "FF" * 16})
    error = error_of(lambda: reload(card, NEW))
    assert (error.reason, error.facts["status_word"]) == (Reason.STATUS_WORD, "6988")
    assert card.record.instructions.count(RELOAD) == 1
    verify(card.again(), RIGHT)


def test_a_forged_card_gets_no_new_pin() -> None:
    card = insert("social-fake-3.0")
    assert error_of(lambda: reload(card, NEW)).reason is Reason.CARD_NOT_GENUINE
    assert not {RELOAD, EXTERNAL_AUTHENTICATION} & set(card.record.instructions)


@pytest.mark.parametrize("reason", [Reason.PSAM_ABSENT, Reason.PSAM_KEY_MISSING])
def test_without_the_module_nothing_is_reloaded(reason: Reason) -> None:
    card = insert("social-jia-3.0")
    assert error_of(lambda: reload(card, NEW, keys=RefusingKeys(reason))).reason is reason
    assert RELOAD not in card.record.instructions


def test_a_card_without_a_pin_has_none_to_unblock(tmp_path: Path) -> None:
    card = known(tmp_path, "social-jia-3.0", pin="")
    assert error_of(lambda: unblock(card)).reason is Reason.RECORD_ABSENT


@pytest.mark.parametrize("commands", range(13))
def test_a_reload_that_was_torn_anywhere_is_completed_by_reloading_again(tmp_path: Path, commands: int) -> None:
    card = known(tmp_path, "social-jia-3.0", "contactless")
    identity = expected(card)
    torn = pulled_after(card, commands)
    error = error_of(lambda: reload(torn, NEW, identity))
    assert error.reason is Reason.CARD_REMOVED
    reload(card.again(), NEW, identity)
    verify(card.again(), NEW)
