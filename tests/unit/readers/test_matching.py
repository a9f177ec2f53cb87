import pytest

from cardd.iso7816.device import Presence, Slot
from cardd.readers.config import ReaderConfig, ReaderMatch, Role, StationConfig
from cardd.readers.matching import Device, Place, Placement, device_of, fits

FRONT = "ACS ACR39U ICC Reader [CCID Interface] (R-1234) 00 00"
SAM = "Feitian R502 [SAM Reader] 01 02"


def slot(name: str, serial: str | None = None, usb: str | None = None) -> Slot:
    return Slot(name, Presence.EMPTY, 0, serial=serial, usb=usb)


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
    assert device_of(slot(name)) == Device(name, serial)


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
    assert fits(match, device_of(slot(FRONT))) is fitting


def test_what_the_device_says_of_itself_goes_before_what_its_name_tells() -> None:
    assert device_of(slot(FRONT, "R-77", "1-2")) == Device(FRONT, "R-77", "1-2")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (slot("ACS ACR1281U [ICC] 00 00", usb="1-2"), slot("ACS ACR1281U [PICC] 01 00", usb="1-2")),
        (slot("HID 5422 [5422 Reader] (K1) 00 00"), slot("HID 5422 [5422CL Reader] (K1) 01 00")),
        (slot("HID 5422 (K1) 00 00"), slot("HID 5422 [5422CL Reader] 01 00", serial="K1")),
        (slot("Virtual PCD 00 00"), slot("Virtual PCD 00 01")),
    ],
)
def test_the_slots_of_one_device_are_known_as_such(one: Slot, other: Slot) -> None:
    placement = Placement([])
    assert placement.place(one, ()).device == placement.place(other, ()).device != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (slot("ACS ACR39U [ICC] 00 00", "S", usb="1-2"), slot("ACS ACR39U [ICC] 01 00", "S", usb="1-3")),
        (slot("HID 5422 (K1) 00 00"), slot("HID 5422 (K2) 00 01")),
        (slot("Maker One 00 00", serial="1"), slot("Maker Two 00 01", serial="1")),
        (slot("Virtual PCD 00 00"), slot("Virtual PCD 01 00")),
    ],
)
def test_the_slots_of_two_devices_are_kept_apart(one: Slot, other: Slot) -> None:
    placement = Placement([])
    assert placement.place(one, ()).device != placement.place(other, ()).device


def test_a_place_has_the_time_for_keys_of_its_rule() -> None:
    placement = Placement([StationConfig("desk", readers=(ReaderConfig(ReaderMatch(name="ACS*"), keypad_s=90),))])
    assert placement.place(slot(FRONT), ()).keypad_s == 90


def test_a_place_tells_what_rules_can_be_written_for() -> None:
    named, told = (Placement([]).place(one, ()) for one in (slot(FRONT), slot(FRONT, "R-77", "1-2")))
    assert (named.serial, named.usb) == ("R-1234", None)
    assert (told.serial, told.usb, told.device) == ("R-77", "1-2", "usb 1-2")


def test_two_readers_of_one_name_are_told_apart_by_where_they_are_plugged_in() -> None:
    placement = Placement(
        [
            StationConfig("left", readers=(ReaderConfig(ReaderMatch(usb="1-2.*")),)),
            StationConfig("right", readers=(ReaderConfig(ReaderMatch(serial="77")),)),
        ]
    )
    assert placement.place(slot("ACS 00 00", usb="1-2.4"), ()).station == "left"
    assert placement.place(slot("ACS 01 00", usb="1-3", serial="77"), ()).station == "right"


def test_a_usb_path_fits_where_it_is_known() -> None:
    assert fits(ReaderMatch(usb="1-1.*"), Device(FRONT, usb="1-1.4"))


def test_of_what_is_unknown_of_a_reader_only_a_glob_that_asks_for_nothing_fits() -> None:
    assert fits(ReaderMatch(serial="*", usb="*"), device_of(slot(SAM)))
    assert not fits(ReaderMatch(serial="?*"), device_of(slot(SAM)))
    assert not fits(ReaderMatch(usb="1-*"), device_of(slot(SAM)))


def test_the_first_rule_that_fits_decides() -> None:
    placement = Placement(
        [
            StationConfig("one", readers=(ReaderConfig(ReaderMatch(name="Feitian*"), Role.SAM, "module"),)),
            StationConfig("two", readers=(ReaderConfig(ReaderMatch(name="*")),)),
        ]
    )
    assert placement.place(slot(SAM), ()).same(Place("module", "one", Role.SAM, SAM))
    assert placement.place(slot(FRONT), ()).same(Place(FRONT, "two", Role.COUNTER, FRONT))


def test_a_reader_that_no_rule_fits_is_ignored() -> None:
    placement = Placement([StationConfig("one", readers=(ReaderConfig(ReaderMatch(name="Feitian*")),))])
    assert placement.place(slot(FRONT), ()).same(Place(FRONT, "", Role.IGNORED, FRONT))


def test_without_a_configuration_every_reader_is_a_counter_reader_of_the_default_station() -> None:
    placement = Placement([])
    assert placement.place(slot(FRONT), ()).same(Place(FRONT, "default", Role.COUNTER, FRONT))
    assert [station.name for station in placement.stations] == ["default"]


def test_two_readers_of_one_rule_never_share_a_name() -> None:
    placement = Placement([StationConfig("one", readers=(ReaderConfig(name="front"),))])
    taken: set[str] = set()
    for pcsc_name, expected in [("A", "front"), ("B", "B"), ("front", "front #2")]:
        place = placement.place(slot(pcsc_name), taken)
        assert place.reader == expected
        taken.add(place.reader)
