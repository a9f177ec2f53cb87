import asyncio
from pathlib import Path
from typing import Any

import pytest
from support.cards import altered, software_keys
from support.modules import Desk, virtual

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.crypto.block import Algorithm, block_size
from cardd.crypto.derive import factors
from cardd.rules.keys import KeyName

pytestmark = pytest.mark.asyncio

FACTORS = factors("510100", bytes.fromhex("0081544C9686845101C0FFEE01"))
PROCESS_FACTOR, ORIGINAL = bytes.fromhex("1122334455667788"), bytes.fromhex("0102030405060708")
ANSWERS = {
    Algorithm.DES: bytes.fromhex("98B77B8088D60DA0"),
    Algorithm.SM4: bytes.fromhex("8135B4D81B42EA5F"),
}
DELIVER, CIPHER, INITIALISE = 0xDE, 0xFA, 0xEC
ALGORITHMS = pytest.mark.parametrize("algorithm", list(ANSWERS))


async def compute(
    desk: Desk, algorithm: Algorithm = Algorithm.SM4, key: KeyName = KeyName.IRK, version: int | None = None
) -> bytes:
    def ask() -> bytes:
        return desk.keys.authentication_data(
            key,
            algorithm,
            FACTORS,
            PROCESS_FACTOR,
            ORIGINAL,
            version=version,
            deadline=desk.clock.monotonic() + 30,
        )

    return await asyncio.to_thread(ask)


async def refusal(desk: Desk, *how: Any, **more: Any) -> CarddError:
    with pytest.raises(CarddError) as caught:
        await compute(desk, *how, **more)
    return caught.value


def of(commands: list[bytes], instruction: int) -> list[bytes]:
    return [command for command in commands if command[1] == instruction]


@ALGORITHMS
@pytest.mark.parametrize("level", ["national", "provincial", "city"])
@pytest.mark.parametrize("key", [KeyName.IRK, KeyName.RKSSSE, KeyName.UKSSSE])
async def test_a_module_of_any_level_computes_what_the_rule_says(
    tmp_path: Path, level: str, algorithm: Algorithm, key: KeyName
) -> None:
    async with Desk() as desk:
        await desk.with_modules([altered(tmp_path, "psam", level=level)])
        # one root stands for every key here, so every key gives the vector
        assert await compute(desk, algorithm, key) == ANSWERS[algorithm]


async def test_the_factors_travel_card_first_and_the_process_factor_fills_a_block() -> None:
    async with Desk() as desk:
        (module,) = await desk.with_modules(["psam"])
        await compute(desk, Algorithm.SM4)
        await compute(desk, Algorithm.DES)
        sm4, des = of(module.commands, DELIVER)
        chain = "86845101C0FFEE01 3531303130307378 3531303030307368"
        assert sm4 == bytes.fromhex(f"BFDE6708 28 {chain} 1122334455667788 0000000000000000")
        assert des == bytes.fromhex(f"BFDE6708 20 {chain} 1122334455667788")
        assert [command[:21] for command in of(module.commands, CIPHER)] == [
            bytes.fromhex("80FA0000 10 0102030405060708 0000000000000000"),
            bytes.fromhex("80FA0000 08 0102030405060708 00"),
        ]


async def test_the_module_is_told_the_cards_province() -> None:
    async with Desk() as desk:
        (module,) = await desk.with_modules(["psam"])
        await compute(desk)
        assert of(module.commands, INITIALISE) == [bytes.fromhex("BFEC0000 01 51")]


async def test_the_level_that_a_module_accepts_is_kept() -> None:
    async with Desk() as desk:
        (module,) = await desk.with_modules(["psam-provincial"])
        await compute(desk)
        tried = len(of(module.commands, DELIVER))
        await compute(desk)
        assert tried > 1
        assert len(of(module.commands, DELIVER)) == tried + 1
        assert desk.keys.status() == {
            "provider": "psam",
            "available": True,
            "modules": [{"reader": "sam", "levels": {"SM4 IRK": "provincial"}}],
        }


