"""Whatever a client writes, the daemon answers or stays silent, and goes on."""

import asyncio
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.counter import Message, counter, line

from cardd.api.methods import METHODS

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
REQUESTS = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0"), "method": st.sampled_from([*METHODS, "no.such"]) | st.text()},
    optional={"id": JSON, "params": JSON, "more": JSON},
)
LINES = (
    st.binary(max_size=80)
    | JSON.map(lambda value: json.dumps(value).encode())
    | REQUESTS.map(lambda value: json.dumps(value).encode())
    | REQUESTS.flatmap(lambda value: st.integers(0, 60).map(lambda cut: json.dumps(value).encode()[:cut]))
)
LAST = "the last one"


@settings(max_examples=60, deadline=None)
@example([b'{"jsonrpc":"2.0","method":"","":Infinity}'])
@given(st.lists(LINES.map(lambda raw: raw.replace(b"\n", b" ")), max_size=20))
def test_the_connection_lives_through_any_lines(lines: Sequence[bytes]) -> None:
    asyncio.run(_write(lines))


async def _write(lines: Sequence[bytes]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        async with counter(Path(directory)) as desk, line(desk.path) as client:
            for raw in lines:
                await client.write(raw + b"\n")
            last = {"jsonrpc": "2.0", "id": LAST, "method": "readers.list"}
            await client.write(json.dumps(last).encode() + b"\n")
            answer = await client.until(lambda message: message.get("id") == LAST)
            assert "result" in answer
            broken = [raw for raw in lines if not _is_request(raw)]
            refused = [message for message in client.aside if _says_broken(message)]
            assert len(refused) == len(broken)


def _is_request(raw: bytes) -> bool:
    try:
        value = json.loads(raw.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    if not isinstance(value, dict) or value.get("jsonrpc") != "2.0" or not isinstance(value.get("method"), str):
        return False
    identity = value.get("id")
    return not isinstance(identity, bool | list | dict)


def _refuse(constant: str) -> None:
    """Refuse NaN and Infinity, which Python reads and JSON does not have."""
    raise ValueError(constant)


def _says_broken(message: Message) -> bool:
    return message.get("id") is None and message.get("error", {}).get("code") in {-32700, -32600}
