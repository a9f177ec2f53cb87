import json
from collections.abc import Callable

import pytest
import structlog

from cardd.logs.limiting import HELD_BACK, Limiter, Line


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def written() -> list[Line]:
    return []


@pytest.fixture
def say(clock: Clock, written: list[Line]) -> Callable[..., None]:
    def write(text: str) -> None:
        written.append(json.loads(text))

    limiter = Limiter((structlog.processors.JSONRenderer(),), write, same_a_minute=2, monotonic=clock)

    def say(event: str, level: str = "warning", **facts: str) -> None:
        try:
            written.append(limiter(None, level, {"event": event, "level": level, **facts}))
        except structlog.DropEvent:
            return

    say.limiter = limiter  # type: ignore[attr-defined]
    return say


def test_the_same_message_is_written_so_many_times_a_minute_and_then_counted(
    say: Callable[..., None], clock: Clock, written: list[Line]
) -> None:
    for number in range(5):
        say("no disk", activation=str(number))
    say("another")
    assert [line["event"] for line in written] == ["no disk", "no disk", "another"]
    clock.now += 60
    say("no disk", activation="6")
    assert written[3:] == [
        {"event": HELD_BACK, "level": "warning", "message": "no disk", "lines": 3},
        {"event": "no disk", "level": "warning", "activation": "6"},
    ]


def test_a_count_is_told_by_whatever_line_comes_next_and_once(
    say: Callable[..., None], clock: Clock, written: list[Line]
) -> None:
    for _ in range(3):
        say("flood")
    clock.now += 61
    say("calm")
    say("calm")
    assert [line["event"] for line in written] == ["flood", "flood", HELD_BACK, "calm", "calm"]


def test_levels_are_counted_apart_and_details_not_at_all(say: Callable[..., None], written: list[Line]) -> None:
    for level in ("info", "error", "debug"):
        for _ in range(3):
            say("apdu", level)
    assert [line["level"] for line in written] == ["info"] * 2 + ["error"] * 2 + ["debug"] * 3


def test_at_the_end_all_counts_are_told_and_before_it_those_of_minutes_that_are_over(
    say: Callable[..., None], clock: Clock, written: list[Line]
) -> None:
    limiter: Limiter = say.limiter  # type: ignore[attr-defined]
    for _ in range(3):
        say("flood")
    clock.now += 59
    limiter.tell()
    assert len(written) == 2
    limiter.tell_all()
    assert written[2]["lines"] == 1
    limiter.tell_all()
    assert len(written) == 3
