"""Cards that go in and out of many readers at once for as long as one likes, and what must be told of each."""

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from cardd.client.blocking import Client
from cardd.iso7816.apdu import Command
from cardd.rules.names import PBOC_DEBIT
from cardd.wire.events import EventsSubscribeParams, short_type
from cardsim.links.echo import CONTACT_ATR
from cardsim.links.vpcd import VpcdLink
from cardsim.pcscd import VirtualReader

PATIENCE_S: Final = 20.0
"""pcscd looks every 0.4 s: a reader of which nothing was told for so long has lost its card."""

SHOWN_DIGITS: Final = 4
"""So much of a card's number is told to everybody."""

_NOT_FOUND: Final = b"\x6a\x82"
_OK: Final = b"\x90\x00"

Event = dict[str, Any]


class NumberedCard:
    """The least bank card: it has a number that tells it from its predecessors."""

    def __init__(self, number: int) -> None:
        self.shown = f"{number % 10**SHOWN_DIGITS:0{SHOWN_DIGITS}}"
        self._record = b"\x70\x0a\x5a\x08" + bytes.fromhex("622848000000" + self.shown)

    def power_on(self) -> bytes:
        return CONTACT_ATR

    def reset(self) -> bytes:
        return CONTACT_ATR

    def power_off(self) -> None:
        """Keep nothing, so lose nothing."""

    def transmit(self, command: bytes) -> bytes:
        asked = Command.decode(command)
        if asked.ins == 0xB2:
            return self._record + _OK
        return _OK if asked.ins == 0xA4 and asked.data == PBOC_DEBIT else _NOT_FOUND


class Treadmill:
    """Every card goes in, is told as inserted, then as what it is, goes out, is told as removed; then comes the next.

    Whatever is told besides, twice, of another reader, or in another order, is an AssertionError.
    """

    def __init__(self, client: Client, places: Sequence[VirtualReader]) -> None:
        self._client = client
        self._places = {place.name: place for place in places}
        self._sequence: int | None = None
        self._insertion = 0
        self._put_in = 0
        self._cards: dict[str, NumberedCard] = {}
        self._links: dict[str, VpcdLink] = {}
        self._expected: dict[str, str] = {}
        self._inserted: dict[str, str] = {}
        client.subscribe(EventsSubscribeParams(after="earliest"))
        attached: set[str] = set()
        while not attached >= self._places.keys():
            attached.add(self._next()["subject"])

    def run(self, cards: int) -> None:
        """Let so many cards go through; return when the last one was told as removed."""
        left = cards
        for name in self._places:
            left = self._put(name, left)
        while self._expected:
            event = self._next()
            name = event["subject"]
            kind = short_type(event["type"])
            assert kind == self._expected.get(name), f"{event} instead of {self._expected}"
            if kind == "card.inserted":
                self._seen(name, event)
            elif kind == "card.identified":
                self._known(name, event)
            else:
                assert event["data"]["cause"] == "removed", event
                assert event["insertion"] == self._inserted.pop(name), event
                del self._expected[name]
                left = self._put(name, left)

    def _put(self, name: str, left: int) -> int:
        if not left:
            return 0
        card = self._cards[name] = NumberedCard(self._put_in)
        self._put_in += 1
        self._expected[name] = "card.inserted"
        link = self._links[name] = VpcdLink(card, self._places[name].port)
        link.start()
        return left - 1

    def _seen(self, name: str, event: Event) -> None:
        number = int(re.fullmatch(r"\d+-(\d+)", event["insertion"])[1])  # type: ignore[index] # no match fails the test
        assert number == self._insertion + 1, event
        self._insertion = number
        self._inserted[name] = event["insertion"]
        self._expected[name] = "card.identified"

    def _known(self, name: str, event: Event) -> None:
        assert event["insertion"] == self._inserted[name], event
        assert event["data"]["number"].endswith(self._cards[name].shown), event
        self._expected[name] = "card.removed"
        self._links.pop(name).close()

    def _next(self) -> Event:
        for arrival in self._client.events(PATIENCE_S):
            sequence = int(arrival.event.sequence)
            assert self._sequence in {None, sequence - 1}, f"{sequence} after {self._sequence}"
            self._sequence = sequence
            event: Event = json.loads(arrival.raw)["event"]
            return event
        raise AssertionError(f"nothing came any more; waiting for {self._expected}")

    def close(self) -> None:
        """Take every card out."""
        while self._links:
            self._links.popitem()[1].close()
