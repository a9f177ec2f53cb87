"""The driver's functions on a whole daemon: strings, numbers, what is asked for, and what goes on record."""

import asyncio
import time
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.driver_calls import INFO, OFFLINE, program
from support.exchanges import FRONT, SAM

from cardd.base.reasons import REASONS, Reason
from cardd.driver.calls import COMING_S
from cardd.driver.functions import FUNCTIONS
from cardd.keys.psam_session import Session
from cardsim.card.make import make_card
from cardsim.persona import load_persona

pytestmark = pytest.mark.asyncio

BASIC = (
    "510100|510101190001010086|T00000087|510100D156000005C0FFEE08FFFFFFFF|测试辛|0081544C9686845101C0FFEE08|3.00|"
    "20240102|20340102|510100000001||"
)


def said(reason: Reason) -> str:
    return REASONS[reason].zh


async def test_the_basic_information_has_the_eleven_items_and_goes_on_record(tmp_path: Path) -> None:
    async with program(tmp_path) as call:
        assert await call("iReadCardBas", 3) == (0, BASIC)
        assert await call("iReadCardBas", "1", purpose="registration") == (0, BASIC)
        events = await call.recorded("personal.disclosed")
        data = [event["data"] for event in events]
        assert [one["purpose"] for one in data] == ["iReadCardBas", "registration"]
        assert "holder.name" in data[0]["fields"]
        assert "测试辛" not in str(events)


@pytest.mark.parametrize(
    ("persona", "number", "reason"),
    [
        (None, -2, Reason.NO_CARD),
        ("old-jia", -1, Reason.CARD_UNKNOWN),
        ("p4-bad-irk", -21, Reason.CARD_NOT_GENUINE),
    ],
)
async def test_a_card_that_cannot_be_read_has_its_number_and_says_why(
    tmp_path: Path, persona: str | None, number: int, reason: Reason
) -> None:
    async with program(tmp_path, persona) as call:
        assert await call("iReadCardBas", 3) == (number, said(reason))


async def test_a_card_is_looked_for_by_the_way_that_is_asked_for(tmp_path: Path) -> None:
    async with program(tmp_path) as call:
        assert (await call("iReadCardBas", 2))[0] == -2
        assert (await call("iReadCardBas", 4))[0] == 0


@pytest.mark.parametrize("args", [(), (0,), (5,), ("x",), (1, 2)])
async def test_arguments_that_are_none_are_minus_14(tmp_path: Path, args: tuple[int | str, ...]) -> None:
    async with program(tmp_path) as call:
        assert (await call("iReadCardBas", *args))[0] == -14


@pytest.mark.parametrize("function", ["iInitDevice", "PKI_SignData", "PKI_SealEnvelope"])
async def test_what_the_driver_does_not_have_is_minus_13(tmp_path: Path, function: str) -> None:
    async with program(tmp_path, None) as call:
        number, text = await call(function, "1", "2", 1)
        assert number == -13
        assert text


async def test_files_come_back_in_the_shape_of_their_address(tmp_path: Path) -> None:
    async with program(tmp_path) as call:
        address = "DF01EF0A|37|$DF01EF15|2A|40:2|$SSSEEF06|08|0D|4E|$df02ef07:02$DF01EF0A|38|$"
        code, out = await call("iReadCard", 1, 2, INFO, address)
        assert code == 0
        assert out == (
            "DF01EF0A|CHN|$DF01EF15|21|303^020000^测试学院^|$SSSEEF06|510101190001010086|19000101||$"
            "DF02EF07:2|2010000^19200101^19201231^测试单位一^|$DF01EF0A|13|$"
        )


async def test_a_cyclic_file_has_its_records_with_bars_and_a_transparent_one_its_bytes(tmp_path: Path) -> None:
    async with program(tmp_path) as call:
        code, out = await call("iReadCard", 1, 2, INFO, "DF02EF07|$SSSEEF07|$")
        assert code == 0
        assert out == (
            "DF02EF07|2020000^19210101^19220101^测试单位二^|2010000^19200101^19201231^测试单位一^|$"
            f"SSSEEF07|464D52{'00' * 765}|$"
        )


async def test_the_pin_is_asked_for_where_it_is_preferred_and_where_nothing_else_opens(tmp_path: Path) -> None:
    async with program(tmp_path) as call:
        prompts = [e for e in call.desk.events if e["type"].endswith("prompt.opened.v1")]
        assert prompts == []
        for auth, address, asked in ((2, "DF01EF05|20|$", 0), (1, "DF01EF05|20|$", 1), (2, "DF04EF06|90|$", 2)):
            assert (await call("iReadCard", 1, auth, INFO, address))[0] == 0
            prompts = [e for e in call.desk.events if e["type"].endswith("prompt.opened.v1")]
            assert len(prompts) == asked, address


