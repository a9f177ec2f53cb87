"""Runs a timeline: what each verb does."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate
from types import MappingProxyType
from typing import Any, Final

import msgspec

from cardd.client.errors import CallError
from cardd.wire.base import Params
from cardsim.scenario import model
from cardsim.scenario.asked import METHODS
from cardsim.scenario.checks import expect
from cardsim.scenario.expect import differences
from cardsim.scenario.model import AnyStep, Place
from cardsim.scenario.outcome import Came, OverError, StepFailedError
from cardsim.scenario.plan import possible, stations_of
from cardsim.scenario.prompts import answer, await_prompt, open_prompts
from cardsim.scenario.story import Branch, Story, Wish, event_view

_LOOK_S: Final = 3600.0


def play(story: Story) -> None:
    """Run a scenario's timeline to its end, which the story then tells. Raises UnreachableError, CallError at first."""
    # what comes of the counter's own setting up is no part of the run
    story.ground.time.settle("")
    story.feed.begin()
    root = Branch(story, "", {}, None, 0)
    try:
        follow(root, story.scenario.timeline)
        # nor is a run over before all is told that its last step set off
        story.ground.time.settle("")
    finally:
        story.feed.close()


def follow(branch: Branch, steps: Sequence[AnyStep]) -> None:
    """Do steps one after the other; what goes wrong is noted, and ends them."""
    try:
        _do_all(branch, steps)
    except OverError:
        return
    finally:
        branch.hang_up()


def _do_all(branch: Branch, steps: Sequence[AnyStep]) -> None:
    for step in steps:
        # what holds steps is no step that could fail
        if type(step) in _ORDER:
            _ORDER[type(step)](branch, step)
        else:
            with branch.at(step.place):
                _WORK[type(step)](branch, step)


# -- order


def _repeat(branch: Branch, step: model.Repeat) -> None:
    times = step.short if branch.story.short and step.short is not None else step.repeat
    _deal(branch, step, [{"n": number} for number in range(1, times + 1)])


def _for_each(branch: Branch, step: model.ForEach) -> None:
    people = branch.story.cast.groups[step.for_each]
    if branch.story.short and step.short is not None:
        people = people[: step.short]
    _deal(branch, step, [{"n": number, step.name: person} for number, person in enumerate(people, 1)])


def _deal(branch: Branch, step: model.Repeat | model.ForEach, rounds: Sequence[Mapping[str, object]]) -> None:
    """Do rounds one after the other, or deal them out over stations, each of which does its own one by one."""
    stations = stations_of(branch.story.scenario) if step.across == "all" else step.across
    if not stations:
        _rounds(branch, step, rounds)
        return
    _side_by_side(
        [
            (branch.child(f"{step.place.where}@{station}", station=station), partial(_rounds, step=step, rounds=share))
            for number, station in enumerate(stations)
            if (share := rounds[number :: len(stations)])
        ]
    )


def _rounds(branch: Branch, step: model.Repeat | model.ForEach, rounds: Sequence[Mapping[str, object]]) -> None:
    for names in rounds:
        with branch.naming(names):
            _do_all(branch, step.do)


def _choose(branch: Branch, step: model.Choose) -> None:
    choices = possible(step, branch.story.ground.name)
    bounds = list(accumulate(choice.weight for choice in choices))
    # drawn in any case, so that what is chosen afterwards is the same on every ground
    point = branch.chance.random() * (bounds[-1] if bounds else 0)
    chosen = next((choice for choice, bound in zip(choices, bounds, strict=True) if point < bound), None)
    if chosen is not None:
        _do_all(branch, chosen.do)


def _together(branch: Branch, step: model.Together) -> None:
    _side_by_side(
        [
            (branch.child(f"{step.place.where}[{number}]"), partial(_do_all, steps=steps))
            for number, steps in enumerate(step.together)
        ]
    )


def _at(branch: Branch, step: model.At) -> None:
    with branch.standing(branch.fill(step.at)):
        _do_all(branch, step.do)


