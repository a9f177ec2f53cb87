from pathlib import Path

import pytest
from support.scripted_daemon import HANG_UP, answer, event, refusal, scripted_daemon, subscribed

from cardd.client.aio_counter import Counter
from cardd.client.errors import CallError
from cardd.client.resume import Reconnect
from cardd.client.steps import Ended, Instruction, Question
from cardd.wire.activation import Outcome, State

pytestmark = pytest.mark.asyncio

TEXT = {"en": "Type the password.", "zh-CN": "请输入密码。"}
VIEW = {"activation": "act-1", "route": "pharmacy", "station": "front"}
BEGUN = answer(**VIEW, state="waiting_old_card")
DONE = answer(**VIEW, state="completed", outcome="activated")
SHOWN = {"state": "waiting_pin", "prompt": {"code": "social_pin", "text": TEXT}, "deadline": None}
STEP = event(1, "activation.step", correlation="act-1", **SHOWN)
PIN = "246813"

ASKED = {"purpose": "social_pin", "digits": [4, 16], "tries_left": 3, "deadline": None}
OPENED = event(2, "prompt.opened", correlation="act-1", prompt="p-2", **ASKED)
AGAIN = event(3, "prompt.opened", correlation="act-1", prompt="p-3", **ASKED)
OVER = event(4, "activation.completed", correlation="act-1")


def at(directory: Path) -> Counter:
    return Counter(directory / "cardd.sock", reconnect=Reconnect(first_s=0.001, most_s=0.01))


async def test_an_activation_is_its_steps_its_questions_and_its_end(tmp_path: Path) -> None:
    with scripted_daemon(tmp_path, [subscribed(), BEGUN, STEP, OPENED, answer(prompt="p-2"), OVER, DONE]) as daemon:
        kinds = []
        async for told in at(tmp_path).activate_pharmacy():
            kinds.append(type(told))
            if isinstance(told, Question):
                assert (told.text, told.state) == (TEXT, State.WAITING_PIN)
                assert await told.answer(PIN) is True
    assert kinds == [Instruction, Question, Ended]
    assert isinstance(told, Ended)
    assert told.outcome is Outcome.ACTIVATED
    assert [one["pin"] for one in daemon.params("prompt.answer")] == [PIN]


async def test_an_answer_that_was_cut_off_is_sent_again_and_the_next_question_comes(tmp_path: Path) -> None:
    after = [subscribed(2), refusal("NOT_FOUND"), AGAIN, answer(prompt="p-3"), OVER, DONE]
    with scripted_daemon(tmp_path, [subscribed(), BEGUN, OPENED, HANG_UP], after) as daemon:
        activation = at(tmp_path).activate_pharmacy()
        answered = [await told.answer(PIN) async for told in activation if isinstance(told, Question)]
    assert answered == [False, True]
    assert [one["prompt"] for one in daemon.params("prompt.answer")] == ["p-2", "p-3"]


async def test_a_pin_of_the_wrong_length_is_the_callers_to_ask_again(tmp_path: Path) -> None:
    script = [subscribed(), BEGUN, OPENED, refusal("PIN_LENGTH"), answer(prompt="p-2"), OVER, DONE]
    with scripted_daemon(tmp_path, script):
        async for told in at(tmp_path).activate_pharmacy():
            if isinstance(told, Question):
                with pytest.raises(CallError, match="PIN_LENGTH"):
                    await told.answer("1")
                assert await told.answer(PIN)


async def test_a_loop_that_is_left_early_leaves_the_activation_and_the_daemon(tmp_path: Path) -> None:
    with scripted_daemon(tmp_path, [subscribed(), BEGUN, OPENED]) as daemon:
        async with at(tmp_path).activate_pharmacy() as activation:
            async for told in activation:
                assert isinstance(told, Question)
                break
    assert [one["method"] for one in daemon.asked[0]] == ["events.subscribe", "activation.start"]
    assert activation.id == "act-1"


async def test_it_can_be_cancelled(tmp_path: Path) -> None:
    cancelled = answer(**VIEW, state="cancelled")
    with scripted_daemon(tmp_path, [subscribed(), BEGUN, OPENED, cancelled]) as daemon:
        async with at(tmp_path).activate_pharmacy() as activation:
            async for _ in activation:
                assert (await activation.cancel()).state is State.CANCELLED
                break
    assert daemon.params("activation.cancel")[0]["activation"] == "act-1"
