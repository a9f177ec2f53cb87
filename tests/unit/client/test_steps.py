"""What is common to both counters, through the blocking one; a daemon of its own says what it is told to."""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from support.scripted_daemon import HANG_UP, Message, answer, event, refusal, scripted_daemon, subscribed

from cardd.client.blocking_counter import Activation, Counter
from cardd.client.errors import CallError, ProtocolError, UnreachableError
from cardd.client.resume import Reconnect
from cardd.client.steps import Ended, Instruction, Question
from cardd.wire.activation import IdentityDocument, Outcome, State, Visit

TEXT = {"en": "Insert the card.", "zh-CN": "请插卡。"}
OTHER = {"en": "Type the password.", "zh-CN": "请输入密码。"}
PIN = "246813"


def at(directory: Path, program: str | None = None) -> Counter:
    how = Reconnect(first_s=0.001, most_s=0.01)
    return Counter(directory / "cardd.sock", program=program, reconnect=how)


def view(state: str, **more: Any) -> dict[str, Any]:
    return {"activation": "act-1", "route": "pharmacy", "station": "front", "state": state, **more}


def step(number: int, state: str, text: dict[str, str] = TEXT, *, of: str = "act-1") -> Message:
    prompt = {"code": f"code_{state}", "text": text}
    return event(number, "activation.step", correlation=of, state=state, prompt=prompt, deadline=None)


def opened(number: int, prompt: str = "p-1") -> Message:
    asked = {"prompt": prompt, "purpose": "social_pin", "digits": [4, 16], "tries_left": 3, "deadline": None}
    return event(number, "prompt.opened", correlation="act-1", **asked)


def over(number: int, *, of: str = "act-1") -> Message:
    return event(number, "activation.completed", correlation=of, outcome="activated")


def questions(directory: Path) -> Iterator[Question[bool]]:
    return (told for told in at(directory).activate_pharmacy() if isinstance(told, Question))


DONE = answer(**view("completed", outcome="activated", text=TEXT, holder={"name": "测*甲"}))
BEGUN = answer(**view("waiting_old_card"))


def test_an_activation_is_its_steps_and_its_end(tmp_path: Path) -> None:
    others = (step(2, "waiting_pin", of="act-2"), over(3, of="act-2"), event(4, "card.inserted"))
    script = [subscribed(), BEGUN, step(1, "waiting_old_card"), *others, step(5, "authorising", OTHER), over(6), DONE]
    with scripted_daemon(tmp_path, script):
        first, second, end = at(tmp_path).activate_pharmacy()
    assert isinstance(first, Instruction)
    assert isinstance(second, Instruction)
    assert isinstance(end, Ended)
    assert (first.state, first.code, first.text) == (State.WAITING_OLD_CARD, "code_waiting_old_card", TEXT)
    assert (second.state, second.text) == (State.AUTHORISING, OTHER)
    assert (end.outcome, end.reason, end.text, end.result.holder) == (Outcome.ACTIVATED, None, TEXT, {"name": "测*甲"})


def test_a_question_bears_the_sentence_of_its_step_and_is_answered(tmp_path: Path) -> None:
    asked = [subscribed(), BEGUN, step(1, "waiting_pin", OTHER), opened(2), answer(prompt="p-1"), over(3), DONE]
    with scripted_daemon(tmp_path, asked) as daemon:
        for told in at(tmp_path).activate_pharmacy():
            if isinstance(told, Question):
                assert (told.state, told.text, told.purpose, told.tries_left) == (
                    State.WAITING_PIN,
                    OTHER,
                    "social_pin",
                    3,
                )
                assert PIN not in repr(told)
                assert told.answer(PIN) is True
        assert [(one["prompt"], one["pin"]) for one in daemon.params("prompt.answer")] == [("p-1", PIN)]


def test_a_holder_may_refuse_to_type(tmp_path: Path) -> None:
    script = [subscribed(), BEGUN, opened(1), answer(prompt="p-1"), over(2), DONE]
    with scripted_daemon(tmp_path, script) as daemon:
        for told in at(tmp_path).activate_pharmacy():
            if isinstance(told, Question):
                assert told.refuse()
        assert daemon.params("prompt.answer") == [{"prompt": "p-1", "cancel": True}]


def test_an_answer_to_a_prompt_that_is_gone_is_no_error(tmp_path: Path) -> None:
    gone = [opened(1), refusal("NOT_FOUND"), opened(2, "p-2"), answer(prompt="p-2")]
    with scripted_daemon(tmp_path, [subscribed(), BEGUN, *gone, over(3), DONE]):
        assert [told.answer(PIN) for told in questions(tmp_path)] == [False, True]


def test_an_answer_that_was_cut_off_is_sent_again_and_the_next_question_comes(tmp_path: Path) -> None:
    before = [subscribed(), BEGUN, opened(1), HANG_UP]
    after = [subscribed(1), refusal("NOT_FOUND"), opened(2, "p-2"), answer(prompt="p-2"), over(3), DONE]
    with scripted_daemon(tmp_path, before, after) as daemon:
        assert [told.answer(PIN) for told in questions(tmp_path)] == [False, True]
    assert [one["prompt"] for one in daemon.params("prompt.answer")] == ["p-1", "p-2"]


