"""`cardsim diff`: two traces, command by command."""

import os
from pathlib import Path

import click
import msgspec

from cardsim.comparison import Comparison, compare
from cardsim.trace import load_trace

_DIFFERENT = 1


@click.command(name="diff", short_help="compare two traces command by command")
@click.argument("first", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("second", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--insertion",
    multiple=True,
    metavar="ID",
    help="Which stay, of traces of several: of FIRST, given a second time of SECOND.",
)
@click.option("--masked", is_flag=True, help="Values do not count: only commands, status words and lengths.")
@click.option("--all", "everything", is_flag=True, help="Print every difference, not the first one only.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, with every difference.")
def command(
    first: Path,
    second: Path,
    insertion: tuple[str, ...],
    masked: bool,  # noqa: FBT001 # click's way
    everything: bool,  # noqa: FBT001 # click's way
    as_json: bool,  # noqa: FBT001 # click's way
) -> int:
    """Compare the traces FIRST and SECOND; print the first difference and a summary.

    Commands stand side by side as far as header and length are the same. Random numbers, and what cards and terminals
    compute of them, are the same where they are of one length; so is what is masked. Differences may show the holder's
    data, where the traces do. Exit code 0 where nothing differs, 1 where something does, 65 for a broken trace.
    """
    if len(insertion) > 2:  # noqa: PLR2004 # there are two traces
        raise click.UsageError("--insertion can be given twice: for FIRST and for SECOND")
    one, two = (*insertion, *("", "")[len(insertion) :])
    found = compare(load_trace(first, one), load_trace(second, two), values=not masked)
    if as_json:
        print(msgspec.json.encode(_as_json(found)).decode())
    else:
        for difference in found.differences if everything else found.differences[:1]:
            print(difference)
        print(_summary(found))
    return os.EX_OK if found.same else _DIFFERENT


def _summary(found: Comparison) -> str:
    left, right = found.exchanges
    same = f"{found.alike} exchanges alike, {found.random} of them but for random numbers and masks"
    counted = ", ".join(f"{count} x {what}" for what, count in found.summary.items())
    return f"{left} and {right} exchanges: {same}; {f'differences: {counted}' if counted else 'no difference'}"


def _as_json(found: Comparison) -> dict[str, object]:
    return {
        "same": found.same,
        "exchanges": found.exchanges,
        "alike": found.alike,
        "random": found.random,
        "summary": found.summary,
        "differences": [msgspec.structs.asdict(difference) for difference in found.differences],
    }
