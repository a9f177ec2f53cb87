from collections.abc import Callable

import pytest

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.readers.holds import Holds, Lease
from cardd.readers.insertion import Insertion

FIRST = Insertion("7-1", "front", "one", b"\x3b\x0a")
SECOND = Insertion("7-2", "antenna", "one", b"\x3b\x0b")
ELSEWHERE = Insertion("7-3", "far", "two", b"\x3b\x0c")


def lease(name: str, insertion: Insertion = FIRST) -> Lease:
    return Lease(name, insertion, 1010.0)


def holds() -> Holds:
    return Holds(["one", "two"])


def refusal(call: Callable[[], object]) -> Reason:
    with pytest.raises(CarddError) as caught:
        call()
    return caught.value.reason


def test_a_station_has_one_holder_at_a_time() -> None:
    table = holds()
    table.reserve("one", "a-1")
    table.reserve("one", "a-1")
    table.reserve("two", "a-2")
    assert refusal(lambda: table.reserve("one", "a-2")) is Reason.BUSY
    assert (table.holder("one"), table.holder("two")) == ("a-1", "a-2")


def test_only_the_holder_lets_a_station_go() -> None:
    table = holds()
    table.reserve("one", "a-1")
    assert not table.release("one", "a-2")
    assert table.holder("one") == "a-1"
    assert table.release("one", "a-1")
    assert not table.release("one", "a-1")
    assert table.holder("one") is None
    table.reserve("one", "a-2")


def test_a_station_that_is_not_there_cannot_be_held() -> None:
    assert refusal(lambda: holds().reserve("three", "a-1")) is Reason.NOT_FOUND


def test_a_card_is_leased_once_at_a_time_also_to_the_same_connection() -> None:
    table = holds()
    table.lease(lease("l-1"), "c-1")
    for holder in ("c-1", "c-2"):
        assert refusal(lambda holder=holder: table.lease(lease("l-2"), holder)) is Reason.LEASE_HELD  # type: ignore[misc]
    table.lease(lease("l-3", SECOND), "c-2")
    assert table.end("l-1") == lease("l-1")
    assert table.end("l-1") is None
    table.lease(lease("l-4"), "c-2")
    assert [one.id for one in table.leases_of("c-2")] == ["l-3", "l-4"]


def test_a_lease_is_its_holders_alone() -> None:
    table = holds()
    table.lease(lease("l-1"), "c-1")
    assert table.leased("l-1", "c-1") == table.leased("l-1") == table.lease_of("7-1")
    assert refusal(lambda: table.leased("l-1", "c-2")) is Reason.LEASE_LOST
    assert refusal(lambda: table.renew("l-1", "c-2", 2000.0)) is Reason.LEASE_LOST
    assert table.renew("l-1", "c-1", 2000.0).expires == table.leased("l-1").expires == 2000.0
    assert refusal(lambda: table.renew("l-2", "c-1", 2000.0)) is Reason.LEASE_LOST


def test_a_held_station_and_a_lease_of_a_card_in_it_exclude_each_other() -> None:
    table = holds()
    table.reserve("one", "a-1")
    assert refusal(lambda: table.lease(lease("l-1"), "c-1")) is Reason.BUSY
    table.lease(lease("l-2", ELSEWHERE), "c-1")
    assert refusal(lambda: table.reserve("two", "a-2")) is Reason.LEASE_HELD
    table.end("l-2")
    table.reserve("two", "a-2")


def test_a_deed_under_a_lease_holds_the_station_unless_another_connection_leases_a_card_there() -> None:
    table = holds()
    table.lease(lease("l-1"), "c-1")
    table.reserve("one", "request 1", lease="l-1")
    assert refusal(lambda: table.reserve("one", "request 2", lease="l-1")) is Reason.BUSY
    table.release("one", "request 1")
    table.lease(lease("l-2", SECOND), "c-2")
    assert refusal(lambda: table.reserve("one", "request 3", lease="l-1")) is Reason.LEASE_HELD
    table.end("l-1")
    assert refusal(lambda: table.reserve("one", "request 4", lease="l-1")) is Reason.LEASE_LOST


def test_a_reader_is_lent_to_one_program_at_a_time_and_only_that_gives_it_back() -> None:
    table = holds()
    table.lend("front", "one", None, "c-1")
    table.lend("front", "one", None, "c-1")
    assert refusal(lambda: table.lend("front", "one", None, "c-2")) is Reason.READER_IN_USE
    assert not table.take_back("front", "c-2")
    assert table.lent_to("c-1") == ["front"]
    assert table.take_back("front", "c-1")
    assert not table.take_back("front", "c-1")
    table.lend("front", "one", None, "c-2")


def test_what_is_held_is_not_lent_and_what_is_lent_is_not_held() -> None:
    table = holds()
    table.reserve("one", "a-1")
    assert refusal(lambda: table.lend("front", "one", "7-1", "c-1")) is Reason.BUSY
    table.release("one", "a-1")
    table.lease(lease("l-1"), "c-1")
    assert refusal(lambda: table.lend("front", "one", "7-1", "c-1")) is Reason.LEASE_HELD
    # the card of another reader is none of the program's business
    table.lend("antenna", "one", "7-2", "c-2")
    table.end("l-1")
    assert refusal(lambda: table.reserve("one", "a-1")) is Reason.READER_IN_USE
    table.reserve("two", "a-1")
    table.take_back("antenna", "c-2")
    table.reserve("one", "a-1")


def test_a_job_is_held_against_the_lease_of_its_card() -> None:
    table = holds()
    table.admit("7-1", None)
    table.lease(lease("l-1"), "c-1")
    table.admit("7-1", "l-1")
    table.admit("7-2", None)
    assert refusal(lambda: table.admit("7-1", None)) is Reason.LEASE_HELD
    assert refusal(lambda: table.admit("7-2", "l-1")) is Reason.INVALID
    table.end("l-1")
    assert refusal(lambda: table.admit("7-1", "l-1")) is Reason.LEASE_LOST
    table.admit("7-1", None)
