"""A counter without cards: the real server and the real journal on a real socket, with doubles for what lies below."""

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cardd.api.rights import Rights
from cardd.api.server import Server
from cardd.api.services import Limits, Services
from cardd.api.sockets import listen
from cardd.base.clock import SystemClock
from cardd.base.errors import CarddError
from cardd.base.reasons import REASONS, Reason
from cardd.base.secret import Secret
from cardd.crypto.sealing import Sm4GcmSealer
from cardd.journal.delivery import Delivery
from cardd.journal.events import NewEvent
from cardd.journal.store import Journal
from cardd.wire.activation import ActivationResult, ActivationStartParams, Outcome, Prompt, State
from cardd.wire.cards import CardReadParams, CardReadResult, CardSummary, Holder, Issuer, Kind, ReaderView
from cardd.wire.incident import Incident
from support.json_schema import contract

NAME = "测试甲"
NUMBER = "510101190001010012"
PIN = "246813"

Message = dict[str, Any]


def reader_view(card: CardSummary | None = None) -> ReaderView:
    return ReaderView(
        reader="front",
        station="default",
        pcsc_name="Virtual PCD 00 00",
        role="counter",
        state="empty" if card is None else "present",
        card=card,
        device="usb 1-2",
        serial="R-1234",
        usb="1-2",
    )


def card_result(*, personal: bool) -> CardReadResult:
    name, number = (NAME, NUMBER) if personal else ("测*甲", "5101************12")
    return CardReadResult(
        insertion="1-1",
        kind=Kind.SOCIAL_SECURITY,
        generation="3.0",
        authentic=True,
        via="contact",
        issuer=Issuer(
            identification_code="510100" + "D" * 26 if personal else None,
            card_class="3",
            specification_version="3.00",
            initialising_organisation="910000000000000000000000",
            issue_date="2020-01-01",
            valid_until="2030-01-01",
            card_number="A00000001" if personal else "*****0001",
            region="510100",
        ),
        holder=Holder(
            social_security_number=number,
            name=name,
            sex="1",
            ethnic_group="01",
            birthplace="510100",
            birth_date="1900-01-01" if personal else "*",
            token=None,
        ),
        records={"DF04EF05": {"81": "1"}} if personal else {},
        number="A00000001" if personal else "*****0001",
    )


class Cards:
    """A reader with a card that can be held back."""

    def __init__(self) -> None:
        self.reads: list[CardReadParams] = []
        self.present = asyncio.Event()
        self.present.set()

    async def read(self, params: CardReadParams, *, personal: bool) -> CardReadResult:
        self.reads.append(params)
        try:
            async with asyncio.timeout(params.wait_s or 0.01):
                await self.present.wait()
        except TimeoutError:
            raise CarddError(Reason.NO_CARD) from None
        return card_result(personal=personal)


