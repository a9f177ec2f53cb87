import csv
from pathlib import Path

import pytest

from cardd.crypto.block import Algorithm
from cardd.crypto.money import (
    Amounts,
    certificate_key,
    load_mac1,
    load_mac2,
    load_session,
    load_tac,
    purchase_mac1,
    purchase_mac2,
    purchase_session,
    purchase_tac,
)

# computed from the rule's text with the openssl command, by a program that shares nothing with this one
with (Path(__file__).parents[2] / "vectors" / "money.csv").open(encoding="utf-8") as file:
    ROWS = list(csv.DictReader(file))
PURCHASES = [row for row in ROWS if row["transaction"] == "purchase"]
LOADS = [row for row in ROWS if row["transaction"] == "load"]
KEY = bytes(range(16))


def unhex(row: dict[str, str], *names: str) -> list[bytes]:
    return [bytes.fromhex(row[name]) for name in names]


@pytest.mark.parametrize("row", PURCHASES, ids=lambda row: row["algorithm"] + row["random"])
def test_a_purchase_is_as_in_the_vectors(row: dict[str, str]) -> None:
    algorithm = Algorithm[row["algorithm"]]
    key, tac_key, random, raw, terminal, time = unhex(row, "key", "tac_key", "random", "amounts", "terminal", "time")
    amounts, terminal_sequence = Amounts.decode(raw), int(row["terminal_sequence"], 16)
    assert amounts.encode() == raw
    session = purchase_session(algorithm, key, random, int(row["sequence"], 16), terminal_sequence)
    assert session.hex().upper() == row["session_key"]
    assert purchase_mac1(algorithm, session, amounts, terminal, time).hex().upper() == row["mac1"]
    assert purchase_mac2(algorithm, session, amounts).hex().upper() == row["mac2"]
    certificate = purchase_tac(algorithm, tac_key, amounts, terminal, terminal_sequence, time)
    assert certificate.hex().upper() == row["tac"]


@pytest.mark.parametrize("row", LOADS, ids=lambda row: row["algorithm"] + row["random"])
def test_a_load_is_as_in_the_vectors(row: dict[str, str]) -> None:
    algorithm, sequence = Algorithm[row["algorithm"]], int(row["sequence"], 16)
    key, tac_key, random, terminal, time = unhex(row, "key", "tac_key", "random", "terminal", "time")
    balance, amount = (int(row[name], 16) for name in ("balance", "amounts"))
    session = load_session(algorithm, key, random, sequence)
    assert session.hex().upper() == row["session_key"]
    assert load_mac1(algorithm, session, balance, amount, terminal).hex().upper() == row["mac1"]
    assert load_mac2(algorithm, session, amount, terminal, time).hex().upper() == row["mac2"]
    certificate = load_tac(algorithm, tac_key, balance + amount, sequence, amount, terminal, time)
    assert certificate.hex().upper() == row["tac"]


def test_des_certifies_with_one_half_of_the_key_over_the_other() -> None:
    assert certificate_key(Algorithm.DES, bytes.fromhex("0F1E2D3C4B5A69780000000000000001")).hex() == "0f1e2d3c4b5a6979"
    assert certificate_key(Algorithm.SM4, KEY) == KEY


@pytest.mark.parametrize(
    ("terminal", "time"), [(bytes(5), bytes(7)), (bytes(7), bytes(7)), (bytes(6), bytes(6)), (bytes(6), bytes(8))]
)
def test_a_terminal_has_6_bytes_and_a_time_7(terminal: bytes, time: bytes) -> None:
    with pytest.raises(ValueError, match="bytes, not"):
        purchase_mac1(Algorithm.SM4, KEY, Amounts(1), terminal, time)


@pytest.mark.parametrize("random", [bytes(3), bytes(5), bytes(8)])
def test_a_session_begins_with_4_random_bytes(random: bytes) -> None:
    with pytest.raises(ValueError, match="random number"):
        load_session(Algorithm.SM4, KEY, random, 1)
    with pytest.raises(ValueError, match="random number"):
        purchase_session(Algorithm.SM4, KEY, random, 1, 1)


@pytest.mark.parametrize("raw", [b"", bytes(11), bytes(13)])
def test_amounts_are_three_times_4_bytes(raw: bytes) -> None:
    with pytest.raises(ValueError, match="amounts"):
        Amounts.decode(raw)


@pytest.mark.parametrize("amount", [-1, 1 << 32])
def test_an_amount_has_a_place_of_4_bytes(amount: int) -> None:
    with pytest.raises(OverflowError):
        Amounts(amount).encode()
