"""The driver's functions called on a whole daemon with virtual cards, and the PINs that they ask for."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from msgspec.structs import replace

from cardd.driver.function_numbers import gives
from cardsim.card.base import VirtualCard
from cardsim.card.make import make_card
from cardsim.fault_list import AnyFault
from cardsim.persona import load_persona
from support.counter import Message
from support.exchanges import EVERYTHING, FRONT, Desk, told, whole_daemon

CODE = "510100D156000005C0FFEE08FFFFFFFF"
INFO = f"{CODE}|T00000087|"
"""pCardInfo of the persona p3-3.0-sm4."""

OFFLINE = "510100D156000005C0FFEE13FFFFFFFF|T00000191|"
"""That of p5-offline."""

Answer = tuple[int, str]


class Program:
    """A program that was written for the driver's library."""

    def __init__(self, desk: Desk, path: Path) -> None:
        self.desk = desk
        self.path = path

    async def __call__(self, function: str, *args: int | str, **more: object) -> Answer:
        """Call a function, with everything typed that it asks for."""
        answer = await self.desk.call("driver.call", function=function, args=list(args), **more)
        code: int = answer["code"]
        assert code >= 0 or gives(function, code), f"{function} has no {code}"
        return code, answer["out"]

    async def recorded(self, prefix: str) -> list[Message]:
        """Return the events so far whose types begin so."""
        return [event for event in await told(self.path) if event["type"].startswith(f"org.cardd.{prefix}")]

    async def insert(self, persona: str, *faults: AnyFault) -> None:
        """Have that card alone at the counter, with these things wrong with it."""
        await self.desk.insert(persona, *faults)
        await self.desk.until("card.identified")

    async def swap(self, persona: str) -> None:
        await self.desk.swap(persona)
        await self.desk.until("card.identified")

    async def put(self, card: VirtualCard) -> None:
        """Put a card of the test's own in."""
        self.desk._backend.insert(FRONT, card)
        await self.desk.until("card.identified")

    async def back(self, card: VirtualCard) -> None:
        """Put in a card that was torn out."""
        self.desk._backend.remove(FRONT)
        await self.put(card)


def card_with(persona: str, *faults: AnyFault) -> VirtualCard:
    """Make a card that may come back as it was."""
    loaded = load_persona(persona)
    return make_card(replace(loaded, card=replace(loaded.card, faults=faults)), interface="contact")


@contextlib.asynccontextmanager
async def program(directory: Path, persona: str | None = "p3-3.0-sm4", *, more: str = "") -> AsyncIterator[Program]:
    async with whole_daemon(directory, grant=EVERYTHING, more=more) as desk:
        await desk.call("session.hello", client="his", api=1)
        await desk.call("events.subscribe", after="now")
        opened = Program(desk, directory / "cardd.sock")
        if persona is not None:
            await opened.insert(persona)
        yield opened
