"""What the library makes of a call, and of an answer."""

import contextlib
import ctypes
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.sscard import DATA, EXTRA, FUNCTIONS, NUMBER, PAIRS, SIGNING, Guarded, Library, Teller, refused, said

Load = Callable[..., Library]

CARD = "51010000D15600000512345678901234|A12345678|"


def given(parameters: tuple[Any, ...]) -> tuple[list[int | bytes], list[str]]:
    """One value for each parameter, in Chinese where it is a text, and what of it must come to the daemon."""
    arguments = [
        index + 1 if kind is NUMBER else f"参数{index}|".encode("gbk") for index, kind in enumerate(parameters)
    ]
    told = [str(value) if isinstance(value, int) else value.decode("gbk") for value in arguments]
    return arguments, told


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_forwards_its_arguments_in_order_and_gives_the_answer_in_gbk(
    name: str, load: Load, teller: Teller
) -> None:
    arguments, told = given(FUNCTIONS[name][0])
    assert load().call(name, *arguments) == (0, "510100|测试甲|".encode("gbk"))
    assert teller.last["method"] == "driver.call"
    assert teller.last["params"] == {"function": name, "args": told}


@pytest.mark.parametrize("name", SIGNING)
def test_signing_functions_send_no_password_and_give_the_daemons_number(name: str, load: Load, teller: Teller) -> None:
    teller.reply = lambda request: said(request, -13, "不支持")
    arguments, told = given(SIGNING[name])
    buffer = Guarded(1024)
    assert load().function(name)(*arguments, ctypes.c_void_p(buffer.address)) == -13
    assert buffer.text() == "不支持".encode("gbk")
    assert teller.last["params"] == {"function": name, "args": ["", *told[1:]]}


@pytest.mark.parametrize("name", PAIRS)
def test_functions_with_two_buffers_part_the_answer_at_its_bars(name: str, load: Load, teller: Teller) -> None:
    teller.reply = lambda request: said(request, 0, "first|second|")
    first, second = Guarded(EXTRA), Guarded(EXTRA)
    assert load().function(name)(ctypes.c_void_p(first.address), ctypes.c_void_p(second.address)) == 0
    assert (first.text(), second.text()) == (b"first", b"second")
    assert teller.last["params"] == {"function": name, "args": []}


@pytest.mark.parametrize("name", PAIRS)
def test_functions_with_two_buffers_give_messages_in_the_last(name: str, load: Load, teller: Teller) -> None:
    teller.reply = lambda request: said(request, -2, "无卡")
    first, second = Guarded(EXTRA), Guarded(EXTRA)
    assert load().function(name)(ctypes.c_void_p(first.address), ctypes.c_void_p(second.address)) == -2
    assert (first.text(), second.text()) == (b"", "无卡".encode("gbk"))


def test_nothing_else_is_exported(built: Path) -> None:
    listed = subprocess.run(["nm", "-D", "--defined-only", str(built)], capture_output=True, text=True, check=True)
    assert {line.split()[-1] for line in listed.stdout.splitlines()} == {*FUNCTIONS, *SIGNING, *PAIRS}


def test_the_library_goes_by_the_names_that_programs_load(built: Path) -> None:
    for name in ("libSSCardDriver.so", "SSCardDriver.dll"):
        assert (built.parent / name).samefile(built)
    assert (built.parent / "sscard.h").is_file()


def test_negative_numbers_come_whole_for_callers_that_declare_int_and_that_declare_long(
    load: Load, teller: Teller
) -> None:
    teller.reply = lambda request: said(request, -25536, "认证失败")
    function = load().function("iReadCardBas")
    buffer = Guarded(1024)
    for declared in (ctypes.c_int, ctypes.c_long, ctypes.c_longlong):
        function.restype = declared
        assert function(3, ctypes.c_void_p(buffer.address)) == -25536


def test_utf_8_goes_in_and_out_when_the_program_wants_it(load: Load, teller: Teller) -> None:
    library = load(SSCARD_CHARSET="utf-8")
    assert library.call("iReloadPIN", 1, "卡|甲|".encode()) == (0, "510100|测试甲|".encode())
    assert teller.last["params"]["args"] == ["1", "卡|甲|"]


def two_byte_characters() -> list[tuple[bytes, str]]:
    found = []
    for lead in range(0x81, 0xFF):
        for trail in (*range(0x40, 0x7F), *range(0x80, 0xFF)):
            with contextlib.suppress(UnicodeDecodeError):
                found.append((bytes([lead, trail]), bytes([lead, trail]).decode("gb18030")))
    return found


