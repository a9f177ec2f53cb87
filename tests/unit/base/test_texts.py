"""Every sentence that a clerk may read, in both languages."""

import string

import pytest

from cardd.activation.moves import Move
from cardd.activation.routes import TABLES
from cardd.base.reasons import REASONS, Reason
from cardd.base.texts import TEXTS, render
from cardd.desk.prompts import Purpose
from cardd.wire.activation import Outcome

PAIRS = {**TEXTS, **{str(reason): (row.en, row.zh) for reason, row in REASONS.items()}}

FAILURES: dict[str, tuple[str, ...]] = {
    "the name differs from the register": ("NAME_DIFFERS",),
    "the identity number differs from the register": ("NUMBER_DIFFERS",),
    "the identity document is somebody else's": ("DOCUMENT_DIFFERS",),
    "the old card is another person's": ("OTHER_PERSON",),
    "the card is active already": ("already_active",),
    "the card is lost or void": ("CARD_LOST", "CARD_VOID"),
    "the card has expired": ("CARD_EXPIRED",),
    "the old card is lost, void or frozen": ("OLD_CARD_LOST", "OLD_CARD_VOID", "OLD_CARD_FROZEN"),
    "the old card cannot be read": ("OLD_CARD_UNREADABLE",),
    "the old password is wrong": ("old_card_password_again", "OLD_PASSWORD_WRONG", "OLD_PASSWORD_LOCKED"),
    "the PIN is wrong or locked": ("social_pin_again", "PIN_WRONG", "PIN_LOCKED"),
    "the card does not prove itself": ("CARD_NOT_GENUINE",),
    "there is no network": ("AUTHORITY_UNAVAILABLE",),
    "power or answer is lost after the commit": ("in_doubt", "same_card_again", "secret_lost"),
    "the card is another city's": ("OTHER_REGION",),
    "a PIN change is torn": ("pin_torn", "pin_not_changed", "activated_update_pending"),
}
"""What goes wrong in activations, and the codes by which a clerk is told."""


def moves() -> list[Move]:
    return [move for table in TABLES.values() for row in table.moves.values() for move in row.values()]


def names(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


def chinese(sentence: str) -> bool:
    return any("\u4e00" <= character <= "\u9fff" for character in sentence)


@pytest.mark.parametrize("code", PAIRS)
def test_a_sentence_says_the_same_in_both_languages(code: str) -> None:
    en, zh = PAIRS[code]
    assert en.endswith(".")
    assert en.isascii()
    assert zh.endswith("。")
    assert chinese(zh)
    assert names(en) == names(zh)


@pytest.mark.parametrize("failure", FAILURES)
def test_what_goes_wrong_has_a_sentence_in_both_languages(failure: str) -> None:
    for code in FAILURES[failure]:
        text = render(code, {"tries_left": 2})
        assert set(text) == {"en", "zh-CN"}
        assert code not in text.values()
        assert ("2" in text["zh-CN"]) == ("tries_left" in names(PAIRS[code][0]))


@pytest.mark.parametrize("failure", FAILURES)
def test_what_goes_wrong_can_be_said_by_a_route_or_by_the_centre(failure: str) -> None:
    said = {move.say for move in moves()} | {str(outcome) for outcome in Outcome} | {str(reason) for reason in Reason}
    assert set(FAILURES[failure]) <= said


def test_every_prompt_has_a_sentence() -> None:
    assert {move.say for move in moves() if move.ask is not None} <= set(TEXTS)
    assert {str(purpose) for purpose in Purpose} <= set(TEXTS)


def test_every_end_has_a_sentence() -> None:
    assert {"completed", *map(str, set(Outcome) - {Outcome.ACTIVATED})} <= set(TEXTS)


def test_no_refusal_that_a_person_can_do_something_about_leaves_out_what() -> None:
    remedy = ("Send ", "Ask ", "ask ", "Keep ", "try again", "Insert ", "instead", "only there", "begin again")
    codes = [code for codes in FAILURES.values() for code in codes if code in Reason.__members__]
    assert [code for code in codes if not any(word in PAIRS[code][0] for word in remedy)] == []


def test_what_nobody_knows_is_shown_as_it_is() -> None:
    assert render("a code of tomorrow") == {"en": "a code of tomorrow", "zh-CN": "a code of tomorrow"}
    assert "?" in render("social_pin_again")["en"]
