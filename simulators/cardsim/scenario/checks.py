"""What must be so: events so far, an activation, a card's own memory, the centre's register."""

from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any, Final

import msgspec

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.client.errors import CallError
from cardd.wire.activation import ActivationIdParams
from cardd.wire.methods import ACTIVATION_GET
from cardsim.scenario import model
from cardsim.scenario.expect import card_view, differences, masked, wishes
from cardsim.scenario.expected import (
    AnyExpectation,
    AtLeast,
    CardIs,
    Events,
    NoEvent,
    RegisterHas,
    Standing,
    Where,
)
from cardsim.scenario.outcome import OverError, StepFailedError, said_by
from cardsim.scenario.story import Branch, event_view

_LOOK_S: Final = 0.25


def expect(branch: Branch, step: model.Expect) -> None:
    """Go on when it is so. Raises StepFailedError where it is not within its time."""
    look = _ASPECTS[type(step.expect)]
    where = {path: branch.wanted(one) for path, one in step.expect.where.items()}
    feed, clock = branch.story.feed, branch.story.ground.time
    end = clock.elapsed() + step.within_s
    while True:
        seen = len(feed.told)
        wrong = list(look(branch, step.expect, where))
        left = end - clock.elapsed()
        if not wrong:
            return
        if left <= 0:
            raise StepFailedError(_said(branch, step.expect, where), "; ".join(wrong))
        with feed.changed:
            clock.wait(feed.changed, _moved(branch, seen), min(left, _LOOK_S))
        if branch.story.over:
            raise OverError


def _moved(branch: Branch, seen: int) -> Callable[[], bool]:
    return lambda: len(branch.story.feed.told) > seen or branch.story.over


def _said(branch: Branch, expected: AnyExpectation, where: Where) -> str:
    aspect = str(type(expected).__struct_config__.tag)
    said = getattr(expected, aspect)
    if isinstance(expected, Events | AtLeast):
        said = ", ".join(f"{kind}: {count}" for kind, count in _wanted(branch, said, expected.short).items())
    elif _is_number(said):
        said = masked("social_security_number", said)
    # of a card, a person or an activation it is told which of its values differ
    counted = isinstance(expected, Events | AtLeast | NoEvent)
    return f"expect {aspect} {said}{wishes(where) if counted else ''}"


def _is_number(said: object) -> bool:
    """Say whether somebody of the register is named by number, and not as one of `people`."""
    return isinstance(said, str) and said[:1].isdecimal()


def _counted(branch: Branch, kind: str, where: Where) -> int:
    feed = branch.story.feed
    with feed.changed:
        fitting = [one for one in feed.of(branch.station, 0) if fnmatchcase(one.kind, kind)]
    return sum(not any(differences(event_view(one), where)) for one in fitting)


def _wanted(branch: Branch, whole: Mapping[str, int], short: Mapping[str, int] | None) -> Mapping[str, int]:
    return short if branch.story.short and short is not None else whole


def _events(branch: Branch, expected: Events, where: Where) -> Iterator[str]:
    for kind, wanted in _wanted(branch, expected.events, expected.short).items():
        count = _counted(branch, kind, where)
        if count > wanted:
            raise StepFailedError(_said(branch, expected, where), f"{count} of {kind}, not {wanted}")
        if count < wanted:
            yield f"{count} of {kind}, not {wanted}"


def _at_least(branch: Branch, expected: AtLeast, where: Where) -> Iterator[str]:
    for kind, wanted in _wanted(branch, expected.at_least, expected.short).items():
        count = _counted(branch, kind, where)
        if count < wanted:
            yield f"{count} of {kind}, not {wanted}"


def _no_event(branch: Branch, expected: NoEvent, where: Where) -> Iterator[str]:
    count = _counted(branch, expected.no_event, where)
    if count:
        raise StepFailedError(_said(branch, expected, where), f"{count} of {expected.no_event}")
    yield from ()


def _activation(branch: Branch, expected: Standing, where: Where) -> Iterator[str]:
    named = {"state": expected.state, "outcome": expected.outcome, "reason": expected.reason}
    wanted = {path: branch.wanted(one) for path, one in named.items() if one is not msgspec.UNSET}
    identity = str(branch.value(f"{expected.activation}.activation"))
    try:
        found = branch.client().call(ACTIVATION_GET, ActivationIdParams(activation=identity))
    except CallError as error:
        yield error.reason
        return
    yield from differences(msgspec.to_builtins(found), {**wanted, **where})


def _card(branch: Branch, expected: CardIs, where: Where) -> Iterator[str]:
    card = branch.card(expected.card)
    yield from differences(card_view(branch.story.ground.memory(card), card.persona.card), where)


def _register(branch: Branch, expected: RegisterHas, where: Where) -> Iterator[str]:
    said = branch.fill(expected.register)
    number = said
    if not _is_number(said):
        entry = branch.person(said).register
        number = "" if entry is None else entry.social_security_number
    try:
        people = branch.story.ground.register()
    except CarddError as error:
        # a centre that stands still may go on
        if error.reason is not Reason.AUTHORITY_UNAVAILABLE:
            raise
        yield said_by(error)
        return
    found = next((one for one in people if one["social_security_number"] == number), None)
    if found is None:
        yield "nobody of that number"
        return
    yield from differences(found, where)


_ASPECTS: Final[Mapping[type, Callable[[Branch, Any, Where], Iterator[str]]]] = MappingProxyType(
    {
        Events: _events,
        AtLeast: _at_least,
        NoEvent: _no_event,
        Standing: _activation,
        CardIs: _card,
        RegisterHas: _register,
    }
)
