from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.desk.stopped import StoppedKeys
from cardd.rules.keys import KeyName


def stopped_on(keys: StoppedKeys, station: str, key: KeyName) -> bool:
    try:
        keys.check(station, key)
    except CarddError as error:
        return error.reason is Reason.KEY_STOPPED
    return False


def test_a_key_is_stopped_by_station_and_by_name() -> None:
    keys = StoppedKeys()
    keys.stop("desk", KeyName.RKSSSE)
    assert stopped_on(keys, "desk", KeyName.RKSSSE)
    assert not stopped_on(keys, "desk", KeyName.UKSSSE)
    assert not stopped_on(keys, "other", KeyName.RKSSSE)


def test_a_stop_is_told_once() -> None:
    told: list[tuple[str, KeyName]] = []
    keys = StoppedKeys(lambda station, key: told.append((station, key)))
    keys.stop("desk", KeyName.RKSSSE)
    keys.stop("desk", KeyName.RKSSSE)
    assert told == [("desk", KeyName.RKSSSE)]


def test_clearing_a_station_lifts_all_of_its_stops_and_no_others() -> None:
    keys = StoppedKeys(stopped=[("desk", KeyName.UKSSSE), ("desk", KeyName.RKSSSE), ("other", KeyName.RKSSSE)])
    assert keys.clear("desk") == (KeyName.RKSSSE, KeyName.UKSSSE)
    assert keys.of("desk") == ()
    assert keys.of("other") == (KeyName.RKSSSE,)
    assert keys.clear("desk") == ()


def test_a_stop_after_a_clearing_is_told_again() -> None:
    told: list[str] = []
    keys = StoppedKeys(lambda station, _key: told.append(station))
    keys.stop("desk", KeyName.RKSSSE)
    keys.clear("desk")
    keys.stop("desk", KeyName.RKSSSE)
    assert told == ["desk", "desk"]
