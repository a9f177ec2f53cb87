import csv
from pathlib import Path

import pytest

from cardd.crypto.block import Algorithm, encrypt
from cardd.crypto.derive import session_key
from cardd.crypto.messaging import decipher, encipher, mac

with (Path(__file__).parents[2] / "vectors" / "maintenance.csv").open(encoding="utf-8") as file:
    ROWS = list(csv.DictReader(file))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["algorithm"] + row["header"])
def test_maintenance_commands_are_as_in_the_vectors(row: dict[str, str]) -> None:
    algorithm, header, pin = Algorithm[row["algorithm"]], bytes.fromhex(row["header"]), bytes.fromhex(row["pin"])
    session = session_key(algorithm, bytes.fromhex(row["stk"]), bytes.fromhex(row["challenge"]))
    assert session.hex().upper() == row["session_key"]
    cipher = encipher(algorithm, session, pin) if pin else b""
    assert cipher.hex().upper() == row["cipher"]
    assert mac(algorithm, session, header + cipher).hex().upper() == row["mac"]
    if pin:
        assert decipher(algorithm, session, cipher) == pin


@pytest.mark.parametrize(
    ("algorithm", "length", "ciphered"),
    [
        (Algorithm.DES, 0, 8),
        (Algorithm.DES, 7, 8),
        (Algorithm.DES, 8, 16),
        (Algorithm.SM4, 0, 16),
        (Algorithm.SM4, 15, 16),
        (Algorithm.SM4, 16, 32),
    ],
)
def test_padding_is_added_only_where_the_block_is_not_full(algorithm: Algorithm, length: int, ciphered: int) -> None:
    session = bytes(range(8)) if algorithm is Algorithm.DES else bytes(range(16))
    cipher = encipher(algorithm, session, b"\x77" * length)
    assert len(cipher) == ciphered
    assert decipher(algorithm, session, cipher) == b"\x77" * length


@pytest.mark.parametrize(
    "block",
    ["0312345680000001", "0312345600000000", "08123456789ABCDE", "FF12345680000000", "0312345680000000" + "00" * 8],
)
def test_a_deciphered_block_that_is_not_in_order_is_refused(block: str) -> None:
    session = bytes(range(8))
    cipher = encrypt(Algorithm.DES, session, bytes.fromhex(block))
    with pytest.raises(ValueError, match="length byte or padding"):
        decipher(Algorithm.DES, session, cipher)


def test_nothing_cannot_be_deciphered_and_too_much_not_enciphered() -> None:
    with pytest.raises(ValueError, match="no blocks"):
        decipher(Algorithm.SM4, bytes(16), b"")
    with pytest.raises(ValueError, match="256 bytes"):
        encipher(Algorithm.SM4, bytes(16), bytes(256))


@pytest.mark.parametrize("algorithm", [Algorithm.DES, Algorithm.SM4])
def test_a_mac_always_pads_so_that_padding_cannot_be_taken_for_data(algorithm: Algorithm) -> None:
    session = bytes(range(16))
    assert mac(algorithm, session, b"\x01") != mac(algorithm, session, b"\x01\x80")
    assert len(mac(algorithm, session, bytes(32))) == 4
