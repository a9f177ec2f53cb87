"""Random counters: whatever cards, people, lines and restarts do, no activation ends wrongly."""

import asyncio
import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.activations import (
    BING,
    JIA,
    OLD_BING,
    OLD_JIA,
    OLD_YI,
    PASSWORD,
    PIN,
    YI,
    Bench,
    FakeCounter,
    bench,
)
from support.readers import ManualClock

from cardd.activation import facts
from cardd.activation.authority import OldCardStanding, PasswordAnswer, Prospect, Standing, Verdict
from cardd.activation.case import Case, Say
from cardd.activation.effects import Effect, Purpose
from cardd.activation.judge import judge
from cardd.activation.moves import AFTER_NO_RETURN, Known
from cardd.activation.pins import PIN_RULES, PinPolicy, PinStep
from cardd.activation.policy import Policy
from cardd.activation.routes import TABLES
from cardd.activation.transition import Moment, advance, told
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.journal.heads import Place
from cardd.wire.activation import ENDS, Outcome, Route, State
from cardd.wire.cards import Kind

REASONS = st.sampled_from(sorted(Reason))
STANDINGS = st.sampled_from([Standing.GRANTED, Standing.ALREADY_ACTIVE])
UPDATES = st.sampled_from([{}, {"SSSEEF05": {"06": "20400101"}}])

OUTCOMES: Final = st.one_of(
    st.builds(
        facts.CardIn,
        st.just("1-1"),
        st.just("counter-1"),
        st.sampled_from(Kind),
        st.sampled_from([None, OLD_JIA, OLD_YI]),
        st.sampled_from([None, JIA.identification_code, YI.identification_code]),
    ),
    st.builds(facts.CardTrouble, st.just("counter-1"), REASONS),
    st.builds(facts.CardFailed, REASONS, st.none() | st.integers(0, 6)),
    st.builds(facts.OldCardLookedUp, st.just(OLD_JIA), st.builds(OldCardStanding, refusal=st.none() | REASONS)),
    st.builds(facts.OldCardLookedUp, st.just(OLD_JIA), st.just(OldCardStanding(password=True, tries_left=3))),
    st.builds(facts.Answered, st.sampled_from(Purpose)),
    st.builds(facts.PasswordChecked, st.builds(PasswordAnswer, right=st.booleans(), tries_left=st.integers(0, 6))),
    st.builds(
        facts.SocialCardRead,
        st.sampled_from([JIA, YI]),
        st.just("00"),
        st.just("11"),
        st.none() | st.builds(Prospect, standing=STANDINGS),
        st.sampled_from([None, 0, 1, 6]),
    ),
    st.builds(facts.VerdictCame, st.none() | st.builds(Verdict, standing=STANDINGS, updates=UPDATES)),
    st.sampled_from(
        [
            facts.CardGone("1-1", "counter-1"),
            facts.PromptCancelled(),
            facts.PinVerified(),
            facts.PinChanged(),
            facts.PinUnsure(3),
            facts.PinUnsure(1),
            facts.Missing(Purpose.SOCIAL_PIN),
            facts.Missing(Purpose.NEW_PIN),
            facts.Restarted(late=True),
            facts.AuthoritySilent(),
            facts.CardWritten(),
            facts.Confirmed(),
            facts.CancelAsked(),
            facts.DeadlinePassed(),
            facts.Restarted(),
        ]
    ),
)


def fresh_case(route: Route) -> Case:
    begin = TABLES[route].begin
    return Case(
        id="a" * 32,
        route=route,
        station="counter-1",
        state=begin.state,
        started="2026-01-01T00:00:00.000Z",
        client="till",
        say=Say(code=begin.say),
    )


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(Route), st.lists(OUTCOMES, max_size=60), st.sampled_from(PinPolicy), st.booleans())
def test_no_sequence_of_outcomes_leads_to_a_wrong_end(
    route: Route,
    outcomes: list[facts.Outcome],
    pins: PinPolicy,
    without_old_card: bool,  # noqa: FBT001
) -> None:
    case, granted = fresh_case(route), False
    policy = Policy(pin_policies={route: pins}, without_old_card=without_old_card)
    moment = Moment(ManualClock().now(), policy, lambda: Place("stream", 1, "00" * 32), lambda: "p")
    for outcome in outcomes:
        if case.state in ENDS:
            break
        code = None if case.social is None else case.social.identification_code
        known = Known(case.old_card, code, pins, case.pin, without_old_card=without_old_card)
        move = TABLES[route][case.state, judge(case.state, outcome, known)]
        if move is None:
            continue
        if isinstance(outcome, facts.VerdictCame) and outcome.verdict is not None:
            granted = granted or outcome.verdict.standing is Standing.GRANTED
        after = advance(case, move, outcome, moment)
        assert told(case, after, outcome)
        assert not (case.state in AFTER_NO_RETURN and after.state in {State.CANCELLED, State.EXPIRED})
        assert case.state not in AFTER_NO_RETURN or after.state in AFTER_NO_RETURN | ENDS
        if Effect.ACTIVATE in move.do:
            assert after.social is not None
            assert after.requested is not None
            assert after.old_card is not None or without_old_card or route is not Route.PHARMACY
            assert after.pin is not PinStep.DUE or not PIN_RULES[pins].before
        if Effect.CHANGE_PIN in move.do:
            assert after.pin is PinStep.TRIED
        if after.state is State.COMPLETED:
            assert after.outcome is not None
            assert after.outcome is Outcome.ALREADY_ACTIVE or granted
            if after.outcome is Outcome.ACTIVATED:
                assert after.pin in ({PinStep.NONE} if PIN_RULES[pins].setter is None else {PinStep.SET})
        if after.state is State.REFUSED:
            assert after.reason in set(Reason)
        assert msgspec.convert(msgspec.to_builtins(after), Case) == after
        case = after


