"""The reader's own keypad, on a reader that does what PC/SC part 10 says and is typed on by the test."""

import asyncio
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace
from support.cards import DEADLINE, OpenCard, insert
from support.modules import Desk, virtual

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.desk.identify import identify
from cardd.desk.keypad import change_at_keypad, features, modify_structure, verify_at_keypad, verify_structure
from cardd.desk.pin import verify_pin
from cardd.desk.reading import Identity
from cardd.iso7816.channel import Channel

GET_FEATURES, VERIFY_CODE, MODIFY_CODE = 0x42000000 + 3400, 0x42330006, 0x42330007
FEATURES = bytes.fromhex("0604 42330006 0704 42330007 1204 42330012")
OK = b"\x90\x00"


@dataclass
class Keypad:
    """A reader with keys: it fills what is typed into the command of the structure, as its fields tell it to."""

    card: Callable[[bytes], bytes]
    typed: list[str]
    told: bytes = FEATURES
    answer: bytes | None = None
    asked: list[int] = field(default_factory=list)
    structures: list[bytes] = field(default_factory=list)

    def control(self, code: int, data: bytes) -> bytes:
        self.asked.append(code)
        self.structures.append(data)
        if code == GET_FEATURES:
            return self.told
        if self.answer is not None:
            return self.answer
        return self.verify(data) if code == VERIFY_CODE else self.modify(data)

    def verify(self, data: bytes) -> bytes:
        _, _, form, block, length_form, extra, *_, size = struct.unpack("<BBBBBHBBHB3sI", data[:19])
        return self.send(data[19:], size, form, block, length_form, extra, [0])

    def modify(self, data: bytes) -> bytes:
        fields = struct.unpack("<BBBBBBBHBBBHBBB3sI", data[:24])
        _, _, form, block, length_form, old, new, extra, confirm = fields[:9]
        assert confirm == 3
        *entries, again = self.typed
        if entries[-1] != again:
            return bytes.fromhex("6402")
        self.typed = entries
        return self.send(data[24:], fields[-1], form, block, length_form, extra, [old, new])

    def send(
        self, apdu: bytes, size: int, form: int, block: int, length_form: int, extra: int, places: list[int]
    ) -> bytes:
        assert len(apdu) == size
        assert (form, length_form) == (0x81, 0)
        command = bytearray(apdu)
        for place, digits in zip(places, self.typed, strict=True):
            if not extra >> 8 <= len(digits) <= extra & 0xFF:
                return bytes.fromhex("6403")
            packed = bytes.fromhex(digits + "F" * (len(digits) % 2))
            assert len(packed) == block
            # an APDU's data begin behind the five bytes of header and Lc
            command[5 + place : 5 + place + block] = packed
        return self.card(bytes(command))


def typing(*typed: str, persona: str = "social-jia-3.0", interface: str = "contact") -> tuple[OpenCard, Keypad]:
    card = insert(persona, interface)
    keypad = Keypad(card.card.transmit, list(typed))
    channel = Channel(card.card.transmit, card.channel.transport, card.record, control=keypad.control)
    return OpenCard(card.card, channel, card.insertion, card.record), keypad


def known(card: OpenCard) -> Identity:
    return identify(card.channel, card.insertion, None, DEADLINE)


def error_of(deed: Callable[[], object]) -> CarddError:
    with pytest.raises(CarddError) as caught:
        deed()
    return caught.value


def test_the_structures_are_those_of_the_standard() -> None:
    assert verify_structure(6, 30).hex(" ") == (
        "1e 1e 81 03 00 06 06 03 ff 04 08 00 00 00 00 08 00 00 00 00 20 00 00 03 ff ff ff"
    )
    assert modify_structure(6, 30).hex(" ") == (
        "1e 1e 81 03 00 00 04 06 06 03 03 03 04 08 00 01 02 00 00 00 0c 00 00 00 80 5e 01 00 07 ff ff ff ff ff ff ff"
    )


def test_each_reader_waits_for_keys_as_long_as_its_rule_says() -> None:
    card, keypad = typing("123456")
    slow = replace(card.insertion, keypad_s=90)
    verify_at_keypad(card.channel, slow, known(card), 6)
    assert keypad.structures[-1][:2] == bytes((90, 90))


@pytest.mark.parametrize("interface", ["contact", "contactless"])
def test_a_pin_typed_at_the_reader_is_compared_on_the_card(interface: str) -> None:
    card, _ = typing("123456", interface=interface)
    verify_at_keypad(card.channel, card.insertion, known(card), 6)
    assert card.channel.rights_gained
    # the digits never passed through this process
    assert 0x20 not in card.record.instructions


