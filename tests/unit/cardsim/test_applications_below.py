"""Applications below the environment: local keys and rights, alternatives of conditions, cyclic files."""

from collections.abc import Callable

import pytest

from cardsim.card.chip import Chip
from cardsim.card.filesystem import Application, RecordFile, Structure, condition_text, either, needs
from cardsim.card.keyring import Key

SSSE = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"
DF04, DF03 = "00A4040006D15600000503", "00A4000002DF03"
ASK, PROOF, ORIGINAL = "0084000008", "8135B4D81B42EA5F", "0102030405060708"
CARD_KEY = bytes.fromhex("3AAD5CFF3AB9492C4FFB7AE22E027F1C")
LOCAL, GLOBAL = f"0082008410{PROOF}{ORIGINAL}", f"0082000410{PROOF}{ORIGINAL}"
FCI_DF04 = "6F088406D156000005039000"
SEVERAL = "challenges: [" + ", ".join(["'1122334455667788'"] * 9) + "]\n"

Exchange = Callable[..., list[str]]


@pytest.fixture
def card(chip: Callable[..., Chip]) -> Chip:
    """Make a card with DF03 and DF04; the latter has a local read key and three files."""
    made = chip(SEVERAL)
    environment = made.machine.root.children[0]
    environment.children.clear()
    medical = Application("DF04", 0xDF04, bytes.fromhex("D15600000503"))
    medical.keys[0x84] = Key("RK1DF04", 0x84, {1: CARD_KEY}, limit=3, tries=3)
    records = [b"\x81\x01A"]
    for fid, read in ((0xEF05, either("PIN", "RK1DF04")), (0xEF06, needs("PIN", "RK1DF04"))):
        medical.files[fid] = RecordFile(fid, Structure.VARIABLE, 16, read, needs("UKSSSE"), list(records))
    medical.files[0xEF15] = RecordFile(
        0xEF15, Structure.CYCLIC, 2, either("PIN", "RK1DF04"), needs("UKSSSE"), [b"111", b"000"], record_length=3
    )
    environment.add(medical)
    environment.add(Application("DF03", 0xDF03, bytes.fromhex("D15600000502")))
    return made


@pytest.fixture
def send(card: Chip) -> Exchange:
    antenna = card.on("contactless")
    antenna.power_on()
    return lambda *commands: [antenna.transmit(bytes.fromhex(command)).hex().upper() for command in commands]


def test_an_application_is_selected_by_name_by_identifier_and_from_beside(send: Exchange) -> None:
    assert send(SSSE, DF04, DF03, "00A4000002DF04")[1:] == [
        FCI_DF04,
        "6F088406D156000005029000",
        FCI_DF04,
    ]


@pytest.mark.parametrize(
    ("step", "left"),
    [
        ("00A4020002EF05", {"PIN", "RK1DF04", "UKSSSE"}),
        (DF04, {"PIN", "RK1DF04", "UKSSSE"}),
        ("00A4000002DF04", {"PIN", "RK1DF04", "UKSSSE"}),
        (DF03, {"PIN", "UKSSSE"}),
        (SSSE, {"PIN"}),
    ],
)
def test_local_rights_end_in_another_application_global_ones_in_another_environment(
    card: Chip, send: Exchange, step: str, left: set[str]
) -> None:
    assert send(SSSE, ASK, GLOBAL, DF04, ASK, LOCAL, "0020000003123456", step)[5] == "9000"
    assert card.machine.rights() == left


def test_a_challenge_stays_in_the_same_application_and_dies_in_another(send: Exchange) -> None:
    send(SSSE, DF04)
    assert send(ASK, DF04, LOCAL)[2] == "9000"
    assert send(ASK, DF03, DF04, LOCAL)[3] == "6984"


def test_one_right_of_two_serves_where_either_is_asked_and_both_where_both_are(send: Exchange) -> None:
    send(SSSE, DF04)
    assert send("00B2812803", "00B2813003") == ["6982", "6982"]
    send("0020000003123456")
    assert send("00B2812803", "00B2813003") == ["8101419000", "6982"]
    send(ASK, LOCAL)
    assert send("00B2813003") == ["8101419000"]


def test_a_cyclic_file_takes_a_new_first_record_and_drops_the_last(send: Exchange) -> None:
    send(SSSE, ASK, GLOBAL, DF04, ASK, LOCAL)
    assert send("00DC00AB03323232", "00B201AC03", "00B202AC03", "00B203AC03") == [
        "9000",
        "3232329000",
        "3131319000",
        "6A83",
    ]
    assert send("00DC00AB023232", "00DC03AC03333333") == ["6A85", "6A83"]


def test_a_blocked_environment_blocks_what_lies_below(card: Chip, send: Exchange) -> None:
    card.machine.root.children[0].blocked = True
    assert send(DF04, "00B2812803") == ["9303", "9303"]


def test_a_blocked_application_leaves_the_others_alone(card: Chip, send: Exchange) -> None:
    card.machine.root.children[0].children[0].blocked = True
    assert send(SSSE, DF04, "0084000008", DF03)[1:] == ["9303", "9303", "6F088406D156000005029000"]


def test_conditions_read_like_the_rule() -> None:
    assert [condition_text(access) for access in (either("PIN", "RK1"), needs("RK1", "PIN"), needs(), ())] == [
        "PIN or RK1",
        "PIN & RK1",
        "free",
        "never",
    ]
