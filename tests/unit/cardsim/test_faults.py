"""Cards with something wrong, as a persona says it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.account import DF04, PIN, SSSE, Till, account_card, till
from support.cards import altered

from cardd.base.document import DocumentError
from cardd.crypto.block import Algorithm
from cardd.crypto.money import Amounts
from cardsim.card.base import VirtualCard
from cardsim.card.chip import Chip
from cardsim.card.make import make_chip
from cardsim.fault_list import Slow
from cardsim.faults import Faults
from cardsim.persona import load_persona

READ = bytes.fromhex("00B2072C0B")
RECORD = bytes.fromhex("0709543030303030303158")
ASK = bytes.fromhex("0084000008")
QUERY = bytes.fromhex("0020000000")
RATE = bytes.fromhex("00C0000000")

Make = Callable[..., VirtualCard]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make(*faults: dict[str, Any], interface: str = "contactless", base: str = "social-jia-3.0") -> VirtualCard:
        return make_chip(load_persona(altered(tmp_path, base, faults=list(faults)))).on(interface)

    return make


@pytest.fixture
def faulty_till(tmp_path: Path) -> Callable[..., Till]:
    def make(*faults: dict[str, Any], interface: str = "contactless") -> Till:
        return till(account_card(tmp_path, Algorithm.SM4, faults=list(faults)), interface)

    return make


def words(card: VirtualCard, commands: Sequence[bytes]) -> list[str]:
    return [card.transmit(command)[-2:].hex().upper() for command in commands]


def test_a_command_is_known_by_its_number_since_the_card_was_made(make: Make) -> None:
    card = make({"do": "answer", "at": 3, "word": "6F00"})
    card.power_on()
    assert words(card, [SSSE, READ, READ, READ]) == ["9000", "9000", "6F00", "9000"]
    card.reset()
    assert words(card, [SSSE, READ, READ]) == ["9000"] * 3


def test_get_response_is_no_command_of_its_own(make: Make) -> None:
    card = make({"do": "answer", "at": 2, "word": "6581"}, interface="contact")
    card.power_on()
    assert words(card, [SSSE, bytes.fromhex("00C000001E"), READ, READ]) == ["611E", "9000", "6581", "9000"]


def test_a_command_is_known_by_its_name(make: Make) -> None:
    card = make({"do": "answer", "at": "read record", "word": "6A82"})
    card.power_on()
    assert words(card, [SSSE, READ, ASK, READ]) == ["9000", "6A82", "9000", "6A82"]


def test_the_nth_of_a_name_is_that_one_alone(make: Make) -> None:
    card = make({"do": "answer", "at": "READ RECORD", "nth": 2, "word": "6A82"})
    card.power_on()
    assert words(card, [SSSE, READ, ASK, READ, READ]) == ["9000", "9000", "9000", "6A82", "9000"]


@pytest.mark.parametrize(
    ("fault", "balance"),
    [({"when": "before"}, 100_000), ({"when": "during", "bytes": 60}, 100_000), ({"when": "after"}, 98_500)],
)
def test_a_card_is_torn_out_before_during_or_after_a_command(
    fault: dict[str, Any], balance: int, faulty_till: Callable[..., Till]
) -> None:
    card = faulty_till({"do": "tear", "at": "DEBIT FOR PURCHASE"} | fault).ready()
    amounts = Amounts(1500)
    command = card.debit_command(card.begin_purchase(amounts), amounts)
    assert card.card.transmit(command) == b""
    assert card.card.transmit(READ) == b""
    assert card.ready().balance() == balance
    assert (card.proof("2", 3) is None) == (balance == 100_000)


def test_a_mute_card_speaks_again_after_its_next_power(make: Make) -> None:
    card = make({"do": "mute", "at": 2})
    card.power_on()
    assert card.transmit(SSSE)
    assert [card.transmit(READ), card.transmit(SSSE)] == [b"", b""]
    assert card.power_on()
    assert words(card, [SSSE, READ]) == ["9000", "9000"]


def test_a_card_can_be_mute_at_its_first_reset(make: Make) -> None:
    card = make({"do": "mute", "at": "reset", "nth": 1})
    assert card.power_on() == b""
    assert card.transmit(SSSE) == b""
    assert card.power_on()
    assert words(card, [SSSE]) == ["9000"]


def test_an_answer_to_reset_can_be_wrong(make: Make) -> None:
    right = make().power_on()
    wrong = make({"do": "flip", "at": "reset", "bits": "01"}).power_on()
    assert wrong == bytes((right[0] ^ 1,)) + right[1:]


def test_a_slow_card_takes_its_time_with_each_command() -> None:
    waited: list[float] = []
    chip = make_chip(load_persona("social-jia-3.0"))
    card = Faults(chip, [Slow(ms=250), Slow(at="reset", ms=1000)], waited.append).around(chip.on())
    card.power_on()
    assert waited == [1.0]
    assert words(card, [SSSE, READ]) == ["611E", "9000"]
    assert waited == [1.0, 0.25, 0.25]


def slow_seconds(base: str, fault: Slow, *commands: str, interface: str = "contact") -> list[float]:
    """Say commands to a slow card and return how long it took for each, the answer to reset first."""
    waited: list[float] = []
    chip = make_chip(load_persona(base))
    card = Faults(chip, [fault, Slow(at="reset", baud=9600)], waited.append).around(chip.on(interface))
    card.power_on()
    for command in commands:
        card.transmit(bytes.fromhex(command))
    return waited


def test_a_baud_rate_gives_each_character_twelve_units() -> None:
    atr = 17
    seconds = slow_seconds("social-jia-3.0", Slow(baud=9600), SSSE.hex(), "00C000001E", "0084000008", "00B2082C13")
    # to the card header and data, from it procedure byte, data and status word
    assert seconds[0] == pytest.approx(12 * atr / 9600)
    assert seconds[1] == pytest.approx(12 * (5 + 15 + 1 + 2) / 9600)
    assert seconds[2] == pytest.approx(12 * (5 + 1 + 30 + 2) / 9600)
    assert seconds[3] == pytest.approx(12 * (5 + 1 + 8 + 2) / 9600)
    # a status word alone comes without a procedure byte
    assert seconds[4] == pytest.approx(12 * (5 + 2) / 9600)


def test_a_faster_rate_is_faster_in_proportion() -> None:
    slow, fast = (slow_seconds("social-jia-3.0", Slow(baud=baud), SSSE.hex())[1] for baud in (9600, 312_500))
    assert slow / fast == pytest.approx(312_500 / 9600)


def test_extra_guard_time_counts_for_what_the_card_is_sent() -> None:
    plain, guarded = (slow_seconds("social-jia-3.0", Slow(baud=9600, guard=guard), SSSE.hex())[1] for guard in (0, 10))
    assert guarded - plain == pytest.approx(10 * (5 + 15) / 9600)


def test_a_rate_can_be_that_of_one_command_and_its_get_response_alone() -> None:
    fault = Slow(at="SELECT", baud=9600)
    assert len(slow_seconds("social-jia-3.0", fault, SSSE.hex(), "00C000001E", "0084000008", "00C0000008")) == 3


@pytest.mark.parametrize(
    ("base", "command", "characters"),
    [
        ("psam", "0084000008", 5 + 1 + 8 + 2),
        ("old-jia", "0084000004", 5 + 1 + 4 + 2),
        ("old-sle4442", "FFA400000106", 6 + 1 + 2),
    ],
)
def test_every_kind_of_card_can_be_slow_by_its_rate(base: str, command: str, characters: int) -> None:
    assert slow_seconds(base, Slow(baud=19200), command)[1] == pytest.approx(12 * characters / 19200)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"bits": "0F"}, b"\x08" + RECORD[1:]),
        ({"bits": "01 80", "offset": 9}, RECORD[:9] + bytes((RECORD[9] ^ 1, RECORD[10] ^ 0x80))),
        ({"bits": "01", "offset": -1}, RECORD[:-1] + bytes((RECORD[-1] ^ 1,))),
        ({"bits": "FF", "offset": 40}, RECORD),
    ],
)
def test_bytes_of_the_data_are_wrong_and_the_status_word_is_not(
    fault: dict[str, Any], expected: bytes, make: Make
) -> None:
    card = make({"do": "flip", "at": "READ RECORD"} | fault)
    card.power_on()
    card.transmit(SSSE)
    assert card.transmit(READ) == expected + b"\x90\x00"


def test_on_contacts_the_bytes_are_wrong_when_they_are_fetched(make: Make) -> None:
    card = make({"do": "flip", "at": 1}, interface="contact")
    card.power_on()
    assert card.transmit(SSSE) == b"\x61\x1e"
    assert card.transmit(bytes.fromhex("00C000001E"))[:2] == b"\x90\x1c"
    card.transmit(SSSE)
    assert card.transmit(bytes.fromhex("00C000001E"))[:2] == b"\x6f\x1c"


def test_there_is_always_more_waiting(make: Make) -> None:
    card = make({"do": "endless", "at": 2, "waiting": 4}, interface="contact")
    card.power_on()
    card.transmit(SSSE)
    assert card.transmit(READ) == b"\x61\x04"
    assert [card.transmit(bytes.fromhex("00C0000004")) for _ in range(3)] == [bytes(4) + b"\x61\x04"] * 3
    assert card.transmit(bytes.fromhex("00C0000002")) == bytes(2) + b"\x61\x04"
    assert card.transmit(RATE) == bytes(4) + b"\x61\x04"
    # until the reader asks something else
    assert words(card, [READ, RATE]) == ["9000", "6F00"]


@pytest.mark.parametrize("interface", ["contact", "contactless"])
def test_a_wrong_mac_is_wrong_in_its_four_bytes(interface: str, faulty_till: Callable[..., Till]) -> None:
    amounts = Amounts(1500)
    card = faulty_till({"do": "wrong-mac", "at": "DEBIT FOR PURCHASE"}, interface=interface).ready()
    begun = card.begin_purchase(amounts)
    right, given = card.debit_answer(begun, amounts), card.expect(card.debit_command(begun, amounts))
    assert given == right[:4] + bytes(byte ^ 0xFF for byte in right[4:])


@pytest.mark.parametrize("count", [0, 45, 70, 91])
def test_a_worn_memory_moves_no_money_and_locks_the_card(count: int, faulty_till: Callable[..., Till]) -> None:
    card = faulty_till({"do": "worn", "at": "CREDIT FOR LOAD", "bytes": count}).ready()
    before = bytes(card.chip.machine.session.application.money.cells)  # type: ignore[union-attr]
    command = card.credit_command(card.begin_load(5), 5)
    assert card.send(command) == (b"", 0x6581)
    assert bytes(card.chip.machine.session.application.money.cells) == before  # type: ignore[union-attr]
    assert words(card.card, [READ, command]) == ["6A81", "6A81"]


def test_a_worn_memory_elsewhere_locks_nothing_and_costs_no_try(make: Make) -> None:
    card = make({"do": "worn", "at": "VERIFY", "nth": 1})
    card.power_on()
    assert words(card, [SSSE, PIN, QUERY[:4], PIN]) == ["9000", "6581", "63C6", "9000"]


def test_a_stuck_counter_of_purchases_gives_one_number_twice(faulty_till: Callable[..., Till]) -> None:
    card = faulty_till({"do": "stick", "counter": "offline"}).ready()
    amounts = Amounts(1500)
    for _ in range(2):
        begun = card.begin_purchase(amounts)
        assert begun[14:16] == b"\x00\x03"
        card.expect(card.debit_command(begun, amounts))
    assert card.balance() == 97_000


def test_a_stuck_counter_of_loads_gives_one_number_twice(faulty_till: Callable[..., Till]) -> None:
    card = faulty_till({"do": "stick", "counter": "online"}).ready()
    for _ in range(2):
        begun = card.begin_load(5)
        assert begun[4:6] == b"\x00\x07"
        card.expect(card.credit_command(begun, 5))


def test_a_stuck_counter_of_tries_never_locks_the_pin(make: Make) -> None:
    card = make({"do": "stick", "counter": "pin"})
    card.power_on()
    card.transmit(SSSE)
    assert words(card, [bytes.fromhex("0020000003000000")] * 3 + [QUERY[:4]]) == ["63C5", "63C5", "63C5", "63C6"]


def test_a_stuck_counter_of_debits_gives_one_number_twice(make: Make) -> None:
    card = make({"do": "stick", "counter": "terminal"}, interface="contact", base="psam")
    card.power_on()
    data = bytes(18) + b"2" + bytes.fromhex("20240506101112") + bytes((1, 0)) + bytes(24)
    ask = bytes.fromhex("00C0000008")
    sent = [SSSE, bytes.fromhex("00A4040006D15600000590"), *[bytes.fromhex("8070010034") + data, ask] * 2]
    answers = [card.transmit(command) for command in sent]
    assert answers[3] == answers[5]
    assert answers[3][:4] == bytes.fromhex("00000001")


CARD_NUMBER = bytes.fromhex("00B2072C0B")
NAME = bytes.fromhex("00B2093420")


def holder(card: VirtualCard) -> tuple[str, bytes]:
    """Return the last word of selecting the environment, and the card's number."""
    return words(card, [SSSE])[0], card.transmit(CARD_NUMBER)


