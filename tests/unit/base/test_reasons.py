import string

import pytest

from cardd.base.errors import CarddError
from cardd.base.reasons import REASONS, Reason, Retry
from cardd.base.texts import TEXTS, render


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_row_with_a_sentence_in_both_languages(reason: Reason) -> None:
    row = REASONS[reason]
    assert row.en.endswith(".")
    assert row.zh.endswith("。")
    assert row.driver is None or row.driver < 0


def test_every_text_names_the_same_arguments_in_both_languages() -> None:
    for code, (en, zh) in TEXTS.items():
        names = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in (en, zh)]
        assert names[0] == names[1], code


def test_no_code_is_both_a_text_and_a_reason() -> None:
    assert not set(TEXTS) & set(Reason.__members__)


def test_a_text_is_rendered_with_its_arguments() -> None:
    text = render("social_pin_again", {"tries_left": 2})
    assert "2 tries" in text["en"]
    assert "2次" in text["zh-CN"]


def test_a_missing_argument_or_an_unknown_code_breaks_nothing() -> None:
    assert "?" in render("social_pin_again")["en"]
    assert render("code_of_tomorrow") == {"en": "code_of_tomorrow", "zh-CN": "code_of_tomorrow"}


def test_a_reason_is_a_code_too() -> None:
    assert render("NO_CARD")["zh-CN"] == REASONS[Reason.NO_CARD].zh


def test_an_error_tells_a_client_what_happened_and_what_to_do_next() -> None:
    error = CarddError(Reason.PIN_WRONG, "VERIFY answered 63C2", retry_after_ms=5, tries_left=2)
    data = error.data()
    assert data["reason"] == "PIN_WRONG"
    assert data["retry"] == Retry.NOW
    assert data["retry_after_ms"] == 5
    assert data["tries_left"] == 2
    assert data["text"] == {"en": REASONS[Reason.PIN_WRONG].en, "zh-CN": REASONS[Reason.PIN_WRONG].zh}
