"""The shape of existing pages."""

import json
from typing import Any

import msgspec
import pytest

from cardd.base.errors import CarddError
from cardd.base.reasons import REASONS, Reason
from cardd.driver.functions import FUNCTIONS
from cardd.web.shapes import SHAPES, Asked, Conversation, Settings
from cardd.wire import rpc
from cardd.wire.driver import DriverCallResult


def conversation(settings: Settings | None = None) -> Conversation:
    return Conversation(SHAPES[0], settings or Settings())


def asked(one: Conversation, **message: object) -> tuple[Asked, dict[str, Any]]:
    read = one.read(json.dumps(message).encode())
    request = json.loads(read.request)
    assert request["method"] == "driver.call"
    return read, request["params"]


def answered(one: Conversation, read: Asked, code: int, out: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(one.write(read, rpc.success(1, DriverCallResult(code=code, out=out))))
    return answer


def refused(message: bytes) -> dict[str, Any]:
    read = conversation().read(message)
    assert read.request == b""
    answer: dict[str, Any] = json.loads(read.refusal)
    return answer


def test_a_page_names_a_function_and_its_arguments_and_is_told_one_and_the_text() -> None:
    one = conversation()
    read, params = asked(one, function="iReadCardBas", iType=3)
    assert (params["function"], params["args"]) == ("iReadCardBas", [3])
    assert answered(one, read, 0, "510100|") == {"functionName": "iReadCardBas", "success": 1, "pOutInfo": "510100|"}


def test_a_failure_has_its_negative_number_where_success_is_told() -> None:
    one = conversation()
    read, _ = asked(one, function="iReadCardBas", iType=3)
    assert answered(one, read, -2, "读卡器中没有卡。") == {
        "functionName": "iReadCardBas",
        "success": -2,
        "pOutInfo": "读卡器中没有卡。",
    }


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_every_function_of_the_driver_is_given_its_arguments_in_its_order(function: str) -> None:
    wanted = [str(argument) for argument in FUNCTIONS[function].arguments or ()]
    given = {name: f"value of {name}" for name in reversed(wanted)}
    _, params = asked(conversation(), function=function, more="else", **given)
    assert params.get("args", []) == [given[name] for name in wanted]


def test_a_function_that_nobody_knows_is_left_to_the_driver_to_refuse() -> None:
    _, params = asked(conversation(), function="iReadIdentityCard", iType=3)
    assert (params["function"], params.get("args", [])) == ("iReadIdentityCard", [])


def test_the_key_may_be_spelt_in_small_letters() -> None:
    _, params = asked(conversation(), function="iUnblockPIN_HSM_Step2", pkey="0011")
    assert params["args"] == ["0011"]


@pytest.mark.parametrize("family", ["iReadCardBas", "iReadCard"])
def test_one_name_for_both_second_steps_means_that_of_the_first_step_before(family: str) -> None:
    one = conversation()
    info = {"pCardInfo": "c", "pFileAddr": "f"} if family == "iReadCard" else {}
    read, _ = asked(one, function=f"{family}_HSM_Step1", iType=1, **info)
    answered(one, read, 0, "…")
    read, params = asked(one, function="ReadCard_HSM_Step2", pKey="00")
    assert params["function"] == f"{family}_HSM_Step2"
    assert answered(one, read, 0, "x")["functionName"] == f"{family}_HSM_Step2"


def test_the_second_step_without_a_first_one_is_left_to_the_driver_to_refuse() -> None:
    one = conversation()
    read, _ = asked(one, function="iReadCard_HSM_Step1", iType=1, pCardInfo="c", pFileAddr="f")
    answered(one, read, -2, "no card")
    assert asked(one, function="ReadCard_HSM_Step2", pKey="00")[1]["function"] == "iReadCardBas_HSM_Step2"


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"x",
        b"[]",
        b"1",
        b"null",
        b'"iReadCardBas"',
        b"{}",
        b'{"function": 1}',
        b'{"function": ""}',
        b'{"function": null}',
        b'{"function": "' + b"i" * 65 + b'"}',
        b'{"function": "iReadCardBas"',
        b'{"function": "\xff"}',
        b"[" * 100_000,
        b'{"function": ' + b"[" * 100_000,
    ],
)
def test_what_is_no_call_is_refused_in_the_pages_shape(message: bytes) -> None:
    assert refused(message) == {"functionName": "", "success": -14, "pOutInfo": REASONS[Reason.INVALID].zh}


@pytest.mark.parametrize("value", ["null", "1.5", "true", "[1]", '{"a": 1}', "1e400", "[" * 10_000])
def test_an_argument_that_is_neither_text_nor_a_whole_number_is_minus_14(value: str) -> None:
    read = conversation().read(f'{{"function": "iReadCardBas", "iType": {value}}}'.encode())
    assert json.loads(read.refusal)["success"] == -14


def test_a_call_without_one_of_its_arguments_is_minus_14() -> None:
    message = {"function": "iReadCard", "iType": 1, "pCardInfo": "c", "pFileAddr": "f"}
    assert refused(json.dumps(message).encode())["success"] == -14


@pytest.mark.parametrize(
    ("reason", "number"), [(Reason.FORBIDDEN, -13), (Reason.INTERNAL, -13), (Reason.BUSY, -11), (Reason.INVALID, -14)]
)
def test_what_the_socket_refuses_has_a_number_too_and_its_sentence_in_chinese(reason: Reason, number: int) -> None:
    one = conversation()
    read, _ = asked(one, function="iReadCardBas", iType=3)
    line = rpc.failure(1, rpc.Code.REFUSED, CarddError(reason))
    assert json.loads(one.write(read, line)) == {
        "functionName": "iReadCardBas",
        "success": number,
        "pOutInfo": REASONS[reason].zh,
    }


def test_reader_and_keypad_come_from_the_configuration_never_from_the_page() -> None:
    one = conversation(Settings("reader-0", 6))
    _, params = asked(one, function="iVerifyPIN", iType=1, reader="reader-1", keypad_digits=4, purpose="x")
    assert (params["reader"], params["keypad_digits"]) == ("reader-0", 6)
    assert params.get("purpose") is None


def test_what_is_a_persons_is_shown_by_no_repr() -> None:
    one = conversation()
    read, _ = asked(one, function="iReadCard", iType=1, iAuthType=2, pCardInfo="510101", pFileAddr="f")
    assert "510101" not in repr(read)
    assert msgspec.structs.asdict(read)