async def test_another_module_in_the_same_reader_is_asked_anew() -> None:
    async with Desk() as desk:
        await desk.with_modules(["psam"])
        await compute(desk)
        (module,) = await desk.with_modules(["psam-provincial"])
        assert await compute(desk) == ANSWERS[Algorithm.SM4]
        assert len(of(module.commands, DELIVER)) > 1


async def test_each_computation_is_one_transaction_on_a_handle_that_stays_open() -> None:
    async with Desk() as desk:
        await desk.with_modules(["psam"])
        await compute(desk)
        await compute(desk)
        assert desk.backend.bays["sam"].calls == ["connect exclusive", "begin", "end", "begin", "end"]


async def test_without_a_module_there_is_nobody_to_ask() -> None:
    async with Desk() as desk:
        assert (await refusal(desk)).reason is Reason.PSAM_ABSENT
        assert desk.keys.status() == {"provider": "psam", "available": False, "modules": []}


async def test_a_module_on_the_counter_is_not_asked() -> None:
    async with Desk() as desk:
        module = virtual("psam")
        await desk.insert("front", module)
        assert (await refusal(desk)).reason is Reason.PSAM_ABSENT
        assert module.commands == []


@pytest.mark.parametrize("persona", ["old-jia", "social-jia-3.0"])
async def test_a_card_that_is_no_module_counts_as_none(persona: str) -> None:
    async with Desk() as desk:
        await desk.with_modules([persona])
        assert (await refusal(desk, Algorithm.DES)).reason is Reason.PSAM_ABSENT


async def test_a_module_without_the_cards_algorithm_says_so(tmp_path: Path) -> None:
    async with Desk() as desk:
        await desk.with_modules([altered(tmp_path, "psam", algorithms=["des"])])
        assert (await refusal(desk, Algorithm.SM4)).reason is Reason.PSAM_ALGORITHM
        assert await compute(desk, Algorithm.DES) == ANSWERS[Algorithm.DES]


@pytest.mark.parametrize("level", ["national", "provincial", "city"])
async def test_a_module_that_has_sm4_under_the_first_name_and_does_not_say_so_is_known_by_its_cipher(
    tmp_path: Path, level: str
) -> None:
    persona = altered(tmp_path, "psam", level=level, toggles={"sm4_environment_name": "sx1"})
    async with Desk() as desk:
        (module,) = await desk.with_modules([persona])
        assert await compute(desk, Algorithm.SM4, KeyName.RKSSSE) == ANSWERS[Algorithm.SM4]
        assert of(module.commands, CIPHER)[0] == bytes.fromhex(f"80FA0000 10 {'00' * 16} 00")
        assert (await refusal(desk, Algorithm.DES)).reason in {Reason.PSAM_ALGORITHM, Reason.PSAM_LEVEL}


async def test_a_module_for_des_that_takes_what_is_meant_for_sm4_is_not_believed(tmp_path: Path) -> None:
    async with Desk() as desk:
        (module,) = await desk.with_modules([altered(tmp_path, "psam", algorithms=["des"])])
        inner = module.answer

        def careless(command: bytes) -> bytes:
            if command[:2] == b"\xbf\xde":
                usual = bytes((*command[:4], 32)) + command[5:37]
                return inner(usual)
            return inner(command)

        module.answer = careless
        assert (await refusal(desk, Algorithm.SM4)).reason is Reason.PSAM_ALGORITHM
        assert len(of(module.commands, CIPHER)) == 1


async def test_a_module_without_the_key_says_so(tmp_path: Path) -> None:
    directory = altered(tmp_path, "psam")
    text = directory.read_text(encoding="utf-8").replace("  root:", "  IRK:")
    directory.write_text(text, encoding="utf-8")
    async with Desk() as desk:
        await desk.with_modules([directory])
        assert await compute(desk) == ANSWERS[Algorithm.SM4]
        assert (await refusal(desk, key=KeyName.RKSSSE)).reason is Reason.PSAM_KEY_MISSING


