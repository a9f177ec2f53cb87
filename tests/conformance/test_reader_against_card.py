"""The reader against the card: every file in every profile × algorithm × interface × key service, read, written, read.

Cards that take updates as they are, and cards that want a MAC with each.

Through real readers and their workers; the counts are printed as a table (`pytest -s`).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
from support.cards import ROOT, STK_ROOT, altered, software_keys
from support.contents import content
from support.modules import Desk, virtual

from cardd.base.secret import Personal, Secret
from cardd.desk.read import read_card
from cardd.desk.reading import CardReading, CardValue, Identity, Unreadable
from cardd.desk.stopped import StoppedKeys
from cardd.desk.write import write_records
from cardd.iso7816.channel import Channel
from cardd.keys.service import KeyService
from cardd.readers.insertion import Insertion
from cardd.rules.access import PIN as PIN_RIGHT
from cardd.rules.access import Access
from cardd.rules.files import FILES, FileRule, Generation, Structure
from cardd.rules.keys import KEYS

pytestmark = pytest.mark.asyncio

LONG_S = 60.0
PIN = Secret(b"123456")
# a 1.0 card has no way to name an algorithm: it is DES
CARDS = [("1.0", "des"), ("2.0", "des"), ("2.0", "sm4"), ("3.0", "des"), ("3.0", "sm4")]
INTERFACES = ["contact", "contactless"]
SERVICES = ["software", "national", "provincial", "city"]
UPDATES = ["plain", "with_mac"]
IDENTITY_FILE, HOLDER_FILE, DIRECTORY = "SSSEEF05", "SSSEEF06", "SSSEEF1E"

T = TypeVar("T")
Texts = Mapping[str, Mapping[str, str | None]]


@dataclass(frozen=True, slots=True)
class Row:
    """What one card was put through."""

    card: str
    read: int
    written: int
    items: int


@pytest.fixture(scope="module")
def table() -> Iterator[list[Row]]:
    """Collect the rows, and print them with their sums behind the last one."""
    rows: list[Row] = []
    yield rows
    rows.append(Row(f"{len(rows)} cards", *(sum(column) for column in zip(*map(_counts, rows), strict=True))))
    print(f"\n{'card':40} {'read':>6} {'written':>8} {'items':>7}")  # noqa: T201
    for row in rows:
        print(f"{row.card:40} {row.read:6} {row.written:8} {row.items:7}")  # noqa: T201


@pytest.mark.parametrize("updates", UPDATES)
@pytest.mark.parametrize("keys", SERVICES)
@pytest.mark.parametrize("interface", INTERFACES)
@pytest.mark.parametrize(("profile", "algorithm"), CARDS)
async def test_every_file_reads_as_it_was_filled_and_as_it_was_written(
    tmp_path: Path, profile: str, algorithm: str, interface: str, keys: str, updates: str, table: list[Row]
) -> None:
    generation = Generation(profile)
    before = {rule.address: content(rule, generation) for rule in readable(generation)}
    after = {rule.address: content(rule, generation, 4) for rule in writable(generation)}
    persona = altered(
        tmp_path,
        "social-jia-3.0",
        profile=profile,
        algorithm=algorithm,
        keys={"root": ROOT.hex(), "stk_root": STK_ROOT.hex()} if algorithm == "des" else {"root": ROOT.hex()},
        pin="123456",
        toggles={"updates": updates},
        files={name: given for name, (given, _) in before.items() if name != HOLDER_FILE},
    )
    async with Desk() as desk:
        service = await key_service(desk, tmp_path, keys)
        counter = Counter(desk, service, await desk.insert("front", virtual(persona, interface)))
        filled = await counter.read(before)
        assert filled.identity.authentic
        found = texts(filled)
        assert {name: wrong(found[name], before[name][1]) for name in before if name != HOLDER_FILE} == {
            name: {} for name in before if name != HOLDER_FILE
        }

        not_read_back = await counter.write(
            filled.identity, {name: as_updates(FILES[name], given) for name, (given, _) in after.items()}
        )
        assert not_read_back == ()
        found = texts(await counter.read(after))
        assert {name: wrong(found[name], after[name][1]) for name in after} == {name: {} for name in after}
    items = sum(len(expected) for _, expected in (*before.values(), *after.values()))
    table.append(Row(f"{profile} {algorithm} {interface} {keys} {updates}", len(before), len(after), items))


class Counter:
    """A reader with the card in it, and a key service."""

    def __init__(self, desk: Desk, service: KeyService, insertion: Insertion) -> None:
        self._desk = desk
        self._service = service
        self._insertion = insertion

    async def read(self, names: Mapping[str, object]) -> CardReading:
        address = "".join(f"{name}|$" for name in names)
        return await self._run(
            lambda channel, insertion: read_card(
                channel, insertion, self._service, None, self._end(), address, stopped=StoppedKeys(), pin=PIN
            )
        )

    async def write(self, identity: Identity, updates: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
        return await self._run(
            lambda channel, insertion: write_records(
                channel, insertion, self._service, identity, updates, self._end(), stopped=StoppedKeys(), pin=PIN
            )
        )

    async def _run(self, work: Callable[[Channel, Insertion], T]) -> T:
        return await self._desk.readers.run(self._insertion.id, work, timeout_s=LONG_S)

    def _end(self) -> float:
        return self._desk.clock.monotonic() + LONG_S


async def key_service(desk: Desk, directory: Path, name: str) -> KeyService:
    if name == "software":
        return software_keys()
    await desk.with_modules([altered(directory, "psam", level=name)])
    return desk.keys


def readable(generation: Generation) -> Iterator[FileRule]:
    """Yield the files that keys with a number and the PIN open."""
    for rule in FILES.values():
        if rule.address not in {IDENTITY_FILE, DIRECTORY} and _opens(rule.read.get(generation)):
            yield rule


def writable(generation: Generation) -> Iterator[FileRule]:
    for rule in readable(generation):
        if rule.write in KEYS and content(rule, generation)[1]:
            yield rule


def _opens(access: Access | None) -> bool:
    return access is not None and any(all(right in KEYS or right == PIN_RIGHT for right in way) for way in access.ways)


def as_updates(rule: FileRule, given: object) -> Mapping[str, str]:
    """Return what a persona says of a file as it is said to the desk."""
    if isinstance(given, dict):
        return given
    if rule.structure is Structure.TRANSPARENT:
        return {"whole": str(given)}
    assert isinstance(given, list)
    return {str(number): text for number, text in enumerate(given, 1)}


def texts(reading: CardReading) -> Texts:
    return {name: {item: text(value) for item, value in values.items()} for name, values in reading.records.items()}


def text(value: CardValue) -> str | None:
    assert not isinstance(value, Unreadable), value.error
    return value.disclose() if isinstance(value, Personal) else value


def wrong(found: Mapping[str, str | None], expected: Mapping[str, str]) -> Mapping[str, str | None]:
    """Return the items that do not read as expected."""
    return {item: found.get(item) for item, value in expected.items() if found.get(item) != value}


def _counts(row: Row) -> tuple[int, int, int]:
    return row.read, row.written, row.items
