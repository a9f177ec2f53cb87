"""A card answers every byte string: at least two bytes, a word of the rule, never an exception."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cardsim.card.make import make_chip
from cardsim.card.status import RIGHT_LENGTH, TRIES_LEFT, WAITING, Status
from cardsim.persona import load_persona

SELECT = bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF")
HEADERS = st.tuples(
    st.sampled_from([0x00, 0x04, 0x80, 0x84, 0xB0, 0xBF]),
    st.sampled_from(
        [
            *(0xA4, 0xB2, 0xB0, 0xD6, 0xDC, 0x84, 0x88, 0x82, 0x20, 0x5E, 0x24, 0x1E, 0x16, 0xC0, 0xEC, 0xDE, 0xFA),
            *(0x26, 0x28, 0x2A, 0x2C, 0x2E, 0x56, 0x70, 0x72, 0xD4),
        ]
    ),
    st.sampled_from([0, 1, 2, 4, 5, 7, 8, 0x67, 0x85]) | st.integers(0, 255),
    st.sampled_from([0, 1, 4, 5, 6, 8, 9, 0x0A, 0x28, 0x2C, 0x30, 0x35]) | st.integers(0, 255),
).map(bytes)
BODIES = st.binary(max_size=64).map(lambda data: bytes((len(data),)) + data if data else data) | st.binary(max_size=300)
COMMANDS = st.binary(max_size=300) | st.builds(lambda header, body: header + body, HEADERS, BODIES)


def legal(word: int) -> bool:
    return word in set(Status) or word & 0xFF00 in {WAITING, RIGHT_LENGTH} or word & 0xFFF0 == TRIES_LEFT


@pytest.mark.parametrize("interface", ["contact", "contactless"])
@pytest.mark.parametrize("name", ["social-jia-3.0", "psam", "old-jia", "social-bing-2.0"])
@settings(max_examples=60, deadline=None)
@given(commands=st.lists(COMMANDS, max_size=12))
def test_every_byte_string_gets_a_legal_answer(name: str, interface: str, commands: list[bytes]) -> None:
    chip = make_chip(load_persona(name))
    card = chip.on(interface if chip.answers.contactless else "contact")
    card.power_on()
    for command in [SELECT, *commands]:
        answer = card.transmit(command)
        assert 2 <= len(answer) <= 258
        assert legal(int.from_bytes(answer[-2:], "big"))
