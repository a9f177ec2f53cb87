"""Whoever has no keys moves no money, whatever is sent; whoever has them is never off by a fen."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.account import Till, account_card, till

from cardd.crypto.block import Algorithm
from cardd.crypto.money import Amounts
from cardd.rules.account import YearSums, settled

SHAPES = ["B02800010B", "B02A00000B", "B028010113", "B02C01000F", "B02E003102", "B02E003202", "B056000002"]
COMMANDS = st.sampled_from(SHAPES).flatmap(
    lambda shape: st.binary(min_size=int(shape[8:], 16), max_size=int(shape[8:], 16)).map(
        lambda data: bytes.fromhex(shape) + data
    )
)
SMALL = st.sampled_from(SHAPES).map(lambda shape: bytes.fromhex(shape) + b"\x01" + bytes(int(shape[8:], 16) - 1))
OTHERS = st.sampled_from(["B026000104", "B026000206", "B056010002", "0084000008", "00B201441C"]).map(bytes.fromhex)
DATES = st.dates(min_value=date(2020, 1, 1), max_value=date(2030, 12, 31))


def fresh(directory: Path, algorithm: Algorithm, starting_day: str = "0101") -> Till:
    return till(account_card(directory, algorithm, yearly={"starting_day": starting_day})).ready()


@pytest.mark.parametrize("algorithm", [Algorithm.DES, Algorithm.SM4], ids=lambda algorithm: algorithm.name)
@settings(max_examples=80, deadline=None)
@given(commands=st.lists(COMMANDS | SMALL | OTHERS, max_size=20))
def test_without_keys_no_money_moves(
    algorithm: Algorithm, commands: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    card = fresh(tmp_path_factory.mktemp("card"), algorithm)
    money = card.chip.machine.session.application.money
    assert money is not None
    before = bytes(money.cells)
    for command in commands:
        _, word = card.send(command)
        assert word != 0x9000 or command[1] in {0x28, 0x26, 0x56, 0x84}
    assert bytes(money.cells) == before


@settings(max_examples=40, deadline=None)
@given(
    starting_day=st.sampled_from(["0101", "0229", "0701", "1231"]),
    purchases=st.lists(st.tuples(DATES, st.integers(0, 500), st.integers(0, 500), st.integers(0, 500)), max_size=8),
)
def test_sums_are_those_of_the_rule_and_records_tell_the_same(
    starting_day: str,
    purchases: list[tuple[date, int, int, int]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    card = fresh(tmp_path_factory.mktemp("card"), Algorithm.SM4, starting_day)
    balance, sums = 100_000, YearSums(0, 0, 0)
    for number, (day, account, self_paid, pool) in enumerate(purchases):
        amounts, time = Amounts(account, self_paid, pool), bytes.fromhex(f"{day:%Y%m%d}235959")
        begun = card.begin_purchase(amounts)
        card.expect(card.debit_command(begun, amounts, number, time))
        balance -= account
        sums = settled(sums, int(starting_day), int(f"{day:%Y%m%d}"), self_paid, pool)
        assert card.balance() == balance
        assert card.sums() == (sums.self_paid, sums.pool, f"{sums.year:04}")
        newest = card.expect(bytes.fromhex("00B201441C"))
        assert newest[:3] == (3 + number).to_bytes(2, "big") + b"2"
        assert newest[9:] == time + amounts.encode()
