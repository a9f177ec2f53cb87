from collections.abc import Callable

import pytest
from support.cards import Record, insert, software_keys

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.cards.records import Stored
from cardd.cards.ssse import Environment
from cardd.crypto.block import Algorithm
from cardd.crypto.derive import factors
from cardd.iso7816.apdu import Command
from cardd.iso7816.channel import Channel
from cardd.iso7816.device import Transport
from cardd.iso7816.status import StatusError
from cardd.rules.files import EF05, EF06, FileRule
from cardd.rules.keys import KeyName
from cardd.rules.names import SSSE_NAME

NAME = SSSE_NAME.hex()
OLD_FCI = f"6F16 840F{NAME} A503 88011E"
EF05_RECORDS = """
0110510100D156000005C0FFEE01FFFFFFFF 020133 0304332E3030 040C915600000251010051010001 050420240102 060420340102
0709543030303030303158
"""
EF06_RECORDS = f"""
0812353130313031313930303031303130303132 091EB2E2CAD4BCD7{"00" * 24} 4E14{"00" * 20} 0A0131 0B0101 0C03510100
0D0419000101
"""


def fci(number: int) -> str:
    return f"6F1C 840F{NAME} A509 88011E 9F0C03 8601{number:02X}"


def answering(answer: Callable[[Command], str]) -> tuple[Channel, Record]:
    """Return a channel to something that answers each command with these bytes."""
    record = Record()

    def transmit(command: bytes) -> bytes:
        return bytes.fromhex(answer(Command.decode(command)))

    return Channel(transmit, Transport.T1, record), record


def selected(answer: str) -> Environment:
    environment = Environment.select(answering(lambda _: answer + "9000")[0])
    assert environment is not None
    return environment


@pytest.mark.parametrize(
    ("answer", "region", "algorithm"),
    [
        (fci(1), "510100", Algorithm.DES),
        (fci(2), "510100", Algorithm.SSF33),
        (fci(3), "510100", Algorithm.SM4),
        (fci(1), "110100", Algorithm.DES),
        (OLD_FCI, "510100", Algorithm.DES),
        (OLD_FCI, "110100", Algorithm.SSF33),
        ("", "330100", Algorithm.DES),
        ("6F05 84", "510100", Algorithm.DES),
    ],
)
def test_the_algorithm_is_what_the_answer_to_select_says_else_what_the_region_implies(
    answer: str, region: str, algorithm: Algorithm
) -> None:
    assert selected(answer).algorithm(region) is algorithm


def test_an_algorithm_that_the_rule_does_not_know_is_unsupported() -> None:
    with pytest.raises(CarddError) as caught:
        selected(fci(9)).algorithm("510100")
    assert caught.value.reason is Reason.ALGORITHM_UNSUPPORTED


@pytest.mark.parametrize("word", ["6A82", "6D00", "6E00", "6A86", "6999"])
def test_a_foreign_card_has_no_environment_whatever_it_says(word: str) -> None:
    assert Environment.select(answering(lambda _: word)[0]) is None


@pytest.mark.parametrize("word", ["6A81", "9303"])
def test_a_blocked_card_is_told_apart_from_a_foreign_one(word: str) -> None:
    with pytest.raises(StatusError):
        Environment.select(answering(lambda _: word)[0])


@pytest.mark.parametrize(("file", "records"), [(EF05, EF05_RECORDS), (EF06, EF06_RECORDS)])
@pytest.mark.parametrize("interface", ["contact", "contactless"])
def test_records_are_read_by_tag_as_the_vectors_have_them(file: FileRule, records: str, interface: str) -> None:
    card = insert("social-jia-3.0", interface)
    environment = Environment.select(card.channel)
    assert environment is not None
    if file is EF06:
        prove_reading(environment)
    whole = b"".join(record(environment, file, item.tag) for item in file.items)
    assert whole == bytes.fromhex(records)


def record(environment: Environment, file: FileRule, tag: int) -> bytes:
    stored = environment.read(file, tag)
    assert stored is not None
    assert stored.fault is None
    return bytes((tag, len(stored.raw))) + stored.raw


def prove_reading(environment: Environment) -> None:
    challenge, original = environment.challenge(), bytes(8)
    chain = factors("510100", bytes.fromhex("0081544C9686845101C0FFEE01"))
    answer = software_keys().authentication_data(
        KeyName.RKSSSE, Algorithm.SM4, chain, challenge, original, deadline=0.0
    )
    environment.external_authentication(0x0A, answer, original)


def test_a_record_that_is_longer_than_its_rule_is_read_to_its_end() -> None:
    stored = b"\x07\x0c" + b"T0000001X123"

    def answer(command: Command) -> str:
        return OLD_FCI + "9000" if command.ins == 0xA4 else stored[: command.le].hex() + "9000"

    channel, seen = answering(answer)
    environment = Environment.select(channel)
    assert environment is not None
    assert environment.read(EF05, 0x07) == Stored(b"T0000001X123")
    assert [command.le for command in seen.commands[1:]] == [11, 14]


@pytest.mark.parametrize("word", ["6A82", "6A83"])
def test_a_file_or_record_that_is_not_there_is_none(word: str) -> None:
    channel, _ = answering(lambda command: OLD_FCI + "9000" if command.ins == 0xA4 else word)
    environment = Environment.select(channel)
    assert environment is not None
    assert environment.read(EF05, 0x07) is None


def test_a_refused_reading_is_no_absence() -> None:
    channel, _ = answering(lambda command: OLD_FCI + "9000" if command.ins == 0xA4 else "6982")
    environment = Environment.select(channel)
    assert environment is not None
    with pytest.raises(StatusError):
        environment.read(EF06, 0x08)


def test_a_challenge_of_another_length_is_not_used() -> None:
    channel, _ = answering(lambda command: OLD_FCI + "9000" if command.ins == 0xA4 else "01020304 9000")
    environment = Environment.select(channel)
    assert environment is not None
    with pytest.raises(CarddError):
        environment.challenge()


def test_what_is_stored_is_not_printed() -> None:
    assert "T0000001X" not in repr(Stored(b"T0000001X", "a fault"))
