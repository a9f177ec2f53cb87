"""What a function tells of a person or a card is on record before it is told, with the function for its purpose."""

from pathlib import Path

import pytest
from support.back_office import BackOffice
from support.driver_calls import INFO, OFFLINE, Program, program

from cardd.driver.functions import FUNCTIONS

SECRETS = ("测试辛", "510101190001010086", "T00000087", "C0FFEE", "246813", "6200000000000000000", "12.50", "510101|")
BILL = "12.50|3.00|20240102030405|"
FILE = "DF04EF05|84|$"

TOLD: dict[str, tuple[str, tuple[int | str, ...], set[str]]] = {
    "iReadCardBas": ("p3-3.0-sm4", (3,), {"holder.name", "issuer.card_number"}),
    "iReadCard": ("p3-3.0-sm4", (1, 2, INFO, FILE), {"records.DF04EF05.84"}),
    "iReadCardBas_HSM_Step1": ("p3-3.0-sm4", (1,), {"issuer.identification_code"}),
    "iReadCardBas_HSM_Step2": ("p3-3.0-sm4", (1,), {"holder.name", "issuer.card_number"}),
    "iReadCard_HSM_Step2": ("p3-3.0-sm4", (1, INFO, FILE), {"records.DF04EF05.84"}),
    "iReloadPIN_HSM_Step2": ("p3-3.0-sm4", (1, INFO), {"new_pin"}),
    "iDoDebit": ("p5-offline", (1, OFFLINE, BILL), {"debit.amounts"}),
    "iDoDebit_HSM_Step1": ("p5-offline", (1, OFFLINE, BILL), {"debit.amounts"}),
    "iDoDebit_HSM_Step2": ("p5-offline", (1, OFFLINE, BILL), {"debit.amounts", "debit.tac"}),
    "iReadDebitRecord": ("p5-offline", (1,), {"records.DF04EF08.1"}),
    "iReadCardNo": ("p3-3.0-sm4", (3,), {"issuer.card_number"}),
    "iReadICCardNum": ("p3-3.0-sm4", (), {"bank_number"}),
    "iReadBankNumber": ("p3-3.0-sm4", (3,), {"bank_number"}),
}

SILENT = {
    "iReadCard_HSM_Step1",
    *(f"iUnblockPIN{step}" for step in ("", "_HSM_Step1", "_HSM_Step2", "_HSM_Step3")),
    *(f"iReloadPIN{step}" for step in ("", "_HSM_Step1", "_HSM_Step3")),
    *(f"iWriteCard{step}" for step in ("", "_HSM_Step1", "_HSM_Step2")),
    *("iVerifyPIN", "iChangePIN", "iGetReaderInfo", "PKI_SignData", "PKI_VerifySign"),
}
"""What these put out says nothing of anybody: challenges, nothing, or the reader's own numbers."""


def test_every_function_is_one_or_the_other() -> None:
    assert FUNCTIONS.keys() == TOLD.keys() | SILENT


async def called(call: Program, name: str, *args: int | str) -> tuple[int, str]:
    """Call a function, the first of its steps before where it is a second one."""
    if not name.endswith("Step2"):
        return await call(name, *args)
    historical = "0081544C9686845101C0FFEE" + ("13" if name.startswith("iDoDebit") else "08")
    office = BackOffice("510100", historical)
    first = name.replace("Step2", "Step1")
    request = (await call(first, *args))[1]
    make = office.basic if "Bas" in name else office.debit if "Debit" in name else office.key
    return await call(name, make(request))


@pytest.mark.asyncio
@pytest.mark.parametrize("name", TOLD)
async def test_what_a_function_tells_is_on_record_with_its_purpose(tmp_path: Path, name: str) -> None:
    persona, args, fields = TOLD[name]
    async with program(tmp_path, persona) as call:
        code, out = await called(call, name, *args)
        assert code == 0, out
        *_, event = await call.recorded("personal.disclosed")
        data = event["data"]
        assert (data["purpose"], data["method"]) == (name, "driver.call")
        assert fields <= set(data["fields"])
        # and none of it stands there itself
        assert not any(secret in str(event) for secret in SECRETS)


@pytest.mark.asyncio
async def test_what_fails_tells_nothing(tmp_path: Path) -> None:
    async with program(tmp_path) as call:
        assert (await call("iReadCard", 1, 2, OFFLINE, FILE))[0] == -22
        assert (await call("iReadCard", 1, 2, INFO, "SSSEEF08|$" * 3))[0] == -42
        assert await call.recorded("personal.disclosed") == []
