"""Proofs of cards that note a transaction under the number behind the one that they told."""

from dataclasses import replace
from pathlib import Path

import pytest
from support.account import account_card
from support.cards import DEADLINE, ROOT, OpenCard, on_channel, software_keys

from cardd.base.secret import Secret
from cardd.cards.account import Deed
from cardd.crypto.block import Algorithm
from cardd.crypto.money import Amounts
from cardd.desk.account import Order, Outcome, Services, Settled, ask_proof, load
from cardd.iso7816.device import Transport
from cardd.keys.software_money import SoftwareMoney

SERVICES = Services(software_keys(), SoftwareMoney(Secret(ROOT), tests_only=True))
LOAD = Order(Deed.LOAD, Amounts(5_000), "20240506101112")
PIN = Secret(b"123456")


def loaded(directory: Path, value: str) -> tuple[OpenCard, Settled]:
    """Return a card after a load of 50.00, whose number it told as 7."""
    chip = account_card(directory, Algorithm.SM4, toggles={"told_sequence": value})
    card = on_channel(chip.on("contact"), Transport.T0)
    return card, load(card.channel, card.insertion, None, SERVICES, LOAD, PIN, lambda _: None, DEADLINE)


def proof(card: OpenCard, of: Settled, services: Services = SERVICES) -> Settled:
    again = card.again()
    return ask_proof(again.channel, again.insertion, services, of.intent, DEADLINE, PIN)


@pytest.mark.parametrize("value", ["before", "after"])
def test_money_that_moved_is_proved_under_either_number(tmp_path: Path, value: str) -> None:
    found = proof(*loaded(tmp_path, value))
    assert (found.outcome, found.tac_right, found.by_proof) == (Outcome.DONE, True, True)


def test_another_transaction_behind_the_number_proves_nothing(tmp_path: Path) -> None:
    card, settled = loaded(tmp_path, "before")
    earlier = replace(settled, intent=replace(settled.intent, sequence=6))
    assert proof(card, earlier).outcome is Outcome.NOT_DONE


def test_a_proof_behind_the_number_that_nobody_judges_is_no_proof_and_no_denial(tmp_path: Path) -> None:
    card, settled = loaded(tmp_path, "after")
    found = proof(card, settled, Services(software_keys(), None))
    assert (found.outcome, found.tac_right) == (Outcome.UNPROVEN, None)