async def test_a_module_of_another_province_says_so(tmp_path: Path) -> None:
    async with Desk() as desk:
        await desk.with_modules([altered(tmp_path, "psam-provincial", region="330100")])
        assert (await refusal(desk)).reason is Reason.PSAM_LEVEL


async def test_a_module_computes_with_the_first_version_only() -> None:
    async with Desk() as desk:
        await desk.with_modules(["psam"])
        assert await compute(desk, version=1) == ANSWERS[Algorithm.SM4]
        assert (await refusal(desk, version=2)).reason is Reason.PSAM_KEY_MISSING


async def test_the_second_module_serves_what_the_first_cannot(tmp_path: Path) -> None:
    async with Desk() as desk:
        first, second = await desk.with_modules([altered(tmp_path, "psam", algorithms=["des"]), "psam"])
        assert await compute(desk, Algorithm.SM4) == ANSWERS[Algorithm.SM4]
        assert of(first.commands, CIPHER) == []
        assert len(of(second.commands, CIPHER)) == 1


async def test_the_module_that_came_furthest_gives_the_reason(tmp_path: Path) -> None:
    async with Desk() as desk:
        await desk.with_modules([altered(tmp_path, "psam-provincial", region="330100"), "old-jia"])
        assert (await refusal(desk)).reason is Reason.PSAM_LEVEL


async def test_a_module_that_was_pulled_is_absent_and_no_card_is_blamed() -> None:
    async with Desk() as desk:
        await desk.with_modules(["psam"])
        desk.backend.bays["sam"].on_transmit.append(CarddError(Reason.CARD_REMOVED))
        assert (await refusal(desk)).reason is Reason.PSAM_ABSENT
        desk.backend.take("sam")
        assert (await refusal(desk)).reason is Reason.PSAM_ABSENT


async def test_a_module_that_does_not_know_the_province_command_serves_all_the_same() -> None:
    async with Desk() as desk:
        (module,) = await desk.with_modules(["psam"])
        inner = module.answer
        module.answer = lambda command: b"\x6d\x00" if command[:2] == b"\xbf\xec" else inner(command)
        assert await compute(desk) == ANSWERS[Algorithm.SM4]


async def test_an_answer_that_is_no_block_is_not_used() -> None:
    async with Desk() as desk:
        (module,) = await desk.with_modules(["psam"])
        inner = module.answer
        module.answer = lambda command: bytes(8) + b"\x90\x00" if command[:2] == b"\x80\xfa" else inner(command)
        assert (await refusal(desk)).reason is Reason.PSAM_KEY_MISSING


HEADERS = {None: "84240000", "123456": "84240001", "1234567890123456": "84240001", "": "84240001"}


async def maintenance(desk: Desk, algorithm: Algorithm, pin: str | None) -> bytes:
    plaintext = None if pin is None else Secret(bytes.fromhex(pin))
    header = bytes.fromhex(HEADERS[pin])

    def ask() -> bytes:
        return desk.keys.maintenance(
            KeyName.STKSSSE, algorithm, FACTORS, PROCESS_FACTOR, header, plaintext, deadline=desk.clock.monotonic() + 30
        )

    return await asyncio.to_thread(ask)


def computed_here(algorithm: Algorithm, pin: str | None) -> bytes:
    plaintext = None if pin is None else Secret(bytes.fromhex(pin))
    header = bytes.fromhex(HEADERS[pin])
    return software_keys().maintenance(
        KeyName.STKSSSE, algorithm, FACTORS, PROCESS_FACTOR, header, plaintext, deadline=0.0
    )


@ALGORITHMS
@pytest.mark.parametrize("level", ["national", "provincial"])
@pytest.mark.parametrize("pin", list(HEADERS))
async def test_a_module_protects_a_maintenance_command_as_the_rule_says(
    tmp_path: Path, level: str, algorithm: Algorithm, pin: str | None
) -> None:
    async with Desk() as desk:
        (module,) = await desk.with_modules([altered(tmp_path, "psam", level=level)])
        assert await maintenance(desk, algorithm, pin) == computed_here(algorithm, pin)
        assert {command[3] for command in of(module.commands, DELIVER)} == {0x09}


