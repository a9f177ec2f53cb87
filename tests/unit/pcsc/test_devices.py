"""What readers say of their devices, against a scripted service and a made-up /sys/bus/usb/devices."""

from pathlib import Path
from typing import cast

import pytest

from cardd.pcsc.devices import Device, Devices
from cardd.pcsc.scard import Attribute, Disposition, PcscError, Protocol, Scard, Share

UNSUPPORTED_FEATURE = 0x8010001F
SHARING_VIOLATION = 0x8010000B
READER = "ACS ACR39U ICC Reader 00 00"


class Reader:
    """A service with one reader; notes what is still open."""

    def __init__(self, **attributes: bytes) -> None:
        self.attributes = {Attribute[name]: value for name, value in attributes.items()}
        self.open: list[str] = []
        self.exclusive = False
        self.questions = 0

    def establish_context(self) -> int:
        self.open.append("context")
        return 1

    def release_context(self, _: int) -> None:
        self.open.remove("context")

    def connect(self, _: int, reader: str, share: Share, protocols: Protocol) -> tuple[int, Protocol]:
        assert (reader, share, protocols) == (READER, Share.DIRECT, Protocol.NONE)
        self.questions += 1
        if self.exclusive:
            raise PcscError("SCardConnect", SHARING_VIOLATION)
        self.open.append("handle")
        return 2, Protocol.NONE

    def disconnect(self, _: int, disposition: Disposition) -> None:
        assert disposition is Disposition.LEAVE
        self.open.remove("handle")

    def attribute(self, _: int, which: Attribute) -> bytes:
        if which not in self.attributes:
            raise PcscError("SCardGetAttrib", UNSUPPORTED_FEATURE)
        return self.attributes[which]


@pytest.fixture
def sysfs(tmp_path: Path) -> Path:
    """Two devices on bus 1, one of them behind a hub, and an interface of it."""
    for name, bus, address in [("usb1", 1, 1), ("1-2", 1, 4), ("1-2.3", 1, 7), ("1-2.3:1.0", 1, 7), ("2-2.3", 2, 7)]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "busnum").write_text(f"{bus}\n")
        (tmp_path / name / "devnum").write_text(f"{address}\n")
    (tmp_path / "gone").mkdir()
    return tmp_path


def met(reader: Reader, sysfs: Path) -> Device:
    devices = Devices(cast("Scard", reader), sysfs)
    devices.meet([READER])
    assert reader.open == []
    return devices.device(READER)


def test_a_reader_is_known_by_its_serial_number_and_its_usb_port(sysfs: Path) -> None:
    reader = Reader(SERIAL_NUMBER=b"R-1234\0", CHANNEL=(0x00200107).to_bytes(4, "little"))
    assert met(reader, sysfs) == Device("R-1234", "1-2.3")


@pytest.mark.parametrize(
    ("channel", "port"),
    [
        ("07012000", "1-2.3"),
        ("07022000", "2-2.3"),
        ("09012000", None),
        ("07010100", None),
        ("", None),
    ],
)
def test_a_channel_is_a_usb_port_where_the_kernel_has_a_device_there(
    channel: str, port: str | None, sysfs: Path
) -> None:
    assert met(Reader(CHANNEL=bytes.fromhex(channel)), sysfs) == Device(None, port)


@pytest.mark.parametrize("serial", [b"", b"\0\0", b"  ", b"\x01\x02"])
def test_a_serial_number_that_says_nothing_is_none(serial: bytes, sysfs: Path) -> None:
    assert met(Reader(SERIAL_NUMBER=serial), sysfs) == Device()


def test_a_reader_that_knows_no_attributes_is_asked_only_once(sysfs: Path) -> None:
    reader = Reader()
    devices = Devices(cast("Scard", reader), sysfs)
    for _ in range(3):
        devices.meet([READER])
    assert (devices.device(READER), devices.waiting, reader.questions) == (Device(), False, 1)


def test_a_reader_that_is_held_exclusively_is_asked_again_at_each_look(sysfs: Path) -> None:
    reader = Reader(SERIAL_NUMBER=b"R-1234")
    reader.exclusive = True
    devices = Devices(cast("Scard", reader), sysfs)
    devices.meet([READER])
    assert devices.device(READER) == Device()
    reader.exclusive = False
    devices.meet([READER])
    assert devices.device(READER) == Device("R-1234")
    assert reader.open == []


def test_a_reader_that_went_and_came_is_asked_again(sysfs: Path) -> None:
    reader = Reader(SERIAL_NUMBER=b"R-1234")
    devices = Devices(cast("Scard", reader), sysfs)
    for there in ([READER], [], [READER]):
        devices.meet(there)
    assert reader.questions == 2


def test_the_script_of_this_file_has_no_call_that_the_real_layer_lacks() -> None:
    assert {name for name in vars(Reader) if not name.startswith("_")} <= set(vars(Scard))
