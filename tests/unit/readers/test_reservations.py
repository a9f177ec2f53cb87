import pytest

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.readers.reservations import Reservations


def test_a_station_has_one_holder_at_a_time() -> None:
    stations = Reservations(["one", "two"])
    stations.reserve("one", "a-1")
    stations.reserve("one", "a-1")
    stations.reserve("two", "a-2")
    with pytest.raises(CarddError) as caught:
        stations.reserve("one", "a-2")
    assert caught.value.reason is Reason.BUSY
    assert (stations.holder("one"), stations.holder("two")) == ("a-1", "a-2")


def test_only_the_holder_lets_go() -> None:
    stations = Reservations(["one"])
    stations.reserve("one", "a-1")
    stations.release("one", "a-2")
    assert stations.holder("one") == "a-1"
    stations.release("one", "a-1")
    stations.release("one", "a-1")
    assert stations.holder("one") is None
    stations.reserve("one", "a-2")


def test_a_station_that_is_not_there_cannot_be_held() -> None:
    with pytest.raises(CarddError) as caught:
        Reservations(["one"]).reserve("two", "a-1")
    assert caught.value.reason is Reason.NOT_FOUND