def test_a_wrong_pin_typed_at_the_reader_costs_one_try_and_is_sent_once() -> None:
    card, keypad = typing("654321")
    identity = known(card)
    error = error_of(lambda: verify_at_keypad(card.channel, card.insertion, identity, 6))
    assert (error.reason, error.facts["tries_left"]) == (Reason.PIN_WRONG, 5)
    assert keypad.asked == [GET_FEATURES, VERIFY_CODE]
    assert not card.channel.rights_gained


def test_a_pin_is_changed_at_the_reader() -> None:
    card, _ = typing("123456", "112233", "112233")
    change_at_keypad(card.channel, card.insertion, known(card), 6)
    again = card.again()
    verify_pin(again.channel, again.insertion, known(again), Secret(b"112233"))


@pytest.mark.parametrize(
    ("typed", "reason"),
    [(("123456", "112233", "112234"), Reason.PIN_MISMATCH), (("123456", "11223", "11223"), Reason.PIN_LENGTH)],
)
def test_new_pins_that_differ_or_are_too_short_never_reach_the_card(typed: tuple[str, ...], reason: Reason) -> None:
    card, _ = typing(*typed)
    identity = known(card)
    assert error_of(lambda: change_at_keypad(card.channel, card.insertion, identity, 6)).reason is reason
    again = card.again()
    verify_pin(again.channel, again.insertion, known(again), Secret(b"123456"))


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("6400", Reason.PIN_TIMEOUT),
        ("6401", Reason.PIN_CANCELLED),
        ("6403", Reason.PIN_LENGTH),
        ("6983", Reason.PIN_LOCKED),
        ("6D00", Reason.STATUS_WORD),
    ],
)
def test_what_the_keypad_says_has_its_reason(word: str, reason: Reason) -> None:
    card, keypad = typing("123456")
    keypad.answer = bytes.fromhex(word)
    identity = known(card)
    assert error_of(lambda: verify_at_keypad(card.channel, card.insertion, identity, 6)).reason is reason


def test_after_a_keypad_that_never_answered_the_card_is_taken_for_open() -> None:
    card, keypad = typing("123456")
    keypad.answer = b""
    identity = known(card)
    assert error_of(lambda: verify_at_keypad(card.channel, card.insertion, identity, 6)).reason is Reason.CARD_REMOVED
    assert card.channel.rights_gained


@pytest.mark.parametrize("told", [b"", bytes.fromhex("0704 42330007"), bytes.fromhex("0602 4233"), b"\x06"])
def test_a_reader_without_such_a_keypad_says_so_and_nothing_is_typed(told: bytes) -> None:
    card, keypad = typing("123456")
    keypad.told = told
    identity = known(card)
    assert error_of(lambda: verify_at_keypad(card.channel, card.insertion, identity, 6)).reason is Reason.NOT_FOUND
    assert VERIFY_CODE not in keypad.asked


@pytest.mark.parametrize("digits", [3, 17])
def test_a_length_that_no_pin_has_is_refused_before_the_card_is_touched(digits: int) -> None:
    card, _ = typing("123456")
    identity = known(card)
    card.record.commands.clear()
    for deed in (verify_at_keypad, change_at_keypad):
        error = error_of(lambda deed=deed: deed(card.channel, card.insertion, identity, digits))  # type: ignore[misc]
        assert error.reason is Reason.PIN_LENGTH
    assert card.record.commands == []


def test_another_card_is_not_typed_for() -> None:
    first, _ = typing()
    identity = known(first)
    card, keypad = typing("123456", persona="social-yi-3.0")
    error = error_of(lambda: verify_at_keypad(card.channel, card.insertion, identity, 6))
    assert error.reason is Reason.CARD_DATA_DIFFERS
    assert keypad.asked == []


@pytest.mark.asyncio
async def test_a_readers_worker_carries_the_keypads_commands() -> None:
    async with Desk() as desk:
        card = virtual("social-jia-3.0")
        insertion = (await desk.insert("front", card)).id
        keypad = Keypad(card.answer, ["123456"])
        desk.backend.bays["front"].keypad = keypad.control
        identity = await desk.readers.run(
            insertion, lambda channel, inside: identify(channel, inside, None, DEADLINE), timeout_s=5
        )
        await desk.readers.run(
            insertion, lambda channel, inside: verify_at_keypad(channel, inside, identity, 6), timeout_s=5
        )
        assert keypad.asked == [GET_FEATURES, VERIFY_CODE]
        assert desk.backend.bays["front"].disconnects[-1:] == [True]


@pytest.mark.asyncio
async def test_a_reader_that_refuses_to_tell_its_features_keeps_its_card() -> None:
    async with Desk() as desk:
        insertion = (await desk.insert("front", virtual("social-jia-3.0"))).id
        found = await desk.readers.run(insertion, lambda channel, _: dict(features(channel)), timeout_s=5)
        assert found == {}
        await asyncio.sleep(0)
        assert desk.readers.reader_of(insertion) == "front"
