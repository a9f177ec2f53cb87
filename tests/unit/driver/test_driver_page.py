"""docs/driver.md: each example is what the function says, and each function has one."""

import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from support.back_office import BackOffice
from support.driver_calls import Program, program

from cardd.driver.functions import FUNCTIONS

PAGE = (Path(__file__).parents[3] / "docs" / "driver.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```driver (\S+)\n(.*?)```", PAGE, re.DOTALL)
EXAMPLE = re.compile(r"> (\S+)([^\n]*)\n(-?\d+) ?([^\n]*)\n")
OFFICE = BackOffice("510100", "0081544C9686845101C0FFEE08")
OFFLINE_OFFICE = BackOffice("510100", "0081544C9686845101C0FFEE13")

ASKING = {name for name in FUNCTIONS if name.endswith("_HSM_Step1") or re.fullmatch(r"i\w+PIN_HSM_Step2", name)}
"""Functions whose output goes to a back office."""


def answer_to(function: str, request: str) -> str:
    """Return what a back office says to a step."""
    if function == "iReadCardBas_HSM_Step1":
        return OFFICE.basic(request)
    if function == "iDoDebit_HSM_Step1":
        return OFFLINE_OFFICE.debit(request)
    return OFFICE.maintenance(request) if function.endswith("Step2") else OFFICE.key(request)


async def run(call: Program, block: str) -> None:
    key = ""
    for function, given, code, out in EXAMPLE.findall(block):
        args = [key if word == "KEY" else word for word in given.split()]
        said = await call(function, *args)
        pattern = out.replace("[", "[[]").replace("…", "*")
        assert (said[0], fnmatchcase(said[1], pattern)) == (int(code), True), (function, said)
        if function in ASKING and said[0] == 0:
            key = answer_to(function, said[1])


@pytest.mark.asyncio
@pytest.mark.parametrize(("persona", "block"), BLOCKS)
async def test_the_examples_are_what_the_functions_say(tmp_path: Path, persona: str, block: str) -> None:
    async with program(tmp_path, persona) as call:
        assert len(EXAMPLE.findall(block)) == block.count("\n> ") + 1
        await run(call, block)


def test_every_function_has_an_example() -> None:
    shown = {example[0] for _, block in BLOCKS for example in EXAMPLE.findall(block)}
    assert FUNCTIONS.keys() <= shown
