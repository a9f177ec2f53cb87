"""The bank beside the social card, the firewall between them, and the directory of what a card has."""

from collections.abc import Callable

import pytest

from cardd.iso7816.tlv import find, parse_records
from cardd.rules.directory import Entry, read_entry
from cardsim.card.chip import Chip

Exchange = Callable[..., list[str]]

SSSE = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"
PSE, PPSE = ("00A404000E" + f"{number}PAY.SYS.DDF01".encode().hex() for number in "12")
DEBIT = "00A4040008A000000333010101"
NUMBER = "6217001234567890123"
ASK, PIN = "0084000008", "0020000003123456"
SEVERAL = "challenges: [" + ", ".join(["'1122334455667788'"] * 9) + "]\n"
PROOF = "8135B4D81B42EA5F0102030405060708"


def entries(send: Exchange) -> list[Entry | None]:
    found = []
    for number in range(1, 20):
        length = send(f"00B2{number:02X}F400")[0]
        if length == "6A83":
            break
        raw = bytes.fromhex(send(f"00B2{number:02X}F4{length[2:]}")[0])[:-2]
        found += [read_entry(record) for record in parse_records(raw)]
    return found


def test_the_directory_names_every_application_that_can_then_be_selected(bench: Callable[..., Exchange]) -> None:
    send = bench("applications: [DF05, DF06]\n")
    listed = entries(send)
    assert listed == [
        Entry(bytes.fromhex("D15600000500"), "公共应用信息区"),
        Entry(bytes.fromhex("D15600000501"), "就业与失业信息区"),
        Entry(bytes.fromhex("D15600000502"), "社会保险信息区1"),
        Entry(bytes.fromhex("D15600000503"), "社会保险信息区2"),
        Entry(b"", "生命与健康信息区"),
        Entry(b"", "救助与优抚信息区"),
        Entry(bytes.fromhex("D15600000504"), "人事人才信息区"),
    ]
    for entry in filter(None, listed):
        name = entry.aid or (entry.label or "").encode("gbk")
        (answer,) = send(f"00A40400{len(name):02X}{name.hex()}")
        assert find(bytes.fromhex(answer)[:-2], 0x6F, 0x84) == name


def test_a_first_generation_card_has_neither_personnel_nor_bank(bench: Callable[..., Exchange]) -> None:
    send = bench(profile="1.0", algorithm="des")
    assert [entry.label for entry in filter(None, entries(send))][-1] == "社会保险信息区2"
    assert send("00A4040006D15600000504", PSE, DEBIT) == ["6A82", "6A82", "6A82"]


def test_the_bank_s_environment_leads_to_the_number(bench: Callable[..., Exchange]) -> None:
    send = bench(f'bank_number: "{NUMBER}"\n')
    assert send(PSE, "00B2010C1A")[1] == "701861164F08A000000333010101500A50424F432044454249549000"
    track, number = (bytes.fromhex(answer)[:-2] for answer in send(DEBIT, "00B2010C15", "00B2020C0E")[1:])
    assert find(number, 0x70, 0x5A) == bytes.fromhex(NUMBER + "F")
    assert (find(track, 0x70, 0x57) or b"").hex().upper().startswith(NUMBER + "D4912220")


def test_the_contactless_environment_is_seen_through_the_antenna_only(chip: Callable[..., Chip]) -> None:
    card = chip()
    antenna, contacts = card.on("contactless"), card.on("contact")
    antenna.power_on()
    shown = antenna.transmit(bytes.fromhex(PPSE))
    assert find(shown[:-2], 0x6F, 0xA5, 0xBF0C, 0x61, 0x4F) == bytes.fromhex("A000000333010101")
    assert find(shown[:-2], 0x6F, 0xA5, 0xBF0C, 0x61, 0x50) == b"PBOC DEBIT"
    contacts.power_on()
    assert contacts.transmit(bytes.fromhex(PPSE)) == bytes.fromhex("6A82")


def test_no_right_of_the_social_side_passes_the_firewall_and_back(bench: Callable[..., Exchange]) -> None:
    send = bench(SEVERAL)
    assert send(ASK, f"0082000A10{PROOF}", "00B2013400") == ["11223344556677889000", "9000", "6C14"]
    assert send(PSE, SSSE, "00B2013400")[2] == "6982"
    # only the holder's, which lasts until power goes
    assert send(PIN, DEBIT, "00A4040006D15600000503", "00B2012C00")[3] == "6C0A"


def test_a_challenge_does_not_pass_the_firewall(bench: Callable[..., Exchange]) -> None:
    send = bench(SEVERAL)
    assert send(PSE, ASK, SSSE, f"0082000A10{PROOF}")[3] == "6984"
    assert send(ASK, DEBIT, SSSE, f"0082000A10{PROOF}")[3] == "6984"


def test_commands_to_the_bank_touch_nothing_of_the_social_side(chip: Callable[..., Chip]) -> None:
    made = chip(SEVERAL)
    card = made.on("contactless")
    card.power_on()
    environment = made.machine.root.children[0]
    before = [(key.name, key.tries) for key in environment.keys.values()]
    commands = [
        PSE,
        "0020000003112233",
        "805E010007123456FF654321",
        ASK,
        f"0082000510{PROOF}",
        "8424000004" + "00" * 4,
        "8416000004" + "00" * 4,
        "841E000104" + "00" * 4,
        "00880000101122334455667788" + "00" * 8,
        DEBIT,
        "00DC010C03700131",
    ]
    answers = [card.transmit(bytes.fromhex(command)).hex().upper() for command in commands]
    assert [answer for answer in answers if answer.startswith("9")] == []
    assert set(answers[1:3] + answers[4:9]) == {"6A88"}
    assert answers[10] == "6982"
    assert environment.pin is not None
    assert (environment.pin.tries, before) == (6, [(key.name, key.tries) for key in environment.keys.values()])
    assert not made.machine.blocked


@pytest.mark.parametrize("application", ["DF01", "DF02", "DF07"])
def test_an_application_without_a_lock_key_is_not_blocked_by_the_key_of_that_number(
    bench: Callable[..., Exchange], application: str
) -> None:
    send = bench(SEVERAL)
    answers = send(f"00A4000002{application}", ASK, f"0082008310{PROOF}", ASK, "841E000104" + "00" * 4)
    assert answers[2] == "9000"
    assert answers[4] == "6A88"


def test_a_blocked_environment_leaves_the_bank_alone(bench: Callable[..., Exchange]) -> None:
    send = bench("blocked: [SSSE]\ntoggles: {environment_place: is_mf}\n")
    assert send(SSSE, "00A4000002DF04", DEBIT, "00B2020C0E")[:2] == ["9303", "9303"]
    assert send(DEBIT, "00B2020C0E")[1].startswith("700C5A0A")


def test_an_environment_that_is_the_mf_is_there_from_the_start(chip: Callable[..., Chip]) -> None:
    card = chip("toggles: {environment_place: is_mf}\n").on("contactless")
    card.power_on()
    assert card.transmit(bytes.fromhex("00B2022C03")) == bytes.fromhex("0201339000")
    assert card.transmit(bytes.fromhex("00A40000023F00"))[:5] == bytes.fromhex("6F1C840F73")
    assert card.transmit(bytes.fromhex("00A4000002DDF1")) == bytes.fromhex("6A82")
