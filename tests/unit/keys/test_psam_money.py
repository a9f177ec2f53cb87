import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from support.account import account_card
from support.cards import ROOT, OpenCard, altered, on_channel
from support.modules import Desk

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.cards.account import Deed
from cardd.crypto.block import Algorithm
from cardd.crypto.derive import factors
from cardd.crypto.money import Amounts
from cardd.desk.account import Order, Outcome, Services, Settled, debit, load
from cardd.desk.account_reading import read_balances
from cardd.iso7816.device import Transport
from cardd.keys.money import CardKeys, Purchase
from cardd.keys.psam_money import PsamMoney

pytestmark = pytest.mark.asyncio

T = TypeVar("T")

FACTORS = factors("510100", bytes.fromhex("0081544C9686845101C0FFEE01"))
ORDER = Order(Deed.PURCHASE, Amounts(12_50, 3_00, 20_00), "20240506101112")
LOAD = Order(Deed.LOAD, Amounts(50_00), "20240506101112")
ALGORITHMS = pytest.mark.parametrize("algorithm", [Algorithm.DES, Algorithm.SM4])
PIN = Secret(b"123456")
MAC1, MAC2, GET_RESPONSE = 0x70, 0x72, 0xC0
CREDIT = 0x2A


def purchase(sequence: int = 3) -> Purchase:
    return Purchase(ORDER.amounts, bytes(4), sequence, 1, 3, bytes.fromhex(ORDER.time))


def account(directory: Path, algorithm: Algorithm = Algorithm.SM4) -> OpenCard:
    return on_channel(account_card(directory, algorithm).on("contact"), Transport.T0)


class Counter(Desk):
    """A counter whose modules sign purchases; card work runs on a thread of its own, as it would on a worker."""

    def __init__(self) -> None:
        super().__init__()
        self.money = PsamMoney(self.readers, self.keys, clock=self.clock)
        self.card_keys = CardKeys(Algorithm.SM4, FACTORS)

    @property
    def deadline(self) -> float:
        return self.clock.monotonic() + 30

    async def debit(self, card: OpenCard) -> Settled:
        services, end = Services(self.keys, self.money), self.deadline
        return await asyncio.to_thread(
            debit, card.channel, card.insertion, None, services, ORDER, PIN, lambda _: None, end
        )

    async def load(self, card: OpenCard) -> Settled:
        services, end = Services(self.keys, self.money), self.deadline
        return await asyncio.to_thread(
            load, card.channel, card.insertion, None, services, LOAD, PIN, lambda _: None, end
        )

    async def refused(self, work: Callable[[], object]) -> CarddError:
        with pytest.raises(CarddError) as caught:
            await asyncio.to_thread(work)
        return caught.value


@ALGORITHMS
@pytest.mark.parametrize("level", ["national", "provincial", "city"])
async def test_a_module_with_the_load_key_lets_money_be_loaded(
    tmp_path: Path, level: str, algorithm: Algorithm
) -> None:
    async with Counter() as counter:
        await counter.with_modules([altered(tmp_path, "psam", level=level)])
        card = account(tmp_path, algorithm)
        settled = await counter.load(card)
        # a module makes session keys: the certificate is for the authority to judge
        assert (settled.outcome, settled.tac_right) == (Outcome.DONE, None)
        assert read_balances(card.again().channel, card.insertion, None).account == 1000_00 + 50_00


async def test_a_load_is_refused_before_money_moves_where_no_module_has_the_key(tmp_path: Path) -> None:
    async with Counter() as counter:
        without = tmp_path / "without.yaml"
        without.write_text(f"card: psam\nlevel: national\nkeys: {{IRK: {ROOT.hex()}, RKSSSE: {ROOT.hex()}}}\n")
        await counter.with_modules([str(without)])
        card = account(tmp_path)
        with pytest.raises(CarddError) as caught:
            await counter.load(card)
        assert caught.value.reason in {Reason.PSAM_KEY_MISSING, Reason.PSAM_LEVEL}
        assert CREDIT not in card.record.instructions
        assert read_balances(card.again().channel, card.insertion, None).account == 1000_00