@ALGORITHMS
async def test_a_module_that_keeps_ciphers_and_macs_apart_is_asked_for_both(algorithm: Algorithm) -> None:
    async with Desk() as desk:
        (module,) = await desk.with_modules(["psam"])
        inner = module.answer

        def apart(command: bytes) -> bytes:
            both = command[1] == DELIVER and command[2] & 0x1F == 8
            return b"\x6a\x88" if both else inner(command)

        module.answer = apart
        assert await maintenance(desk, algorithm, "123456") == computed_here(algorithm, "123456")


async def test_a_module_that_leaves_the_mac_whole_has_it_shortened_here() -> None:
    async with Desk() as desk:
        (module,) = await desk.with_modules(["psam"])
        inner = module.answer
        last = bytes.fromhex("0102030411111111AAAAAAAA55555555")
        module.answer = lambda command: last + b"\x90\x00" if command[:3] == b"\x80\xfa\x05" else inner(command)
        # 01020304 ^ 11111111 ^ AAAAAAAA ^ 55555555
        assert await maintenance(desk, Algorithm.SM4, None) == bytes.fromhex("EFECEDEA")


async def test_a_mac_of_another_length_is_not_used() -> None:
    async with Desk() as desk:
        (module,) = await desk.with_modules(["psam"])
        inner = module.answer
        module.answer = lambda command: bytes(5) + b"\x90\x00" if command[:3] == b"\x80\xfa\x05" else inner(command)
        with pytest.raises(CarddError) as caught:
            await maintenance(desk, Algorithm.SM4, None)
        assert caught.value.reason is Reason.PSAM_KEY_MISSING


UPDATE = bytes.fromhex("04DC022C")


async def update_mac(desk: Desk, algorithm: Algorithm, data: bytes) -> bytes:
    end = desk.clock.monotonic() + 30
    return await asyncio.to_thread(
        lambda: desk.keys.update_mac(KeyName.STKDF01, algorithm, FACTORS, PROCESS_FACTOR, UPDATE, data, deadline=end)
    )


@ALGORITHMS
@pytest.mark.parametrize("length", [1, 50, 51, 58, 59, 106, 107, 122, 123, 251])
async def test_the_mac_of_an_update_of_any_length_is_that_of_the_rule(algorithm: Algorithm, length: int) -> None:
    data = bytes(range(length))
    async with Desk() as desk:
        (module,) = await desk.with_modules(["psam"])
        made = await update_mac(desk, algorithm, data)
        assert {command[3] for command in of(module.commands, DELIVER)} == {0x20}
        assert all(len(command) <= 5 + 8 * block_size(algorithm) + 1 for command in of(module.commands, CIPHER))
    assert made == software_keys().update_mac(
        KeyName.STKDF01, algorithm, FACTORS, PROCESS_FACTOR, UPDATE, data, deadline=0.0
    )


async def test_a_module_that_breaks_a_chain_off_is_not_used_further() -> None:
    async with Desk() as desk:
        (module,) = await desk.with_modules(["psam"])
        inner = module.answer
        module.answer = lambda command: b"\x69\x85" if command[:3] == b"\x80\xfa\x03" else inner(command)
        with pytest.raises(CarddError) as caught:
            await update_mac(desk, Algorithm.DES, bytes(251))
        assert caught.value.reason is Reason.PSAM_KEY_MISSING
        assert [command[2] for command in of(module.commands, CIPHER)] == [0x07, 0x03]


async def test_what_happens_at_the_counters_has_nobody_look_for_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Desk() as desk:
        await desk.with_modules(["psam"])
        look, looks = desk.keys._look, list[int]()

        def counted() -> None:
            looks.append(1)
            look()

        monkeypatch.setattr(desk.keys, "_look", counted)
        await desk.insert("front", virtual("social-jia-3.0"))
        await desk.remove("front")
        assert looks == []
        await desk.remove("sam")
        assert looks == [1]
        assert desk.keys.status()["available"] is False
