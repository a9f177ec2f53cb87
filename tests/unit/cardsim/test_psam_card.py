"""The security module computes what a card expects; the old card shows its number."""

from collections.abc import Callable

import pytest

from cardsim.card.make import make_card
from cardsim.persona import load_persona

Exchange = Callable[..., list[str]]
Shipped = Callable[[str], Exchange]

SX1, SX3 = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF", "00A404000F7378332E73682EC9E7BBE1B1A3D5CF"
DF01 = "00A4040006D15600000590"
PROVINCE, CITY, CARD = "3531303030307368", "3531303130307378", "86845101C0FFEE01"
FACTOR, ORIGINAL = "1122334455667788", "0102030405060708"


def deliver(usage: str, key: str, *parts: str) -> str:
    data = "".join(parts)
    return f"BFDE{usage}{key}{len(data) // 2:02X}{data}"


@pytest.mark.parametrize(
    ("name", "usage", "factors"),
    [("psam", "67", (CARD, CITY, PROVINCE)), ("psam-provincial", "47", (CARD, CITY))],
)
def test_des_authentication_data_comes_out_of_the_module(
    shipped_card: Shipped, name: str, usage: str, factors: tuple[str, ...]
) -> None:
    send = shipped_card(name)
    answers = send(SX1, DF01, "BFEC00000151", deliver(usage, "08", *factors, FACTOR), "80FA000008" + ORIGINAL)
    assert answers[2:] == ["9000", "9000", "98B77B8088D60DA09000"]


def test_sm4_gives_the_whole_block_and_leaves_the_folding_to_the_terminal(shipped_card: Shipped) -> None:
    send = shipped_card("psam")
    send(SX3, DF01, deliver("67", "08", CARD, CITY, PROVINCE, FACTOR + "00" * 8))
    (answer,) = send("80FA000010" + ORIGINAL + "00" * 8)
    block = bytes.fromhex(answer)[:-2]
    assert bytes(a ^ b for a, b in zip(block[:8], block[8:], strict=True)).hex().upper() == "8135B4D81B42EA5F"


@pytest.mark.parametrize("key", ["0A", "10", "11", "12", "24", "2E", "3F", "42", "49", "B4"])
def test_every_key_that_the_rule_numbers_is_there(shipped_card: Shipped, key: str) -> None:
    send = shipped_card("psam")
    answers = send(SX1, DF01, deliver("67", key, CARD, CITY, PROVINCE, FACTOR), "80FA000008" + ORIGINAL)
    assert answers[2:] == ["9000", "98B77B8088D60DA09000"]


@pytest.mark.parametrize("key", ["09", "20", "23", "3C", "B3"])
def test_the_short_root_of_des_serves_every_maintenance_key(shipped_card: Shipped, key: str) -> None:
    send = shipped_card("psam")
    padded = "8424000004800000"
    answers = send(SX1, DF01, deliver("66", key, CARD, CITY, PROVINCE, FACTOR), "80FA050010" + "00" * 8 + padded)
    assert answers[2:] == ["9000", "C47024C09000"]


def test_the_province_may_be_told_before_or_after_the_application_is_selected(shipped_card: Shipped) -> None:
    send = shipped_card("psam-provincial")
    assert send("BFEC00000151", SX3, "BFEC00000151", "BFEC00000133", DF01, "BFEC00000151", "BFEC00000133")[2:] == [
        "9000",
        "6A80",
        "6F088406D156000005909000",
        "9000",
        "6A80",
    ]


def test_the_answer_waits_for_get_response_at_t0() -> None:
    card = make_card(load_persona("psam"))
    card.power_on()
    for command in (SX3, DF01, deliver("67", "08", CARD, CITY, PROVINCE, FACTOR + "00" * 8)):
        card.transmit(bytes.fromhex(command))
    assert card.transmit(bytes.fromhex("80FA000010" + ORIGINAL + "00" * 8)) == b"\x61\x10"


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (deliver("47", "08", CARD, CITY, FACTOR), "6A80"),
        (deliver("67", "08", CARD, CITY, FACTOR), "6A80"),
        (deliver("47", "08", CARD, CITY, PROVINCE, FACTOR), "6A80"),
        (deliver("67", "5F", CARD, CITY, PROVINCE, FACTOR), "6A88"),
        (deliver("62", "08", CARD, CITY, PROVINCE, FACTOR), "6A88"),
        (deliver("67", "08", CARD, CITY, PROVINCE, FACTOR + "00"), "6700"),
        ("80FA000008" + ORIGINAL, "6901"),
        ("BFEC000001AA", "6A80"),
        ("BFEC0000025101", "6700"),
        ("BFAA0000", "6D00"),
        ("B0260001", "6E00"),
    ],
)
def test_the_module_refuses_by_its_table(shipped_card: Shipped, command: str, status: str) -> None:
    assert shipped_card("psam")(SX1, DF01, command)[2] == status


def test_a_provincial_module_serves_its_province_only(shipped_card: Shipped) -> None:
    assert shipped_card("psam-provincial")(SX1, DF01, "BFEC00000151", "BFEC00000133")[2:] == ["9000", "6A80"]


def test_a_module_computes_the_mac_of_a_maintenance_command(shipped_card: Shipped) -> None:
    send = shipped_card("psam")
    send(SX3, DF01, deliver("68", "09", CARD, CITY, PROVINCE, FACTOR + "00" * 8))
    padded = "8424000004" + "80" + "00" * 10
    whole = send("80FA050020" + "00" * 16 + padded)
    parts = send("80FA070010" + "00" * 16, "80FA010010" + padded)
    assert (whole, parts) == (["744DC8F29000"], ["9000", "744DC8F29000"])


def test_an_authentication_key_makes_no_macs(shipped_card: Shipped) -> None:
    send = shipped_card("psam")
    send(SX3, DF01, deliver("67", "08", CARD, CITY, PROVINCE, FACTOR + "00" * 8))
    assert send("80FA050020" + "00" * 32) == ["6985"]


def test_a_session_key_ends_with_its_application(shipped_card: Shipped) -> None:
    send = shipped_card("psam")
    send(SX1, DF01, deliver("67", "08", CARD, CITY, PROVINCE, FACTOR), SX3, DF01)
    assert send("80FA000010" + ORIGINAL * 2) == ["6901"]


def test_the_module_says_who_it_is(shipped_card: Shipped) -> None:
    send = shipped_card("psam")
    assert send("00A40000023F00", "00B0960006", "00A4020002" + "0016", "00B0000006")[1:] == [
        "5101000000019000",
        "9000",
        "5101000000019000",
    ]
    assert send(DF01, "00B0990004")[1] == "000000019000"


def test_the_old_card_shows_digits_and_then_blanks(shipped_card: Shipped) -> None:
    send = shipped_card("old-jia")
    number = b"1900000001".ljust(20).hex().upper() + "9000"
    fci = "6F15840E315041592E5359532E4444463031A5038801019000"
    assert send("00A404000E315041592E5359532E4444463031", "00A40200020003", "00B0000014", "00B0830000") == [
        fci,
        "9000",
        number,
        number,
    ]
    assert send("00D6830001" + "30", "00B0000015", "00200000", SX1) == ["6982", "6C14", "6D00", "6A82"]