Act = Callable[[Bench, str], object]


def pull_all(b: Bench, _activation: str) -> None:
    for insertion in list(b.counter.present):
        b.counter.pull(insertion)


async def answer(b: Bench, activation: str, digits: str) -> None:
    view = await b.view(activation)
    if view.prompt is not None and view.prompt.prompt is not None:
        try:
            await b.engine.answer(view.prompt.prompt, Secret(digits.encode()))
        except CarddError as error:
            # what was typed for the PIN may be typed for the new one again
            if error.reason is not Reason.PIN_UNCHANGED:
                raise


async def cancel(b: Bench, activation: str) -> None:
    too_late = (await b.view(activation)).state in AFTER_NO_RETURN | {State.COMPLETED}
    with pytest.raises(CarddError, match="TOO_LATE") if too_late else contextlib.nullcontext():
        await b.engine.cancel(activation)


ACTS: Final[dict[str, Act]] = {
    "old jia": lambda b, _: b.counter.put_old(OLD_JIA),
    "old yi": lambda b, _: b.counter.put_old(OLD_YI),
    "old bing": lambda b, _: b.counter.put_old(OLD_BING),
    "jia": lambda b, _: b.counter.put_social(JIA),
    "yi": lambda b, _: b.counter.put_social(YI),
    "bing": lambda b, _: b.counter.put_social(BING),
    "bank": lambda b, _: b.counter.put_other(Kind.BANK),
    "pull": pull_all,
    "right password": lambda b, a: answer(b, a, PASSWORD),
    "wrong password": lambda b, a: answer(b, a, "000000"),
    "pin": lambda b, a: answer(b, a, PIN),
    "new pin": lambda b, a: answer(b, a, NEW_PIN),
    "few tries": lambda b, _: setattr(b.counter, "tries", 1),
    "change torn": lambda b, _: b.counter.fail("change_pin", Reason.CARD_REMOVED),
    "pin wrong": lambda b, _: b.counter.fail("verify_pin", Reason.PIN_WRONG, tries_left=3),
    "reload fails": lambda b, _: b.counter.fail("reload_pin", Reason.PSAM_ABSENT),
    "cancel": cancel,
    "time": lambda b, _: b.clock.advance(40),
    "write fails": lambda b, _: b.counter.fail("write", Reason.TIMEOUT),
    "read fails": lambda b, _: b.counter.fail("read_social", Reason.PSAM_ABSENT),
    "psam": lambda b, _: b.counter.put_psam(),
    "lose answers": lambda b, _: b.line.mute.add("activate"),
    "cut the line": lambda b, _: b.line.deaf.update({"activate", "outcome", "report_update"}),
    "mend the line": lambda b, _: b.line.mend(),
}
LIKELY = ["old bing", "pull", "bing"]
NEW_PIN = "864209"
DOCUMENT = {"type": "resident", "number": BING.social_security_number, "name": BING.name}


async def play(directory: Path, route: Route, script: list[list[str]], policy: Policy) -> None:
    said = {"route": route, "request": "only", "identity_document": DOCUMENT if route is Route.BANK else None}
    counter, activation = FakeCounter(), ""
    for number, acts in enumerate(script):
        async with bench(directory, policy, counter=counter) as b:
            activation = activation or await b.start(**said)
            if number == 0:
                assert await b.start(**said) == activation
            for name in acts:
                done = ACTS[name](b, activation)
                if asyncio.iscoroutine(done):
                    await done
                await b.settle()
        counter = FakeCounter()
    async with bench(directory, policy) as b:
        for _ in range(14):
            b.clock.advance(130)
            await b.settle()
        view = await b.view(activation)
        assert view.state in ENDS
        people = b.line.register.show()
        normal = [card["number"] for person in people for card in rows(person, "cards") if card["status"] == "normal"]
        done = [row["card"] for person in people for row in rows(person, "activations") if row["standing"] == "granted"]
        assert normal == done
        if view.state is State.COMPLETED:
            whole = await b.engine.view(activation, personal=True)
            assert whole.card is not None
            assert done == [whole.card["number"]]
        else:
            assert done == []
        row = await b.journal.activation(activation)
        assert row is not None
        stored = repr((dict(row.data), dict(row.personal))) + repr(await b.journal.read(0, 10_000))
        assert PASSWORD not in stored
        assert PIN not in stored
        assert NEW_PIN not in stored


def rows(person: dict[str, object], kind: str) -> list[dict[str, object]]:
    found = person[kind]
    assert isinstance(found, list)
    return found


PINS: Final = ["pin", "new pin"]
BEGINNINGS: Final[tuple[list[str], ...]] = (
    [],
    LIKELY,
    [*LIKELY, *PINS],
    ["bing", *PINS],
    ["change torn", *LIKELY, *PINS, "bing", "new pin"],
    ["old jia", "pull", "jia"],
    ["old yi", "right password", "yi"],
)
DAYS: Final = st.lists(st.lists(st.sampled_from(sorted(ACTS)), max_size=10), min_size=1, max_size=3)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(Route), st.sampled_from(BEGINNINGS), DAYS, st.sampled_from(PinPolicy))
@example(Route.PHARMACY, LIKELY, [["wrong password", "wrong password"]], PinPolicy.CHANGE)
def test_register_and_journal_agree_whatever_happened(
    route: Route, beginning: list[str], days: list[list[str]], pins: PinPolicy
) -> None:
    script = [[*beginning, *days[0]], *days[1:]]
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(play(Path(directory), route, script, Policy(pin_policies={route: pins})))