async def test_a_load_whose_mac_is_another_issuers_moves_nothing(tmp_path: Path) -> None:
    async with Counter() as counter:
        await counter.with_modules(["psam"])
        wrong = {"root": ROOT.hex(), "DLK": "0F" * 16}
        card = on_channel(account_card(tmp_path, Algorithm.SM4, keys=wrong).on("contact"), Transport.T0)
        with pytest.raises(CarddError) as caught:
            await counter.load(card)
        assert caught.value.reason is Reason.CARD_NOT_GENUINE
        assert read_balances(card.again().channel, card.insertion, None).account == 1000_00


def of(commands: list[bytes], instruction: int) -> list[bytes]:
    return [command for command in commands if command[1] == instruction]


@ALGORITHMS
@pytest.mark.parametrize("level", ["national", "provincial", "city"])
async def test_a_module_of_any_level_signs_and_checks_a_purchase(
    tmp_path: Path, level: str, algorithm: Algorithm
) -> None:
    async with Counter() as counter:
        (module,) = await counter.with_modules([altered(tmp_path, "psam", level=level, terminal_sequence=41)])
        settled = await counter.debit(account(tmp_path, algorithm))
        assert (settled.outcome, settled.mac_right, settled.tac_right) == (Outcome.DONE, True, None)
        assert (settled.intent.terminal.hex(), settled.intent.terminal_sequence) == ("510100000001", 41)
        assert len(of(module.commands, MAC2)) == 1
        again = await counter.debit(account(tmp_path, algorithm))
        assert again.intent.terminal_sequence == 42


async def test_the_purchase_travels_as_the_rule_says_with_the_cards_factor_first() -> None:
    async with Counter() as counter:
        (module,) = await counter.with_modules(["psam"])

        def sign() -> None:
            with counter.money.purchase(counter.card_keys, deadline=counter.deadline) as till:
                till.sign(
                    Purchase(Amounts(1, 2, 3), b"\xa1\xa2\xa3\xa4", 0x1234, 1, 3, bytes.fromhex("20240506101112"))
                )

        await asyncio.to_thread(sign)
        (command,) = of(module.commands, MAC1)
        expected = (
            "80700100 34 A1A2A3A4 1234 00000001 00000002 00000003 32 20240506 101112 01 03"
            "86845101C0FFEE01 3531303130307378 3531303030307368"
        )
        assert command[:57] == bytes.fromhex(expected)


async def test_the_level_that_a_module_signs_at_is_kept(tmp_path: Path) -> None:
    async with Counter() as counter:
        (module,) = await counter.with_modules(["psam-provincial"])
        await counter.debit(account(tmp_path))
        tried = len(of(module.commands, MAC1))
        await counter.debit(account(tmp_path))
        assert (tried, len(of(module.commands, MAC1))) == (2, 3)


async def test_no_other_counter_comes_between_signature_and_check(tmp_path: Path) -> None:
    async with Counter() as counter:
        (module,) = await counter.with_modules(["psam"])
        signed, asked = threading.Event(), threading.Event()

        def slow() -> bool:
            with counter.money.purchase(counter.card_keys, deadline=counter.deadline) as till:
                till.sign(purchase())
                signed.set()
                assert asked.wait(5)
                return till.confirms(bytes(4))

        first = asyncio.create_task(asyncio.to_thread(slow))
        await asyncio.to_thread(signed.wait, 5)
        # the counter beside it wants the same module meanwhile, and has to wait
        second = asyncio.create_task(counter.debit(account(tmp_path)))
        await asyncio.sleep(0.1)
        asked.set()
        assert await first is False
        assert (await second).outcome is Outcome.DONE
        order = [command[1] for command in module.commands if command[1] != GET_RESPONSE]
        assert order[order.index(MAC1) + 1] == MAC2
        calls = counter.backend.bays["sam"].calls
        # nobody waits for the module to be let go, but it is
        await counter.until(lambda: calls.count("begin") == calls.count("end"))


