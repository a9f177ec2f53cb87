"""The security module in a purchase with a card, and where modules may differ.

What it answers in the usual course stands in tests/vectors/exchange/psam-money.yaml.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.account import SSSE, TERMINAL, TIME, Till, account_card, till
from support.cards import altered

from cardd.crypto.block import Algorithm
from cardd.crypto.money import Amounts
from cardsim.card.make import make_chip
from cardsim.persona import load_persona

AMOUNTS = Amounts(1500, 200, 3300)
NAMES = {Algorithm.DES: SSSE, Algorithm.SM4: bytes.fromhex("00A404000F7378332E73682EC9E7BBE1B1A3D5CF")}
FACTORS = b"510100sx" + b"510000sh"
DPK, DLK, DTK, DSK = 0x01, 0x4B, 0x4C, 0x4A

Module = Callable[..., Till]


@pytest.fixture
def module(tmp_path: Path) -> Module:
    def make(algorithm: Algorithm = Algorithm.SM4, **changes: Any) -> Till:
        chip = make_chip(load_persona(altered(tmp_path, "psam", **changes)))
        opened = Till(chip, chip.on(), b"")
        opened.card.power_on()
        opened.expect(NAMES[algorithm])
        opened.expect(bytes.fromhex("00A4040006D15600000590"))
        return opened

    return make


def order(begun: bytes, card: Till) -> bytes:
    """Return 80 70 for what a card answered to INITIALIZE FOR PURCHASE."""
    data = begun[18:22] + begun[14:16] + AMOUNTS.encode() + b"2" + TIME + begun[16:18]
    data += card.chip.answers.historical[5:] + FACTORS
    return bytes.fromhex("80700100") + bytes((len(data),)) + data


@pytest.mark.parametrize("algorithm", [Algorithm.DES, Algorithm.SM4])
def test_card_and_module_settle_with_each_other(algorithm: Algorithm, module: Module, tmp_path: Path) -> None:
    sam, card = module(algorithm), till(account_card(tmp_path, algorithm)).ready()
    for number in (1, 2):
        begun = card.begin_purchase(AMOUNTS, index=number)
        signed = sam.expect(order(begun, card))
        assert signed[:4] == number.to_bytes(4, "big")
        answer = card.expect(bytes.fromhex("B02C01000F") + signed[:4] + TIME + signed[4:])
        assert sam.send(bytes.fromhex("8072000004") + answer[4:]) == (b"", 0x9000)
    assert card.balance() == 97_000
    assert card.expect(bytes.fromhex("00B201441C"))[3:9] == TERMINAL


def test_a_reset_or_another_application_forgets_the_debit(module: Module, tmp_path: Path) -> None:
    sam, card = module(), till(account_card(tmp_path, Algorithm.SM4)).ready()
    begun = card.begin_purchase(AMOUNTS)
    check = bytes.fromhex("8072000004") + card.debit_answer(begun, AMOUNTS)[4:]
    sam.expect(order(begun, card))
    sam.expect(NAMES[Algorithm.SM4])
    sam.expect(bytes.fromhex("00A4040006D15600000590"))
    assert sam.send(check)[1] == 0x6901


def test_a_debit_is_signed_in_the_application_only(module: Module, tmp_path: Path) -> None:
    sam, card = module(), till(account_card(tmp_path, Algorithm.SM4)).ready()
    sam.expect(NAMES[Algorithm.SM4])
    assert sam.send(order(card.begin_purchase(AMOUNTS), card))[1] == 0x6A88


def test_a_sequence_at_its_end_signs_no_more(module: Module, tmp_path: Path) -> None:
    sam, card = module(terminal_sequence=0xFFFFFFFE), till(account_card(tmp_path, Algorithm.SM4)).ready()
    command = order(card.begin_purchase(AMOUNTS), card)
    assert sam.expect(command)[:4] == bytes.fromhex("FFFFFFFE")
    assert sam.send(command)[1] == 0x9402


def test_a_module_may_count_before_it_signs(module: Module, tmp_path: Path) -> None:
    sam, card = module(toggles={"terminal_sequence": "after"}), till(account_card(tmp_path, Algorithm.SM4)).ready()
    begun = card.begin_purchase(AMOUNTS)
    signed = sam.expect(order(begun, card))
    assert signed[:4] == bytes.fromhex("00000002")
    assert card.expect(bytes.fromhex("B02C01000F") + signed[:4] + TIME + signed[4:])


@pytest.mark.parametrize("word", ["9302", "63CF"])
def test_a_module_refuses_a_wrong_answer_in_its_own_way(word: str, module: Module, tmp_path: Path) -> None:
    sam, card = module(toggles={"wrong_debit": word}), till(account_card(tmp_path, Algorithm.SM4)).ready()
    sam.expect(order(card.begin_purchase(AMOUNTS), card))
    assert f"{sam.send(bytes.fromhex('807200000400000000'))[1]:04X}" == word


def test_a_module_may_keep_sm4_under_the_first_name(module: Module) -> None:
    sam = module(Algorithm.DES, toggles={"sm4_environment_name": "sx1"})
    data = bytes(24) + bytes(16)
    assert sam.send(bytes.fromhex("BFDE670828") + data)[1] == 0x9000
    assert sam.send(NAMES[Algorithm.SM4])[1] == 0x6A82


@pytest.mark.parametrize(
    ("usage", "key", "cipher", "macs"),
    [
        (0x62, DPK, 0x6985, 0x6985),
        (0x69, DLK, 0x6985, 0x9000),
        (0x6C, DTK, 0x6985, 0x6985),
        (0x67, DSK, 0x9000, 0x6985),
    ],
)
def test_a_money_key_does_what_it_is_for(usage: int, key: int, cipher: int, macs: int, module: Module) -> None:
    sam = module()
    assert sam.send(bytes((0xBF, 0xDE, usage, key, 0x28)) + bytes(40))[1] == 0x9000
    assert sam.send(bytes.fromhex("80FA000010") + bytes(16))[1] == cipher
    assert sam.send(bytes.fromhex("80FA050020") + bytes(32))[1] == macs


def test_the_sequence_is_read_from_its_file(module: Module, tmp_path: Path) -> None:
    sam, card = module(terminal_sequence=258), till(account_card(tmp_path, Algorithm.SM4)).ready()
    sam.expect(order(card.begin_purchase(AMOUNTS), card))
    assert sam.expect(bytes.fromhex("00B0990004")) == bytes.fromhex("00000103")
