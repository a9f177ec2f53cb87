"""Fills a small disk with the journal's own events, then ends what is open; says what was taken and what was not."""

import asyncio
import sys
from pathlib import Path

from cardd.base.clock import SystemClock
from cardd.base.errors import CarddError
from cardd.base.secret import Secret
from cardd.crypto.sealing import Sm4GcmSealer
from cardd.crypto.signing import Ed25519Signer
from cardd.journal.events import ActivationRow, NewEvent
from cardd.journal.heads import Notary
from cardd.journal.store import Journal, Keeping

OPEN = 6
STEPS = 8


async def told(journal: Journal, fill: int, row: ActivationRow | None = None) -> str:
    try:
        await journal.record(NewEvent("activation.step", "s", {"fill": "x" * fill}), activation=row)
    except CarddError as error:
        return str(error.reason)
    return str(journal.statistics().space)


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")


def row(number: int, *, is_open: bool = True) -> ActivationRow:
    return ActivationRow(f"a-{number}", "s", "pharmacy", "authorising", is_open, {"fill": "x" * 500})


async def main(directory: Path, ballast: Path) -> None:
    clock = SystemClock()
    keeping = Keeping(notary=Notary(Ed25519Signer(Secret(bytes(32))), clock), reserve_bytes=4_000_000)
    sealer = Sm4GcmSealer(Secret(bytes(16)))
    journal = Journal.open(directory, sealer=sealer, clock=clock, source="/cardd/crash", keeping=keeping)
    say("begun", *[await told(journal, 500, row(number)) for number in range(OPEN)])
    filled = ["ample"]
    while filled[-1] != "JOURNAL_FULL":
        filled.append(await told(journal, 3000))
    say("filled", *dict.fromkeys(filled))
    say("new", await told(journal, 500, row(OPEN)))
    say("steps", *{await told(journal, 500, row(number)) for _ in range(STEPS) for number in range(OPEN)})
    say("ended", *[await told(journal, 500, row(number, is_open=False)) for number in range(OPEN)])
    await asyncio.to_thread(ballast.unlink)
    await journal.make_room()
    say("again", await told(journal, 500, row(OPEN)), journal.last)
    await journal.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