def test_a_twin_answers_from_then_on_with_the_same_answer_to_reset(make: Make) -> None:
    card = make({"do": "twin", "at": 3})
    atr = card.power_on()
    mine = holder(card)[1]
    assert mine == RECORD + b"\x90\x00"
    # just powered, nothing is selected on it
    assert card.transmit(CARD_NUMBER) != mine
    word, other = holder(card)
    assert (word, other[:2], other[-2:], len(other)) == ("9000", mine[:2], mine[-2:], len(mine))
    assert other != mine
    assert card.reset() == atr
    card.power_off()
    assert card.power_on() == atr
    assert holder(card)[1] == other


def test_a_twin_can_be_a_persona_and_keeps_the_answer_to_reset_of_the_first_card(make: Make) -> None:
    card = make({"do": "twin", "at": "reset", "nth": 2, "persona": "social-yi-3.0"})
    atr, mine = card.power_on(), holder(card)[1]
    assert card.power_on() == atr
    assert card.power_on() == atr
    yi = make_chip(load_persona("social-yi-3.0")).on("contactless")
    assert yi.power_on() != atr
    assert holder(card)[1] == holder(yi)[1] != mine


def test_both_interfaces_show_the_twin(tmp_path: Path) -> None:
    chip = make_chip(load_persona(altered(tmp_path, "social-jia-3.0", faults=[{"do": "twin", "at": 2}])))
    contact, antenna = chip.on("contact"), chip.on("contactless")
    mine = antenna.power_on(), holder(antenna)[1]
    contact.power_on()
    assert words(contact, [SSSE]) == ["611E"]
    other = contact.transmit(CARD_NUMBER)
    assert other[-2:] == b"\x90\x00"
    assert other != mine[1]
    contact.power_off()
    assert antenna.power_on() == mine[0]
    assert holder(antenna)[1] == other


