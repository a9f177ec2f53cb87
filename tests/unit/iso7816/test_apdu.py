import pytest

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.iso7816.apdu import Command, Response

CASES = [
    (1, "00200000", Command(0x00, 0x20, 0x00, 0x00)),
    (2, "00B2012812", Command(0x00, 0xB2, 0x01, 0x28, le=0x12)),
    (2, "00B2012800", Command(0x00, 0xB2, 0x01, 0x28, le=256)),
    (3, "0020000003123456", Command(0x00, 0x20, 0x00, 0x00, b"\x124V")),
    (4, "00A4020002EF0500", Command(0x00, 0xA4, 0x02, 0x00, b"\xef\x05", 256)),
    (4, "00A4020002EF0508", Command(0x00, 0xA4, 0x02, 0x00, b"\xef\x05", 8)),
]


@pytest.mark.parametrize(("case", "raw", "command"), CASES)
def test_each_of_the_four_cases_is_written_and_read(case: int, raw: str, command: Command) -> None:
    assert command.encode().hex().upper() == raw
    assert Command.decode(bytes.fromhex(raw)) == command
    assert command.case == case


def test_255_bytes_of_data_are_the_most_that_travel() -> None:
    command = Command(0x80, 0xFA, 0, 0, bytes(255), 256)
    assert len(command.encode()) == 261
    assert Command.decode(command.encode()) == command
    with pytest.raises(CarddError) as caught:
        Command(0x80, 0xFA, 0, 0, bytes(256))
    assert caught.value.reason is Reason.INVALID


@pytest.mark.parametrize(
    "raw",
    ["", "00", "00A404", "00A4020003EF05", "00A4020002EF050000", "00A402000000", "00A4020000000412345678"],
)
def test_what_is_no_short_command_is_invalid(raw: str) -> None:
    with pytest.raises(CarddError) as caught:
        Command.decode(bytes.fromhex(raw))
    assert caught.value.reason is Reason.INVALID


@pytest.mark.parametrize("le", [0, -1, 257])
def test_le_is_1_to_256(le: int) -> None:
    with pytest.raises(CarddError) as caught:
        Command(0, 0xB2, 0, 0, le=le)
    assert caught.value.reason is Reason.INVALID


@pytest.mark.parametrize("header", [(256, 0, 0, 0), (0, -1, 0, 0), (0, 0, 300, 0), (0, 0, 0, -256)])
def test_a_header_is_four_bytes(header: tuple[int, int, int, int]) -> None:
    with pytest.raises(CarddError) as caught:
        Command(*header)
    assert caught.value.reason is Reason.INVALID


def test_reprs_show_no_data() -> None:
    assert repr(Command(0, 0x20, 0, 0, b"\x12\x34\x56")) == "<Command 00 20 00 00 Lc=03>"
    assert repr(Command(0, 0xB2, 1, 0x2C, le=256)) == "<Command 00 B2 01 2C Le=00>"
    assert repr(Response(b"\x12\x34\x56", 0x9000)) == "<Response 3 bytes 9000>"


def test_a_response_is_data_and_a_status_word() -> None:
    response = Response.decode(bytes.fromhex("0102036A82"))
    assert (response.data, response.sw, response.ok) == (b"\x01\x02\x03", 0x6A82, False)
    assert response.encode().hex() == "0102036a82"
    assert Response.decode(b"\x90\x00").ok


@pytest.mark.parametrize("raw", [b"", b"\x90"])
def test_an_answer_without_a_status_word_means_that_the_card_has_gone(raw: bytes) -> None:
    with pytest.raises(CarddError) as caught:
        Response.decode(raw)
    assert caught.value.reason is Reason.CARD_REMOVED
