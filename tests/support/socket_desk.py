"""A counter with virtual cards behind the real socket: real readers, PSAM, reception, journal and server."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cardd.api.rights import Rights
from cardd.api.server import Server
from cardd.api.services import Services
from cardd.api.sockets import listen
from cardd.base.secret import Secret
from cardd.crypto.sealing import Sm4GcmSealer
from cardd.desk.asking import Asking
from cardd.desk.card_desk import CardDesk
from cardd.desk.lease_desk import LeaseDesk
from cardd.desk.reception import Reception
from cardd.desk.requests import CardRequests
from cardd.desk.stations import StationDesk
from cardd.desk.stop_record import StopRecord
from cardd.desk.stopped import StoppedKeys
from cardd.journal.delivery import Delivery
from cardd.journal.store import Journal
from cardd.keys.service import KeyService
from cardd.readers.insertion import Insertion
from support.counter import Activations, Line, Message, line
from support.modules import Desk, virtual
from support.readers import Card

KEY = Secret(b"0123456789abcdef")


@dataclass
class SocketDesk:
    """Everything a test may push."""

    desk: Desk
    journal: Journal
    cards: CardDesk
    reception: Reception
    path: Path
    stopped: StoppedKeys

    async def insert(self, persona: str | Path, interface: str = "contact") -> tuple[Card, Insertion]:
        """Put a card in and wait until it is known what it is."""
        card = virtual(persona, interface)
        insertion = await self.desk.insert("front", card)
        await self.desk.until(lambda: self.reception.identity_of(insertion.id) is not None, "an identity")
        return card, insertion

    async def recorded(self, kind: str) -> list[Message]:
        events = await self.journal.read(0, 10_000)
        return [json.loads(event.data) for event in events if event.type == kind]

    async def prompt(self, number: int = 1) -> Message:
        """Wait for the so-many-th prompt and return what its event tells."""
        opened: list[Message] = []
        for _ in range(2000):
            opened = await self.recorded("prompt.opened")
            if len(opened) >= number:
                return opened[number - 1]
            await asyncio.sleep(0.001)
        raise AssertionError(f"{len(opened)} prompts")


@dataclass
class Client:
    """A client that lets a call wait while it answers the prompts of it on the same connection."""

    at: SocketDesk
    line: Line

    async def typed(self, method: str, *pins: str | None, first: int = 1, **params: Any) -> Message:
        """Call, answer one prompt after the other (None cancels), and return the whole answer."""
        identity = await self.line.send(method, **params)
        for number, pin in enumerate(pins, first):
            prompt = (await self.at.prompt(number))["prompt"]
            given = {"cancel": True} if pin is None else {"pin": pin}
            assert (await self.line.result("prompt.answer", prompt=prompt, **given)) == {"prompt": prompt}
        return await self.line.answer(identity)


@contextlib.asynccontextmanager
async def socket_desk(
    directory: Path,
    *,
    rights: Rights | None = None,
    stopped: StoppedKeys | None = None,
    machine: KeyService | None = None,
) -> AsyncIterator[SocketDesk]:
    """`machine` serves keys instead of the module in the reader."""
    async with Desk() as desk:
        service = machine or desk.keys
        await desk.with_modules(["psam"])
        sealer = Sm4GcmSealer(KEY)
        journal = Journal.open(directory / "journal", sealer=sealer, clock=desk.clock, source="/cardd/test")
        reception = Reception(desk.readers, journal, service, clock=desk.clock)
        reception.start()
        record = StopRecord(journal)
        keys = stopped or StoppedKeys(record)
        requests = CardRequests(desk.readers, service, keys, clock=desk.clock, token_key=KEY)
        asking = Asking(journal, clock=desk.clock)
        asking.listen(reception)
        cards = CardDesk(requests, reception, journal, service, keys, asking, clock=desk.clock)
        await cards.recover()
        services = Services(
            clock=desk.clock,
            journal=journal,
            delivery=Delivery(sealer, "/cardd/test"),
            activations=Activations(journal),
            read_card=cards.read,
            readers=reception.readers,
            status=dict,
            cards=cards,
            prompts=asking,
            leases=LeaseDesk(desk.readers, requests, journal, service, keys, clock=desk.clock),
            leave=desk.readers.end_holds_of,
            stations=StationDesk(desk.readers, journal, keys, record),
        )
        server = Server(services, rights or Rights.own_user())
        path = directory / "cardd.sock"
        await server.serve(listen(path))
        try:
            yield SocketDesk(desk, journal, cards, reception, path, keys)
        finally:
            await server.close()
            cards.close()
            reception.close()
            await journal.close()


@contextlib.asynccontextmanager
async def client(at: SocketDesk) -> AsyncIterator[Client]:
    async with line(at.path) as opened:
        yield Client(at, opened)
