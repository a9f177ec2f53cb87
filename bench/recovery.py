"""How soon the daemon's clients know that pcscd is back, and what is in the readers.

pcscd is killed and stays away for a while of random length, so that the daemon's tries fall anywhere. A C program that
tries every millisecond says when pcscd answers again, and when it sees each card; the client's `pcsc.up` and
`card.inserted` are held against that.
"""

import random
import tempfile
import time
from pathlib import Path
from typing import Final

from bench.counter import Counter, counter
from bench.report import Bound, Goal, Row, Settings, amount, publish
from bench.watching import Told, Watcher, subscribe, told, watcher
from cardd.client.blocking import Client

READERS: Final = 16
CARDS: Final = 8
ROUNDS: Final = amount(15, short=1)
AWAY_S: Final = (0.2, 4.0)
WANTED_S: Final = 1.0
SEED: Final = 4


def until(client: Client, kind: str, count: int) -> list[Told]:
    """Return the next events of a kind, so many; what comes between is left out."""
    found: list[Told] = []
    while len(found) < count:
        news = told(client)
        if news.kind == kind:
            found.append(news)
    return found


def one_round(place: Counter, client: Client, program: Watcher, away_s: float) -> tuple[float, float]:
    """Return the microseconds until the service is told as back, and until the last card inside is."""
    program.lines()
    place.kill_pcscd()
    until(client, "pcsc.down", 1)
    time.sleep(away_s)
    place.restart_pcscd()
    (up,) = until(client, "pcsc.up", 1)
    last = until(client, "card.identified", CARDS)[-1]
    lines = program.lines()
    back = next(line.at for line in lines if line.what == "up")
    cards = max(line.at for line in lines if line.what in place.readers)
    return (up.at - back) / 1000, (last.at - max(cards, back)) / 1000


def main() -> None:
    """Measure, print, write."""
    chance = random.Random(SEED)
    with (
        tempfile.TemporaryDirectory() as directory,
        counter(READERS) as place,
        watcher(place, Path(directory)) as program,
        Client.connect(place.socket) as client,
    ):
        subscribe(client, place)
        for reader in place.readers[:CARDS]:
            place.put_in(reader)
        until(client, "card.identified", CARDS)
        pairs = [one_round(place, client, program, chance.uniform(*AWAY_S)) for _ in range(ROUNDS)]
    up, known = ([pair[index] for pair in pairs] for index in (0, 1))
    rows = [
        Row.of("pcsc.up at the client, after C lists readers", up),
        Row.of("the last card identified, after C sees it", known),
    ]
    goals = [
        Goal.of("recovery, the slowest, seconds", Bound.AT_MOST, WANTED_S, [max(up) / 1e6]),
        Goal.of("recovery, seconds", Bound.AT_MOST, WANTED_S, [value / 1e6 for value in up]),
    ]
    settings: Settings = {"readers": READERS, "cards": CARDS, "rounds": ROUNDS, "seed": SEED}
    publish("recovery", "after pcscd has come back", rows, settings, goals)


if __name__ == "__main__":
    main()