def test_every_character_comes_and_goes_as_the_bytes_that_the_card_has(load: Load, teller: Teller) -> None:
    characters = two_byte_characters()
    assert len(characters) == 23940
    library = load()
    for start in range(0, len(characters), 10_000):
        some = characters[start : start + 10_000]
        text = "".join(character for _, character in some)
        teller.reply = lambda request, text=text: said(request, 0, text)  # type: ignore[misc]
        assert library.call("iReadCard", 3, 2, b"", b"") == (0, b"".join(raw for raw, _ in some))
        library.call("iWriteCard", 3, b"", b"", b"".join(raw for raw, _ in some))
        assert teller.last["params"]["args"][3] == text


def test_a_name_beyond_gbk_has_the_four_bytes_that_cards_have(load: Load, teller: Teller) -> None:
    teller.reply = lambda request: said(request, 0, "𠀀测|")
    library = load()
    assert library.call("iReadCardBas", 3) == (0, "𠀀测|".encode("gb18030"))
    library.call("iReloadPIN", 3, "𠀀测|".encode("gb18030"))
    assert teller.last["params"]["args"] == ["3", "𠀀测|"]


@pytest.mark.parametrize(("charset", "wrong"), [("gbk", b"\xb2"), ("gbk", b"a\xff|"), ("utf-8", "测".encode("gbk"))])
def test_input_that_is_not_in_the_charset_is_illegal_characters(
    charset: str, wrong: bytes, load: Load, teller: Teller
) -> None:
    code, message = load(SSCARD_CHARSET=charset).call("iReloadPIN", 1, wrong)
    assert (code, message.decode(charset)) == (-41, "参数含有非法字符")
    assert teller.asked == []


def test_reader_and_keypad_go_with_each_call_where_the_environment_names_them(load: Load, teller: Teller) -> None:
    assert load(SSCARD_READER='窗口 "1"', SSCARD_KEYPAD_DIGITS="6").call("iVerifyPIN", 3)[0] == 0
    assert teller.last["params"] == {
        "function": "iVerifyPIN",
        "args": ["3"],
        "reader": '窗口 "1"',
        "keypad_digits": 6,
    }


def test_quotation_marks_and_control_characters_come_to_the_daemon_as_they_are(load: Load, teller: Teller) -> None:
    data = b'"\\\x01\x1f\n\t/}]'
    assert load().call("iWriteCard", 1, CARD.encode(), b"DF01EF06|08|$", data)[0] == 0
    assert teller.last["params"]["args"][3] == data.decode()


def test_a_whole_buffer_of_data_goes_in(load: Load, teller: Teller) -> None:
    data = ("测" * ((DATA - 2) // 2)).encode("gbk")
    assert load().call("iWriteCard", 1, CARD.encode(), b"DF01EF06|08|$", data)[0] == 0
    assert teller.last["params"]["args"][3].encode("gbk") == data


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("iReadCardBas_HSM_Step2", (b"0" * 128,)),
        ("iReloadPIN", (1, b"0" * 128)),
        ("iReadCard", (1, 1, b"", b"0" * 1024)),
        ("iWriteCard", (1, b"", b"", b"0" * DATA)),
        ("iDoDebit", (1, b"", b"0" * 512)),
        ("iReloadPIN", (1, None)),
    ],
)
def test_input_without_an_end_within_its_size_is_a_bad_parameter(
    name: str, arguments: tuple[int | bytes | None, ...], load: Load, teller: Teller
) -> None:
    library = load()
    assert library.call(name, *arguments) == (-14, "参数为空或过长".encode("gbk"))
    assert teller.asked == []
    shorter = [b"0" if value is None else value[:-1] if isinstance(value, bytes) else value for value in arguments]
    assert library.call(name, *shorter)[0] == 0


def test_no_buffer_is_a_bad_parameter(load: Load, teller: Teller) -> None:
    library = load()
    assert library.function("iReadCardBas")(3, None) == -14
    assert library.function("iGetReaderInfo")(None, None) == -14
    assert teller.asked == []


