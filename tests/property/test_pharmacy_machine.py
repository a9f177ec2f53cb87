"""Random counters: whatever cards, people, lines and restarts do, no activation ends wrongly."""

import asyncio
import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import pytest
from hypothesis import given, settings
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
from cardd.activation.pharmacy import AFTER_NO_RETURN, TABLE, Known, judge
from cardd.activation.policy import PinPolicy, Policy
from cardd.activation.transition import Moment, advance, told
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
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
        facts.SocialCardRead, st.just(JIA), st.just("00"), st.just("11"), st.builds(Prospect, standing=STANDINGS)
    ),
    st.builds(facts.VerdictCame, st.none() | st.builds(Verdict, standing=STANDINGS, updates=UPDATES)),
    st.sampled_from(
        [
            facts.CardGone("1-1", "counter-1"),
            facts.PromptCancelled(),
            facts.PinVerified(),
            facts.AuthoritySilent(),
            facts.CardWritten(),
            facts.Confirmed(),
            facts.CancelAsked(),
            facts.DeadlinePassed(),
            facts.Restarted(),
        ]
    ),
)


def fresh_case() -> Case:
    return Case(
        id="a" * 32,
        route=Route.PHARMACY,
        station="counter-1",
        state=State.WAITING_OLD_CARD,
        started="2026-01-01T00:00:00.000Z",
        client="till",
        say=Say(code="insert_old_card"),
    )


@settings(max_examples=300, deadline=None)
@given(st.lists(OUTCOMES, max_size=60), st.booleans())
def test_no_sequence_of_outcomes_leads_to_a_wrong_end(outcomes: list[facts.Outcome], ask_pin: bool) -> None:  # noqa: FBT001
    case, granted = fresh_case(), False
    policy = Policy(pin_policy=PinPolicy.VERIFY if ask_pin else PinPolicy.NONE)
    moment = Moment(ManualClock().now(), policy, "stream:1", lambda: "p")
    for outcome in outcomes:
        if case.state in ENDS:
            break
        code = None if case.social is None else case.social.identification_code
        known = Known(case.old_card, code, ask_pin=ask_pin)
        move = TABLE[case.state, judge(case.state, outcome, known)]
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
            assert after.old_card is not None
            assert after.requested is not None
        if after.state is State.COMPLETED:
            assert after.outcome is not None
            assert after.outcome is Outcome.ALREADY_ACTIVE or granted
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
        await b.engine.answer(view.prompt.prompt, Secret(digits.encode()))


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


async def play(directory: Path, script: list[list[str]], policy: Policy) -> None:
    counter, activation = FakeCounter(), ""
    for number, acts in enumerate(script):
        async with bench(directory, policy, counter=counter) as b:
            activation = activation or await b.start(request="only")
            if number == 0:
                assert await b.start(request="only") == activation
            for name in acts:
                done = ACTS[name](b, activation)
                if asyncio.iscoroutine(done):
                    await done
                await b.settle()
        counter = FakeCounter()
    async with bench(directory, policy) as b:
        for _ in range(12):
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


def rows(person: dict[str, object], kind: str) -> list[dict[str, object]]:
    found = person[kind]
    assert isinstance(found, list)
    return found


BEGINNINGS: Final[tuple[list[str], ...]] = ([], LIKELY, ["old jia", "pull", "jia"], ["old yi", "right password", "yi"])
DAYS: Final = st.lists(st.lists(st.sampled_from(sorted(ACTS)), max_size=10), min_size=1, max_size=3)


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(BEGINNINGS),
    DAYS,
    st.sampled_from(PinPolicy),
)
def test_register_and_journal_agree_whatever_happened(
    beginning: list[str], days: list[list[str]], pins: PinPolicy
) -> None:
    script = [[*beginning, *days[0]], *days[1:]]
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(play(Path(directory), script, Policy(pin_policy=pins)))
