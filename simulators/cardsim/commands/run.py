"""`cardsim run`: scenarios."""

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

import click
from click.shell_completion import CompletionItem

from cardd.client.address import socket_path
from cardsim.scenario.crew import one_by_one, side_by_side
from cardsim.scenario.outcome import EXIT, Came, Result
from cardsim.scenario.report import FORMATS, line, summary, worst, write
from cardsim.scenario.runner import Job
from cardsim.scenario.shipped import described, find, names

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class _Scenario(click.ParamType[Path]):
    """A file, or the name of a scenario that comes with the simulator."""

    name = "SCENARIO"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Find the file."""
        path = value if isinstance(value, Path) else find(str(value))
        if path is None:
            self.fail(f"{value} is no file and no shipped scenario: those are {', '.join(names())}", param, ctx)
        return path

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Offer the names, and files."""
        del ctx, param
        shipped = [CompletionItem(name) for name in names() if name.startswith(incomplete)]
        return shipped or [CompletionItem(incomplete, type="file")]


class _Shard(click.ParamType[tuple[int, int]]):
    """Which part of how many."""

    name = "I/N"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Read `2/3`."""
        if isinstance(value, tuple):
            return value
        part, _, parts = str(value).partition("/")
        if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
            self.fail(f"{value!r} is no part: write 1/3, 2/3 or 3/3 for the parts of three", param, ctx)
        return int(part), int(parts)


class _Report(click.ParamType[Path]):
    """A file whose suffix says how it is written."""

    name = "FILE"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Take a path with a known suffix in a folder that is there."""
        path = Path(str(value))
        if path.suffix not in FORMATS:
            self.fail(f"{path} is no report: its name ends in {', '.join(FORMATS)}", param, ctx)
        if not path.parent.is_dir():
            self.fail(f"{path.parent} is no folder: make it first", param, ctx)
        return path


@click.command(name="run", short_help="run scenarios: people, cards and faults at counters")
@click.argument("scenarios", metavar="SCENARIO...", nargs=-1, type=_Scenario())
@click.option("--list", "listed", is_flag=True, help="Run nothing: list the scenarios that come with the simulator.")
@click.option(
    "--on",
    "ground",
    default="in-process",
    show_default=True,
    type=click.Choice(["in-process", "pcscd", "running"]),
    help="Where: the daemon in this process, in virtual time; on a private pcscd; or a daemon that runs already.",
)
@click.option("--seed", type=click.IntRange(0), help="What everything random follows from. Default: the scenario's.")
@click.option("--times", default=1, show_default=True, type=click.IntRange(1), help="Run each so often, seed by seed.")
@click.option("--turn", default=0, type=click.IntRange(0), hidden=True)
@click.option("--short", is_flag=True, help="Run the short forms: `short` in the place of counts.")
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1), help="How many at once.")
@click.option("--shard", default="1/1", show_default=True, type=_Shard(), help="Run only this part of all runs.")
@click.option(
    "--report",
    "reports",
    multiple=True,
    type=_Report(),
    help="Also write a report: JUnit for .xml, JSON for .json, text for .txt; may be repeated.",
)
@click.option("--socket", type=click.Path(path_type=Path), help="running: the daemon's socket. Default: CARDD_SOCKET.")
@click.option("--dir", "lab", type=click.Path(path_type=Path), help="running: the laboratory. Default: CARDSIM_DIR.")
@click.option("--config", type=_FILE, help="running: the daemon's configuration, by which its register is found.")
def command(
    scenarios: tuple[Path, ...],
    listed: bool,  # noqa: FBT001 # click's way
    ground: str,
    seed: int | None,
    times: int,
    turn: int,
    short: bool,  # noqa: FBT001 # click's way
    jobs: int,
    shard: tuple[int, int],
    reports: tuple[Path, ...],
    socket: Path | None,
    lab: Path | None,
    config: Path | None,
) -> int:
    """Run scenarios (YAML files, or names of shipped ones), and tell how each came out.

    The same seed gives the same people, choices and random bytes of cards. The text on standard output, and each
    --report, name for a failure the seed, the step with file and line, what was expected, what came (masked), and the
    line that runs it again. Ctrl-C ends a run with its report so far.

    Exit code: 0 all passed, 1 an expectation failed, 64 a wrong call, 65 a scenario is broken (found before anything is
    begun), 69 the machine is (no pcscd, no daemon), 130 interrupted.
    """
    if listed:
        for name, grounds, about in described():
            print(f"{name}  [{grounds}]\n    {about}")
        return EXIT[Came.PASSED]
    if not scenarios:
        raise click.UsageError("which SCENARIO? a YAML file, or one of those that --list lists")
    if ground == "running" and jobs > 1:
        raise click.UsageError("--jobs: the counter of a running daemon is one; runs come to it one after the other")
    wanted = [
        Job(path, ground, seed, turn + number, short, socket, lab, config)
        for path in scenarios
        for number in range(times)
    ]
    _refuse_a_call_that_names_nothing(ground, {"--socket": socket, "--dir": lab, "--config": config})
    part, parts = shard
    wanted = wanted[part - 1 :: parts]
    _heed_one_interrupt()
    results: list[Result] = []
    for result in side_by_side(wanted, jobs) if jobs > 1 else one_by_one(wanted):
        results.append(result)
        # whatever happens to this process later, what was found so far is written
        _write(reports, results)
        print(line(result), flush=True)
    _write(reports, results)
    print(summary(results, len(wanted)), flush=True)
    came = worst(results) if len(results) == len(wanted) else Came.INTERRUPTED
    return EXIT[came]


def _refuse_a_call_that_names_nothing(ground: str, named: Mapping[str, Path | None]) -> None:
    """Tell a call that does not say which counter is meant from one of which the counter is away."""
    if ground != "running":
        for option, value in named.items():
            if value is not None:
                raise click.UsageError(f"{option} says where a daemon runs already: it goes with --on running")
        return
    remedy = "; `cardsim sandbox` keeps a counter up, and prints the lines that name it"
    if named["--dir"] is None and not os.environ.get("CARDSIM_DIR"):
        raise click.UsageError(f"--on running: which laboratory? name it by --dir or CARDSIM_DIR{remedy}")
    # without a word of where it is, it is the installed one
    if named["--socket"] is None and not os.environ.get("CARDD_SOCKET") and not socket_path().exists():
        raise click.UsageError(f"--on running: which daemon? name its socket by --socket or CARDD_SOCKET{remedy}")


def _write(reports: tuple[Path, ...], results: list[Result]) -> None:
    for path in reports:
        write(path, results)


def _heed_one_interrupt() -> None:
    """Have the first interrupt end the run; a second one would end what tidies up."""
    ends = [signal.SIGINT, signal.SIGTERM]
    # the terminal has gone; under `nohup` that is nothing
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        ends.append(signal.SIGHUP)

    def once(_number: int, _frame: FrameType | None) -> None:
        for number in ends:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in ends:
        signal.signal(number, once)
