import pytest

from cardd.readers.config import ReaderConfig, ReaderMatch, Role, StationConfig
from cardd.readers.matching import Device, Place, Placement, device_of, fits

FRONT = "ACS ACR39U ICC Reader [CCID Interface] (R-1234) 00 00"
SAM = "Feitian R502 [SAM Reader] 01 02"


@pytest.mark.parametrize(
    ("name", "serial"),
    [
        (FRONT, "R-1234"),
        (SAM, None),
        ("Virtual PCD 00 00", None),
        ("Odd (one) Reader 00 00", None),
        ("Odd (one) Reader (two) 0A 0F", "two"),
        ("(only)", None),
        ("", None),
    ],
)
def test_the_serial_number_stands_in_the_last_parentheses_before_the_indices(name: str, serial: str | None) -> None:
    assert device_of(name) == Device(name, serial)


@pytest.mark.parametrize(
    ("match", "fitting"),
    [
        (ReaderMatch(), True),
        (ReaderMatch(name="ACS*"), True),
        (ReaderMatch(name="acs*"), False),
        (ReaderMatch(name=FRONT), True),
        (ReaderMatch(name="ACS*", serial="R-12??"), True),
        (ReaderMatch(name="ACS*", serial="R-9*"), False),
        (ReaderMatch(name="Feitian*", serial="R-12*"), False),
        (ReaderMatch(name="ACS*", usb="1-*"), False),
    ],
)
def test_all_globs_that_are_given_must_fit(match: ReaderMatch, *, fitting: bool) -> None:
    assert fits(match, device_of(FRONT)) is fitting


def test_a_usb_path_fits_where_it_is_known() -> None:
    assert fits(ReaderMatch(usb="1-1.*"), Device(FRONT, usb="1-1.4"))


def test_of_what_is_unknown_of_a_reader_only_a_glob_that_asks_for_nothing_fits() -> None:
    assert fits(ReaderMatch(serial="*", usb="*"), device_of(SAM))
    assert not fits(ReaderMatch(serial="?*"), device_of(SAM))
    assert not fits(ReaderMatch(usb="1-*"), device_of(SAM))


def test_the_first_rule_that_fits_decides() -> None:
    placement = Placement(
        [
            StationConfig("one", readers=(ReaderConfig(ReaderMatch(name="Feitian*"), Role.SAM, "module"),)),
            StationConfig("two", readers=(ReaderConfig(ReaderMatch(name="*")),)),
        ]
    )
    assert placement.place(SAM, ()) == Place("module", "one", Role.SAM, SAM)
    assert placement.place(FRONT, ()) == Place(FRONT, "two", Role.COUNTER, FRONT)


def test_a_reader_that_no_rule_fits_is_ignored() -> None:
    placement = Placement([StationConfig("one", readers=(ReaderConfig(ReaderMatch(name="Feitian*")),))])
    assert placement.place(FRONT, ()) == Place(FRONT, "", Role.IGNORED, FRONT)


def test_without_a_configuration_every_reader_is_a_counter_reader_of_the_default_station() -> None:
    placement = Placement([])
    assert placement.place(FRONT, ()) == Place(FRONT, "default", Role.COUNTER, FRONT)
    assert [station.name for station in placement.stations] == ["default"]


def test_two_readers_of_one_rule_never_share_a_name() -> None:
    placement = Placement([StationConfig("one", readers=(ReaderConfig(name="front"),))])
    taken: set[str] = set()
    for pcsc_name, expected in [("A", "front"), ("B", "B"), ("front", "front #2")]:
        place = placement.place(pcsc_name, taken)
        assert place.reader == expected
        taken.add(place.reader)
