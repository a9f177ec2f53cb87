from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import example, given
from hypothesis import strategies as st

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.iso7816.apdu import Command
from cardd.iso7816.atr import parse_atr
from cardd.iso7816.channel import MAX_ROUNDS, Channel
from cardd.iso7816.device import Transport
from cardd.iso7816.tlv import Record, Tlv, TlvError, encode, parse, parse_records


@contextmanager
def only(reasons: set[Reason]) -> Iterator[None]:
    """Let refusals for these reasons pass, and nothing else."""
    try:
        yield
    except CarddError as error:
        if error.reason not in reasons:
            raise


BYTE = st.integers(0, 255)
COMMANDS = st.builds(Command, BYTE, BYTE, BYTE, BYTE, st.binary(max_size=255), st.none() | st.integers(1, 256))
TAGS = st.sampled_from([0x6F, 0x84, 0xA5, 0x88, 0x9F0C, 0x86, 0xBF0C, 0x5F2D, 0x9F8101])


@given(COMMANDS)
def test_a_command_round_trips(command: Command) -> None:
    assert Command.decode(command.encode()) == command


@given(st.binary(max_size=300))
def test_any_bytes_are_a_command_that_round_trips_or_invalid(raw: bytes) -> None:
    with only({Reason.INVALID}):
        assert Command.decode(raw).encode() == raw


@given(st.binary(max_size=64))
@example(b"\x3b" + b"\xff" * 40)
@example(b"\x3b" + b"\x80" * 40)
def test_any_bytes_are_an_answer_to_reset(raw: bytes) -> None:
    atr = parse_atr(raw)
    assert atr.raw == raw
    assert len(atr.historical) <= 15
    assert atr.historical in raw
    assert atr.protocols
    assert atr.problems or atr.tck_ok


@given(
    st.binary(min_size=13, max_size=13), st.sampled_from(["3B6D0000", "3B7D940000", "3B3D9400", "3B2D00", "3F6D0000"])
)
def test_historical_bytes_are_found_behind_any_interface_bytes(historical: bytes, head: str) -> None:
    atr = parse_atr(bytes.fromhex(head) + historical)
    assert (atr.historical, atr.problems) == (historical, ())


@given(st.lists(st.tuples(TAGS, st.binary(max_size=300)), max_size=6))
def test_data_objects_round_trip(objects: list[tuple[int, bytes]]) -> None:
    raw = b"".join(encode(tag, value) for tag, value in objects)
    assert parse(raw) == tuple(Tlv(tag, value) for tag, value in objects)


@given(st.binary(max_size=200))
def test_any_bytes_are_data_objects_or_a_tlv_error(raw: bytes) -> None:
    try:
        objects = parse(raw)
    except TlvError:
        return
    assert sum(len(object_.value) + 2 for object_ in objects) <= len(raw)


@given(st.lists(st.tuples(st.integers(1, 254), st.binary(max_size=255)), max_size=6), st.integers(0, 9))
def test_records_round_trip_with_padding_behind_them(records: list[tuple[int, bytes]], padding: int) -> None:
    whole = tuple(Record(tag, value) for tag, value in records)
    raw = b"".join(record.encode() for record in whole)
    assert parse_records(raw) == parse_records(raw + bytes(padding)) == parse_records(raw + b"\xff" * padding) == whole


@given(st.binary(max_size=200))
def test_any_bytes_are_records_or_a_tlv_error(raw: bytes) -> None:
    try:
        records = parse_records(raw)
    except TlvError:
        return
    assert raw.startswith(b"".join(record.encode() for record in records))


@given(COMMANDS, st.lists(st.binary(max_size=8), min_size=1, max_size=80), st.sampled_from(Transport))
def test_no_card_keeps_the_channel_busy_for_ever(command: Command, answers: list[bytes], transport: Transport) -> None:
    heard: list[bytes] = []

    def card(raw: bytes) -> bytes:
        heard.append(raw)
        return answers[len(heard) % len(answers)]

    with only({Reason.CARD_REMOVED, Reason.STATUS_WORD}):
        Channel(card, transport).send(command)
    assert len(heard) <= 2 * (MAX_ROUNDS + 1)


@given(st.binary(min_size=1, max_size=255), st.sampled_from([0x20, 0x82, 0x5E, 0x24]), st.none() | st.integers(1, 256))
def test_a_command_that_spends_a_try_is_sent_once_whatever_the_card_says(data: bytes, ins: int, le: int | None) -> None:
    for sw in (0x6C10, 0x6700, 0x6104, 0x63C1, 0x6F00):
        heard: list[bytes] = []

        def card(raw: bytes, heard: list[bytes] = heard, sw: int = sw) -> bytes:
            heard.append(raw)
            return sw.to_bytes(2, "big") if len(heard) == 1 else b"\x90\x00"

        Channel(card, Transport.T0).send(Command(0, ins, 0, 0, data, le))
        assert [raw[1] for raw in heard].count(ins) == 1