@pytest.mark.parametrize(
    ("base", "commands"),
    [
        ("old-jia", ["00A40000020003", "00B0000014"]),
        ("old-sle4428-jinan", ["FFA400000105", "FFB0002040", "FFB0006040"]),
        ("old-sle4442", ["FFA400000106", "FFB00020E0"]),
        ("psam", ["00A40000020016", "00B0960006"]),
    ],
)
def test_every_kind_of_card_can_have_a_twin(base: str, commands: list[str], make: Make) -> None:
    right, twin = make(interface="contact", base=base), make({"do": "twin", "at": 1}, interface="contact", base=base)
    assert right.power_on() == twin.power_on()
    answers = [[card.transmit(bytes.fromhex(command)) for command in commands] for card in (right, twin)]
    assert [answer[-2:] for answer in answers[0]] == [answer[-2:] for answer in answers[1]]
    assert answers[0] != answers[1]


@pytest.mark.parametrize(
    ("base", "name", "first"),
    [
        ("psam", "GET CHALLENGE", "0084000008"),
        ("old-jia", "GET CHALLENGE", "0084000004"),
        ("old-sle4442", "SELECT CARD TYPE", "FFA400000106"),
    ],
)
@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        ({"do": "answer", "word": "6F00"}, "6F00"),
        ({"do": "tear", "when": "before"}, ""),
        ({"do": "tear", "when": "after"}, ""),
        ({"do": "mute"}, ""),
        ({"do": "endless", "waiting": 7}, "6107"),
    ],
)
def test_faults_are_the_same_on_every_kind_of_card(
    base: str, name: str, first: str, fault: dict[str, Any], answer: str, make: Make
) -> None:
    card = make(fault | {"at": name, "nth": 2}, interface="contact", base=base)
    card.power_on()
    assert words(card, [bytes.fromhex(first)]) == ["9000"]
    assert card.transmit(bytes.fromhex(first)).hex().upper() == answer


