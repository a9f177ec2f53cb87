import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from cardd.base.clock import SystemClock
from cardd.base.errors import CarddError
from cardd.base.sealing import Sealer
from cardd.base.secret import Secret
from cardd.crypto.signing import Ed25519Signer, verify
from cardd.journal import heads
from cardd.journal.events import ActivationRow, NewEvent
from cardd.journal.heads import Head, Notary, Place
from cardd.journal.store import Journal, Keeping

NOTARY = Notary(Ed25519Signer(Secret(bytes(range(32)))), SystemClock())
ACTIVATION = ActivationRow("a-1", "station-1", "pharmacy", "authorising", True, {})


@pytest.fixture
def signed(tmp_path: Path, sealer: Sealer) -> Callable[[], Journal]:
    def open_() -> Journal:
        keeping = Keeping(notary=NOTARY)
        return Journal.open(tmp_path, sealer=sealer, clock=SystemClock(), source="/cardd/test", keeping=keeping)

    return open_


def event() -> NewEvent:
    return NewEvent("card.inserted", "reader-1", {})


def stored_heads(path: Path) -> list[Head]:
    connection = sqlite3.connect(path / "journal.db")
    rows = connection.execute("SELECT head FROM heads ORDER BY sequence").fetchall()
    connection.close()
    return [msgspec.json.decode(head, type=Head) for (head,) in rows]


@pytest.mark.asyncio
async def test_the_head_names_the_last_event_and_its_digest(journal: Journal, tmp_path: Path) -> None:
    empty = journal.head
    await journal.record(event())
    await journal.record(event(), event())
    head = journal.head
    await journal.close()
    connection = sqlite3.connect(tmp_path / "journal.db")
    (digest,) = connection.execute("SELECT digest FROM events WHERE sequence = 3").fetchone()
    connection.close()
    assert head == f"{journal.stream}:3:{digest.hex()}"
    assert heads.parse(head) == Place(journal.stream, 3, digest.hex())
    assert empty.startswith(f"{journal.stream}:0:")


@pytest.mark.asyncio
async def test_the_head_goes_on_after_reopening(reopen: Callable[[], Journal]) -> None:
    journal = reopen()
    await journal.record(event())
    head = journal.head
    await journal.close()
    again = reopen()
    assert again.head == head
    await again.close()


@pytest.mark.asyncio
async def test_every_commit_of_an_activation_is_vouched_for(signed: Callable[[], Journal], tmp_path: Path) -> None:
    journal = signed()
    await journal.record(event())
    await journal.record(event(), event(), activation=ACTIVATION)
    await journal.record(event())
    await journal.close()
    head, at_the_end = stored_heads(tmp_path)
    assert at_the_end.sequence == 4
    assert (head.stream, head.sequence, head.algorithm) == (journal.stream, 3, "ed25519")
    assert head.vouched(verify)


@pytest.mark.asyncio
async def test_a_head_is_signed_every_so_many_events(
    signed: Callable[[], Journal], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cardd.journal.database.EVERY_EVENTS", 10)
    journal = signed()
    for _ in range(35):
        await journal.record(event())
    await journal.close()
    assert [head.sequence for head in stored_heads(tmp_path)] == [10, 20, 30, 35]


@pytest.mark.asyncio
async def test_a_head_is_signed_on_demand_and_once(signed: Callable[[], Journal], tmp_path: Path) -> None:
    journal = signed()
    await journal.sign()
    await journal.record(event())
    await journal.sign()
    await journal.sign()
    head = journal.head
    await journal.close()
    (only,) = stored_heads(tmp_path)
    assert str(only) == head


@pytest.mark.asyncio
async def test_nothing_is_signed_without_a_key(journal: Journal, tmp_path: Path) -> None:
    await journal.record(event(), activation=ACTIVATION)
    await journal.sign()
    await journal.close()
    assert stored_heads(tmp_path) == []


@pytest.mark.parametrize(
    "change",
    [
        {"stream": "00"},
        {"sequence": 8},
        {"digest": "00" * 32},
        {"time": "2026-01-01T00:00:01Z"},
        {"key": "00" * 32},
        {"signature": "00" * 64},
        {"signature": "no"},
        {"key": ""},
    ],
)
def test_a_head_of_which_anything_was_changed_is_not_vouched_for(change: dict[str, str | int]) -> None:
    head = NOTARY.sign("0123", 7, bytes(range(32)))
    assert head.vouched(verify)
    assert not msgspec.structs.replace(head, **change).vouched(verify)


@pytest.mark.parametrize(
    "text", ["", "a:1", f"a:01:{'0' * 64}", f"a:1:{'0' * 63}", f"x:1:{'0' * 64}", f"a:1:{'A' * 64}"]
)
def test_what_is_no_head_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(CarddError, match="STREAM:SEQUENCE:DIGEST"):
        heads.parse(text)
