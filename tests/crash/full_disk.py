"""Run as a program on a small disk: fills it after each commit of a route in turn, and frees it a while later.

`full_disk.py DIRECTORY ROUTE EVERY RESERVE_MB`: says how many commits were followed by a full disk, and what became of
the customers; ends with a traceback where centre, cards and journal do not agree.
"""

import asyncio
import itertools
import os
import sqlite3
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from support.matrix_clerk import VARIATIONS, Clerk, Customer, Variation
from support.matrix_house import House
from support.matrix_run import Matrix, play
from support.waiting import became, comes_true

from cardd.base.errors import CarddError
from cardd.journal.events import StoredEvent

FULL_S = 0.8
PEOPLE = 200
ENDS = ("activated", "AUTHORITY_UNAVAILABLE")
TOLD_S = 5.0
FORESEEN = ("activation.not_stored", "reception.unrecorded")


def told_inside(events: Sequence[StoredEvent]) -> dict[str, str | None]:
    """Return what somebody believes who follows the events: which insertion is in which reader."""
    inside: dict[str, str | None] = {}
    for event in events:
        if event.type == "card.inserted":
            inside[event.subject] = event.insertion
        elif event.type == "card.removed":
            inside.pop(event.subject, None)
    return inside


def really_inside(house: House) -> dict[str, str | None]:
    """Return which insertion is in which reader."""
    return {view.reader: view.card.insertion for view in house.readers() if view.card is not None}


class Ballast:
    """A file that takes all the room that a disk has."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "ballast"
        self.lies_there = False

    def drop(self) -> None:
        """Take all the room."""
        self.lies_there = True
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT)
        for size in (1 << 20, 1 << 12):
            for place in itertools.count():
                try:
                    os.posix_fallocate(handle, os.fstat(handle).st_size, size)
                except OSError:
                    break
                assert place < 1 << 12
        os.close(handle)

    def lift(self) -> None:
        """Give the room back."""
        self.lies_there = False
        self._path.unlink()


class Disk:
    """A matrix at a house whose whole directory lies on a small disk."""

    def __init__(self, directory: Path, variation: Variation, reserve_mb: int) -> None:
        settings: dict[str, object] = {"journal": {"reserve_mb": reserve_mb}}
        house = House(directory / "h", 3, {"pin_policy": str(variation.pins)}, settings=settings)
        self.matrix = Matrix(house, PEOPLE)
        self.variation = variation
        self.ballast = Ballast(directory)
        self.said: Counter[str] = Counter()
        stranger = self.matrix.stranger()
        self._bystanders = (stranger.old, stranger.social)
        self._left = 0

    def watch(self) -> None:
        """Count the commits of activations."""

        def count(events: Sequence[StoredEvent]) -> None:
            if any(event.correlation is not None for event in events):
                self._left -= 1
                if self._left == 0:
                    self.ballast.drop()

        self.matrix.house.journal.subscribe(count)

    def commits(self) -> int:
        """Return how many commits there were since the last call for so many."""
        return -self._left

    async def serve(self, after: int) -> Customer:
        """Serve a customer; after so many commits the disk is full for a while (0: never)."""
        customer = self.matrix.customer(self.variation)
        house = self.matrix.house
        house.put(house.slot(2), self._bystanders[0])
        self._left = after
        kind = Clerk if after else Clerk.undisturbed
        serving = asyncio.create_task(kind(house, 0, customer).serve())
        if after:
            await comes_true(lambda: self.ballast.lies_there, "the ballast", 20.0)
            # at a third station, where nothing is begun, another card comes
            house.put(house.slot(2), self._bystanders[1])
            await asyncio.wait({serving}, timeout=FULL_S)
            self.said["ended on the full disk" if serving.done() else "waited for room"] += 1
            self.said[f"another one: {await self.another()}"] += 1
            self.ballast.lift()
        view = await serving
        # the register lies on the same disk: where it cannot note a password that was tried, nothing is done
        end = str(view.outcome or view.reason)
        self.said[end] += 1
        assert end in ENDS, f"full after commit {after}: {view}"
        if after:
            told = await house.engine.incident(customer.activation)
            self.said["told as late"] += any(turn.late and turn.late.reason == "JOURNAL_FULL" for turn in told.turns)
            assert await self.begins_again(), f"full after commit {after}: nothing begins any more"
            right = await became(lambda: told_inside(house.events) == really_inside(house), TOLD_S)
            assert right, f"full after commit {after}: {told_inside(house.events)}, and in are {really_inside(house)}"
            came = Counter(event.insertion for event in house.events if event.type == "card.inserted")
            assert max(came.values()) == 1, f"full after commit {after}: an insertion was told twice"
        return customer

    async def another(self) -> str:
        """Try to begin at the other station; return what came of it."""
        customer = self.matrix.customer(self.variation)
        house = self.matrix.house
        try:
            async with asyncio.timeout(5):
                activation = await house.engine.start(customer.params(house.station(1)), client="till")
        except CarddError as error:
            self.matrix.customers.remove(customer)
            return str(error.reason)
        customer.activation = activation
        await house.engine.cancel(activation)
        return "began"

    async def begins_again(self) -> bool:
        """Return whether there is room for a new activation within some seconds."""
        for _ in range(60):
            if await self.another() == "began":
                return True
            await asyncio.sleep(0.1)
        return False


async def fill_after_each(directory: Path, variation: Variation, every: int, reserve_mb: int) -> str:
    disk = Disk(directory, variation, reserve_mb)
    await disk.matrix.house.begin()
    disk.watch()
    await disk.serve(0)
    total = disk.commits()
    chosen = range(1, total + 1, every)
    for after in chosen:
        await disk.serve(after)
    await disk.matrix.judge()
    state = directory / "h" / "state"
    for file in ("journal.db", "register.sqlite"):
        with sqlite3.connect(state / file) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    return f"{variation}, reserve {reserve_mb} MB: full after {len(chosen)} of {total} commits: {dict(disk.said)}"


if __name__ == "__main__":
    _, _directory, _route, _every, _reserve = sys.argv
    _variation = next(one for one in VARIATIONS if str(one) == _route)
    sys.stdout.write(play(fill_after_each(Path(_directory), _variation, int(_every), int(_reserve)), FORESEEN) + "\n")