@pytest.mark.parametrize("base", ["psam", "old-jia", "old-sle4442"])
def test_bytes_are_wrong_on_every_kind_of_card(base: str, make: Make) -> None:
    ask = {"psam": ["0084000008"], "old-jia": ["0084000008"], "old-sle4442": ["FFA400000106", "FFB0000008"]}[base]
    answers = []
    for faults in ((), ({"do": "flip", "offset": -1},)):
        card = make(*faults, interface="contact", base=base)
        card.power_on()
        answers.append([card.transmit(bytes.fromhex(command)) for command in ask][-1])
    assert answers[1] == answers[0][:-3] + bytes((answers[0][-3] ^ 0xFF,)) + answers[0][-2:]


def test_both_interfaces_show_the_same_faults(tmp_path: Path) -> None:
    fault = {"do": "answer", "at": 3, "word": "6F00"}
    chip = make_chip(load_persona(altered(tmp_path, "social-jia-3.0", faults=[fault])))
    contact, antenna = chip.on("contact"), chip.on("contactless")
    contact.power_on()
    assert words(contact, [SSSE, READ]) == ["611E", "9000"]
    contact.power_off()
    antenna.power_on()
    assert words(antenna, [SSSE, SSSE]) == ["6F00", "9000"]


def test_a_fault_is_told_to_whoever_asks_why(tmp_path: Path) -> None:
    fault = {"do": "answer", "at": 1, "word": "6F00"}
    chip = make_chip(load_persona(altered(tmp_path, "social-jia-3.0", faults=[fault])))
    told: list[str] = []
    chip.tell = told.append
    card = chip.on()
    card.power_on()
    card.transmit(SSSE)
    assert told == ["---- fault: answer"]


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ({"do": "explode"}, "explode"),
        ({"do": "answer"}, "word"),
        ({"do": "answer", "word": "9"}, "word"),
        ({"do": "slow", "ms": 0}, "ms"),
        ({"do": "tear", "at": "FLY"}, "no command `FLY` here; known are"),
        ({"do": "tear", "at": "reset"}, "at a reset"),
        ({"do": "stick", "counter": "terminal"}, "no counter `terminal`"),
        ({"do": "mute", "at": 3, "colour": "red"}, "colour"),
        ({"do": "slow"}, "either `ms` or `baud`"),
        ({"do": "slow", "ms": 5, "baud": 9600}, "either `ms` or `baud`"),
        ({"do": "slow", "ms": 5, "guard": 2}, "`guard` goes with `baud`"),
        ({"do": "slow", "baud": 1200}, "baud"),
        ({"do": "slow", "baud": 400_000}, "baud"),
        ({"do": "mute", "at": 0}, "counted from 1"),
        ({"do": "mute", "at": 2, "nth": 3}, "`at: 2` is that one command"),
        ({"do": "twin", "persona": "nobody-at-all"}, "is no shipped persona"),
        ({"do": "twin", "persona": "old-jia"}, "a card of another kind"),
        ({"do": "twin", "persona": "social-ding-1.0"}, "no interface `contactless`"),
    ],
)
def test_a_fault_that_cannot_be_is_named_with_its_place(fault: dict[str, Any], problem: str, make: Make) -> None:
    with pytest.raises(DocumentError, match=r"altered\.yaml:\d+:\d+") as caught:
        make(fault)
    assert problem in str(caught.value)


