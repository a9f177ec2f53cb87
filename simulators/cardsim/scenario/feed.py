"""What the daemon tells during a run: every event once, in order, for whoever waits."""

import threading
from collections.abc import Iterator, Mapping
from typing import Final

from cardd.base.structs import Struct
from cardd.client.blocking import Client
from cardd.client.errors import CallError, ProtocolError, UnreachableError
from cardd.wire.events import NOW, Event, EventsSubscribeParams, short_type
from cardsim.scenario.grounds.ground import Ground


class Told(Struct, frozen=True):
    """An event, which one it is in the run (from 1), and the station that it belongs to (empty: none)."""

    number: int
    kind: str
    station: str
    event: Event


class Feed:
    """All events of a run. `changed` is told at each; hold it to look at `told`."""

    def __init__(self, ground: Ground, readers: Mapping[str, str]) -> None:
        self.changed: Final = threading.Condition()
        self.told: Final[list[Told]] = []
        self.lost = False
        """Whether the daemon has gone without having been told to."""
        self._ground = ground
        self._stations: Final = {**readers, **{station: station for station in readers.values()}}
        self._cursor = NOW
        self._expected = False
        self._client: Client | None = None

    def begin(self) -> None:
        """Listen from where it left off. Raises UnreachableError, CallError."""
        client = self._ground.client()
        begun = client.subscribe(EventsSubscribeParams(after=self._cursor))
        self._cursor, self._expected, self.lost = begun.cursor, False, False
        self._client = client
        threading.Thread(target=self._listen, args=(client,), name="feed", daemon=True).start()

    def expect_silence(self) -> None:
        """Take the end of the connection as meant."""
        self._expected = True

    def close(self) -> None:
        """Listen no more."""
        self._expected = True
        if self._client is not None:
            self._client.close()

    def of(self, station: str | None, after: int) -> Iterator[Told]:
        """Yield what was told after an event's number, of a station or of all. The lock is held."""
        for number in range(after, len(self.told)):
            told = self.told[number]
            if station is None or told.station == station:
                yield told

    def _listen(self, client: Client) -> None:
        try:
            for arrival in client.events():
                self._cursor = arrival.cursor
                event = arrival.event
                station = self._stations.get(event.subject or "", "")
                with self.changed:
                    self.told.append(Told(len(self.told) + 1, short_type(event.type), station, event))
                    self.changed.notify_all()
        except (UnreachableError, CallError, ProtocolError, OSError, ValueError):
            # closing our own side under a waiting thread comes as an error of the socket
            with self.changed:
                self.lost = not self._expected
                self.changed.notify_all()
        finally:
            client.close()
