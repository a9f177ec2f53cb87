import pytest

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.iso7816.apdu import Command, Response
from cardd.iso7816.channel import MAX_BYTES, MAX_ROUNDS, Channel
from cardd.iso7816.device import Transport
from cardd.iso7816.status import StatusError

SELECT = Command(0x00, 0xA4, 0x04, 0x00, b"sx1", 256)
READ = Command(0x00, 0xB2, 0x01, 0x2C, le=256)
VERIFY = Command(0x00, 0x20, 0x00, 0x00, b"\x12\x34\x56")
EXTERNAL = Command(0x00, 0x82, 0x00, 0x0A, bytes(16))


class Script:
    """A card that says what it was told to, the last line again and again, and remembers what it heard."""

    def __init__(self, *answers: str) -> None:
        self._answers = [bytes.fromhex(answer) for answer in answers]
        self.heard: list[str] = []

    def __call__(self, command: bytes) -> bytes:
        self.heard.append(command.hex().upper())
        return self._answers[min(len(self.heard), len(self._answers)) - 1]


@pytest.mark.parametrize(
    ("transport", "command", "sent"),
    [
        (Transport.T0, Command(0, 0x20, 0, 0), "0020000000"),
        (Transport.T1, Command(0, 0x20, 0, 0), "00200000"),
        (Transport.T0, READ, "00B2012C00"),
        (Transport.T1, READ, "00B2012C00"),
        (Transport.T0, VERIFY, "0020000003123456"),
        (Transport.T1, VERIFY, "0020000003123456"),
        (Transport.T0, SELECT, "00A4040003737831"),
        (Transport.T1, SELECT, "00A404000373783100"),
        (Transport.T1, Command(0, 0x88, 0, 0, b"ab", 8), "0088000002616200"),
    ],
)
def test_each_transport_gets_its_own_form(transport: Transport, command: Command, sent: str) -> None:
    card = Script("9000")
    assert Channel(card, transport).send(command).ok
    assert card.heard == [sent]


def test_waiting_data_are_fetched() -> None:
    card = Script("6105", "01020361 02", "04059000")
    assert Channel(card, Transport.T0).send(SELECT) == Response(b"\x01\x02\x03\x04\x05", 0x9000)
    assert card.heard == ["00A4040003737831", "00C0000005", "00C0000002"]


def test_256_waiting_bytes_are_asked_for_with_00() -> None:
    card = Script("6100", "AA" * 256 + "9000")
    assert Channel(card, Transport.T0).send(SELECT).data == b"\xaa" * 256
    assert card.heard[1] == "00C0000000"


def test_get_response_is_asked_again_with_the_right_length() -> None:
    card = Script("6110", "6C02", "AABB9000")
    assert Channel(card, Transport.T0).send(SELECT) == Response(b"\xaa\xbb", 0x9000)
    assert card.heard[1:] == ["00C0000010", "00C0000002"]


def test_a_wrong_le_is_corrected_once() -> None:
    card = Script("6C0B", "07095430303030303031589000")
    assert len(Channel(card, Transport.T0).send(READ).data) == 11
    assert card.heard == ["00B2012C00", "00B2012C0B"]


def test_a_second_wrong_le_is_the_answer() -> None:
    card = Script("6C0B", "6C0C")
    assert Channel(card, Transport.T0).send(READ).sw == 0x6C0C
    assert card.heard == ["00B2012C00", "00B2012C0B"]


def test_a_right_le_of_00_means_256() -> None:
    card = Script("6C00", "9000")
    Channel(card, Transport.T1).send(Command(0, 0xB0, 0, 0, le=8))
    assert card.heard == ["00B0000008", "00B0000000"]


@pytest.mark.parametrize("transport", Transport)
@pytest.mark.parametrize(
    "command",
    [
        VERIFY,
        EXTERNAL,
        Command(0x00, 0x20, 0x00, 0x00, b"\x12\x34\x56", 256),
        Command(0x00, 0x20, 0x00, 0x00, le=256),
        Command(0x00, 0x82, 0x00, 0x0A, bytes(16), 256),
        Command(0x80, 0x5E, 0x01, 0x00, b"\x12\xff\x34", 256),
        Command(0x84, 0x24, 0x00, 0x01, bytes(12), 256),
    ],
)
def test_a_command_that_spends_a_try_is_never_sent_twice(transport: Transport, command: Command) -> None:
    card = Script("6C08", "9000")
    channel = Channel(card, transport)
    assert channel.send(command).sw == 0x6C08
    assert len(card.heard) == 1
    assert not channel.rights_gained


