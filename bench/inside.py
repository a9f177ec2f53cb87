"""A whole counter in one process of its own, without pcscd: the daemon on simulated readers, a social card for each.

A security module serves them all. Says and does what `bench.counter` does, but for pcscd, of which there is none: `in N
0` and `out N`, and it ends with its standard input.
"""

import asyncio
import json
import os
import sys
import threading
from pathlib import Path
from typing import Final

import yaml

from cardd.config import load_config
from cardd.daemon import Daemon
from cardd.logs import configure
from cardd.process import SWITCH_S
from cardd.service import Standing, settle
from cardsim.card.make import make_card
from cardsim.links.inprocess import InProcessBackend
from cardsim.persona import load_persona

PERSONA: Final = "social-jia-3.0"
MODULE: Final = "sam"


def settings(readers: tuple[str, ...]) -> dict[str, object]:
    """Write the daemon's configuration."""
    counters = [{"match": {"name": name}, "role": "counter", "name": name} for name in readers]
    return {
        "socket": {"path": "cardd.sock"},
        "state_dir": "state",
        "stations": [
            {"name": "hall", "readers": [*counters, {"match": {"name": MODULE}, "role": "sam", "name": MODULE}]}
        ],
        "logs": {"level": "warning", "format": "json"},
    }


def follow(backend: InProcessBackend, readers: tuple[str, ...], ended: "asyncio.Future[None]") -> None:
    """Do what standard input says until it ends."""
    cards = {reader: make_card(load_persona(PERSONA)) for reader in readers}
    for line in sys.stdin:
        verb, index, *_ = line.split()
        reader = readers[int(index)]
        if verb == "in":
            backend.insert(reader, cards[reader])
        else:
            backend.remove(reader)
    ended.get_loop().call_soon_threadsafe(ended.set_result, None)


async def serve(directory: Path, readers: tuple[str, ...]) -> None:
    """Begin, say that it is ready, serve."""
    config = directory / "cardd.yaml"
    config.write_text(yaml.safe_dump(settings(readers)), encoding="utf-8")
    whole = load_config(config)
    backend = InProcessBackend()
    for slot in (*readers, MODULE):
        backend.add_slot(slot)
    backend.insert(MODULE, make_card(load_persona("psam")))
    logs = configure(whole.logs.level, whole.logs.format)
    sys.setswitchinterval(SWITCH_S)
    daemon = await Daemon.start(whole, logs, Standing(), backend=backend)
    settle()
    ended = asyncio.get_running_loop().create_future()
    threading.Thread(target=follow, args=(backend, readers, ended), daemon=True).start()
    ready = {
        "socket": str(directory / "cardd.sock"),
        "pcscd_socket": "",
        "state": str(directory / "state"),
        "readers": readers,
        "daemon": os.getpid(),
        "pcscd": 0,
    }
    print(json.dumps(ready), flush=True)
    await ended
    await daemon.stop()


def main(directory: str, readers: str) -> None:
    """Serve until standard input ends."""
    asyncio.run(serve(Path(directory), tuple(f"reader-{number}" for number in range(int(readers)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
    os._exit(os.EX_OK)
