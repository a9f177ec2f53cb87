"""Proofs of cards that note a transaction under the number behind the one that they told."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from support.account import account_card
from support.cards import DEADLINE, ROOT, OpenCard, on_channel, software_keys

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.cards.account import Deed
from cardd.crypto.block import Algorithm
from cardd.crypto.derive import factors
from cardd.crypto.money import Amounts
from cardd.desk.account import Order, Outcome, Services, Settled, load
from cardd.desk.account_reading import ask_proof, read_balances
from cardd.iso7816.device import Transport
from cardd.keys.money import CardKeys
from cardd.keys.software_money import SoftwareMoney

SERVICES = Services(software_keys(), SoftwareMoney(Secret(ROOT), tests_only=True))
LOAD = Order(Deed.LOAD, Amounts(5_000), "20240506101112")
PIN = Secret(b"123456")
FACTORS = factors("510100", bytes.fromhex("0081544C9686845101C0FFEE01"))


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


NOBODY = Services(software_keys(), None)
"""Nobody here can judge a certificate."""


def test_whose_a_proof_behind_the_number_is_tells_its_record_where_nobody_judges_it(tmp_path: Path) -> None:
    card, settled = loaded(tmp_path, "after")
    found = proof(card, settled, NOBODY)
    assert (found.outcome, found.tac_right) == (Outcome.DONE, None)


@pytest.mark.parametrize(
    "other",
    [
        {"terminal": bytes.fromhex("510100000002")},
        {"order": replace(LOAD, time="20240506101113")},
        {"order": replace(LOAD, amounts=Amounts(5_001))},
    ],
)
def test_a_record_of_another_transaction_behind_the_number_denies_ours(tmp_path: Path, other: dict[str, Any]) -> None:
    card, settled = loaded(tmp_path, "after")
    ours = replace(settled, intent=replace(settled.intent, **other))
    assert proof(card, ours, NOBODY).outcome is Outcome.NOT_DONE


def test_without_the_pin_that_opens_the_records_such_a_proof_is_no_proof_and_no_denial(tmp_path: Path) -> None:
    card, settled = loaded(tmp_path, "after")
    again = card.again()
    found = ask_proof(again.channel, again.insertion, NOBODY, settled.intent, DEADLINE)
    assert (found.outcome, found.tac_right) == (Outcome.UNPROVEN, None)


@pytest.mark.parametrize("value", ["after", "before"])
def test_a_certificate_may_be_about_the_balance_before_the_load_or_after_it(tmp_path: Path, value: str) -> None:
    chip = account_card(tmp_path, Algorithm.SM4, toggles={"load_certificate_balance": value})
    card = on_channel(chip.on("contact"), Transport.T0)
    settled = load(card.channel, card.insertion, None, SERVICES, LOAD, PIN, lambda _: None, DEADLINE)
    assert (settled.outcome, settled.tac_right) == (Outcome.DONE, True)
    forged = replace(settled.intent, balance=settled.intent.balance + 1)
    assert SERVICES.money is not None
    assert settled.certificate is not None
    keys = CardKeys(Algorithm.SM4, FACTORS)
    right = SERVICES.money.load_tac_right(keys, forged.load, settled.certificate.tac, deadline=DEADLINE)
    assert right is False


def test_the_pin_is_shown_for_the_balance_to_a_card_that_wants_it_and_to_no_other(tmp_path: Path) -> None:
    for value, shown in (("freely", 0), ("with_pin", 1)):
        (tmp_path / value).mkdir()
        chip = account_card(tmp_path / value, Algorithm.SM4, toggles={"balance_asked": value})
        card = on_channel(chip.on("contact"), Transport.T0)
        assert read_balances(card.channel, card.insertion, None, PIN).account == 1000_00
        assert card.record.instructions.count(0x20) == shown


def test_a_card_that_wants_the_pin_for_the_balance_denies_it_without(tmp_path: Path) -> None:
    chip = account_card(tmp_path, Algorithm.SM4, toggles={"balance_asked": "with_pin"})
    card = on_channel(chip.on("contact"), Transport.T0)
    with pytest.raises(CarddError) as caught:
        read_balances(card.channel, card.insertion, None)
    assert caught.value.reason is Reason.ACCESS_DENIED