def test_a_command_that_was_sent_without_le_is_not_sent_again() -> None:
    card = Script("6C08")
    assert Channel(card, Transport.T0).send(Command(0, 0x88, 0, 0, bytes(16), 8)).sw == 0x6C08
    assert Channel(card, Transport.T1).send(Command(0, 0xDC, 1, 0x2C, b"\x02\x013")).sw == 0x6C08
    assert len(card.heard) == 2


def test_a_card_that_promises_data_for_ever_is_given_up() -> None:
    card = Script("6101")
    with pytest.raises(CarddError) as caught:
        Channel(card, Transport.T0).send(SELECT)
    assert caught.value.reason is Reason.STATUS_WORD
    assert "does not end" in caught.value.detail
    assert caught.value.facts == {"status_word": "6101"}
    assert len(card.heard) == 1 + MAX_ROUNDS


def test_an_answer_of_all_rounds_is_whole() -> None:
    card = Script(*["6101"] * MAX_ROUNDS, "AA9000")
    assert Channel(card, Transport.T0).send(SELECT) == Response(b"\xaa", 0x9000)


def test_a_card_that_sends_too_much_is_given_up() -> None:
    # a block that no card can send, but a broken reader can
    card = Script("6100", "00" * MAX_BYTES + "6100")
    with pytest.raises(CarddError) as caught:
        Channel(card, Transport.T0).send(SELECT)
    assert caught.value.reason is Reason.STATUS_WORD
    assert len(card.heard) <= 3


@pytest.mark.parametrize("answer", ["", "90"])
def test_a_short_answer_means_that_the_card_has_gone(answer: str) -> None:
    with pytest.raises(CarddError) as caught:
        Channel(Script(answer), Transport.T1).send(READ)
    assert caught.value.reason is Reason.CARD_REMOVED


def test_a_short_answer_to_get_response_means_that_the_card_has_gone() -> None:
    with pytest.raises(CarddError) as caught:
        Channel(Script("6110", "00"), Transport.T0).send(SELECT)
    assert caught.value.reason is Reason.CARD_REMOVED


def test_expect_gives_data_or_the_bare_status_word() -> None:
    assert Channel(Script("AA9000"), Transport.T1).expect(READ) == b"\xaa"
    with pytest.raises(StatusError) as caught:
        Channel(Script("6A82"), Transport.T1).expect(READ)
    assert (caught.value.sw, caught.value.command) == (0x6A82, READ)


@pytest.mark.parametrize(
    ("command", "answer", "gained"),
    [
        (VERIFY, "9000", True),
        (EXTERNAL, "9000", True),
        (Command(0x80, 0x5E, 0x01, 0x00, b"\x12\xff\x34"), "9000", True),
        (Command(0xBF, 0xDE, 0x67, 0x08, bytes(32)), "9000", True),
        (VERIFY, "63C2", False),
        (EXTERNAL, "6983", False),
        (Command(0, 0x20, 0, 0), "9000", False),
        (READ, "9000", False),
    ],
)
def test_rights_are_gained_by_success_alone(command: Command, answer: str, gained: bool) -> None:  # noqa: FBT001
    channel = Channel(Script(answer), Transport.T1)
    channel.send(command)
    assert channel.rights_gained is gained


def test_rights_once_gained_stay_on_record() -> None:
    channel = Channel(Script("9000", "63C2", "9000"), Transport.T1)
    for command in (VERIFY, VERIFY, READ):
        channel.send(command)
    assert channel.rights_gained


def test_an_authentication_whose_answer_never_came_counts_as_gained() -> None:
    channel = Channel(Script(""), Transport.T1)
    with pytest.raises(CarddError):
        channel.send(EXTERNAL)
    assert channel.rights_gained


class Recorder:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def command(self, command: Command) -> None:
        self.lines.append(f"> {command!r}")

    def response(self, command: Command, response: Response, seconds: float) -> None:
        self.lines.append(f"< {command.ins:02X} {response!r} {seconds}")


def test_a_tracer_is_shown_everything_that_travels() -> None:
    recorder = Recorder()
    ticks = iter([1.0, 1.25, 2.0, 2.5])
    Channel(Script("6102", "AABB9000"), Transport.T0, recorder, monotonic=lambda: next(ticks)).send(SELECT)
    assert recorder.lines == [
        "> <Command 00 A4 04 00 Lc=03>",
        "< A4 <Response 0 bytes 6102> 0.25",
        "> <Command 00 C0 00 00 Le=02>",
        "< C0 <Response 2 bytes 9000> 0.5",
    ]