def _side_by_side(branches: Sequence[tuple[Branch, Callable[[Branch], None]]]) -> None:
    threads = [
        threading.Thread(target=_aside, args=one, name=f"timeline {one[0].path}", daemon=True) for one in branches
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if any(branch.story.over for branch, _ in branches):
        raise OverError


def _aside(branch: Branch, work: Callable[[Branch], None]) -> None:
    try:
        work(branch)
    except OverError:
        return
    except Exception as error:  # noqa: BLE001 # nobody above hears of it in a thread
        branch.story.end(Came.MACHINE, Place(), "", f"{type(error).__name__}: {error}")
    finally:
        branch.hang_up()


_ORDER: Final[Mapping[type, Callable[[Branch, Any], None]]] = MappingProxyType(
    {
        model.Repeat: _repeat,
        model.ForEach: _for_each,
        model.Choose: _choose,
        model.Together: _together,
        model.At: _at,
    }
)


# -- hands


def _insert(branch: Branch, step: model.Insert) -> None:
    card, reader, story = branch.card(step.insert), branch.reader(step.reader), branch.story
    if step.fresh:
        story.ground.forget(card)
    story.took(card, reader)
    story.ground.insert(card, reader, step.interface, step.faults)


def _remove(branch: Branch, step: model.Remove) -> None:
    reader = branch.reader(step.remove)
    branch.story.ground.remove(reader)


def _swap(branch: Branch, step: model.Swap) -> None:
    card, reader = branch.card(step.swap), branch.reader(step.reader)
    branch.story.took(card, reader)
    branch.story.ground.swap(card, reader, step.interface, step.faults, step.gap_ms / 1000)


def _answer(branch: Branch, step: model.Answer) -> None:
    answer(branch, await_prompt(branch, step.to, step.within_s), step.answer)


# -- requests


def _activate(branch: Branch, step: model.Activate) -> None:
    params = branch.filled(_given(step.activate))
    assert isinstance(params, dict)  # noqa: S101 # a struct's fields
    if "station" not in params and "reader" not in params:
        params["station"] = branch.here()
    _ask(branch, "activation.start", params, step)


def _read(branch: Branch, step: model.Read) -> None:
    given = {"files": step.files, "purpose": step.purpose}
    params: dict[str, object] = {key: branch.fill(one) for key, one in given.items() if one is not None}
    params |= {"reader": branch.reader(step.read), "wait_s": step.wait_s}
    _ask(branch, "card.read", params, step)


def _call(branch: Branch, step: model.Call) -> None:
    params = branch.filled(step.params)
    assert isinstance(params, dict)  # noqa: S101 # the model says so
    _ask(branch, branch.fill(step.call), params, step)


def _ask(branch: Branch, method: str, given: dict[str, object], step: model.Activate | model.Read | model.Call) -> None:
    """Ask the daemon, and hold its answer against what was expected."""
    signature = METHODS.get(method)
    if signature is None:
        raise StepFailedError(f"a method `{method}`", f"there are {', '.join(sorted(METHODS))}")
    try:
        params: Params = msgspec.convert(given, signature.params, strict=False)
    except msgspec.ValidationError as error:
        raise StepFailedError(f"parameters of {method}", str(error)) from None
    wait_s = getattr(params, "wait_s", None) or 0.0
    try:
        result = msgspec.to_builtins(branch.client().call(signature, params, wait_s=wait_s + _LOOK_S))
    except CallError as error:
        if error.reason == step.refused:
            return
        wanted = f"{method} is refused with {step.refused}" if step.refused else f"{method} succeeds"
        raise StepFailedError(wanted, f"{error.reason} {error.detail}".strip()) from None
    if step.refused is not None:
        raise StepFailedError(f"{method} is refused with {step.refused}", "it succeeded")
    wrong = list(differences(result, {path: branch.wanted(one) for path, one in step.where.items()}))
    if wrong:
        raise StepFailedError(f"{method} answers as wanted", "; ".join(wrong))
    if step.name is not None:
        branch.names[step.name] = result


def _given(section: model.Part) -> dict[str, object]:
    built: dict[str, object] = msgspec.to_builtins(section)
    return {key: value for key, value in built.items() if value is not None}


# -- eyes


def _wait(branch: Branch, step: model.Wait) -> None:
    correlation = None if step.of is None else str(branch.value(f"{step.of}.activation"))
    where = {path: branch.wanted(one) for path, one in step.where.items()}
    wish = Wish(branch.fill(step.wait), where, correlation)
    if step.answering is not None:
        for opened in _until(branch, wish, step.within_s):
            answer(branch, opened, step.answering)
    # with prompts it has come by now, or never will
    waited = 0.0 if step.answering is None else step.within_s
    found = branch.find(wish, step.within_s - waited, waited=waited)
    if step.name is not None:
        branch.names[step.name] = {**event_view(found), "activation": found.event.correlationid}


def _until(branch: Branch, wish: Wish, seconds: float) -> Iterator[Any]:
    """Yield prompts that are open until the event has come."""
    feed, clock = branch.story.feed, branch.story.ground.time
    end = clock.elapsed() + seconds
    while True:
        with feed.changed:
            clock.wait(
                feed.changed,
                lambda: branch.has_come(wish) or bool(open_prompts(branch, None)) or branch.story.over or feed.lost,
                end - clock.elapsed(),
            )
            opened = open_prompts(branch, None)
            if branch.has_come(wish) or not opened:
                break
        yield opened[0]


def _pass(branch: Branch, step: model.Pass) -> None:
    branch.story.ground.time.sleep(step.seconds)


# -- power


def _power(branch: Branch, step: model.Kill | model.Stop | model.Continue | model.Start | model.Restart) -> None:
    verb, story = str(type(step).__struct_config__.tag), branch.story
    if step.machine != "daemon":
        story.ground.power(verb, step.machine)
        return
    if verb in {"kill", "restart"}:
        story.feed.expect_silence()
        branch.hang_up()
    story.ground.power(verb, "daemon")
    if verb in {"start", "restart"}:
        story.feed.begin()


def _centre(branch: Branch, step: model.CentreFaults) -> None:
    branch.story.ground.order_centre(step.centre)


_WORK: Final[Mapping[type, Callable[[Branch, Any], None]]] = MappingProxyType(
    {
        model.Insert: _insert,
        model.Remove: _remove,
        model.Swap: _swap,
        model.Answer: _answer,
        model.Activate: _activate,
        model.Read: _read,
        model.Call: _call,
        model.Wait: _wait,
        model.Expect: expect,
        model.Pass: _pass,
        model.Kill: _power,
        model.Stop: _power,
        model.Continue: _power,
        model.Start: _power,
        model.Restart: _power,
        model.CentreFaults: _centre,
    }
)