async def test_a_wrong_pin_tells_the_tries_that_are_left(tmp_path: Path) -> None:
    async with program(tmp_path) as call:
        call.desk.pin = "654321"
        assert await call("iVerifyPIN", 1) == (-51, "密码错误，还可尝试5次。")
        call.desk.pin = "123456"
        assert await call("iVerifyPIN", 1) == (0, "")


@pytest.mark.parametrize(
    ("address", "number"),
    [
        ("DF01EF0A|37", -14),
        ("nonsense$", -14),
        ("DF01EF7A|37|$", -27266),
        ("DF01EF0A|99|$", -27267),
        ("ACSEEF01|$", -13),
    ],
)
async def test_an_address_that_leads_nowhere_has_its_number(tmp_path: Path, address: str, number: int) -> None:
    async with program(tmp_path) as call:
        assert (await call("iReadCard", 1, 2, INFO, address))[0] == number


async def test_another_card_than_the_one_read_before_is_minus_22_for_every_function(tmp_path: Path) -> None:
    async with program(tmp_path) as call:
        for info in (OFFLINE, INFO.replace("87", "88")):
            assert (await call("iReadCard", 1, 2, info, "DF01EF0A|37|$"))[0] == -22
            assert (await call("iWriteCard", 1, info, "DF04EF05|84|$", "DF04EF05|510700|$"))[0] == -22
            assert (await call("iReloadPIN", 1, info))[0] == -22
            assert (await call("iUnblockPIN", 1, info))[0] == -22
            assert (await call("iDoDebit", 1, info, "12.50|3.00|20240102030405|"))[0] == -22
        assert [e for e in call.desk.events if e["type"].endswith("prompt.opened.v1")] == []


async def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    async with program(tmp_path) as call:
        address, data = "DF04EF05|84|$DF04EF15|$DF01EF15|40|$", "DF04EF05|510700|$DF04EF15|0009^9^|$DF01EF15|1^02^乙^|$"
        assert await call("iWriteCard", 1, INFO, address, data) == (0, "")
        code, out = await call("iReadCard", 1, 2, INFO, "DF04EF05|84|$DF04EF15:1|$DF01EF15|40:1|40:2|$")
        assert (code, out) == (
            0,
            "DF04EF05|510700|$DF04EF15:1|0009^9^|$DF01EF15|1^02^乙^|303^020000^测试学院^|$",
        )


@pytest.mark.parametrize(
    ("address", "data", "number"),
    [
        ("DF04EF08|$", "DF04EF08|x|$", -27010),
        ("DF04EF05|84|$", "DF04EF05|51|07|$", -23),
        ("DF04EF05|84|$", "DF04EF06|51|$", -23),
        ("DF01EF05|20|$", "DF01EF05|12345678901234567890|$", -23),
        ("DF04EF05|99|$", "DF04EF05|1|$", -27267),
        ("DF04EF05|$", "DF04EF05|1|$", -14),
    ],
)
async def test_data_that_cannot_be_written_have_their_number(
    tmp_path: Path, address: str, data: str, number: int
) -> None:
    async with program(tmp_path) as call:
        assert (await call("iWriteCard", 1, INFO, address, data))[0] == number


async def test_a_request_makes_a_write_one_deed(tmp_path: Path) -> None:
    async with program(tmp_path) as call:
        write = ("iWriteCard", 1, INFO, "DF04EF15|$", "DF04EF15|0007^7^|$")
        for _ in range(2):
            assert await call(*write, request="w-1") == (0, "")
        out = (await call("iReadCard", 1, 2, INFO, "DF04EF15|$"))[1]
        assert out.count("0007^7^") == 1


async def test_the_pin_is_changed_reloaded_and_unblocked(tmp_path: Path) -> None:
    async with program(tmp_path) as call:
        assert await call("iChangePIN", 1) == (0, "")
        call.desk.pin = "246813"
        assert await call("iVerifyPIN", 1) == (0, "")
        assert await call("iReloadPIN", 1, INFO) == (0, "")
        assert await call("iUnblockPIN", 1, INFO) == (0, "")


