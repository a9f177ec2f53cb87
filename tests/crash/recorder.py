"""The process that is killed: records without end and says on standard output what was acknowledged.

Every call holds an activation's new step and two events that name it. One line for each acknowledged call:
`worker step sequence-of-the-second-event`.
"""

import asyncio
import os
import sys
from pathlib import Path

from cardd.base.clock import SystemClock
from cardd.base.errors import CarddError
from cardd.base.secret import Secret
from cardd.crypto.sealing import Sm4GcmSealer
from cardd.journal.events import ActivationRow, Json, NewEvent
from cardd.journal.store import Journal

WORKERS = 8


async def work(journal: Journal, worker: str, padding: int) -> None:
    row = await journal.activation(worker)
    step = 0 if row is None else int(str(row.data["step"]))
    while True:
        step += 1
        data: dict[str, Json] = {"step": step, "fill": "x" * padding}
        name: dict[str, Json] = {"name": f"测试甲{step}"}
        events = (
            NewEvent(kind, worker, data, name, correlation=worker) for kind in ("activation.step", "prompt.opened")
        )
        activation = ActivationRow(worker, worker, "pharmacy", f"state-{step}", True, {"step": step}, name)
        try:
            stored = await journal.record(*events, activation=activation)
        except CarddError as error:
            say(f"{worker} {error.reason}")
            return
        say(f"{worker} {step} {stored[-1].sequence}")


def say(line: str) -> None:
    # one write a line: a line is whole or was not said
    os.write(1, line.encode() + b"\n")


async def main(directory: Path, padding: int) -> None:
    sealer = Sm4GcmSealer(Secret(b"0123456789abcdef"))
    journal = Journal.open(directory, sealer=sealer, clock=SystemClock(), source="/cardd/crash")
    say(f"boot {journal.boot} {journal.last}")
    await asyncio.gather(*(work(journal, f"w{number}", padding) for number in range(WORKERS)))
    if len(sys.argv) > 3:  # a file whose removal makes space
        await asyncio.to_thread(Path(sys.argv[3]).unlink)
        (stored,) = await journal.record(NewEvent("service.started", "w-again", {"step": 0}))
        say(f"again 0 {stored.sequence}")
    await journal.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
