"""The driver's numbers: looked up in the one table of reasons, or the card's own word."""

import pytest

from cardd.base.errors import CarddError, Fact
from cardd.base.reasons import REASONS, Reason
from cardd.driver.numbers import number_of, text_of
from cardd.driver.service import _cut, _fits
from cardd.rules.driver_errors import DRIVER_ERRORS


@pytest.mark.parametrize(
    ("reason", "facts", "number"),
    [
        (Reason.NO_CARD, {}, -2),
        (Reason.STATUS_WORD, {"status_word": "6A84"}, -27268),
        (Reason.KEY_STOPPED, {"status_word": "63C2"}, -25538),
        (Reason.KEY_STOPPED, {}, -27011),
        (Reason.PIN_WRONG, {"status_word": "63C3", "tries_left": 3}, -51),
        (Reason.PIN_LOCKED, {"status_word": "6983"}, -52),
        (Reason.PSAM_KEY_MISSING, {"key": "RKSSSE"}, -2203),
        (Reason.PSAM_KEY_MISSING, {"key": "IRK"}, -27272),
        (Reason.JOURNAL_FULL, {}, None),
    ],
)
def test_a_failure_has_the_number_of_its_reason_or_of_the_cards_word(
    reason: Reason, facts: dict[str, Fact], number: int | None
) -> None:
    error = CarddError(reason)
    error.facts = facts
    assert number_of(error) == number


def test_every_number_of_the_table_of_reasons_is_one_of_the_notice() -> None:
    own = {row.driver for row in REASONS.values() if row.driver is not None and row.driver > -2300}
    assert own <= set(DRIVER_ERRORS)


@pytest.mark.parametrize("reason", Reason)
def test_a_sentence_that_has_no_room_is_cut_between_characters(reason: Reason) -> None:
    text = text_of(CarddError(reason))
    cut = _cut(text, 64)
    assert _fits(cut, 64)
    assert text.startswith(cut)
    assert cut == text or not _fits(text[: len(cut) + 1], 64)


@pytest.mark.parametrize("reason", Reason)
def test_every_sentence_can_be_told_in_gbk(reason: Reason) -> None:
    assert text_of(CarddError(reason)).encode("gbk")


def test_an_answer_that_makes_no_sense_has_a_number_too() -> None:
    assert number_of(CarddError(Reason.STATUS_WORD)) == -4
