"""`cardsim learn`: a persona out of a trace."""

import os
import sys
from pathlib import Path

import click
import yaml

from cardd.base.document import DocumentError
from cardsim.learning.learn import Learned, learn
from cardsim.learning.observed import NotLearnableError
from cardsim.trace import Trace, load_trace

_UNLIKE = 1


@click.command(name="learn", short_help="make a persona of a recorded card")
@click.argument("trace", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--insertion", default="", metavar="ID", help="Which stay, of a trace of several, as a daemon writes.")
def command(trace: Path, insertion: str) -> int:
    """Print a persona (YAML) with the quirks of the social security card that was recorded in TRACE.

    Answer to reset, generation, algorithm, files, lengths and status words are the recorded card's. The holder is
    invented, of the same lengths in bytes; keys are those of all shipped cards. The persona is tried on the recorded
    commands; what it still answers otherwise is told on standard error. Exit code 0 where it answers all of them as
    recorded (status words and lengths), 1 where not, 65 for a trace of something else.
    """
    recorded = load_trace(trace, insertion)
    try:
        learned = learn(recorded)
    except NotLearnableError as error:
        raise DocumentError(trace, 1, 1, str(error)) from None
    print("# Learned from a trace; the holder is invented.")
    print(yaml.safe_dump(learned.document, allow_unicode=True, sort_keys=False, width=110), end="")
    _tell(learned, recorded)
    return _UNLIKE if learned.unlike else os.EX_OK


def _tell(learned: Learned, recorded: Trace) -> None:
    total = len(recorded.exchanges)
    print(f"cardsim: {total - len(learned.unlike)} of {total} exchanges are as recorded", file=sys.stderr)
    for one in learned.unlike:
        header = recorded.exchanges[one.index].command[:5].hex().upper()
        words = f"{_shape(one.recorded)} was recorded, the persona answers {_shape(one.answered)}"
        print(f"exchange {one.index + 1}: {header}: {words}", file=sys.stderr)


def _shape(answer: bytes) -> str:
    return f"{len(answer) - 2} bytes and {answer[-2:].hex().upper()}" if answer else "nothing"
