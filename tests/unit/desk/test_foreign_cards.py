import pytest
from support.foreign import BLOCKED, NOT_FOUND, OK, holding

from cardd.desk.identify import identify
from cardd.desk.reading import Via
from cardd.desk.via import via_of
from cardd.iso7816.apdu import Command
from cardd.iso7816.channel import Channel
from cardd.iso7816.device import Transport
from cardd.readers.insertion import Insertion
from cardd.rules.names import PBOC_CONTACT, PBOC_CONTACTLESS
from cardd.wire.cards import Kind


def kind(channel: Channel) -> Kind:
    return identify(channel, Insertion("1-1", "front", "desk", b"\x3b\x00"), None, 1e12).kind


def test_an_old_card_whose_number_cannot_be_read_is_an_old_card_all_the_same() -> None:
    def transmit(raw: bytes) -> bytes:
        if raw[1] == 0xB0:
            return b"?" * 20 + OK
        return OK if Command.decode(raw).data in {PBOC_CONTACT, b"\x00\x03"} else NOT_FOUND

    channel = Channel(transmit, Transport.T1)
    found = identify(channel, Insertion("1-1", "front", "desk", b"\x3b\x00"), None, 1e12)
    assert (found.kind, found.number) == (Kind.MEDICAL_INSURANCE, None)


@pytest.mark.parametrize("name", [PBOC_CONTACT, PBOC_CONTACTLESS])
def test_the_banks_name_without_the_old_cards_file_is_a_bank_card(name: bytes) -> None:
    assert kind(holding({name: OK})) is Kind.BANK


def test_a_bank_card_that_calls_the_unknown_unsupported_is_not_taken_for_a_blocked_card() -> None:
    assert kind(holding({PBOC_CONTACT: OK}, otherwise=BLOCKED)) is Kind.BANK


def test_a_card_that_knows_nothing_of_ours_is_unknown() -> None:
    assert kind(holding({})) is Kind.UNKNOWN


@pytest.mark.parametrize(
    ("atr", "via"),
    [
        ("3B6D00000081544C9686845101C0FFEE01", Via.CONTACT),
        ("3B8D80010081544C9686845101C0FFEE0100", Via.CONTACTLESS),
        ("3B8F8001804F0CA000000306030001000000006A", Via.CONTACTLESS),
        ("3B9F958131FE", Via.CONTACT),
        ("3B80", Via.CONTACT),
        ("", Via.CONTACT),
    ],
)
def test_the_way_to_a_card_is_told_by_who_made_its_answer_to_reset(atr: str, via: Via) -> None:
    assert via_of(bytes.fromhex(atr)) is via
