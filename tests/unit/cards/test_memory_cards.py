"""Memory cards through the pseudo-APDUs of an ACS reader, as its manuals print them."""

import pytest

from cardd.cards import memory
from cardd.iso7816.channel import Channel
from cardd.iso7816.device import Transport
from cardd.rules.old_cards import Chip

SLE4442_ATR, SLE4428_ATR, UNTOLD_ATR = (bytes.fromhex(f"3B04{told}") for told in ("A2131091", "92231091", "00000000"))
OK, REFUSED = b"\x90\x00", b"\x6a\x81"


class ReaderWithChip:
    """A reader with a chip in it: chosen by type, read by address, nothing else; what it was told is kept."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.chosen = 0
        self.told: list[bytes] = []

    def transmit(self, command: bytes) -> bytes:
        self.told.append(command)
        if command[:5] == bytes.fromhex("FFA4000001"):
            self.chosen = command[5]
            return OK
        if command[:2] == bytes.fromhex("FFB0") and self.chosen:
            address, length = int.from_bytes(command[2:4], "big"), command[4]
            return self.content[address : address + length].ljust(length, b"\xff") + OK
        return REFUSED

    @property
    def channel(self) -> Channel:
        return Channel(self.transmit, Transport.T0)


@pytest.mark.parametrize(("atr", "chip", "kind"), [(SLE4442_ATR, Chip.SLE4442, 6), (SLE4428_ATR, Chip.SLE4428, 5)])
def test_the_chip_is_told_by_its_answer_to_reset(atr: bytes, chip: Chip, kind: int) -> None:
    reader = ReaderWithChip(bytes(256))
    assert memory.choose_chip(reader.channel, memory.ACS, atr) is chip
    assert reader.told == [bytes((0xFF, 0xA4, 0, 0, 1, kind))]


@pytest.mark.parametrize(("byte", "chip", "kind"), [(0x00, Chip.SLE4428, 5), (0xFF, Chip.SLE4442, 6)])
def test_where_the_answer_does_not_tell_byte_1022_does(byte: int, chip: Chip, kind: int) -> None:
    reader = ReaderWithChip(bytes(1022) + bytes((byte, 0)))
    assert memory.choose_chip(reader.channel, memory.ACS, UNTOLD_ATR) is chip
    assert reader.told[:2] == [bytes.fromhex("FFA400000105"), bytes.fromhex("FFB003FE01")]
    assert reader.chosen == kind


def test_memory_is_read_in_pieces_from_the_beginning() -> None:
    reader = ReaderWithChip(bytes(range(200)))
    memory.choose_chip(reader.channel, memory.ACS, SLE4442_ATR)
    assert memory.read_memory(reader.channel, memory.ACS, 146) == bytes(range(146))
    assert reader.told[1:] == [bytes.fromhex("FFB0000080"), bytes.fromhex("FFB0008012")]


def test_a_reader_that_refuses_gives_no_memory() -> None:
    reader = ReaderWithChip(b"")
    assert memory.read_memory(reader.channel, memory.ACS, 20) is None


def test_no_secret_code_is_ever_presented() -> None:
    reader = ReaderWithChip(bytes(1024))
    memory.choose_chip(reader.channel, memory.ACS, UNTOLD_ATR)
    memory.read_memory(reader.channel, memory.ACS, 256)
    assert {command[1] for command in reader.told} == {0xA4, 0xB0}


@pytest.mark.parametrize("atr", ["3B6D00000081544C9686845101C0FFEE01", "3B648000A2131091", "3B0592231091FF", "", "3B"])
def test_a_processor_card_is_no_memory_card(atr: str) -> None:
    assert not memory.is_memory_card(bytes.fromhex(atr))
    assert memory.choose_chip(ReaderWithChip(b"").channel, memory.ACS, bytes.fromhex(atr)) is None


@pytest.mark.parametrize("name", ["ACS ACR38U 00 00", "ACS ACR3901 ICC Reader 00 00", "Virtual PCD 00 00"])
def test_readers_that_show_the_chips_answer_are_asked_as_their_makers_say(name: str) -> None:
    assert memory.family_of(name) is memory.ACS
