"""From what went wrong to the driver's number and the text in its output buffer: looked up, never decided here."""

from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import REASONS, Reason
from cardd.base.texts import render
from cardd.rules.driver_errors import driver_error
from cardd.rules.keys import KeyName

SUCCESS: Final = 0

_BY_WORD: Final = frozenset(
    {
        Reason.STATUS_WORD,
        Reason.KEY_STOPPED,
        Reason.ACCESS_DENIED,
        Reason.FILE_ABSENT,
        Reason.ACCOUNT_NOT_IN_USE,
        Reason.CARD_BLOCKED,
    }
)
"""Reasons that a card's own word says more about."""

_KEY_NOT_FOUND: Final = driver_error(0x6A88)

_NO_SENSE: Final = -4
"""A card whose answer is none that could be read counts as one that does not answer."""


class DriverFault(CarddError):  # noqa: N818 - a fault of the call, which the driver has a number for
    """Something that only the driver has a number for: how it was called."""

    def __init__(self, number: int, text_code: str, detail: str = "") -> None:
        super().__init__(Reason.INVALID, detail)
        self.number = number
        self.in_words(text_code)


def unsupported(detail: str) -> DriverFault:
    """Return the fault of a function that is not there."""
    return DriverFault(-13, "driver_unsupported", detail)


def data_illegal(detail: str) -> DriverFault:
    """Return the fault of data that cannot be written."""
    return DriverFault(-23, "driver_data_illegal", detail)


def data_characters(detail: str) -> DriverFault:
    """Return the fault of data with a character that separates data."""
    return DriverFault(-41, "driver_data_characters", detail)


def data_length(detail: str) -> DriverFault:
    """Return the fault of data that have no room."""
    return DriverFault(-42, "driver_data_length", detail)


def debited_before(detail: str) -> DriverFault:
    """Return the fault of a bill that was paid, as it turns out, when it was asked for before."""
    return DriverFault(driver_error(0x6985), "driver_debited_before", detail)


def unknown_before(detail: str) -> DriverFault:
    """Return the fault of a write that nobody knows the end of, and nobody can read."""
    return DriverFault(driver_error(0x6982), "driver_unknown_before", detail)


def number_of(error: CarddError) -> int | None:
    """Return the driver's number of a failure, None where it has none: the failure is not the card's or the caller's.

    A card's refusal is its negated status word. A key that a security module lacks is -2203 if it is RKSSSE, else the
    number of 6A88.
    """
    if isinstance(error, DriverFault):
        return error.number
    word = error.facts.get("status_word")
    if error.reason is Reason.STATUS_WORD and word is None:
        return _NO_SENSE
    if error.reason in _BY_WORD and isinstance(word, str):
        return driver_error(int(word, 16))
    if error.reason is Reason.PSAM_KEY_MISSING and error.facts.get("key", KeyName.RKSSSE) != KeyName.RKSSSE:
        return _KEY_NOT_FOUND
    return REASONS[error.reason].driver


def text_of(error: CarddError) -> str:
    """Return the sentence for the output buffer, with the tries left or the status word where there is one."""
    if error.reason is Reason.PIN_WRONG and "tries_left" in error.facts:
        return render("social_pin_again", error.facts)["zh-CN"]
    text = render(error.text_code or error.reason, error.facts)["zh-CN"]
    word = error.facts.get("status_word")
    return f"{text}（{word}）" if isinstance(word, str) and error.reason is Reason.STATUS_WORD else text