async def test_a_bill_is_paid_certified_and_stands_in_the_record(tmp_path: Path) -> None:
    async with program(tmp_path, "p5-offline") as call:
        code, out = await call("iDoDebit", 1, OFFLINE, "12.50|3.00|20240102030405|")
        assert code == 0
        *paid, tac, end = out.split("|")
        assert paid == ["01", "017F", "000004E20000012C", "2", "510100000001", "00000001", "20240102030405"]
        assert (len(tac), end) == (8, "")
        code, records = await call("iReadDebitRecord", 1)
        assert (code, records.split("|")[0]) == (0, "0005^510100000001^20240102030405^12.50^3.00^")


THIRTEENTH_MONTH = "000432510100000001" + "20241302030405" + "000004E20000012C000007D0"
SHORT = "000432510100000001" + "202413020304"


@pytest.mark.parametrize(
    ("stored", "bill", "record"),
    [
        (
            THIRTEENTH_MONTH,
            "0004^510100000001^20241302030405^3.00^20.00^",
            "0004^2^510100000001^20241302030405^12.50^3.00^20.00^",
        ),
        (SHORT, "0004^510100000001^202413020304^^^", SHORT),
    ],
)
async def test_what_breaks_its_rule_in_a_record_is_told_as_its_digits_by_both_functions(
    tmp_path: Path, stored: str, bill: str, record: str
) -> None:
    persona = load_persona("p5-offline")
    broken = replace(persona, card=replace(persona.card, raw={"DF04EF08": (stored,)}))
    async with program(tmp_path, None) as call:
        call.desk._backend.insert(FRONT, make_card(broken, interface="contact"))
        await call.desk.until("card.identified")
        assert await call("iReadCard", 1, 1, OFFLINE, "DF04EF08|$") == (0, f"DF04EF08|{record}|$")
        assert await call("iReadDebitRecord", 1) == (0, f"{bill}|")


@pytest.mark.parametrize(
    "bill",
    [
        "12.5|3.00|20240102030405|",
        "12.50|3.00|",
        "42949672.95|0.00|20240102030405|",
        "12.50|3.00|20241302030405|",
        "12.50|3.00|20240230030405|",
        "12.50|3.00|20240102250405|",
        "12.50|3.00|00000000000000|",
        "",
    ],
)
async def test_a_bill_that_is_none_is_minus_14(tmp_path: Path, bill: str) -> None:
    async with program(tmp_path, "p5-offline") as call:
        assert (await call("iDoDebit", 1, OFFLINE, bill))[0] == -14


async def test_vendors_numbers_are_read(tmp_path: Path) -> None:
    async with program(tmp_path) as call:
        assert await call("iReadCardNo", 3) == (0, "T00000087|")
        assert await call("iReadICCardNum") == (0, "6200000000000000000|")
        assert await call("iReadBankNumber", 3) == (0, "6200000000000000000|")
        assert await call("iGetReaderInfo") == (0, "Example Reader 0 00 00|510100000001|")


async def test_reader_and_security_module_are_told_without_a_card(tmp_path: Path) -> None:
    async with program(tmp_path, None) as call:
        assert await call("iGetReaderInfo") == (0, "Example Reader 0 00 00|510100000001|")
        call.desk._backend.remove(SAM)
        await call.desk.until("card.removed")
        assert await call("iGetReaderInfo") == (0, "Example Reader 0 00 00|000000000000|")


async def test_the_modules_number_is_read_once_and_anew_of_another_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []
    read = Session.terminal_number

    def counted(session: Session) -> bytes:
        asked.append(found := read(session))
        return found

    monkeypatch.setattr(Session, "terminal_number", counted)
    async with program(tmp_path) as call:
        for _ in range(3):
            assert (await call("iReadCardBas", 3))[1].split("|")[9] == "510100000001"
        assert len(asked) == 1
        call.desk._backend.remove(SAM)
        await call.desk.until("card.removed")
        call.desk._backend.insert(SAM, make_card(load_persona("psam-provincial"), interface="contact"))
        await call.desk.until("card.inserted")
        assert (await call("iReadCardBas", 3))[1].split("|")[9] == "510100000002"


async def test_a_card_that_is_put_in_while_a_function_is_called_is_read(tmp_path: Path) -> None:
    async with program(tmp_path, None) as call:
        reading = asyncio.create_task(call("iReadCardBas", 3))
        await asyncio.sleep(0.05)
        await call.desk.insert("p3-3.0-sm4")
        assert await reading == (0, BASIC)


