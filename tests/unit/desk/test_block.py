"""Blocking for good: applications and the whole card, in-process, on cards of every algorithm."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.cards import DEADLINE, OpenCard, altered, answered_instead, insert, pulled_after, software_keys

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.desk.block import block_application, block_card
from cardd.desk.identify import identify
from cardd.desk.read import read_card
from cardd.desk.reading import Identity
from cardd.desk.stopped import StoppedKeys
from cardd.rules.keys import KeyName

APPLICATION_BLOCK, CARD_BLOCK, EXTERNAL_AUTHENTICATION = 0x1E, 0x16, 0x82
CARDS = pytest.mark.parametrize(
    ("persona", "interface"),
    [("social-bing-2.0", "contact"), ("social-jia-3.0", "contact"), ("social-jia-3.0", "contactless")],
)


def made(directory: Path, persona: str, interface: str = "contact", **own: str) -> OpenCard:
    keys = {"root": "00112233445566778899AABBCCDDEEFF", "stk_root": "0123456789ABCDEF"}
    return insert(altered(directory, persona, keys=keys | own), interface)


def identity_of(card: OpenCard) -> Identity:
    return identify(card.channel, card.insertion, software_keys(), DEADLINE)


def block(
    card: OpenCard, application: str, identity: Identity | None = None, stopped: StoppedKeys | None = None
) -> None:
    known = identity or identity_of(card)
    block_application(
        card.channel, card.insertion, software_keys(), known, application, DEADLINE, stopped=stopped or StoppedKeys()
    )


def block_all(card: OpenCard, identity: Identity | None = None) -> None:
    known = identity or identity_of(card)
    block_card(card.channel, card.insertion, software_keys(), known, DEADLINE, stopped=StoppedKeys())


def read(card: OpenCard, files: str) -> None:
    read_card(card.channel, card.insertion, software_keys(), None, DEADLINE, files, stopped=StoppedKeys())


def error_of(deed: Callable[[], object]) -> CarddError:
    with pytest.raises(CarddError) as caught:
        deed()
    return caught.value


@CARDS
@pytest.mark.parametrize(("own", "other"), [("DF03EF05|61|$", "DF04EF05|84|$"), ("DF04EF05|84|$", "DF03EF07|71|$")])
def test_a_blocked_application_stays_blocked_and_the_others_serve(
    tmp_path: Path, persona: str, interface: str, own: str, other: str
) -> None:
    card = made(tmp_path, persona, interface)
    block(card, own[:4])
    error = error_of(lambda: read(card.again(), own))
    assert (error.reason, error.facts["status_word"]) == (Reason.CARD_BLOCKED, "9303")
    read(card.again(), other)


@CARDS
def test_a_blocked_environment_is_a_blocked_card(tmp_path: Path, persona: str, interface: str) -> None:
    card = made(tmp_path, persona, interface)
    block(card, "SSSE")
    assert error_of(lambda: identity_of(card.again())).reason is Reason.CARD_BLOCKED


@CARDS
def test_a_blocked_card_answers_nothing_any_more(tmp_path: Path, persona: str, interface: str) -> None:
    card = made(tmp_path, persona, interface)
    block_all(card)
    error = error_of(lambda: identity_of(card.again()))
    assert (error.reason, error.facts["status_word"]) == (Reason.CARD_BLOCKED, "6A81")


def test_blocking_again_comes_to_the_same_and_needs_no_key(tmp_path: Path) -> None:
    card = made(tmp_path, "social-jia-3.0")
    block(card, "DF04")
    again = card.again()
    again.record.commands.clear()
    block(again, "DF04")
    assert EXTERNAL_AUTHENTICATION not in again.record.instructions


def test_an_application_without_a_lock_key_is_refused_before_the_card_is_touched(tmp_path: Path) -> None:
    card = made(tmp_path, "social-jia-3.0")
    identity = identity_of(card)
    card.record.commands.clear()
    assert error_of(lambda: block(card, "DF01", identity)).reason is Reason.INVALID
    assert card.record.commands == []


def test_another_card_is_not_blocked(tmp_path: Path) -> None:
    identity = identity_of(insert("social-jia-3.0"))
    other = made(tmp_path, "social-yi-3.0")
    assert error_of(lambda: block(other, "DF04", identity)).reason is Reason.CARD_DATA_DIFFERS
    assert error_of(lambda: block_all(other, identity)).reason is Reason.CARD_DATA_DIFFERS
    assert not {APPLICATION_BLOCK, CARD_BLOCK} & set(other.record.instructions)


def test_the_lock_key_of_the_application_is_used_and_stopped_when_it_is_refused(tmp_path: Path) -> None:
    stopped = StoppedKeys()
    card = made(tmp_path, "social-jia-3.0", LKDF04="FF" * 16)
    error = error_of(lambda: block(card, "DF04", stopped=stopped))
    assert error.reason is Reason.KEY_STOPPED
    assert error.facts["application"] == "DF04"
    assert stopped.of("desk") == (KeyName.LKDF04,)
    assert APPLICATION_BLOCK not in card.record.instructions


def test_a_card_that_says_done_and_is_not_blocked_is_told(tmp_path: Path) -> None:
    card = made(tmp_path, "social-jia-3.0")
    identity = identity_of(card)
    answered_instead(card, {APPLICATION_BLOCK: b"\x90\x00"})
    error = error_of(lambda: block(card, "DF04", identity))
    assert (error.reason, error.facts["status_word"]) == (Reason.STATUS_WORD, "9000")


def test_a_wrong_message_blocks_nothing(tmp_path: Path) -> None:
    card = made(tmp_path, "social-jia-3.0", STKDF04="FF" * 16)
    assert error_of(lambda: block(card, "DF04")).facts["status_word"] == "6988"
    read(card.again(), "DF04EF05|84|$")


@pytest.mark.parametrize("commands", range(15))
def test_a_block_that_was_torn_anywhere_is_completed_by_blocking_again(tmp_path: Path, commands: int) -> None:
    card = made(tmp_path, "social-jia-3.0", "contactless")
    identity = identity_of(card)
    torn = pulled_after(card, commands)
    assert error_of(lambda: block(torn, "DF03", identity)).reason is Reason.CARD_REMOVED
    block(card.again(), "DF03", identity)
    assert error_of(lambda: read(card.again(), "DF03EF05|61|$")).reason is Reason.CARD_BLOCKED
