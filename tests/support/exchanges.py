"""One example for each method, said to a whole daemon with virtual cards: what docs show, and a test says again."""

import asyncio
import contextlib
import json
import os
import pwd
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final
from unittest import mock

from msgspec.structs import replace

from cardd.config import load_config
from cardd.daemon import Daemon
from cardd.logs import Logs
from cardd.readers.tap import Tap
from cardd.service import Standing
from cardsim.card.make import make_card
from cardsim.fault_list import AnyFault
from cardsim.links.inprocess import InProcessBackend
from cardsim.persona import load_persona
from cardsim.rig import REGISTER
from support.counter import Line, Message, line

FRONT: Final = "Example Reader 0 00 00"
SAM: Final = "Example Reader 1 00 00"
PIN: Final = "123456"
NEW_PIN: Final = "246813"

_USER: Final = pwd.getpwuid(os.geteuid()).pw_name
EVERYTHING: Final = "desk, operator, auditor, write_card, block_card, raw_apdu, driver"
_CONFIG: Final = f"""
socket:
  path: cardd.sock
  rights:
    - user: {_USER}
      grant: [GRANT]
state_dir: state
backend: in-process
stations:
  - name: counter-0
    readers:
      - {{match: {{name: {FRONT}}}, role: counter, name: reader-0}}
      - {{match: {{name: {SAM}}}, role: sam, name: sam-0}}
authority: {{provider: local, register: register.yaml}}
logs: {{level: error}}
"""

Lines = list[tuple[str, Message]]
"""What was said: an arrow for who said it, and the message."""

Book = dict[str, Lines]
"""What was said by method, in the order in which it was said first."""


class Desk:
    """A client that calls, types what prompts ask for, and keeps what was said."""

    def __init__(self, client: Line, backend: InProcessBackend) -> None:
        self.book: Book = {}
        self.events: list[Message] = []
        self.pin = PIN
        self._client = client
        self._backend = backend
        self._page: Lines = []
        self._later: list[Message] = []

    async def call(self, method: str, **params: Any) -> Message:
        """Call, with everything typed that the call asks for, and return the result (nothing for a refusal)."""
        self._page = []
        identity = await self._say(method, params)
        answers: dict[int, Message] = {}
        asked = {identity}
        while asked - answers.keys():
            message = await self._client.read()
            if message.get("id") in asked:
                answers[message["id"]] = message
                continue
            self._keep(message)
            if _kind(message) == "prompt.opened" and "method" in _data(message):
                self._page.append(("←", message))
                asked.add(await self._say("prompt.answer", self._answering(message)))
        # in the order of the calls, which answers need not keep: what was called first is answered last
        said = [*self._page, *(("←", answers[one]) for one in sorted(asked, reverse=True))]
        self.book.setdefault(method, said)
        result: Message = answers[identity].get("result") or {}
        return result

    async def until(self, kind: str, then: Callable[[Message], Awaitable[None]] | None = None) -> Message:
        """Return the next event of a kind; `then` is shown what comes before it."""
        while True:
            if not self._later:
                self._keep(await self._client.read())
                continue
            message = self._later.pop(0)
            if _kind(message) == kind:
                return message
            if then is not None:
                await then(message)

    async def answer(self, opened: Message) -> None:
        """Answer a prompt as a call of its own."""
        await self.call("prompt.answer", **self._answering(opened))

    async def insert(self, persona: str, *faults: AnyFault) -> None:
        """Put a card in, with these things wrong with it."""
        card = load_persona(persona)
        if faults:
            card = replace(card, card=replace(card.card, faults=faults))
        self._backend.insert(FRONT, make_card(card, interface="contact"))

    async def swap(self, persona: str) -> None:
        """Put another card in."""
        await self.remove()
        await self.insert(persona)

    async def remove(self) -> None:
        """Take the card out."""
        self._backend.remove(FRONT)
        await self.until("card.removed")

    async def unplug(self) -> None:
        """Take the reader away."""
        self._backend.remove_slot(FRONT)
        await self.until("reader.detached")

    def _answering(self, opened: Message) -> Message:
        data = _data(opened)
        return {"prompt": data["prompt"], "pin": NEW_PIN if data["purpose"] == "new_pin" else self.pin}

    async def _say(self, method: str, params: Message) -> int:
        identity = await self._client.send(method, **params)
        message = {"jsonrpc": "2.0", "id": identity, "method": method, "params": params}
        self._page.append(("→", message))
        return identity

    def _keep(self, message: Message) -> None:
        if message.get("method") == "event":
            self.events.append(message["params"]["event"])
            self._later.append(message)


def _kind(message: Message) -> str | None:
    if message.get("method") != "event":
        return None
    whole: str = message["params"]["event"]["type"]
    return whole.removeprefix("org.cardd.").removesuffix(".v1")


def _data(message: Message) -> Message:
    data: Message = message["params"]["event"]["data"]
    return data


@contextlib.asynccontextmanager
async def whole_daemon(
    directory: Path, *, grant: str = EVERYTHING, more: str = "", tap: Tap | None = None
) -> AsyncIterator[Desk]:
    """Run every part of a daemon on simulated readers, with the security module in its place.

    `more` is added to its configuration, `tap` is shown what is said to cards.
    """
    directory.joinpath("register.yaml").write_bytes(REGISTER.read_bytes())
    config = directory / "cardd.yaml"
    config.write_text(_CONFIG.replace("GRANT", grant) + more, encoding="utf-8")
    backend = InProcessBackend()
    for slot in (FRONT, SAM):
        backend.add_slot(slot)
    backend.insert(SAM, make_card(load_persona("psam"), interface="contact"))
    logs = mock.create_autospec(Logs, instance=True)
    logs.writes.return_value = False
    running = await Daemon.start(load_config(config), logs, Standing(), backend=backend, tap=tap)
    try:
        async with line(directory / "cardd.sock") as client:
            while not _is_complete(await client.result("readers.list")):  # noqa: ASYNC110 - asked, as a client has to
                await asyncio.sleep(0.01)
            yield Desk(client, backend)
    finally:
        await running.stop()


