"""What is fuzzed: functions of any bytes that end well, raise what is allowed, or find something.

A target is named in `TARGETS`; its assertions are what must hold for every input. No fuzzer is imported here, so that
the tests can run each target too.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from cardd.base.errors import CarddError
from cardd.iso7816.atr import parse_atr
from cardd.iso7816.tlv import TlvError, encode, find, parse, parse_records
from cardd.rules.address import FileAddress, merge, parse_address, print_address
from cardd.rules.content import read_fields, read_records, read_whole, write_fields, write_whole
from cardd.rules.exchange import parse_data, print_data
from cardd.rules.files import FILES, Generation
from cardd.rules.values import ValueFault, decode
from cardd.rules.values import encode as encode_value
from fuzz.cards import NAMES, sessions, standard_sessions
from fuzz.lines import lines, requests
from fuzz.pages import messages, said
from fuzz.reader import readings

Target = Callable[[bytes], None]

_MOST_HISTORICAL: Final = 15
_RULES: Final = tuple(FILES.values())
_GENERATIONS: Final = tuple(Generation)


def tlv(raw: bytes) -> None:
    """Hold data objects and the card's records to: read or refused, and read again as they are written."""
    try:
        objects = parse(raw)
    except TlvError:
        objects = ()
    for object_ in objects:
        assert object_.value in raw
        again = parse(encode(object_.tag, object_.value))
        assert again == (object_,)
        assert find(raw, object_.tag) is not None
        try:
            find(object_.value, object_.tag, 0x84)
        except TlvError:
            continue
    try:
        records = parse_records(raw)
    except TlvError:
        return
    written = b"".join(record.encode() for record in records)
    assert raw.startswith(written)
    assert not raw[len(written) :].strip(b"\x00\xff")


def atr(raw: bytes) -> None:
    """Hold answers to reset to: whatever it is, it is described."""
    read = parse_atr(raw)
    assert read.raw == raw
    assert len(read.historical) <= _MOST_HISTORICAL
    assert read.historical in raw
    assert all(0 <= protocol < _MOST_HISTORICAL for protocol in read.protocols)
    assert read.problems or read.convention


def content(raw: bytes) -> None:
    """Hold a file's content (first two bytes: which file, which generation) to: nothing lost, text or fault."""
    if len(raw) < 2:  # the two bytes
        return
    rule, generation, stored = _RULES[raw[0] % len(_RULES)], _GENERATIONS[raw[1] % len(_GENERATIONS)], raw[2:]
    try:
        records = parse_records(stored)
    except TlvError:
        records = ()
    values = read_records(rule, generation, records)
    assert [value.raw for value in values] == [record.value for record in records]
    for value in values:
        assert value.text is None or value.fault is None
        # a value of another length may tell more than the item can hold
        if value.text is not None and len(value.raw) == value.item.length:
            assert decode(value.item, encode_value(value.item, value.text)) == value.text
    if rule.layouts:
        _fields(rule.address, stored)
    if rule.size and len(stored) <= rule.size:
        assert write_whole(rule, read_whole(stored)).startswith(stored)


def _fields(address: str, raw: bytes) -> None:
    rule = FILES[address]
    fields = read_fields(rule, raw)
    assert fields.raw == raw
    if fields.text is None or fields.fault:
        return
    try:
        written = write_fields(rule, fields.text)
    except ValueFault:
        return
    assert read_fields(rule, written).text == fields.text


def address(raw: bytes) -> None:
    """Hold address strings to: read or refused; printed in one spelling that means the same."""
    files = _address(raw.decode("utf-8", "surrogateescape"))
    if files is None:
        return
    printed = print_address(files)
    assert parse_address(printed) == files
    assert print_address(parse_address(printed)) == printed
    merged = merge(files)
    assert merge(merged) == merged
    assert {(file.name, file.record) for file in merged} == {(file.name, file.record) for file in files}


def exchange(raw: bytes) -> None:
    """Hold data strings (address, 0A, data) to: read or refused; read again as they are printed."""
    first, _, second = raw.decode("gb18030", "replace").partition("\n")
    files = _address(first)
    if files is None:
        return
    try:
        data = parse_data(files, second)
    except CarddError as error:
        assert error.reason == "INVALID"  # noqa: PT017
        return
    assert parse_data(files, print_data(data)) == data


def _address(text: str) -> tuple[FileAddress, ...] | None:
    try:
        return parse_address(text)
    except CarddError as error:
        assert error.reason == "INVALID"  # noqa: PT017
        return None


TARGETS: Final[Mapping[str, Target]] = MappingProxyType(
    {
        "tlv": tlv,
        "atr": atr,
        "content": content,
        "address": address,
        "exchange": exchange,
        "card": sessions,
        "reader": readings,
        "lines": lines,
        "pages": messages,
    }
)


def seeds(name: str) -> Iterator[bytes]:
    """Yield inputs to begin with."""
    yield from _SEEDS.get(name, ())


_ADDRESSES: Final = (
    b"SSSEEF06|08|09|$",
    b"DF01EF0A|37|$DF01EF15|2A|40:2|$",
    b"DF04EF08|$",
    b"DF04EF08:3|$",
    b"MFEF05|07$",
    b"SSSEEF08|$",
)
_SEEDS: Final[Mapping[str, tuple[bytes, ...]]] = MappingProxyType(
    {
        "tlv": tuple(
            map(
                bytes.fromhex,
                (
                    "6F1C840F7378312E73682EC9E7BBE1B1A3D5CFA50988011E9F0C03860103",
                    "08123531303130313139303030313031303031320000",
                    "7012610F4F06D1560000050050084142434445464748",
                ),
            )
        ),
        "atr": tuple(
            map(
                bytes.fromhex,
                ("3B6D00000081544C9686845101C0FFEE01", "3B8D80010081544C9686845101C0FFEE01A5", "3FFD95008131FE4580"),
            )
        ),
        "content": tuple(
            bytes((number, generation))
            + b"".join(bytes((item.tag, item.length)) + bytes((48 + number % 10,)) * item.length for item in rule.items)
            or bytes((number, generation))
            for number, rule in enumerate(_RULES)
            for generation in range(len(_GENERATIONS))
        ),
        "address": _ADDRESSES,
        "exchange": (
            *(address + b"\n" + address for address in _ADDRESSES),
            b"SSSEEF06|08|09|$\nSSSEEF06|510101190001010012|\xb2\xe2\xca\xd4\xbc\xd7|$",
            b"DF04EF08|$\nDF04EF08|0001^1^2^|0002^2^3^|$",
        ),
        "card": tuple(standard_sessions()),
        "reader": tuple(bytes((number,)) for number in range(len(NAMES))),
        "lines": tuple(request + b"\n" for request in requests()),
        "pages": tuple(said()),
    }
)
