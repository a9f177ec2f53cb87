"""The law by which the machines judge digits: each use of them is one answer's, given for that card by whoever asks."""

import pytest
from support.typed import Part, Typed, uses

HERS, HIS = "her card", "his card"


@pytest.fixture
def typed() -> Typed:
    made = Typed()
    made.answered(HERS, "activation 1", "social_pin", "1234")
    return made


def test_an_answer_is_compared_once_and_goes_along_with_a_new_pin_once(typed: Typed) -> None:
    for part in (Part.VERIFIED, Part.CHANGED_FROM):
        typed.given(HERS, part, "1234")
        with pytest.raises(AssertionError):
            typed.given(HERS, part, "1234")


@pytest.mark.parametrize(
    ("card", "part", "digits"),
    [(HIS, Part.VERIFIED, "1234"), (HERS, Part.VERIFIED, "4321"), (HERS, Part.CHANGED_TO, "1234")],
    ids=["another card", "other digits", "another part"],
)
def test_digits_are_nobodys_for(typed: Typed, card: str, part: Part, digits: str) -> None:
    with pytest.raises(AssertionError):
        typed.given(card, part, digits)


def test_a_new_pin_is_set_or_compared_but_not_both(typed: Typed) -> None:
    typed.answered(HERS, "activation 1", "new_pin", "5678")
    typed.given(HERS, Part.CHANGED_TO, "5678")
    with pytest.raises(AssertionError):
        typed.given(HERS, Part.VERIFIED, "5678")


def test_an_old_cards_password_is_never_compared_but_may_be_set_by_the_issuer(typed: Typed) -> None:
    typed.answered(HERS, "activation 1", "old_card_password", "9999")
    typed.given(HERS, Part.RELOADED)
    with pytest.raises(AssertionError):
        typed.given(HERS, Part.VERIFIED, "9999")


def test_what_was_typed_does_not_outlive_who_asked_nor_the_next_answer_nor_the_daemon(typed: Typed) -> None:
    typed.answered(HERS, "activation 1", "social_pin", "1111")
    with pytest.raises(AssertionError):
        typed.given(HERS, Part.VERIFIED, "1234")
    typed.keep_only(["activation 2"])
    with pytest.raises(AssertionError):
        typed.given(HERS, Part.VERIFIED, "1111")
    typed.answered(HERS, "activation 2", "social_pin", "1234")
    typed.forget_all()
    with pytest.raises(AssertionError):
        typed.given(HERS, Part.VERIFIED, "1234")


def test_commands_tell_what_a_card_was_given_and_a_question_for_the_tries_gives_nothing() -> None:
    sent = map(bytes.fromhex, ["00200000", "0020000002 1234", "805E010005 1234FF5678", "8424000108" + "00" * 8])
    assert list(uses(sent)) == [
        (Part.VERIFIED, "1234"),
        (Part.CHANGED_FROM, "1234"),
        (Part.CHANGED_TO, "5678"),
        (Part.RELOADED, ""),
    ]
