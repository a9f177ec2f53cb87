import csv
from pathlib import Path

import pytest

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.crypto.authentication import authentication_data, fold, original_block
from cardd.crypto.block import Algorithm
from cardd.crypto.derive import session_key

with (Path(__file__).parents[2] / "vectors" / "authentication.csv").open(encoding="utf-8") as file:
    ROWS = list(csv.DictReader(file))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["algorithm"])
def test_session_key_and_answer_are_as_in_the_vectors(row: dict[str, str]) -> None:
    algorithm, key = Algorithm[row["algorithm"]], bytes.fromhex(row["key"])
    factor, original = bytes.fromhex(row["process_factor"]), bytes.fromhex(row["original"])
    assert session_key(algorithm, key, factor).hex().upper() == row["session_key"]
    assert authentication_data(algorithm, key, factor, original).hex().upper() == row["answer"]


def test_the_halves_of_a_16_byte_cryptogram_are_xored() -> None:
    assert fold(b"\xf0" * 8 + b"\x0f" * 8) == b"\xff" * 8
    assert fold(b"\x12" * 8) == b"\x12" * 8
    with pytest.raises(ValueError, match="12 bytes"):
        fold(bytes(12))


def test_original_data_are_padded_to_a_block() -> None:
    assert original_block(Algorithm.DES, b"abcdefgh") == b"abcdefgh"
    assert original_block(Algorithm.SM4, b"abcdefgh") == b"abcdefgh" + bytes(8)


@pytest.mark.parametrize("length", [0, 7, 9, 16])
def test_original_data_are_8_bytes(length: int) -> None:
    with pytest.raises(ValueError, match="original data"):
        authentication_data(Algorithm.SM4, bytes(16), bytes(8), bytes(length))


def test_ssf33_is_refused_by_its_reason() -> None:
    with pytest.raises(CarddError) as caught:
        authentication_data(Algorithm.SSF33, bytes(16), bytes(8), bytes(8))
    assert caught.value.reason is Reason.ALGORITHM_UNSUPPORTED