def _is_complete(listed: Message) -> bool:
    return [view["card"] is not None for view in listed["readers"]] == [False, True]


async def everything(desk: Desk) -> None:
    """Call every method there is, at a counter in the order of a day."""
    await _look_around(desk)
    await _read_and_write(desk)
    await _type_pins(desk)
    await _hold(desk)
    await _settle(desk)
    await _activate(desk)
    await _operate(desk)
    await _audit(desk)


async def _look_around(desk: Desk) -> None:
    await desk.call("session.hello", client="till-3", api=1)
    await desk.call("rpc.discover")
    await desk.call("events.subscribe", after="now")
    await desk.call("system.status")
    await desk.call("system.metrics")
    await desk.call("readers.list")


async def _read_and_write(desk: Desk) -> None:
    await desk.insert("p3-3.0-sm4")
    await desk.until("card.identified")
    await desk.call("card.read")
    files = {"DF04EF05": {"84": "510100"}, "DF04EF15": {"1": "0003^9^"}}
    await desk.call("card.write", request="w-1", files=files)
    await desk.call("driver.call", function="iReadCardBas", args=[3], purpose="registration")


async def _type_pins(desk: Desk) -> None:
    await desk.call("card.pin.query")
    await desk.call("card.pin.verify", request="v-1")
    await desk.call("card.pin.unblock", request="u-1")
    await desk.call("card.pin.change", request="c-1")
    await desk.call("card.pin.reload", request="r-1")


async def _hold(desk: Desk) -> None:
    lease = (await desk.call("lease.acquire", ttl_s=60))["lease"]
    await desk.call("card.transmit", lease=lease, apdu="0084000008")
    await desk.call("lease.renew", lease=lease, ttl_s=30)
    await desk.call("lease.release", lease=lease)
    await desk.call("card.block", what="DF04", request="b-1")


async def _settle(desk: Desk) -> None:
    await desk.swap("p5-offline")
    await desk.until("card.identified")
    await desk.call("account.balance")
    await desk.call("account.debit", request="bill-1", account=1250, self_paid=300, pool=2000)
    await desk.call("account.load", request="load-1", amount=5000)
    await desk.call("account.proof", request="bill-1")
    await desk.call("account.records", limit=2)
    await desk.call("account.set_starting_day", request="d-1", day="0701")


async def _activate(desk: Desk) -> None:
    await desk.remove()
    given_up = await desk.call("activation.start", route="pharmacy", operator="0421", request="17")
    await desk.call("activation.cancel", activation=given_up["activation"])
    await desk.call("activation.incident", activation=given_up["activation"])
    begun = await desk.call("activation.start", route="pharmacy", operator="0421", request="18")

    async def as_told(message: Message) -> None:
        kind = _kind(message)
        if kind == "activation.step" and _data(message)["prompt"]["code"] == "insert_social_card":
            await desk.swap("social-bing-2.0")
        if kind == "prompt.opened":
            await desk.answer(message)

    await desk.insert("old-bing")
    await desk.until("activation.completed", as_told)
    await desk.call("activation.get", activation=begun["activation"], purpose="registration")
    await desk.call("activation.list", limit=1)


async def _operate(desk: Desk) -> None:
    await desk.call("reader.lend", reader="reader-0")
    await desk.call("reader.take_back", reader="reader-0")
    await desk.call("station.clear", station="counter-0")


async def _audit(desk: Desk) -> None:
    await desk.until("card.identified")
    token = (await desk.call("card.read", purpose="registration"))["holder"]["token"]
    await desk.call("journal.verify")
    await desk.call("journal.find", token=token, types=["card.identified"], limit=1)
    await desk.call("journal.export")
    await desk.call("journal.erase", token=token, purpose="asked for by the holder")
    await desk.call("events.unsubscribe", subscription="s1")


async def told(path: Path, **params: Any) -> list[Message]:
    """Return all events that a daemon has told so far, as a subscription delivers them."""
    async with line(path) as client:
        last = (await client.result("system.status"))["journal"]["last"]
        await client.result("events.subscribe", after="earliest", **params)
        events: list[Message] = []
        while not events or int(events[-1]["sequence"]) < last:
            events.append((await client.event())["event"])
        return events


def fit_for_docs(book: Book) -> Book:
    """Return what was said without what is long by nature, and without which machine and user it was."""
    return {method: [(arrow, _shown(method, message)) for arrow, message in said] for method, said in book.items()}


def _shown(method: str, message: Message) -> Message:
    text = json.dumps(message, ensure_ascii=False)
    text = text.replace(f"/cardd/{socket.gethostname()}", "/cardd/counter-7").replace(f'"{_USER}/', '"pharmacy/')
    shown: Message = json.loads(text)
    cut = _CUT.get(method)
    if cut is not None and "result" in shown:
        shown["result"] = cut(shown["result"])
    return shown


_CUT: Final[dict[str, Callable[[Message], Message]]] = {
    "rpc.discover": lambda result: {"openrpc": result["openrpc"], "info": result["info"]},
    "system.metrics": lambda result: {"text": "".join(result["text"].splitlines(keepends=True)[:3])},
    "journal.export": lambda result: {**result, "lines": result["lines"][:1]},
}


def shape(value: Any) -> Any:
    """Return what a value is made of, whatever it says."""
    if isinstance(value, dict):
        return {key: shape(member) for key, member in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__
