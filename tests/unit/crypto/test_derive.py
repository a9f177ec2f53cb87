import csv
from pathlib import Path

import pytest

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.crypto.block import Algorithm
from cardd.crypto.derive import diversify, diversify_all, factors, session_key

VECTORS = Path(__file__).parents[2] / "vectors"
HISTORICAL = bytes.fromhex("0081544C9686845101C0FFEE01")


def rows(name: str) -> list[dict[str, str]]:
    with (VECTORS / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("row", rows("diversification.csv"))
def test_keys_are_diversified_as_in_the_vectors(row: dict[str, str]) -> None:
    chain = [bytes.fromhex(factor) for factor in row["chain"].split()]
    derived = diversify_all(Algorithm[row["algorithm"]], bytes.fromhex(row["key"]), chain)
    assert derived.hex().upper() == row["derived"]


@pytest.mark.parametrize("row", rows("factors.csv"))
def test_factors_are_built_as_in_the_vectors(row: dict[str, str]) -> None:
    made = factors(row["region"], bytes.fromhex(row["historical"]))
    assert [factor.hex().upper() for factor in made.chain] == [row["province"], row["city"], row["card"]]
    assert made.chain == (made.province, made.city, made.card)


@pytest.mark.parametrize("region", ["", "51010", "5101000", "51010A", "５１０１００", "5101 0"])
def test_a_region_is_six_digits(region: str) -> None:
    with pytest.raises(CarddError) as caught:
        factors(region, HISTORICAL)
    assert caught.value.reason is Reason.CARD_ID_MALFORMED


@pytest.mark.parametrize("historical", [b"", HISTORICAL[:-1], HISTORICAL + b"\x00"])
def test_a_factor_needs_13_historical_bytes(historical: bytes) -> None:
    with pytest.raises(CarddError) as caught:
        factors("510100", historical)
    assert caught.value.reason is Reason.CARD_ID_MALFORMED


def test_one_level_of_an_8_byte_key_is_8_bytes() -> None:
    assert len(diversify(Algorithm.DES, bytes(8), bytes(8))) == 8


@pytest.mark.parametrize("factor", [b"", bytes(7), bytes(16)])
def test_a_factor_is_8_bytes(factor: bytes) -> None:
    with pytest.raises(ValueError, match="factor"):
        diversify(Algorithm.SM4, bytes(16), factor)


@pytest.mark.parametrize(("algorithm", "size"), [(Algorithm.DES, 8), (Algorithm.SM4, 16)])
def test_a_short_random_is_padded_with_zeros(algorithm: Algorithm, size: int) -> None:
    key = bytes(range(16))
    assert len(session_key(algorithm, key, b"abcd")) == size
    assert session_key(algorithm, key, b"abcd") == session_key(algorithm, key, b"abcd" + bytes(4))


@pytest.mark.parametrize(
    ("algorithm", "length"),
    [(Algorithm.DES, 0), (Algorithm.DES, 5), (Algorithm.DES, 16), (Algorithm.SM4, 0), (Algorithm.SM4, 12)],
)
def test_randoms_of_other_lengths_are_refused(algorithm: Algorithm, length: int) -> None:
    with pytest.raises(ValueError, match="random bytes"):
        session_key(algorithm, bytes(16), bytes(length))


def test_sm4_takes_a_random_of_16_bytes() -> None:
    assert len(session_key(Algorithm.SM4, bytes(16), bytes(16))) == 16
