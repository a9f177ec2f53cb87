"""Lines for the socket: requests of every method with a part of them gone, doubled or replaced, and plain bytes."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec

from cardd.api.methods import METHODS
from cardd.base.errors import CarddError
from cardd.wire import rpc

_EXCHANGES: Final = Path(__file__).parents[1] / "docs" / "exchanges.json"
_LINE_BYTES: Final = 1 << 12
_ANSWER_BYTES: Final = 1 << 11
_MOST_PARTS: Final = 16


def requests() -> tuple[bytes, ...]:
    """Return a request of every method, as docs show it."""
    book: dict[str, list[dict[str, Any]]] = json.loads(_EXCHANGES.read_text(encoding="utf-8"))
    said = (message for lines in book.values() for line in lines for arrow, message in line.items() if arrow == "→")
    return tuple(dict.fromkeys(msgspec.json.encode(message) for message in said))


def lines(raw: bytes) -> None:
    """Hold a stream of bytes to: cut into lines however it comes, each a request, or refused in a short line."""
    whole = rpc.LineSplitter(_LINE_BYTES)
    cut = whole.feed(raw)
    bytewise = rpc.LineSplitter(_LINE_BYTES)
    assert [line for at in range(len(raw)) for line in bytewise.feed(raw[at : at + 1])] == cut
    assert (bytewise.flush(), bytewise.too_long) == (whole.flush(), whole.too_long) or whole.too_long
    for line in cut:
        refusal = _refusal(line)
        if refusal is not None:
            assert refusal.endswith(b"\n")
            assert refusal.count(b"\n") == 1
            assert len(refusal) < _ANSWER_BYTES
            msgspec.json.decode(refusal, type=rpc.Incoming)


def _refusal(line: bytes) -> bytes | None:
    try:
        request = rpc.parse_request(line)
    except rpc.RpcError as error:
        return rpc.failure(None, error.code, error.error)
    repr(request)
    row = METHODS.get(request.method)
    if row is None:
        return None
    try:
        repr(rpc.decode_params(request.params, row.signature.params))
    except CarddError as error:
        return rpc.failure(None, rpc.Code.INVALID_PARAMS, error)
    return None


_VALUES: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, 1, -1, 7, 255, 1 << 31, -(1 << 31), 1 << 63, (1 << 64) - 1, 0.5, -0.0, 1e300, 5e-324),
    *("", " ", "\x00", "\n", "\u2028", "…", "测试甲", "𠮷", "é" * 300, "x" * 5000, "now", "earliest", "*", "[", "[!"),
    *(
        "pharmacy",
        "hospital",
        "bank",
        "reader-0",
        "sam-0",
        "counter-0",
        "card",
        "DF04",
        "DF04EF05|81|84|$",
        "SSSE",
        "$",
    ),
    *("0084000008", "00A4040000", "00B2012800", "0", "510101190001010012", "123456", "0" * 16, "0" * 17, "2026-01-01"),
    *([], {}, [[]], [None] * 70, {"": ""}, {"a": {"b": {"c": [1, 2, {"d": None}]}}}, ["*"] * 65, ["a", 1, None]),
    *({"number": "1"}, {"kind": "outpatient", "number": "7"}, {"type": "01", "number": "x", "name": "测试甲"}),
    {"DF04EF05": {"84": "510100"}},
)
_ENCODED: Final = tuple(map(msgspec.json.encode, _VALUES))
_SIGNS: Final = (b"[", b"{", b'{"a":', b'"', b"\\ud800", b"\\u0000", b"\xff\xfe", b"\xc0\x80")
_NUMBERS: Final = (b"1e999", b"-0", b"01", b"1.", b"NaN", b"-Infinity", b"1" * 400, b"0x1", b"1e5", b"9" * 19)
_IDS: Final[tuple[Any, ...]] = (1, 0, -1, 1 << 60, 1.5, "", "a", "测", "x" * 300, None, True, [], {})


class Lines:
    """An endless supply, the same for the same seed. What `learn` was told stands where a name asks for it."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._requests: Final = requests()
        # what goes through the whole journal takes longer the longer that is
        self._weights: Final = [0.05 if b'"method":"journal.' in request else 1.0 for request in self._requests]
        self._members: Final = sorted(
            {name for row in METHODS.values() for name in row.signature.params.__struct_fields__} - {"wait_s", "ttl_s"}
        )
        self._known: dict[str, list[str]] = {}

    def learn(self, name: str, value: str) -> None:
        """Keep what the daemon said: the next line may ask about it."""
        known = self._known.setdefault(name, [])
        if value not in known:
            known.append(value)
            del known[:-_MOST_PARTS]

    def __iter__(self) -> Iterator[bytes]:
        kinds = (self._request, self._request, self._request, self._spoilt, self._spoilt, self._raw)
        while True:
            yield self._random.choice(kinds)()

    def _request(self) -> bytes:
        """Return an object of JSON with a few members other than they should be."""
        message = msgspec.json.decode(self._random.choices(self._requests, self._weights)[0])
        self._fill(message["params"])
        for _ in range(self._random.choice((0, 0, 1, 1, 2, 5))):
            self._change(message)
        return msgspec.json.encode(message)

    def _fill(self, params: dict[str, Any]) -> None:
        for name in params:
            if name in self._known and self._random.random() < 0.8:
                params[name] = self._random.choice(self._known[name])
        if "request" in params:
            params["request"] = f"r-{self._random.randrange(40)}"
        if "wait_s" in params:
            params["wait_s"] = self._random.choice((0, 0.01, -1, "5", 1e300))

    def _value(self) -> Any:
        # one of its own: it is changed in its turn
        return msgspec.json.decode(self._random.choice(_ENCODED))

    def _change(self, message: dict[str, Any]) -> None:
        chance, places = self._random, list(_places(message))
        holder, key = chance.choice(places)
        if key == "id" and holder is message:
            message["id"] = chance.choice(_IDS)
        elif isinstance(holder, dict) and chance.random() < 0.2:
            del holder[key]
        elif isinstance(holder, dict) and chance.random() < 0.3:
            holder[chance.choice(self._members)] = self._value()
        else:
            holder[key] = self._value()

    def _spoilt(self) -> bytes:
        """Return a request's bytes, cut, doubled, changed, or with what is no JSON in it."""
        chance, line = self._random, bytearray(self._request())
        for _ in range(chance.choice((1, 1, 2, 8))):
            at = chance.randrange(len(line) + 1)
            act = chance.randrange(6)
            if act == 0:
                del line[at:]
            elif act == 1:
                line[at:at] = line[chance.randrange(len(line) + 1) :][:40]
            elif act == 2 and at < len(line):
                line[at] ^= 1 << chance.randrange(8)
            elif act == 3:
                line[at:at] = chance.choice(_NUMBERS)
            elif act == 4:
                line[at:at] = chance.choice(
                    (b"[", b"{", b'{"a":', b'"', b"\\ud800", b"\\u0000", b"\xff\xfe", b"\xc0\x80")
                )
            else:
                line[at:at] = chance.choice((b"[", b'{"":')) * chance.choice((10, 600, 3000))
        return bytes(line).replace(b"wait_s", b"wait")

    def _raw(self) -> bytes:
        return self._random.randbytes(self._random.choice((0, 1, 3, 17, 90)))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every place of an object of JSON: what holds it, and under which name or number."""
    inner: Sequence[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        inner = tuple(value.items())
    elif isinstance(value, list):
        inner = tuple(enumerate(value))
    for key, below in inner:
        yield value, key
        yield from _places(below)