def test_a_pin_of_the_wrong_length_is_the_callers_to_ask_again(tmp_path: Path) -> None:
    script = [subscribed(), BEGUN, opened(1), refusal("PIN_LENGTH"), answer(prompt="p-1"), over(2), DONE]
    with scripted_daemon(tmp_path, script):
        for told in at(tmp_path).activate_pharmacy():
            if isinstance(told, Question):
                with pytest.raises(CallError, match="PIN_LENGTH"):
                    told.answer("1")
                assert told.answer(PIN)


def test_a_start_that_was_cut_off_is_asked_again_under_the_same_request_and_name(tmp_path: Path) -> None:
    hello = answer(
        daemon="cardd",
        version="0",
        api=1,
        stream="c",
        rights=[],
        limits={"line_bytes": 1, "connections": 1, "requests": 1},
    )
    scripts = ([hello, subscribed(), HANG_UP], [hello, subscribed(), BEGUN, step(1, "waiting_old_card"), over(2), DONE])
    with scripted_daemon(tmp_path, *scripts) as daemon:
        assert len(list(at(tmp_path, "till-3").activate_pharmacy())) == 2
        # the first one was read by nobody: the daemon was gone
        assert [params["client"] for params in daemon.params("session.hello")] == ["till-3"] * 2
        assert daemon.params("activation.start")[0]["request"]


def test_each_activation_has_a_request_of_its_own_unless_it_is_given_one(tmp_path: Path) -> None:
    counter = at(tmp_path)
    assert counter.activate_pharmacy().request != counter.activate_pharmacy().request
    assert counter.activate_pharmacy(request="r-1").request == "r-1"


def test_an_activation_that_goes_on_already_is_shown_as_it_stands(tmp_path: Path) -> None:
    asked = {"prompt": "p-1", "purpose": "social_pin", "digits": [4, 16], "tries_left": 2, "deadline": None}
    open_one = view("waiting_pin", prompt={"code": "social_pin", "text": OTHER, **asked})
    snapshot = {"readers": [], "activations": [{**view("waiting_old_card"), "activation": "act-0"}, open_one]}
    begun = answer(subscription="s1", cursor="c.0", snapshot=snapshot)
    with scripted_daemon(tmp_path, [begun, answer(**open_one), over(1), DONE]):
        shown, question, _ = at(tmp_path).activate_pharmacy(request="r-1")
    assert isinstance(shown, Instruction)
    assert isinstance(question, Question)
    assert (shown.state, shown.text) == (State.WAITING_PIN, OTHER)
    assert (question.prompt, question.tries_left, question.text) == ("p-1", 2, OTHER)


def test_one_that_has_ended_already_is_its_end_alone(tmp_path: Path) -> None:
    with scripted_daemon(tmp_path, [subscribed(), DONE, DONE]):
        (end,) = at(tmp_path).activate_pharmacy(request="r-1")
    assert isinstance(end, Ended)


def test_whole_names_are_asked_for_with_the_purpose(tmp_path: Path) -> None:
    with scripted_daemon(tmp_path, [subscribed(), BEGUN, over(1), DONE]) as daemon:
        list(at(tmp_path).activate_hospital(visit=Visit(kind="outpatient", number="OP-1"), purpose="registration"))
    (started,) = daemon.params("activation.start")
    assert (started["route"], started["visit"]) == ("hospital", {"kind": "outpatient", "number": "OP-1"})
    assert [one["purpose"] for one in (started, *daemon.params("activation.get"))] == ["registration"] * 2


DOCUMENT = IdentityDocument(type="resident", number="510101190001010012", name="测试甲")


@pytest.mark.parametrize(
    ("begin", "sent"),
    [
        (lambda at: at.activate_bank(DOCUMENT, operator="0421"), {"route": "bank", "operator": "0421"}),
        (lambda at: at.activate_pharmacy(old_card="12345678"), {"old_card": {"number": "12345678"}}),
        (lambda at: at.activate_hospital(station="a"), {"route": "hospital", "station": "a"}),
    ],
)
def test_routes_send_what_they_need(
    tmp_path: Path, begin: Callable[[Counter], Activation], sent: Mapping[str, object]
) -> None:
    with scripted_daemon(tmp_path, [subscribed(), DONE, DONE]) as daemon:
        list(begin(at(tmp_path)))
    assert sent.items() <= daemon.params("activation.start")[0].items()


def test_it_can_be_cancelled(tmp_path: Path) -> None:
    cancelled = answer(**view("cancelled"))
    script = [subscribed(), BEGUN, step(1, "waiting_old_card"), cancelled, HANG_UP]
    with scripted_daemon(tmp_path, script) as daemon, at(tmp_path).activate_pharmacy() as activation:
        for _ in islice(activation, 1):
            assert activation.cancel().state is State.CANCELLED
    assert daemon.params("activation.cancel")[0]["activation"] == activation.id == "act-1"


def test_a_step_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    script = [subscribed(), BEGUN, event(1, "activation.step", correlation="act-1")]
    with scripted_daemon(tmp_path, script), pytest.raises(ProtocolError, match="the event activation"):
        list(at(tmp_path).activate_pharmacy())


def test_without_a_daemon_nothing_begins(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="Start the daemon"):
        list(at(tmp_path).activate_pharmacy())
