import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from cardd.base.masks import mask_name
from cardd.base.secret import Personal, Secret
from cardd.base.structs import Hidden, Struct
from cardd.logs import configure

NUMBER = "510101190001010012"


class Holder(Struct, frozen=True):
    name: Hidden[str]
    number: str


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize(
    "value",
    [
        Secret(b"987654"),
        Personal("测试甲", mask_name),
        Holder("测试甲", NUMBER),
        NUMBER.encode(),
        ValueError(NUMBER),
        {NUMBER},
        object,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_plain_value_shows_as_its_type_however_deep_it_lies(
    form: str, value: object, capsys: pytest.CaptureFixture[str]
) -> None:
    configure("debug", form)
    structlog.get_logger().debug("x", top=value, deep=[{"in": (value,)}])
    line = capsys.readouterr().err
    assert line.count("<") == 2
    for secret in ("987654", "测", NUMBER, NUMBER.encode().hex()):
        assert secret not in line


def test_plain_values_stay_what_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "json")
    structlog.get_logger().info("x", a=1, b=True, c=None, d=0.5, e=["读", {"f": 2}])
    line = json.loads(capsys.readouterr().err)
    assert {key: line[key] for key in "abcde"} == {"a": 1, "b": True, "c": None, "d": 0.5, "e": ["读", {"f": 2}]}


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_client_can_write_a_line_of_its_own_by_what_it_is_called(
    form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configure("info", form)
    structlog.get_logger().info("slow", client="till\n2026-01-01 [error] forged \x1b[31m \udcff")
    text = capsys.readouterr().err
    assert len(text.splitlines()) == 1
    assert "\x1b" not in text


@pytest.mark.parametrize("form", ["json", "text"])
def test_an_exception_is_told_by_type_and_place_without_its_message(
    form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configure("info", form)
    try:
        int(NUMBER + "x")
    except ValueError:
        structlog.get_logger().exception("a listener failed")
    text = capsys.readouterr().err
    assert "ValueError" in text
    assert f"{Path(__file__).name}:" in text
    assert NUMBER not in text
    assert len(text.splitlines()) == 1


def test_the_level_can_be_changed_under_loggers_that_are_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    logs = configure("info", "json")
    log = structlog.get_logger()
    bound = log.bind(user="a")
    bound.debug("one")
    logs.set_level("debug")
    bound.debug("two")
    log.debug("three")
    logs.set_level("error")
    log.warning("four")
    log.error("five")
    lines = [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()]
    assert lines == ["two", "three", "five"]
    assert (logs.writes("warning"), logs.writes("error")) == (False, True)


def test_what_repeats_itself_is_held_back_as_configured_and_counted_at_the_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs = configure("info", "json", same_a_minute=2)
    structlog.contextvars.bind_contextvars(activation="a-1")
    for _ in range(5):
        structlog.get_logger().warning("again")
    logs.tell_held_back()
    logs.close()
    *lines, count = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["activation"] for line in lines] == ["a-1", "a-1"]
    assert (count["message"], count["lines"], count["level"]) == ("again", 3, "warning")
    assert count.keys() == {"event", "message", "lines", "level", "timestamp"}


def test_a_log_that_nobody_takes_ends_no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def write(self, _: str) -> int:
            raise BrokenPipeError

    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", Broken())
        configure("info", "json")
    structlog.get_logger().info("x")
