import pytest
from support.cards import insert
from support.foreign import NOT_FOUND, OK

from cardd.cards import bank
from cardd.iso7816.channel import Channel
from cardd.iso7816.device import Transport

SELECT = bytes.fromhex("00A4040008A00000033301010100")


@pytest.mark.parametrize(
    ("record", "number"),
    [
        ("70 0C 5A 0A 6222000000000000001F", "6222000000000000001"),
        ("70 0A 5A 08 6222000000000007", "6222000000000007"),
        ("70 13 57 11 6222000000000007D2512201000000000F", "6222000000000007"),
        ("70 1D 57 11 1111111111111111D2512201000000000F 5A 08 6222000000000007", "6222000000000007"),
        ("70 0A 5A 08 622200000000000A", None),
        ("70 02 5A 00", None),
        ("70 0A 5F24 03 251231", None),
        ("70 7F 5A", None),
        ("", None),
    ],
)
def test_the_number_stands_under_5a_or_at_the_beginning_of_track_2(record: str, number: str | None) -> None:
    assert bank.number_in(bytes.fromhex(record)) == number


def test_the_application_is_found_by_its_identifier_and_only_records_are_read() -> None:
    sent: list[bytes] = []

    def transmit(command: bytes) -> bytes:
        sent.append(command)
        if command == SELECT:
            return OK
        # the second record of file 1 has it
        return bytes.fromhex("700A5A086222000000000007 9000") if command[2:4] == b"\x02\x0c" else b"\x70\x00" + OK

    assert bank.read_number(Channel(transmit, Transport.T1)) == "6222000000000007"
    assert {command[1] for command in sent} == {0xA4, 0xB2}


def test_a_card_without_the_application_has_no_number() -> None:
    assert bank.read_number(Channel(lambda _: NOT_FOUND, Transport.T1)) is None
    assert bank.read_number(insert("old-jia").channel) is None
