"""The driver's functions in steps: a back office computes between them, and the card stays as it is meanwhile."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.back_office import BackOffice
from support.driver_calls import INFO, OFFLINE, Program, program

pytestmark = pytest.mark.asyncio

HISTORICAL = "0081544C9686845101C0FFEE08"
OFFICE = BackOffice("510100", HISTORICAL)
DES = "510100D156000005C0FFEE06FFFFFFFF|T00000060|"
DES_OFFICE = BackOffice("510100", "0081544C9686845101C0FFEE06")
OFFLINE_OFFICE = BackOffice("510100", "0081544C9686845101C0FFEE13")
WRONG = "00" * 8


async def requested(call: Program, function: str, *args: int | str) -> str:
    code, out = await call(function, *args)
    assert code == 0, out
    return out


async def test_the_basic_information_is_read_without_keys_of_ones_own(tmp_path: Path) -> None:
    async with program(tmp_path) as call:
        request = await requested(call, "iReadCardBas_HSM_Step1", 1)
        items = request.split("|")
        assert [len(item) for item in items] == [6, 26, 2, 32, 16, 16, 16, 16, 0]
        assert items[:4] == ["510100", HISTORICAL, "03", "510100D156000005C0FFEE08FFFFFFFF"]
        code, out = await call("iReadCardBas_HSM_Step2", OFFICE.basic(request))
        assert (code, out) == await call("iReadCardBas", 1)
        assert code == 0
        (first, *_) = await call.recorded("personal.disclosed")
        assert first["data"]["purpose"] == "iReadCardBas_HSM_Step1"


@pytest.mark.parametrize("end", ["\r\n", " ", "\n"])
async def test_a_machines_answer_may_have_the_end_of_its_line(tmp_path: Path, end: str) -> None:
    async with program(tmp_path) as call:
        request = await requested(call, "iReadCardBas_HSM_Step1", 1)
        assert (await call("iReadCardBas_HSM_Step2", OFFICE.basic(request) + end))[0] == 0


async def test_a_card_before_3_0_asks_for_no_external_authentication(tmp_path: Path) -> None:
    async with program(tmp_path, "p1-1.0-des") as call:
        request = await requested(call, "iReadCardBas_HSM_Step1", 1)
        assert [len(item) for item in request.split("|")] == [6, 26, 2, 32, 16, 16, 0, 0, 0]
        code, out = await call("iReadCardBas_HSM_Step2", DES_OFFICE.basic(request))
        assert (code, out) == await call("iReadCardBas", 1)


@pytest.mark.parametrize(
    ("spoil", "number"),
    [
        (lambda key: WRONG + key[16:], -21),
        (lambda key: key[:33] + WRONG + key[49:], -25538),
        (lambda key: key[:20], -14),
        (lambda key: key[:33], -14),
        (lambda _: "", -14),
    ],
)
async def test_an_answer_that_is_wrong_has_its_number_and_the_next_call_works(
    tmp_path: Path, spoil: Callable[[str], str], number: int
) -> None:
    async with program(tmp_path) as call:
        key = OFFICE.basic(await requested(call, "iReadCardBas_HSM_Step1", 1))
        assert (await call("iReadCardBas_HSM_Step2", spoil(key)))[0] == number
        assert (await call("iReadCardBas_HSM_Step2", key))[0] == -12
        assert (await call("iReadCardNo", 1))[0] == 0


async def test_a_card_exchanged_between_the_steps_is_minus_22_and_nobody_is_told_of_it(tmp_path: Path) -> None:
    async with program(tmp_path) as call:
        for first, second in (("iReadCardBas", (1,)), ("iReadCard", (1, INFO, "DF04EF05|84|$"))):
            request = await requested(call, f"{first}_HSM_Step1", *second)
            key = OFFICE.basic(request) if first == "iReadCardBas" else OFFICE.key(request)
            await call.swap("social-jia-3.0")
            code, out = await call(f"{first}_HSM_Step2", key)
            assert (code, "测试" in out) == (-22, False)
            await call.swap("p3-3.0-sm4")


async def test_any_other_function_ends_what_was_begun(tmp_path: Path) -> None:
    async with program(tmp_path) as call:
        for other in (("iReadCardNo", 1), ("iReadCard_HSM_Step2", "00" * 16), ("iFoo",)):
            key = OFFICE.basic(await requested(call, "iReadCardBas_HSM_Step1", 1))
            await call(*other)
            assert (await call("iReadCardBas_HSM_Step2", key))[0] == -12
        assert (await call("iReadCardBas", 1))[0] == 0


async def test_any_other_command_of_the_connection_ends_what_was_begun_and_is_done(tmp_path: Path) -> None:
    async with program(tmp_path) as call:
        for method, params in (
            ("card.read", {}),
            ("card.pin.query", {}),
            ("card.write", {"request": "w-1", "files": {"DF04EF05": {"84": "510100"}}}),
            ("account.balance", {}),
            ("lease.acquire", {}),
        ):
            key = OFFICE.basic(await requested(call, "iReadCardBas_HSM_Step1", 1))
            done = await call.desk.call(method, **params)
            assert done or method == "account.balance", method
            assert (await call("iReadCardBas_HSM_Step2", key))[0] == -12
            if method == "lease.acquire":
                await call.desk.call("lease.release", lease=done["lease"])


async def test_what_touches_no_card_leaves_what_was_begun(tmp_path: Path) -> None:
    async with program(tmp_path) as call:
        key = OFFICE.basic(await requested(call, "iReadCardBas_HSM_Step1", 1))
        for method in ("readers.list", "system.status"):
            await call.desk.call(method)
        assert (await call("iReadCardBas_HSM_Step2", key))[0] == 0


async def test_a_new_pin_that_goes_out_in_clear_is_on_record_as_disclosed(tmp_path: Path) -> None:
    async with program(tmp_path) as call:
        request = await requested(call, "iReloadPIN_HSM_Step1", 1, INFO)
        await requested(call, "iReloadPIN_HSM_Step2", OFFICE.key(request))
        (event,) = await call.recorded("personal.disclosed")
        assert (event["data"]["purpose"], event["data"]["fields"]) == ("iReloadPIN_HSM_Step2", ["new_pin"])


async def test_what_was_begun_is_in_the_way_of_nothing(tmp_path: Path) -> None:
    async with program(tmp_path) as call:
        for function in (("iReadCardBas_HSM_Step1", 1), ("iReadCardBas_HSM_Step1", 1), ("iReadCardNo", 1)):
            assert (await call(*function))[0] == 0


async def test_the_first_file_of_an_address_is_read(tmp_path: Path) -> None:
    async with program(tmp_path) as call:
        request = await requested(call, "iReadCard_HSM_Step1", 1, INFO, "DF02EF05|41|42|$DF01EF0A|37|$")
        assert request.startswith("03|0064|")
        assert await call("iReadCard_HSM_Step2", OFFICE.key(request)) == (0, "DF02EF05|420|010|$")


async def test_a_file_that_is_free_or_that_the_pin_opens_needs_no_machine(tmp_path: Path) -> None:
    async with program(tmp_path) as call:
        for file in ("SSSEEF05|07|$", "DF01EF16|$", "DF04EF08|$"):
            assert (await call("iReadCard_HSM_Step1", 1, INFO, file))[0] == -2204
        assert (await call("iReadCard_HSM_Step1", 1, DES, "DF04EF05|84|$"))[0] == -22


async def test_a_file_that_wants_pin_and_key_asks_for_the_pin_in_the_first_step(tmp_path: Path) -> None:
    async with program(tmp_path) as call:
        request = await requested(call, "iReadCard_HSM_Step1", 1, INFO, "DF04EF06|90|$")
        assert await call("iReadCard_HSM_Step2", OFFICE.key(request)) == (0, "DF04EF06|0|$")
        opened = [event for event in call.desk.events if event["type"].endswith("prompt.opened.v1")]
        assert len(opened) == 1


async def test_a_file_is_written_and_that_is_on_record(tmp_path: Path) -> None:
    async with program(tmp_path) as call:
        request = await requested(call, "iWriteCard_HSM_Step1", 1, INFO, "DF04EF05|84|$")
        assert await call("iWriteCard_HSM_Step2", OFFICE.key(request), "DF04EF05|510700|$") == (0, "")
        assert await call("iReadCard", 1, 2, INFO, "DF04EF05|84|$") == (0, "DF04EF05|510700|$")
        events = await call.recorded("card.writ")
        assert [event["type"] for event in events] == [
            "org.cardd.card.write_intended.v1",
            "org.cardd.card.written.v1",
        ]
        assert events[1]["data"]["files"] == {"DF04EF05": ["84"]}


async def test_a_wrong_key_writes_nothing_and_is_minus_25538(tmp_path: Path) -> None:
    async with program(tmp_path) as call:
        request = await requested(call, "iWriteCard_HSM_Step1", 1, INFO, "DF04EF05|84|$")
        wrong = WRONG + OFFICE.key(request)[16:]
        assert (await call("iWriteCard_HSM_Step2", wrong, "DF04EF05|510700|$"))[0] == -25538
        _, ended = await call.recorded("card.writ")
        assert ended["type"] == "org.cardd.card.write_refused.v1"
        assert await call("iReadCard", 1, 2, INFO, "DF04EF05|84|$") == (0, "DF04EF05|510101|$")


@pytest.mark.parametrize(
    ("persona", "info", "office", "length"),
    [("p3-3.0-sm4", INFO, OFFICE, 50), ("p1-1.0-des", DES, DES_OFFICE, 34)],
)
@pytest.mark.parametrize("header", [True, False])
async def test_a_new_pin_is_set_with_what_the_machine_has_made_of_it(
    tmp_path: Path, persona: str, info: str, office: BackOffice, length: int, *, header: bool
) -> None:
    async with program(tmp_path, persona) as call:
        request = await requested(call, "iReloadPIN_HSM_Step1", 1, info)
        assert request.split("|")[1] == "0090"
        request = await requested(call, "iReloadPIN_HSM_Step2", office.key(request))
        assert request.endswith("|246813|")
        made = office.maintenance(request, header=header)
        assert len(made) == length - (0 if header else 10)
        assert await call("iReloadPIN_HSM_Step3", made) == (0, "")
        call.desk.pin = "246813"
        assert await call("iVerifyPIN", 1) == (0, "")
        events = await call.recorded("pin.")
        assert [event["type"].split(".")[3] for event in events[:2]] == ["intended", "changed"]
        assert "246813" not in str(events)


async def test_all_tries_are_given_back(tmp_path: Path) -> None:
    async with program(tmp_path) as call:
        call.desk.pin = "000000"
        assert (await call("iVerifyPIN", 1))[0] == -51
        request = await requested(call, "iUnblockPIN_HSM_Step1", 1, INFO)
        request = await requested(call, "iUnblockPIN_HSM_Step2", OFFICE.key(request))
        made = OFFICE.maintenance(request)
        assert len(made) == 18
        assert await call("iUnblockPIN_HSM_Step3", made) == (0, "")
        assert await call("iVerifyPIN", 1) == (-51, "密码错误，还可尝试5次。")


async def test_a_bill_is_paid_with_a_signature_made_elsewhere(tmp_path: Path) -> None:
    async with program(tmp_path, "p5-offline") as call:
        request = await requested(call, "iDoDebit_HSM_Step1", 1, OFFLINE, "12.50|3.00|20240102030405|")
        code, out = await call("iDoDebit_HSM_Step2", OFFLINE_OFFICE.debit(request))
        assert code == 0
        mac2, *paid, tac, end = out.split("|")
        assert paid[:5] == ["01", "017F", "000004E20000012C", "2", "510100000001"]
        assert (len(mac2), len(tac), paid[6], end) == (8, 8, "20240102030405", "")
        code, records = await call("iReadDebitRecord", 1)
        assert records.startswith("0005^510100000001^20240102030405^12.50^3.00^|")
        kinds = [event["type"].split(".")[3] for event in await call.recorded("account.")]
        assert kinds == ["intended", "debited"]


async def test_a_card_whose_account_is_not_in_use_is_refused_before_its_holder_is_asked(tmp_path: Path) -> None:
    async with program(tmp_path) as call:
        code, text = await call("iDoDebit_HSM_Step1", 1, INFO, "12.50|3.00|20240102030405|")
        assert (code, text) == (-27013, "该卡未启用卡内医保个人账户（联网用卡方式）。请联网结算。")
        assert await call.recorded("prompt.") == []
        assert (await call("iReadCardBas", 1))[0] == 0


async def test_a_wrong_signature_moves_nothing_and_is_minus_37634(tmp_path: Path) -> None:
    async with program(tmp_path, "p5-offline") as call:
        request = await requested(call, "iDoDebit_HSM_Step1", 1, OFFLINE, "12.50|3.00|20240102030405|")
        sequence, time, _, end = OFFLINE_OFFICE.debit(request).split("|")
        assert (await call("iDoDebit_HSM_Step2", f"{sequence}|{time}|00000000|{end}"))[0] == -37634
        (_, ended) = await call.recorded("account.")
        assert ended["data"]["outcome"] == "not_done"


async def test_a_card_exchanged_before_a_bill_is_signed_pays_nothing(tmp_path: Path) -> None:
    async with program(tmp_path, "p5-offline") as call:
        request = await requested(call, "iDoDebit_HSM_Step1", 1, OFFLINE, "12.50|3.00|20240102030405|")
        await call.swap("p5-offline")
        assert (await call("iDoDebit_HSM_Step2", OFFLINE_OFFICE.debit(request)))[0] == -22
        assert await call.recorded("account.") == []


async def test_a_card_is_held_between_steps_and_let_go_by_what_ends_them(tmp_path: Path) -> None:
    async with program(tmp_path) as call:
        await requested(call, "iReadCardBas_HSM_Step1", 1)
        status = await call.desk.call("system.status")
        assert [station["leased"] for station in status["stations"]] != [[]]
        await call("iFoo")
        status = await call.desk.call("system.status")
        assert [station["leased"] for station in status["stations"]] == [[]]


NOBODY = "keys: {provider: remote, url: 'http://127.0.0.1:9'}\n"
KEYED = "DF04EF05|84|$"
BILL = "12.50|3.00|20240102030405|"


async def test_a_station_whose_security_machine_is_away_sends_business_systems_to_the_steps(tmp_path: Path) -> None:
    async with program(tmp_path, more=NOBODY) as call:
        whole = ("iReadCardBas", 1), ("iReadCard", 1, 2, INFO, KEYED), ("iUnblockPIN", 1, INFO)
        for name, *args in whole:
            assert await call(str(name), *args) == (-2201, "加密机不可用。请检查网络。")
        request = (await call("iReadCardBas_HSM_Step1", 1))[1]
        assert (await call("iReadCardBas_HSM_Step2", OFFICE.basic(request)))[0] == 0
        request = (await call("iReadCard_HSM_Step1", 1, INFO, KEYED))[1]
        assert (await call("iReadCard_HSM_Step2", OFFICE.key(request)))[0] == 0
        request = (await call("iWriteCard_HSM_Step1", 1, INFO, KEYED))[1]
        assert (await call("iWriteCard_HSM_Step2", OFFICE.key(request), KEYED.replace("84", "510700")))[0] == 0


async def test_a_bill_that_no_security_machine_can_sign_is_paid_once_in_steps(tmp_path: Path) -> None:
    async with program(tmp_path, "p5-offline", more=NOBODY) as call:
        assert (await call("iDoDebit", 1, OFFLINE, BILL))[0] == -2201
        code, request = await call("iDoDebit_HSM_Step1", 1, OFFLINE, BILL)
        assert code == 0, request
        assert (await call("iDoDebit_HSM_Step2", OFFLINE_OFFICE.debit(request)))[0] == 0
        assert (await call("iReadDebitRecord", 1))[1].count("^12.50^") == 1
