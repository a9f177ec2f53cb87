"""The engine's view of a station: which cards are in it, in which order."""

from collections.abc import Mapping
from typing import Any, cast

import pytest

from cardd.activation.counter import DeskCounter
from cardd.base.clock import SystemClock
from cardd.desk.reading import Identity, Via
from cardd.desk.stopped import StoppedKeys
from cardd.readers.config import Role
from cardd.readers.facts import ReaderState, ReaderStatus
from cardd.readers.insertion import Insertion
from cardd.wire.cards import Kind

CODE = "510100AABBCCDD01"


class Readers:
    def __init__(self, *names: str) -> None:
        self._names = names

    def views(self) -> list[ReaderStatus]:
        inside = [Insertion(f"1-{number}", name, "counter-1", b"\x3b\x00") for number, name in enumerate(self._names)]
        return [
            ReaderStatus(one.reader, one.station, one.reader, Role.COUNTER, ReaderState.PRESENT, one) for one in inside
        ]

    def stay_of(self, _insertion: str) -> None:
        return None


class Reception:
    def __init__(self, ways: Mapping[str, Via]) -> None:
        self._ways = ways

    def identity_of(self, insertion: str) -> Identity | None:
        via = self._ways.get(insertion)
        return None if via is None else Identity(Kind.SOCIAL_SECURITY, via, identification_code=CODE)


@pytest.mark.parametrize("ways", [(Via.CONTACTLESS, Via.CONTACT), (Via.CONTACT, Via.CONTACTLESS)])
def test_of_one_card_seen_by_antenna_and_by_contact_the_contact_comes_first(ways: tuple[Via, Via]) -> None:
    seen = dict(zip(("1-0", "1-1"), ways, strict=True))
    readers, reception = cast("Any", Readers("a", "b")), cast("Any", Reception(seen))
    counter = DeskCounter(readers, reception, None, StoppedKeys(), clock=SystemClock())
    first, second = counter.cards("counter-1")
    assert (seen[first.insertion], seen[second.insertion]) == (Via.CONTACT, Via.CONTACTLESS)
    assert first.identification_code == second.identification_code == CODE


def test_a_card_that_nobody_has_recognised_yet_is_not_there() -> None:
    readers, reception = cast("Any", Readers("a")), cast("Any", Reception({}))
    assert DeskCounter(readers, reception, None, StoppedKeys(), clock=SystemClock()).cards("counter-1") == []
