"""Other programs' clients: one reads, one holds a card, one has a PIN compared and a holder beside it who types it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from cardd.client.aio import Client
from cardd.client.errors import CallError, UnreachableError
from cardd.wire.activation import PromptAnswerParams
from cardd.wire.cards import CardReadParams
from cardd.wire.deeds import CardPinParams
from cardd.wire.events import EventsSubscribeParams
from cardd.wire.leases import LeaseAcquireParams
from cardd.wire.methods import CARD_PIN_VERIFY, CARD_READ, LEASE_ACQUIRE, PROMPT_ANSWER

_PATIENCE_S: Final = 30.0
_LEASE_S: Final = 5


async def read(socket: Path, reader: str) -> None:
    """Read the card in a reader; refusals are no error."""
    async with await Client.connect(socket) as client:
        with contextlib.suppress(CallError):
            await client.call(CARD_READ, CardReadParams(reader=reader))


async def hold(socket: Path, reader: str, meanwhile: Callable[[], Awaitable[None]]) -> None:
    """Hold the card in a reader while something else is waited for, and go without a word; refusals are no error."""
    async with await Client.connect(socket) as client:
        with contextlib.suppress(CallError):
            await client.call(LEASE_ACQUIRE, LeaseAcquireParams(reader=reader, ttl_s=_LEASE_S))
            await meanwhile()


async def verify_pin(socket: Path, reader: str, request: str, digits: str, answered: Callable[[], None]) -> None:
    """Ask for the PIN of the card in a reader, and type these digits where a prompt opens; refusals are no error.

    `answered` is called as soon as the digits were taken.
    """
    async with await Client.connect(socket) as client, asyncio.timeout(_PATIENCE_S):
        await client.subscribe(EventsSubscribeParams(types=["prompt.opened"]))
        params = CardPinParams(reader=reader, request=request)
        asking = asyncio.ensure_future(client.call(CARD_PIN_VERIFY, params))
        opened = asyncio.ensure_future(anext(client.events()))
        await asyncio.wait({asking, opened}, return_when=asyncio.FIRST_COMPLETED)
        if opened.done() and not opened.exception():
            prompt = str(opened.result().event.data["prompt"])
            # the card may be gone in this very moment
            with contextlib.suppress(CallError):
                await client.call(PROMPT_ANSWER, PromptAnswerParams(prompt=prompt, pin=digits))
                answered()
        opened.cancel()
        with contextlib.suppress(CallError, UnreachableError):
            await asking
        with contextlib.suppress(asyncio.CancelledError):
            await opened
