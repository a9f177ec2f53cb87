import json
from collections.abc import Iterator

import pytest
import structlog

from cardd.base.masks import mask_name
from cardd.base.secret import Personal, Secret
from cardd.logs import configure


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_secret_passed_to_the_log_by_mistake_does_not_arrive(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure("debug", form)
    structlog.get_logger().debug("x", pin=Secret(b"987654"), who=Personal("测试甲", mask_name), data=b"\x98\x76")
    line = capsys.readouterr().err
    assert "987654" not in line
    assert "测试" not in line
    assert "9876" not in line
    assert "<Secret>" in line


def test_json_logs_are_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "json")
    structlog.get_logger().info("reader attached", reader="a")
    structlog.get_logger().debug("not shown")
    (line,) = capsys.readouterr().err.splitlines()
    entry = json.loads(line)
    assert (entry["event"], entry["reader"], entry["level"]) == ("reader attached", "a", "info")
    assert entry["timestamp"].endswith("Z")
