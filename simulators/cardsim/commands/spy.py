"""`cardsim spy`: a trace out of what pcsc-lite's spy library wrote down."""

import os
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from cardd.rules.masking import Masker, Shown
from cardsim.spied import Stay, read_spied


@click.command(name="spy", short_help="make a trace of pcsc-lite's spy log")
@click.argument("log", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("trace", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--secrets", is_flag=True, help="Mask neither PINs nor persons.")
def command(log: Path, trace: Path, secrets: bool) -> int:  # noqa: FBT001 # click's way
    """Make the file TRACE of LOG, which any program's commands to cards were written down in by pcsc-lite's libpcscspy.

    To write such a log: touch ~/pcsc-spy, then LD_PRELOAD=libpcscspy.so.0 PROGRAM. Each stay of a card has an insertion
    of its own (spy-1, spy-2, …) in TRACE, for `cardsim replay --insertion`. LOG itself holds PINs and persons.
    """
    stays = read_spied(log)
    lines = [line for number, stay in enumerate(stays, 1) for line in _lines(f"spy-{number}", stay, secrets=secrets)]
    descriptor = os.open(trace, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)
        file.writelines(msgspec.json.encode(line) + b"\n" for line in lines)
    for number, stay in enumerate(stays, 1):
        print(f"spy-{number}: {len(stay.exchanges)} exchanges in {stay.reader}")
    return os.EX_OK


def _lines(insertion: str, stay: Stay, *, secrets: bool) -> Iterator[dict[str, object]]:
    yield {"insertion": insertion, "reader": stay.reader, "t": stay.began, "atr": stay.atr.hex().upper()}
    masker = Masker()
    for call, sent, answer in stay.exchanges:
        shown = Shown(sent, answer) if secrets else masker.shown(sent, answer)
        line: dict[str, object] = {
            "insertion": insertion,
            "t": call.ended,
            "ms": round((call.ended - call.began) * 1000, 3),
            "c": shown.command.hex().upper(),
            "r": shown.answer.hex().upper(),
        }
        places = {"masked": shown.command_masked, "r_masked": shown.answer_masked}
        yield line | {name: place for name, place in places.items() if place is not None}
