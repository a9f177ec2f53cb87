import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from cardd.base.clock import SystemClock
from cardd.base.errors import CarddError
from cardd.base.secret import Secret
from cardd.crypto.sealing import Sm4GcmSealer
from cardd.journal.events import DeedRow, Lost, NewEvent
from cardd.journal.store import Journal

pytestmark = pytest.mark.asyncio

INTENDED = NewEvent("account.intended", "front", {"request": "r-1"})
OPEN = DeedRow("till", "r-1", "account.debit", True, {"sequence": 7}, {"amount": 1250})


def stored(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in directory.iterdir() if path.is_file())


async def test_a_deed_is_found_by_its_client_and_request_alone(journal: Journal) -> None:
    await journal.record(INTENDED, deed=OPEN)
    await journal.record(deed=replace(OPEN, client="other", data={"sequence": 8}))
    assert await journal.deed("till", "r-1") == OPEN
    assert await journal.deed("till", "r-2") is None


async def test_a_deed_is_open_until_it_is_recorded_as_ended(journal: Journal) -> None:
    await journal.record(INTENDED, deed=OPEN)
    assert await journal.open_deeds() == [OPEN]
    ended = replace(OPEN, open=False, data={"outcome": "done"})
    await journal.record(NewEvent("account.debited", "front", {}), deed=ended)
    assert await journal.open_deeds() == []
    assert await journal.deed("till", "r-1") == ended


async def test_a_deed_survives_the_end_of_the_daemon(reopen: Callable[[], Journal]) -> None:
    journal = reopen()
    await journal.record(INTENDED, deed=OPEN)
    await journal.close()
    journal = reopen()
    assert await journal.open_deeds() == [OPEN]
    await journal.close()


async def test_what_is_personal_in_a_deed_is_sealed(reopen: Callable[[], Journal], tmp_path: Path) -> None:
    journal = reopen()
    await journal.record(INTENDED, deed=replace(OPEN, personal={"number": "T00000036"}))
    await journal.close()
    assert b"T00000036" not in stored(tmp_path)
    other = Journal.open(tmp_path, sealer=Sm4GcmSealer(Secret(bytes(16))), clock=SystemClock(), source="/cardd/test")
    (found,) = await other.open_deeds()
    assert (found.personal, found.personal_lost) == ({}, Lost.UNREADABLE)
    await other.close()


async def test_of_open_deeds_none_is_left_out_however_many_there_are(journal: Journal) -> None:
    rows = [replace(OPEN, request=f"r-{number}") for number in range(1001)]
    await asyncio.gather(*(journal.record(deed=row) for row in rows))
    assert len(await journal.open_deeds()) == len(rows)


async def test_a_deed_is_untold_until_somebody_was_told_whatever_becomes_of_it(reopen: Callable[[], Journal]) -> None:
    journal = reopen()
    untold = replace(OPEN, untold=True)
    await journal.record(INTENDED, deed=untold)
    await journal.record(deed=replace(OPEN, request="r-2"))
    ended = replace(untold, open=False)
    await journal.record(deed=ended)
    await journal.close()
    journal = reopen()
    assert await journal.untold_deeds() == [ended]
    await journal.told("till", "r-1")
    assert await journal.untold_deeds() == []
    assert await journal.deed("till", "r-1") == replace(ended, untold=False)
    await journal.close()
    with pytest.raises(CarddError):
        await journal.told("till", "r-1")
