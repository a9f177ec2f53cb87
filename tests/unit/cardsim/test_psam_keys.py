"""Keys that are put into the security module: which records it takes, and what becomes of them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.account import SSSE

from cardd.crypto.block import Algorithm
from cardd.crypto.derive import session_key
from cardd.crypto.messaging import encipher, mac_input
from cardsim.card.base import VirtualCard
from cardsim.card.chip import Chip
from cardsim.card.make import make_chip
from cardsim.card.psam_keys import mac_from
from cardsim.persona import load_persona
from cardsim.state import load_state, save_state

MASTER = bytes.fromhex("CAFEBABE00112233445566778899AABB")
KEY = bytes.fromhex("DEADBEEF0123456789ABCDEF76543210")
PERSONA = """
card: psam
level: city
algorithms: [des]
keys: {{root: "00112233445566778899AABBCCDDEEFF"}}
{more}
"""

Make = Callable[..., Chip]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make(more: str = f'master_key: "{MASTER.hex()}"') -> Chip:
        path = tmp_path / "module.yaml"
        path.write_text(PERSONA.format(more=more), encoding="utf-8")
        return make_chip(load_persona(path))

    return make


def opened(chip: Chip) -> VirtualCard:
    card = chip.on()
    card.power_on()
    card.transmit(SSSE)
    card.transmit(bytes.fromhex("00A4040006D15600000590"))
    return card


def put(card: VirtualCard, record: bytes, p1: int = 0, p2: int = 0x12, length: int = 8) -> str:
    challenge = card.transmit(bytes((0x00, 0x84, 0x00, 0x00, length)))[:-2]
    session = session_key(Algorithm.DES, MASTER, challenge[:8])
    cipher = encipher(Algorithm.DES, session, record)
    covered = mac_input(bytes((0x84, 0xD4, p1, p2)), cipher)
    return card.transmit(covered + mac_from(Algorithm.DES, session, challenge, covered)).hex().upper()


def delivered(card: VirtualCard, usage: int, identifier: int) -> str:
    return card.transmit(bytes((0xBF, 0xDE, usage, identifier, 0x10)) + bytes(16)).hex().upper()


@pytest.mark.parametrize("length", [4, 8, 16])
def test_a_key_is_loaded_once_and_replaced_afterwards(length: int, make: Make) -> None:
    card = opened(make())
    assert delivered(card, 0x27, 0x80) == "6A88"
    assert put(card, bytes.fromhex("278000") + KEY, p1=1, length=length) == "6A88"
    assert put(card, bytes.fromhex("278000") + KEY, length=length) == "9000"
    assert delivered(card, 0x27, 0x80) == "9000"
    assert put(card, bytes.fromhex("278000") + KEY, length=length) == "6985"
    assert put(card, bytes.fromhex("268000") + KEY, p1=1, length=length) == "9000"
    assert [delivered(card, 0x27, 0x80), delivered(card, 0x26, 0x80)] == ["6A88", "9000"]


@pytest.mark.parametrize(
    "record",
    [
        bytes.fromhex("078000") + KEY,
        bytes.fromhex("878000") + KEY,
        bytes.fromhex("218000") + KEY,
        bytes.fromhex("270000") + KEY,
        bytes.fromhex("278000") + KEY[:-1],
        bytes.fromhex("278000"),
    ],
)
def test_a_record_that_is_no_key_is_wrong_data(record: bytes, make: Make) -> None:
    assert put(opened(make()), record) == "6A80"


@pytest.mark.parametrize("p2", [0x11, 0x12, 0x13])
def test_there_are_three_key_files(p2: int, make: Make) -> None:
    assert put(opened(make()), bytes.fromhex("278000") + KEY, p2=p2) == "9000"


@pytest.mark.parametrize(("p1", "p2"), [(2, 0x12), (0, 0x10), (0, 0x14), (0, 0)])
def test_there_is_no_other_way_and_no_other_file(p1: int, p2: int, make: Make) -> None:
    assert put(opened(make()), bytes.fromhex("278000") + KEY, p1, p2) == "6A86"


def test_a_module_without_a_key_of_its_own_takes_none(make: Make) -> None:
    assert put(opened(make(more="")), bytes.fromhex("278000") + KEY) == "6A88"


def test_a_cipher_is_whole_blocks(make: Make) -> None:
    card = opened(make())
    card.transmit(bytes.fromhex("0084000008"))
    assert card.transmit(bytes.fromhex("84D400120D") + bytes(13)).hex().upper() == "6700"


def test_keys_are_taken_in_the_application_only(make: Make) -> None:
    card = opened(make())
    card.transmit(SSSE)
    assert put(card, bytes.fromhex("278000") + KEY) == "6A88"


def test_a_key_that_was_put_in_is_kept_in_a_file(make: Make, tmp_path: Path) -> None:
    chip, path = make(), tmp_path / "state.json"
    assert put(opened(chip), bytes.fromhex("278000") + KEY) == "9000"
    save_state(chip, path)
    other = make()
    assert delivered(opened(other), 0x27, 0x80) == "6A88"
    load_state(other, path)
    assert delivered(opened(other), 0x27, 0x80) == "9000"
