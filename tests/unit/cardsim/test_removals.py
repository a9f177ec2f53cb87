"""What a laboratory takes for a removal, from what its pcscd shows."""

import pytest

from cardsim.lab import _is_out
from cardsim.pcsclite import ReaderView


def shown(counter: int, *, present: bool) -> ReaderView:
    return ReaderView("Cardsim 0 00 00", counter, present, b"\x3b\x00" if present else b"")


@pytest.mark.parametrize("inside_at_start", [0, 1], ids=["put in later", "inside when pcscd started"])
def test_a_torn_card_is_out_once_its_removal_is_counted(inside_at_start: int) -> None:
    taken = shown(3 + inside_at_start, present=True)
    assert not _is_out(taken, taken)
    # a reset has met nobody, and pcscd has not looked for itself yet
    assert not _is_out(taken, shown(taken.counter, present=False))
    assert _is_out(taken, shown(taken.counter + 1, present=False))


def test_a_card_that_was_never_shown_is_out_when_the_count_is_that_of_an_empty_reader() -> None:
    assert _is_out(None, shown(0, present=False))
    assert _is_out(shown(2, present=False), shown(2, present=False))
    assert not _is_out(None, shown(1, present=False))
