"""A whole day at a counter with the trace on: nothing of a person or a key is in it, unless it is told to be."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from support.exchanges import everything, whole_daemon
from support.private import PIN, found_in, shapes
from support.readers import ManualClock

from cardd.tracing.file import TraceFile
from cardsim.persona import load_persona

MORE_PEOPLE = ("测试单位", "测试市测试区测试路1号")


def day(directory: Path, *, secrets: bool) -> bytes:
    path = directory / "trace.jsonl"
    trace = TraceFile(path, clock=ManualClock(), secrets=secrets, most=1_000_000)
    asyncio.run(_day(directory, trace))
    trace.close()
    return path.read_bytes()


async def _day(directory: Path, trace: TraceFile) -> None:
    async with whole_daemon(directory, tap=trace) as desk:
        await everything(desk)


def test_no_pin_no_key_and_no_person_is_in_it(tmp_path: Path) -> None:
    text = day(tmp_path, secrets=False)
    lines = [json.loads(line) for line in text.splitlines()]
    assert found_in(text) == []
    # the hex digits as bytes too: nobody need read hexadecimal
    raw = b"\n".join(bytes.fromhex(line[key]) for line in lines for key in ("c", "r") if key in line)
    sought = [what for what in found_in(raw) if not what.startswith(f"{PIN} in utf-8")]
    assert sought == []
    assert bytes.fromhex(PIN) not in raw
    assert whole(lines)


def test_with_secrets_all_of_that_is_there(tmp_path: Path) -> None:
    text = day(tmp_path, secrets=True)
    number = load_persona("social-bing-2.0").card.holder.social_security_number  # type: ignore[union-attr]
    found = found_in(text)
    for what in ("测试丙 in gbk as HEX", f"{number} in gbk as HEX"):
        assert what in found
    assert PIN.encode() in text
    assert not any("masked" in line for line in map(json.loads, text.splitlines()))


def whole(lines: list[dict[str, Any]]) -> bool:
    """Say whether both readers and every kind of work are in the trace, so that a search in it means something."""
    instructions = {line["c"][2:4] for line in lines if "c" in line}
    assert {line["reader"] for line in lines if "atr" in line} == {"reader-0", "sam-0"}
    assert {"A4", "B2", "B0", "84", "88", "82", "20", "5E", "DC", "2A", "C0"} <= instructions
    return sum("c" in line for line in lines) > 300


@pytest.mark.parametrize("text", MORE_PEOPLE)
def test_nor_where_somebody_lives_or_works(text: str, tmp_path: Path) -> None:
    traced = day(tmp_path, secrets=False)
    for what, pattern in shapes(text):
        assert pattern not in traced, what