async def test_no_card_is_told_in_bounded_time_and_at_once_where_the_call_says_so(tmp_path: Path) -> None:
    async with program(tmp_path, None) as call:
        began = time.monotonic()
        assert (await call("iReadCardBas", 3, wait_s=0))[0] == -2
        assert time.monotonic() - began < COMING_S / 2
        assert (await call("iReadCardBas", 3))[0] == -2
        assert COMING_S <= time.monotonic() - began < 3 * COMING_S


@pytest.mark.parametrize(
    ("address", "number"),
    [
        ("DF01EF15|2A|$", -27266),  # of the rule, and not on this card
        ("DF07EF05|$", -27266),
        ("DF02EF07|$", -27266),
        ("SSSEEF08|$", -27266),
        ("DF01EF7A|37|$", -27266),  # of no rule
    ],
)
async def test_a_file_that_this_card_does_not_have_is_minus_27266_as_one_that_no_card_has(
    tmp_path: Path, address: str, number: int
) -> None:
    async with program(tmp_path, "p4-bad-missing-files") as call:
        items = (await call("iReadCardBas", 1))[1].split("|")
        assert (await call("iReadCard", 1, 2, f"{items[3]}|{items[2]}|", address))[0] == number


@pytest.mark.parametrize(
    ("address", "answer"),
    [
        ("DF01EF15|40:9|$", -27267),  # it repeats, and not so often on this card
        ("DF02EF07:9|$", -27267),
        ("DF01EF0A|99|$", -27267),  # of no rule
        ("SSSEEF06|4E|$", "SSSEEF06||$"),  # there, and not set
    ],
)
async def test_a_record_that_this_card_does_not_have_is_minus_27267_and_one_that_is_not_set_is_empty(
    tmp_path: Path, address: str, answer: int | str
) -> None:
    async with program(tmp_path) as call:
        number, text = await call("iReadCard", 1, 2, INFO, address)
        assert (number if isinstance(answer, int) else text) == answer


async def test_after_every_refusal_the_next_call_works(tmp_path: Path) -> None:
    async with program(tmp_path) as call:
        for refused in (("iReadCardBas", 9), ("iReadCard", 1, 2, OFFLINE, "DF01EF0A|37|$"), ("iFoo",)):
            assert (await call(*refused))[0] < 0
            assert (await call("iReadCardBas", 3))[0] == 0


async def test_every_text_fits_the_buffer_of_its_function(tmp_path: Path) -> None:
    async with program(tmp_path, None) as call:
        for name, function in FUNCTIONS.items():
            _, out = await call(name)
            assert len(out.encode("gb18030")) < function.buffer


async def test_what_has_no_room_in_the_buffer_is_minus_42(tmp_path: Path) -> None:
    async with program(tmp_path) as call:
        # each SSSEEF08 is 4096 bytes, in hexadecimal twice that
        assert (await call("iReadCard", 1, 2, INFO, "SSSEEF08|$" * 2))[0] == 0
        assert (await call("iReadCard", 1, 2, INFO, "SSSEEF08|$" * 3))[0] == -42


@pytest.mark.parametrize(
    ("persona", "by_key"),
    # a first generation card has that file open to everybody
    [("p1-1.0-des", 0), ("p2-2.0-des", -2201), ("p3-3.0-sm4", -2201)],
)
async def test_without_a_security_module_the_basic_information_is_minus_2201_and_what_the_pin_opens_is_read(
    tmp_path: Path, persona: str, by_key: int
) -> None:
    async with program(tmp_path, persona) as call:
        info = "|".join((await call("iReadCardBas", 1))[1].split("|")[3:1:-1]) + "|"
        call.desk._backend.remove(SAM)
        await call.desk.until("card.removed")
        assert await call("iReadCardBas", 1) == (-2201, said(Reason.PSAM_ABSENT))
        code, _ = await call("iReadCard", 1, 1, info, "DF01EF05|20|$SSSEEF05|07|$")
        assert code == 0
        assert (await call("iReadCard", 1, 2, info, "DF01EF05|20|$"))[0] == by_key


async def test_a_card_on_the_antenna_is_read_that_way_only(tmp_path: Path) -> None:
    async with program(tmp_path, None) as call:
        card = make_card(load_persona("p3-3.0-sm4"), interface="contactless")
        call.desk._backend.insert(FRONT, card)
        await call.desk.until("card.identified")
        assert [(await call("iReadCardBas", way))[0] for way in (1, 2, 3, 4)] == [-2, 0, 0, 0]
