"""All cases, and how a card is put to one."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from cardd.base.errors import CarddError
from cardd.conformance import account, data, identity, keys, lifetimes, pins, rights
from cardd.conformance.card import Card, Link
from cardd.conformance.case import Case, Cost, Outcome, Result
from cardd.conformance.checks import FailedError, NotApplicableError, RefusedError
from cardd.conformance.subject import Subject

CASES: Final[tuple[Case, ...]] = (
    *pins.CASES,
    *identity.CASES,
    *data.CASES,
    *rights.CASES,
    *lifetimes.CASES,
    *keys.CASES,
    *account.CASES,
)

_STOPPED: Final = "not tried: a PIN or key that was said to be right is not this card's"


def run_case(case: Case, subject: Subject, link: Link) -> Result:
    """Put a card to one case."""
    try:
        case.run(Card(subject, link))
    except NotApplicableError as reason:
        return Result(case.name, subject.name, Outcome.NOT_APPLICABLE, str(reason))
    except FailedError as failure:
        refused = isinstance(failure, RefusedError)
        return Result(case.name, subject.name, Outcome.FAILED, str(failure), refused)
    except CarddError as error:
        # an answer that is none
        return Result(case.name, subject.name, Outcome.FAILED, f"the card does not answer: {error.detail}")
    return Result(case.name, subject.name, Outcome.PASSED)


def run_cases(cases: Iterable[Case], subject: Subject, link: Link) -> Iterator[Result]:
    """Put one card to cases, the cheapest first; none that proves anything follows one in which a proof was wrong.

    The card proves itself first (K-INT), and is shown nothing if it is another issuer's. A PIN or a single key that is
    not the card's, or any where K-INT is not run or the file has no IRK, costs it one try, and nothing follows.
    """
    refused = False
    for case in in_order(cases):
        if refused and case.cost is not Cost.NOTHING:
            yield Result(case.name, subject.name, Outcome.NOT_APPLICABLE, _STOPPED)
            continue
        result = run_case(case, subject, link)
        refused = refused or result.refused
        yield result


def in_order(cases: Iterable[Case]) -> Sequence[Case]:
    """Sort cases so that each finds the card as it needs it: by what they cost, else as they stand."""
    return sorted(cases, key=lambda case: list(Cost).index(case.cost))
