"""What is told of a service that is away, and how often."""

from itertools import pairwise

from cardd.base.reasons import Reason
from cardd.pcsc.service import TELL_AGAIN_S, Absence

GONE = (Reason.PCSC_UNAVAILABLE, "")
OTHER = (Reason.PCSC_UNAVAILABLE, "pcsc_other_version")
DENIED = (Reason.PCSC_DENIED, "")


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_each_reason_is_news_at_once_and_no_news_the_next_time() -> None:
    absence = Absence(Seconds())
    assert [absence.is_news(*word) for word in (GONE, GONE, OTHER, DENIED, DENIED)] == [True, False, True, True, False]


def test_reasons_that_alternate_are_news_once_a_minute_and_no_oftener() -> None:
    seconds = Seconds()
    absence = Absence(seconds)
    told = []
    for half in range(int(10 * TELL_AGAIN_S * 2)):
        seconds.now = half / 2
        told += [seconds.now] * absence.is_news(*(GONE, DENIED)[half % 2])
    assert told[:2] == [0.0, 0.5]
    assert 8 <= len(told) <= 11
    assert all(later - earlier >= TELL_AGAIN_S for earlier, later in pairwise(told[1:]))


def test_a_reason_that_stays_is_told_in_the_end_and_then_no_more() -> None:
    seconds = Seconds()
    absence = Absence(seconds)
    for word in (GONE, DENIED, GONE):
        absence.is_news(*word)
    seconds.now = TELL_AGAIN_S
    assert [absence.is_news(*GONE), absence.is_news(*GONE)] == [True, False]
    seconds.now *= 100
    assert not absence.is_news(*GONE)
