import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.wire import methods, rpc
from cardd.wire.activation import ActivationStartParams, PromptAnswerParams
from cardd.wire.base import Params
from cardd.wire.cards import CardReadParams


@given(
    lines=st.lists(st.binary(max_size=30).map(lambda raw: raw.replace(b"\n", b""))), cuts=st.lists(st.integers(1, 7))
)
def test_lines_come_out_whole_however_the_stream_is_cut(lines: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(line + b"\n" for line in lines)
    splitter = rpc.LineSplitter(limit=30)
    found: list[bytes] = []
    for size in [*cuts, len(stream)]:
        found += splitter.feed(stream[:size])
        stream = stream[size:]
    assert found == lines
    assert not splitter.too_long


def test_the_lines_before_one_that_is_too_long_are_not_lost_and_none_comes_after_it() -> None:
    splitter = rpc.LineSplitter(limit=4)
    assert splitter.feed(b"good\nwrong\nafter\n") == [b"good"]
    assert splitter.too_long
    assert splitter.feed(b"more\n") == []


def test_a_line_is_too_long_before_its_end_has_come() -> None:
    splitter = rpc.LineSplitter(limit=4)
    assert splitter.feed(b"1234") == []
    assert not splitter.too_long
    splitter.feed(b"5")
    assert splitter.too_long


def test_what_stands_before_the_end_of_the_stream_is_a_line_too() -> None:
    splitter = rpc.LineSplitter()
    splitter.feed(b"one\ntwo")
    assert splitter.flush() == b"two"
    assert splitter.flush() == b""


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"", rpc.Code.PARSE),
        (b"nonsense", rpc.Code.PARSE),
        (b'{"jsonrpc":"2.0","method":"x"', rpc.Code.PARSE),
        (b'{"jsonrpc":"2.0","method":"x","id":"\xff"}', rpc.Code.PARSE),
        (b'{"jsonrpc":"2.0","method":"x","params":{"a":"\xff"}}', rpc.Code.PARSE),
        (b'{"jsonrpc":"2.0","method":"x","params":' + b"[" * 200_000, rpc.Code.PARSE),
        (b"[]", rpc.Code.INVALID_REQUEST),
        (b'[{"jsonrpc":"2.0","method":"x","id":1}]', rpc.Code.INVALID_REQUEST),
        (b'{"jsonrpc":"1.0","method":"x","id":1}', rpc.Code.INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1}', rpc.Code.INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","method":"x","id":{}}', rpc.Code.INVALID_REQUEST),
    ],
)
def test_a_line_that_is_no_request_is_refused(line: bytes, code: rpc.Code) -> None:
    with pytest.raises(rpc.RpcError) as refused:
        rpc.parse_request(line)
    assert refused.value.code is code
    assert refused.value.error.reason is Reason.INVALID


@pytest.mark.parametrize("identity", [1, "a", None, 2.5, 10**30])
def test_a_request_keeps_its_id_as_it_was_written(identity: object) -> None:
    line = json.dumps({"jsonrpc": "2.0", "method": "x", "id": identity, "more": 1}).encode()
    request = rpc.parse_request(line)
    assert not isinstance(request.id, msgspec.UnsetType)
    assert json.loads(rpc.success(request.id, None))["id"] == identity


def test_a_request_without_an_id_is_told_from_one_with_the_id_null() -> None:
    assert rpc.parse_request(b'{"jsonrpc":"2.0","method":"x"}').id is msgspec.UNSET


def test_an_error_in_parameters_names_the_path() -> None:
    with pytest.raises(CarddError) as refused:
        rpc.decode_params(msgspec.Raw(b'{"route":"bank","visit":{"kind":1}}'), ActivationStartParams)
    assert refused.value.reason is Reason.INVALID
    assert refused.value.facts["path"] == "$.visit.kind"
    assert "str" in refused.value.detail


@pytest.mark.parametrize(
    "params",
    [
        b'{"prompt":"p","pin":24681357}',
        b'{"prompt":24681357}',
        b'{"prompt":"p","cancel":"24681357"}',
        b'{"prompt":"p","pin":"24681357}',
        b'{"prompt":"p","pin":"24681357"',
        b'{"prompt":"p","pin":["24681357"]}',
        b'"24681357"',
        b"24681357",
    ],
)
def test_no_error_quotes_a_pin_wherever_it_was_misplaced(params: bytes) -> None:
    with pytest.raises(CarddError) as refused:
        rpc.decode_params(msgspec.Raw(params), PromptAnswerParams)
    assert "24681357" not in str(refused.value) + json.dumps(refused.value.data())


def test_no_error_quotes_a_value_that_is_not_among_those_allowed() -> None:
    with pytest.raises(CarddError) as refused:
        rpc.decode_params(msgspec.Raw(b'{"route":"24681357"}'), ActivationStartParams)
    assert "24681357" not in json.dumps(refused.value.data())
    assert refused.value.facts["path"] == "$.route"


def test_parameters_with_a_pin_do_not_show_it() -> None:
    line = b'{"jsonrpc":"2.0","method":"prompt.answer","params":{"prompt":"p-1","pin":"24681357"}}'
    request = rpc.parse_request(line)
    params = rpc.decode_params(request.params, PromptAnswerParams)
    assert params.pin == "24681357"
    assert "24681357" not in repr(params) + repr(request) + str(params) + str(request)


SIGNATURES = [one for one in vars(methods).values() if isinstance(one, methods.Signature)]


@pytest.mark.parametrize("signature", SIGNATURES, ids=lambda one: one.name)
def test_no_message_shows_whom_it_is_about(signature: methods.Signature[Params, object]) -> None:
    kinds = [kind for kind in (signature.params, signature.result) if issubclass(kind, msgspec.Struct)]
    assert kinds
    for kind in kinds:
        # a prompt's name is nobody's
        values = {field.name: "p-1" if field.name == "prompt" else "测试甲" for field in msgspec.structs.fields(kind)}
        message = kind(**values)
        assert "测试甲" not in repr(message) + str(message)
        assert kind.__name__ in repr(message)


def test_unknown_fields_are_ignored() -> None:
    params = rpc.decode_params(msgspec.Raw(b'{"reader":"front","of_tomorrow":[1]}'), CardReadParams)
    assert params.reader == "front"


def test_an_error_carries_reason_retry_and_both_languages() -> None:
    error = CarddError(Reason.CARD_REMOVED, retry_after_ms=20, reader="front")
    shape = json.loads(rpc.failure(7, rpc.Code.REFUSED, error))
    assert shape["id"] == 7
    assert shape["error"]["code"] == -32000
    assert shape["error"]["data"]["reason"] == "CARD_REMOVED"
    assert shape["error"]["data"]["retry"] == "after_event"
    assert shape["error"]["data"]["retry_after_ms"] == 20
    assert shape["error"]["data"]["reader"] == "front"
    assert set(shape["error"]["data"]["text"]) == {"en", "zh-CN"}


@given(st.dictionaries(st.text(), st.text() | st.integers(-(2**60), 2**60)))
def test_every_message_is_one_line(content: dict[str, object]) -> None:
    for line in (rpc.success(1, content), rpc.notification("x", content), rpc.call(1, "x", content)):
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
