"""`cardctl conformance`: the card in a reader put to the test of the rule."""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import click
import msgspec

from cardd.base.document import DocumentError
from cardd.base.errors import CarddError
from cardd.conformance.case import Case, Cost, Outcome, Result
from cardd.conformance.cases import CASES, run_cases
from cardd.conformance.inserted import introduce
from cardd.conformance.report import count
from cardd.conformance.subject import Subject, read_subject
from cardd.ctl.common import Terminal, command
from cardd.ctl.completing import reader_argument
from cardd.ctl.lease_link import LeaseLink

_FIRST = next(case for case in CASES if case.name == "K-INT")
_COSTLY = (
    "These cases present the PIN and keys of the file, each at the risk of a try, spend tries on purpose, "
    "write to the card and move money of its account. Put no card to them that somebody needs.  "
    "这些用例会使用文件中的密码和密钥（有误即消耗尝试次数）、有意消耗尝试次数、写入卡片并动用其账户资金。"
    "请勿使用仍有人需要的卡。"
)
_LIFE = "{} lock the PIN and keys or block the card for good.  {} 会永久锁定密码和密钥，或使卡片永久失效。"
_NO_CARD = (
    "No social security card of a known generation is in the reader, or it is blocked.  "
    "读卡器内没有已知规范版本的社会保障卡，或该卡已锁定。"
)


@click.command()
@reader_argument
@click.option(
    "--keys",
    "persona",
    type=click.Path(dir_okay=False, path_type=Path),
    help="What is known of the card, as a persona's file: profile, algorithm, keys, pin. The card proves itself by it.",
)
@click.option("--case", "wanted", multiple=True, help="Only this case; may be given several times.")
@click.option("--costly", is_flag=True, help="Present PIN and keys, spend tries, write, move money. Needs --keys.")
@command
def conformance(
    terminal: Terminal, reader: str | None, persona: Path | None, wanted: tuple[str, ...], *, costly: bool
) -> int:
    """Put the card in READER to the cases of the card test; with one card in, READER may be left out.

    Without --costly the card is shown no PIN and no key, right or wrong: it is read as anybody may read it, and with
    --keys it proves itself by the issuer's key. With --costly it is shown the PIN and the keys of that file: one that
    is not the card's costs a try, and none is shown after it. These cases also spend tries on purpose and give
    them back (but for FW, one of the bank's PIN), write and move money. Those that lock or block a card for good must
    each be named by --case besides.

    Needs the rights lease and raw_apdu, and operate with --costly: a key that is refused on purpose is not stopped on
    the station. Prints pass, FAIL, or n/a with the reason. Exit code 65 if a case failed.
    """
    cases = _chosen(wanted, costly=costly)
    subject = _known(persona, reader or "card")
    if subject is not None:
        # before anything is proved to a card it proves whose it is
        cases = list(dict.fromkeys((_FIRST, *cases)))
    if costly:
        if subject is None:
            raise click.UsageError("--costly needs --keys: nothing can be proved without")
        _warn(cases)
    elif subject is not None:
        subject = subject.kept_from_the_card()
    results: list[Result] = []
    show = _in_json if terminal.as_json else _in_columns(cases)
    with terminal.connect() as client:
        link = LeaseLink(client, reader, spends=costly)
        told = _introduced(link, reader or "card")
        if told is None:
            said = f'{{"error":{{"message":"{_NO_CARD}"}}}}' if terminal.as_json else f"cardctl: {_NO_CARD}"
            click.echo(said, err=True)
        else:
            for result in run_cases(cases, subject or told, link):
                results.append(result)
                show(result)
        link.close()
    if told is not None and not terminal.as_json:
        click.echo(count(results))
    failed = told is None or any(one.outcome is Outcome.FAILED for one in results)
    return os.EX_DATAERR if failed else os.EX_OK


def _introduced(link: LeaseLink, name: str) -> Subject | None:
    try:
        return introduce(link, name)
    except CarddError:
        # a generation that nobody knows
        return None


def _in_json(result: Result) -> None:
    click.echo(msgspec.json.encode({"case": result.case, "outcome": result.outcome.value, "reason": result.reason}))


def _in_columns(cases: Sequence[Case]) -> Callable[[Result], None]:
    """Return what prints a result as a line of a table, when it has come."""
    titles = {case.name: case.title for case in cases}
    width, room = max(map(len, titles), default=0), max(map(len, titles.values()), default=0)

    def show(result: Result) -> None:
        line = f"{result.case:{width}}  {result.outcome.value:4}  {titles[result.case]:{room}}  {result.reason}"
        click.echo(line.rstrip())

    return show


def _chosen(wanted: Sequence[str], *, costly: bool) -> list[Case]:
    """Return the cases that may be run. Raises click.UsageError for one that is unknown, or dear."""
    known = {case.name: case for case in CASES}
    for name in wanted:
        if name not in known:
            raise click.UsageError(f"no case {name}; there are {', '.join(known)}")
        if _is_dear(known[name]) and not costly:
            raise click.UsageError(f"{name} costs the card something ({known[name].cost.value}): it needs --costly")
    if wanted:
        return [known[name] for name in wanted]
    return [case for case in CASES if not _is_dear(case) or (costly and case.cost is Cost.TRIES)]


def _is_dear(case: Case) -> bool:
    return case.cost in {Cost.TRIES, Cost.LIFE}


def _known(persona: Path | None, name: str) -> Subject | None:
    if persona is None:
        return None
    try:
        return read_subject(persona, name)
    except DocumentError as error:
        raise click.UsageError(str(error)) from None


def _warn(cases: Iterable[Case]) -> None:
    """Say what will be done to the card, and on a terminal ask whether it is to be done."""
    final = ", ".join(case.name for case in cases if case.cost is Cost.LIFE)
    click.echo(f"cardctl: {_COSTLY}", err=True)
    if final:
        click.echo(f"cardctl: {_LIFE.format(final, final)}", err=True)
    if sys.stdin.isatty():
        click.confirm("Go on? 继续吗?", abort=True, err=True)