async def test_a_purchase_that_is_given_up_leaves_the_module_to_the_next(tmp_path: Path) -> None:
    async with Counter() as counter:
        await counter.with_modules(["psam"])

        def give_up() -> None:
            with counter.money.purchase(counter.card_keys, deadline=counter.deadline):
                raise ValueError

        with pytest.raises(ValueError, match=r"^$"):
            await asyncio.to_thread(give_up)
        assert (await counter.debit(account(tmp_path))).outcome is Outcome.DONE


async def test_a_module_that_goes_after_the_card_paid_takes_nothing_back(tmp_path: Path) -> None:
    async with Counter() as counter:
        (module,) = await counter.with_modules(["psam"])
        inner = module.answer
        card = account(tmp_path)

        def answer(command: bytes) -> bytes:
            if command[1] == MAC2:
                raise CarddError(Reason.CARD_REMOVED)
            return inner(command)

        module.answer = answer
        settled = await counter.debit(card)
        assert (settled.outcome, settled.mac_right) == (Outcome.DONE, None)


async def test_without_a_module_nothing_is_begun(tmp_path: Path) -> None:
    async with Counter() as counter:
        card = account(tmp_path)
        with pytest.raises(CarddError) as caught:
            await counter.debit(card)
        assert caught.value.reason is Reason.PSAM_ABSENT
        assert 0x28 not in card.record.instructions


async def test_a_module_without_the_debit_key_says_so(tmp_path: Path) -> None:
    persona = altered(tmp_path, "psam")
    persona.write_text(persona.read_text(encoding="utf-8").replace("  root:", "  IRK:"), encoding="utf-8")
    async with Counter() as counter:
        await counter.with_modules([persona])

        def sign() -> None:
            with counter.money.purchase(counter.card_keys, deadline=counter.deadline) as till:
                till.sign(purchase())

        error = await counter.refused(sign)
        assert (error.reason, error.facts["key"]) == (Reason.PSAM_KEY_MISSING, "DPK")


async def test_the_second_module_opens_a_purchase_where_the_first_lacks_the_algorithm(tmp_path: Path) -> None:
    async with Counter() as counter:
        first, second = await counter.with_modules([altered(tmp_path, "psam", algorithms=["des"]), "psam"])
        assert (await counter.debit(account(tmp_path))).mac_right
        assert (of(first.commands, MAC1), len(of(second.commands, MAC1))) == ([], 1)


async def test_a_purchase_is_opened_at_the_module_that_judged_the_card_and_not_at_one_that_has_the_name_only(
    tmp_path: Path,
) -> None:
    async with Counter() as counter:
        sm4 = altered(tmp_path, "psam", toggles={"sm4_environment_name": "sx1"})
        first, second = await counter.with_modules([sm4, "psam"])
        assert (await counter.debit(account(tmp_path, Algorithm.DES))).mac_right
        assert (of(first.commands, MAC1), len(of(second.commands, MAC1))) == ([], 1)


async def test_a_purchase_ends_with_its_deadline_and_frees_the_module() -> None:
    async with Counter() as counter:
        await counter.with_modules(["psam"])

        def linger() -> None:
            with counter.money.purchase(counter.card_keys, deadline=counter.clock.monotonic() + 0.3) as till:
                threading.Event().wait(0.5)
                till.sign(purchase())

        error = await counter.refused(linger)
        assert error.reason in {Reason.TIMEOUT, Reason.PSAM_ABSENT}
        number = await asyncio.to_thread(counter.money.terminal, counter.card_keys, deadline=counter.deadline)
        assert number.hex() == "510100000001"
