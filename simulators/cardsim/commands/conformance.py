"""`cardsim conformance`: personas put to the test of the rule."""

import os

import click

from cardd.base.document import DocumentError
from cardd.conformance.case import Outcome, Result
from cardd.conformance.cases import CASES
from cardd.conformance.report import table
from cardsim.conformance import run_persona, subject_of
from cardsim.persona import load_persona, shipped


@click.command(name="conformance", short_help="put shipped cards to the card test")
@click.argument("personas", nargs=-1, metavar="[PERSONA]...")
@click.option("--case", "wanted", multiple=True, help="Only this case; may be given several times. Default: all.")
@click.option("--interface", type=click.Choice(["contact", "contactless"]), help="Default: contact, if it has that.")
def command(personas: tuple[str, ...], wanted: tuple[str, ...], interface: str | None) -> int:
    """Put the cards of PERSONAs (shipped names or YAML files; default: all shipped social security cards) to the test.

    Prints cases by cards: pass, FAIL, or n/a with the reason below. Exit code 1 if a case failed: personas that break
    the rule on purpose are meant to.
    """
    known = {case.name: case for case in CASES}
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise click.UsageError(f"no case {unknown[0]}; there are {', '.join(known)}")
    cases = [known[name] for name in wanted] or list(CASES)
    results: list[Result] = []
    for name in personas or shipped():
        persona = load_persona(name)
        if subject_of(persona) is None and personas:
            raise click.UsageError(f"{name} is no social security card")
        try:
            results += run_persona(persona, cases, interface)
        except DocumentError:
            raise
        except ValueError as error:
            raise click.UsageError(f"{name}: {error}") from None
    print(table(results))
    return 1 if any(result.outcome is Outcome.FAILED for result in results) else os.EX_OK