class Activations:
    """Activations that go where the test pushes them, on record in the real journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._views: dict[str, ActivationResult] = {}
        self._ended: dict[str, asyncio.Event] = {}
        self.answers: list[tuple[str, Secret | None]] = []
        self.started_by: list[str] = []
        self.begin = asyncio.Event()
        self.begin.set()

    async def start(self, params: ActivationStartParams, *, client: str) -> str:
        await self.begin.wait()
        identity = f"act-{len(self._views) + 1}"
        self.started_by.append(client)
        self._ended[identity] = asyncio.Event()
        self._views[identity] = ActivationResult(
            activation=identity, route=params.route, station=params.station or "default", state=State.WAITING_OLD_CARD
        )
        await self.tell("activation.started", identity, {"route": str(params.route)})
        await self.tell("activation.step", identity, {"state": "waiting_old_card", "prompt": _text("insert_old_card")})
        return identity

    async def ask_pin(self, identity: str) -> str:
        prompt = f"prompt-{identity}"
        view = self._views[identity]
        view.state = State.WAITING_PIN
        view.prompt = Prompt(
            code="social_pin", text={"en": "PIN", "zh-CN": "密码"}, prompt=prompt, purpose="social_pin"
        )
        data = {"prompt": prompt, "purpose": "social_pin", "digits": [4, 16], **_text("social_pin")}
        await self.tell("prompt.opened", identity, data)
        return prompt

    async def end(self, identity: str, state: State, reason: Reason | None = None) -> None:
        view = self._views[identity]
        view.state = state
        view.prompt = None
        view.holder = {"name": "测*甲"}
        if reason is None:
            view.outcome = Outcome.ACTIVATED
            data, personal = {"outcome": "activated", "holder": {"name": "测*甲"}}, {"holder": {"name": NAME}}
        else:
            view.reason = reason
            view.text = {"en": REASONS[reason].en, "zh-CN": REASONS[reason].zh}
            data, personal = {"reason": str(reason), **_text(str(reason))}, {}
        await self.tell(f"activation.{state}", identity, data, personal)
        self._ended[identity].set()

    async def tell(
        self, kind: str, identity: str, data: Mapping[str, Any], personal: Mapping[str, Any] | None = None
    ) -> None:
        station = self._views[identity].station
        await self._journal.record(
            NewEvent(type=kind, subject=station, data=data, personal=personal or {}, correlation=identity)
        )

    async def cancel(self, activation: str) -> None:
        view = await self.view(activation, personal=False)
        if view.state is State.AUTHORISING:
            raise CarddError(Reason.TOO_LATE)
        await self.end(activation, State.CANCELLED)

    async def answer(self, prompt: str, pin: Secret | None) -> None:
        open_prompts = [view.prompt.prompt for view in self._views.values() if view.prompt is not None]
        if prompt not in open_prompts:
            raise CarddError(Reason.NOT_FOUND, "there is no such prompt")
        self.answers.append((prompt, pin))
        identity = prompt.removeprefix("prompt-")
        await self.tell("prompt.closed", identity, {"prompt": prompt})
        await self.end(identity, State.COMPLETED if pin is not None else State.CANCELLED)

    async def view(self, activation: str, *, personal: bool) -> ActivationResult:
        if activation not in self._views:
            raise CarddError(Reason.NOT_FOUND, "there is no such activation")
        view = self._views[activation]
        if personal and view.holder is not None:
            whole = ActivationResult(
                activation=view.activation, route=view.route, station=view.station, state=view.state
            )
            whole.outcome, whole.holder = view.outcome, {"name": NAME}
            return whole
        return view

    async def incident(self, activation: str) -> Incident:
        if activation not in self._views:
            raise CarddError(Reason.NOT_FOUND)
        view = self._views[activation]
        return Incident(incident=1, activation=activation, route=view.route, state=view.state, cardd="0", turns=[])

    async def list(self, *, open_only: bool, limit: int) -> Sequence[ActivationResult]:
        ended = {State.COMPLETED, State.REFUSED, State.CANCELLED, State.EXPIRED}
        views = [view for view in self._views.values() if not (open_only and view.state in ended)]
        return views[:limit]

    async def wait_end(self, activation: str, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ended[activation].wait()


def _text(code: str) -> dict[str, Any]:
    return {"text": {"code": code, "args": {}}}


@dataclass
class Counter:
    """The server and everything a test may push."""

    path: Path
    server: Server
    journal: Journal
    cards: Cards
    activations: Activations
    readers: list[ReaderView] = field(default_factory=list)

    async def happen(self, kind: str, subject: str = "front", **data: Any) -> None:
        await self.journal.record(NewEvent(type=kind, subject=subject, data=data))

    async def deserted(self) -> bool:
        """Tell whether no client is connected."""
        return self.server.connections == 0

    async def under_way(self) -> bool:
        """Tell whether an activation has taken its first step."""
        return bool(await self.recorded("activation.step"))

    async def recorded(self, kind: str) -> list[Message]:
        events = await self.journal.read(0, 10_000)
        return [json.loads(event.data) for event in events if event.type == kind]


@contextlib.asynccontextmanager
async def counter(
    directory: Path, *, rights: Rights | None = None, limits: Limits | None = None
) -> AsyncIterator[Counter]:
    """Run a counter whose socket is `directory/cardd.sock`."""
    sealer = Sm4GcmSealer(Secret(b"0123456789abcdef"))
    clock = SystemClock()
    journal = Journal.open(directory / "journal", sealer=sealer, clock=clock, source="/cardd/test")
    cards, activations, readers = Cards(), Activations(journal), [reader_view()]
    services = Services(
        clock=clock,
        journal=journal,
        delivery=Delivery(sealer, "/cardd/test"),
        activations=activations,
        read_card=cards.read,
        readers=lambda: readers,
        status=lambda: {"versions": {"cardd": "0"}, "uptime_s": 1.5, "pcsc": {"state": "up"}},
    )
    server = Server(services, rights or Rights.own_user(), limits or Limits())
    path = directory / "cardd.sock"
    await server.serve(listen(path))
    try:
        yield Counter(path, server, journal, cards, activations, readers)
    finally:
        await server.close()
        await journal.close()


class Line:
    """A raw client: it writes what it likes and reads what comes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._ids = 0
        self.aside: list[Message] = []

    async def write(self, raw: bytes) -> None:
        self.writer.write(raw)
        await self.writer.drain()

    async def read(self) -> Message:
        """Return the next message. Raises EOFError at the end of the stream."""
        async with asyncio.timeout(5):
            line = await self.reader.readline()
        if not line:
            raise EOFError
        message: Message = json.loads(line)
        return message

    async def send(self, method: str, **params: Any) -> int:
        self._ids += 1
        await self.write(
            json.dumps({"jsonrpc": "2.0", "id": self._ids, "method": method, "params": params}).encode() + b"\n"
        )
        return self._ids

    async def answer(self, identity: int) -> Message:
        return await self.until(lambda message: message.get("id") == identity)

    async def until(self, wanted: Callable[[Message], bool]) -> Message:
        """Return the first message that is wanted; the others wait in `aside`."""
        for message in self.aside:
            if wanted(message):
                self.aside.remove(message)
                return message
        while not wanted(message := await self.read()):
            self.aside.append(message)
        return message

    async def call(self, method: str, **params: Any) -> Message:
        """Call, and return the answer; whichever it is, it is one that the contract knows."""
        answer = await self.answer(await self.send(method, **params))
        if method in contract().methods:
            assert contract().faults_of_answer(method, answer) == []
        return answer

    async def result(self, method: str, **params: Any) -> Message:
        answer = await self.call(method, **params)
        result: Message = answer["result"]
        return result

    async def refusal(self, method: str, **params: Any) -> Message:
        answer = await self.call(method, **params)
        error: Message = answer["error"]
        return error

    async def event(self) -> Message:
        message = await self.until(lambda message: message.get("method") == "event")
        params: Message = message["params"]
        return params

    def half_close(self) -> None:
        self.writer.write_eof()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


@contextlib.asynccontextmanager
async def line(path: Path) -> AsyncIterator[Line]:
    """Connect a raw client."""
    reader, writer = await asyncio.open_unix_connection(os.fspath(path), limit=1 << 22)
    client = Line(reader, writer)
    try:
        yield client
    finally:
        await client.close()