@pytest.mark.parametrize("charset", ["gbk", "utf-8"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_answer_that_just_fits_is_whole_and_a_longer_one_is_an_error(
    name: str, charset: str, load: Load, teller: Teller
) -> None:
    parameters, size = FUNCTIONS[name]
    out = "a" * (size - 1)
    teller.reply = lambda request: said(request, 0, out)
    library = load(SSCARD_CHARSET=charset)
    arguments = [1 if kind is NUMBER else b"" for kind in parameters]
    assert library.call(name, *arguments) == (0, out.encode())
    teller.reply = lambda request: said(request, 0, out + "a")
    assert library.call(name, *arguments) == (-42, "应答超出输出缓冲区长度".encode(charset))


def test_nothing_of_an_answer_that_is_too_long_stays_in_the_buffer(load: Load, teller: Teller) -> None:
    teller.reply = lambda request: said(request, 0, "9" * 2000)
    buffer = Guarded(1024)
    assert load().function("iReadCardBas")(3, ctypes.c_void_p(buffer.address)) == -42
    assert b"9" not in buffer.inside()


@pytest.mark.parametrize(("charset", "width"), [("gbk", 2), ("utf-8", 3)])
@pytest.mark.parametrize("before", ["", "a", "aa"])
def test_a_message_that_is_too_long_is_cut_between_two_characters(
    before: str, charset: str, width: int, load: Load, teller: Teller
) -> None:
    teller.reply = lambda request: said(request, -2, before + "卡" * 1000)
    code, message = load(SSCARD_CHARSET=charset).call("iVerifyPIN", 3)
    assert (code, message.decode(charset)) == (-2, before + "卡" * ((511 - len(before)) // width))


def test_what_the_daemon_refuses_is_not_supported_with_its_chinese_text(load: Load, teller: Teller) -> None:
    library = load()
    teller.reply = lambda request: refused(request, "FORBIDDEN", text={"en": "may not", "zh-CN": "当前用户无此权限。"})
    assert library.call("iReadCardBas", 3) == (-13, "当前用户无此权限。".encode("gbk"))
    teller.reply = lambda request: refused(request, "no such method")
    assert library.call("iReadCardBas", 3) == (-13, b"no such method")
    teller.reply = lambda request: refused(request, "")
    assert library.call("iReadCardBas", 3) == (-13, "读卡服务拒绝了该功能".encode("gbk"))
    teller.reply = lambda _: refused({"id": None}, "broken")
    assert library.call("iReadCardBas", 3) == (-13, b"broken")


def test_an_answer_without_text_leaves_an_empty_buffer(load: Load, teller: Teller) -> None:
    teller.reply = lambda request: b'{"jsonrpc":"2.0","id":%d,"result":{"code":0}}\n' % request["id"]
    assert load().call("iChangePIN", 3) == (0, b"")


def test_lines_for_others_and_members_that_are_new_are_passed_over(load: Load, teller: Teller) -> None:
    def reply(request: dict[str, Any]) -> bytes:
        others = b'{"method":"event","params":[1,{"id":7}]}\n' + said({"id": 99}, 0, "another's")
        result = b'{"y":{"code":5},"out":"\\u6d4b\\ud83d\\ude00\\/","code":0}'
        number = str(request["id"]).encode()
        return others + b'{"x":[{},[],-1.5e+3,null,true],"id":' + number + b',"result":' + result + b"}\n"

    teller.reply = reply
    assert load().call("iReadCardBas", 3) == (0, "测😀/".encode("gb18030"))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"id":ID',
        b'{"id":ID}',
        b'{"id":ID,"result":null}',
        b'{"id":ID,"result":{"out":"x"}}',
        b'{"id":ID,"result":{"code":"0","out":"x"}}',
        b'{"id":ID,"result":{"code":0.0,"out":"x"}}',
        b'{"id":ID,"result":{"code":1e3,"out":"x"}}',
        b'{"id":ID,"result":{"code":00,"out":"x"}}',
        b'{"id":ID,"result":{"code":-2147483649,"out":"x"}}',
        b'{"id":ID,"result":{"code":99999999999999999999999999,"out":"x"}}',
        b'{"id":ID,"result":{"code":0,"out":5}}',
        b'{"id":ID,"result":{"code":0,"out":"\xe6\xb5"}}',
        b'{"id":ID,"result":{"code":0,"out":"\xc0\x80"}}',
        b'{"id":ID,"result":{"code":0,"out":"\xed\xa0\x80"}}',
        b'{"id":ID,"result":{"code":0,"out":"\\ud800"}}',
        b'{"id":ID,"result":{"code":0,"out":"\\udc00\\ud800"}}',
        b'{"id":ID,"result":{"code":0,"out":"a\\u0000b"}}',
        b'{"id":ID,"result":{"code":0,"out":"\\u00"}}',
        b'{"id":ID,"result":{"code":0,"out":"\\x"}}',
        b'{"id":ID,"result":{"code":0,"out":"a\tb"}}',
        b'{"id":ID,"result":{"code":0,"out":"x"}} extra',
        b'{"id":ID,"result":{"code":0,"out":"x"},}',
        b'{"id":ID,"result":{"code":0},"error":{"message":"x"}}',
        b'{"id":ID,"deep":' + b"[" * 500_000,
        b'{"id":ID,"deep":' + b'{"a":' * 100_000,
        b'{"id":ID,"result":{"code":0,"out":"' + b"x" * (1 << 20) + b'"}}',
    ],
)
def test_an_answer_that_is_not_in_order_is_an_error_and_the_next_call_works(
    line: bytes, load: Load, teller: Teller
) -> None:
    good = teller.reply
    library = load(SSCARD_TIMEOUT="20")
    teller.reply = lambda request: line.replace(b"ID", b"%d" % request["id"]) + b"\n"
    assert library.call("iReadCardBas", 3) == (-11, "读卡服务的应答无法识别".encode("gbk"))
    teller.reply = good
    assert library.call("iReadCardBas", 3)[0] == 0
    assert len(teller.asked) == 2, "the connection with it was kept"