@pytest.mark.parametrize("base", ["old-jia", "old-sle4442"])
def test_a_card_that_computes_no_mac_cannot_have_a_wrong_one(base: str, make: Make) -> None:
    with pytest.raises(DocumentError, match="computes no MAC"):
        make({"do": "wrong-mac"}, interface="contact", base=base)


def test_the_place_of_a_wrong_fault_is_that_of_its_field(tmp_path: Path) -> None:
    path = altered(tmp_path, "social-jia-3.0", faults=[{"do": "mute", "at": "reset"}, {"at": "FLY", "do": "tear"}])
    lines = path.read_text(encoding="utf-8").splitlines()
    number = next(number for number, line in enumerate(lines, 1) if "FLY" in line)
    with pytest.raises(DocumentError) as caught:
        make_chip(load_persona(path))
    assert (caught.value.line, caught.value.column) == (number, lines[number - 1].index("FLY") + 1)


def test_a_slow_card_sleeps_by_the_clock_that_it_is_given(tmp_path: Path) -> None:
    waited: list[float] = []
    persona = load_persona(altered(tmp_path, "social-jia-3.0", faults=[{"do": "slow", "ms": 3_600_000}]))
    card = make_chip(persona, sleep=waited.append).on()
    card.power_on()
    assert words(card, [SSSE]) == ["611E"]
    assert waited == [3600.0]


def test_an_account_card_without_faults_is_not_wrapped(tmp_path: Path) -> None:
    chip: Chip = account_card(tmp_path, Algorithm.SM4)
    assert chip.around is None
    card = till(chip).ready()
    assert words(card.card, [PIN, DF04]) == ["9000", "610A"]


def test_a_card_that_is_torn_out_is_back_with_power_unless_it_stays_out(make: Make) -> None:
    back, out = make({"do": "tear", "at": 2}), make({"do": "tear", "at": 2, "stays_out": True})
    for card in (back, out):
        assert card.power_on() != b""
        assert [card.transmit(command)[-2:].hex() for command in (SSSE, READ)] == ["9000", ""]
    assert (back.power_on() != b"", words(back, [SSSE])) == (True, ["9000"])
    assert (out.power_on(), out.reset(), words(out, [SSSE])) == (b"", b"", [""])
