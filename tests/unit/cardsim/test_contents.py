"""What a persona says stands on the card byte for byte, in files of every structure, right or wrong."""

from collections.abc import Callable

import pytest

from cardd.base.document import DocumentError

Exchange = Callable[..., list[str]]

PIN = "0020000003123456"
DF01, DF02, DF03, DF04 = (f"00A4040006D1560000050{number}" for number in range(4))


def gbk(text: str, length: int) -> str:
    return text.encode("gbk").ljust(length, b"\x00").hex().upper()


def test_texts_stand_where_the_driver_shows_them_and_the_rest_is_unset(bench: Callable[..., Exchange]) -> None:
    send = bench('files: {DF01EF05: {"20": "11", 21: 测试路, "0e": 510101}, DF01EF0A: {"39": 1920-01-02}}\n')
    assert send(PIN, DF01, "00B2202800", "00B2202804", "00B2212852", "00B20E2805")[3:] == [
        "200231319000",
        f"2150{gbk('测试路', 0x50)}9000",
        "0E035101019000",
    ]
    assert send("00B2375005", "00B2395006") == ["37030000009000", "3904192001029000"]


def test_repeated_items_are_filled_by_their_number(bench: Callable[..., Exchange]) -> None:
    send = bench('files: {DF01EF15: {"40": 203^^测试^, "40:3": 303^010203^^}}\n')
    inner = (f"57033230335803FFFFFF5928{gbk('测试', 0x28)}", f"570333303358030102035928{gbk('', 0x28)}")
    empty = f"57030000005803FFFFFF5928{gbk('', 0x28)}"
    # a short identifier would reset the record pointer
    answers = send(PIN, DF01, "00A4020002EF15", "00B2400036", "00B2400236", "00B2400236", "00B2400236")[3:]
    assert answers == [f"4034{value}9000" for value in (inner[0], empty, inner[1])] + ["6A83"]
    assert send("00B204AC00", "00B205AC00") == ["6C36", "6A83"]


def test_records_of_one_length_with_tags_are_found_by_tag_and_by_number(bench: Callable[..., Exchange]) -> None:
    send = bench('files: {DF03EF19: {"79:2": 310^510101^19200101^^^^^}}\n')
    second = send(PIN, DF03, "00B202CC29")[2]
    assert second.startswith("7927180333313019035101011A04192001011B04FFFFFFFF")
    assert send("00A4020002EF19", "00B2790029", "00B2790229")[2] == second
    assert send("00B204CC00", "00B205CC00") == ["6C29", "6A83"]


def test_a_record_of_one_length_keeps_it(bench: Callable[..., Exchange]) -> None:
    send = bench("challenges: ['1122334455667788']\n")
    proof = "0082008D108135B4D81B42EA5F0102030405060708"
    record = "7927" + "00" * 0x27
    assert send(DF03, "0084000008", proof)[2] == "9000"
    assert send(
        f"00DC01CC29{record}", f"00DC01CC28{record[:-2]}", f"00DC01CC297926{record[4:]}", f"00DC05CC29{record}"
    ) == ["9000", "6A85", "6A85", "6A84"]


def test_a_record_may_grow_as_far_as_the_file_has_room_beside_the_others(bench: Callable[..., Exchange]) -> None:
    send = bench("challenges: ['1122334455667788']\n")
    assert send(DF01, "0084000008", "00820087108135B4D81B42EA5F0102030405060708")[2] == "9000"
    room = 5 + 0x80
    too_long, fitting = (f"37{length - 2:02X}" + "00" * (length - 2) for length in (room + 1, room))
    assert send(f"00DC0154{room + 1:02X}{too_long}", f"00DC0154{room:02X}{fitting}") == ["6A84", "9000"]


def test_cyclic_files_are_given_newest_first(bench: Callable[..., Exchange]) -> None:
    send = bench("files: {DF02EF16: [020^19210101^^^510101^, 010^19200101^^^510101^]}\n")
    blank = "FFFFFFFF" * 2
    assert send(PIN, DF02, "00B201B412", "00B202B412", "00B203B412")[2:] == [
        f"30323019210101{blank}5101019000",
        f"30313019200101{blank}5101019000",
        "6A83",
    ]


def test_transactions_of_the_shorter_layout_make_a_file_of_it(bench: Callable[..., Exchange]) -> None:
    send = bench("files: {DF04EF08: [0001^1^510100000001^19200101010101^12.50^]}\n")
    assert send(PIN, DF04, "00B2014414")[2] == "00013151010000000119200101010101000004E29000"


def test_transparent_files_are_filled_up_with_zeros(bench: Callable[..., Exchange]) -> None:
    send = bench("files: {DF01EF16: 0102}\n")
    assert send(DF01, "00B0960004", "00A4020002EF16", "00B0012601", "00B0012701", "00B0012801")[1:] == [
        "010200009000",
        "9000",
        "009000",
        "009000",
        "6B00",
    ]


def test_an_item_of_the_first_generation_keeps_its_old_meaning_and_length(bench: Callable[..., Exchange]) -> None:
    more = 'files: {DF03EF05: {"61": "00060000"}, DF04EF05: {"81": 测试医院}, DF01EF0A: {"37": CHN}}\n'
    send = bench(more, profile="1.0", algorithm="des", interface="contact")
    assert send(PIN, DF04, "00B2812C00", "00B2812800")[2:] == ["6A83", "6C48"]
    assert send("00B2812848") == [f"8146{gbk('测试医院', 0x46)}9000"]
    # this text fits the new meaning alone, so it is stored as a rewritten card would
    assert send(DF01, "00B2375006")[1] == "370443484EEE9000"


def test_bytes_of_any_kind_stand_there_as_they_are_given(bench: Callable[..., Exchange]) -> None:
    send = bench('raw: {SSSEEF05: {"05": "3230323430313032", "02": "", "F0": "00"}, DF01EF16: 0A}\n')
    assert send("00B2052800", "00B2022800", "00B2F02803", "00B2072C03", "00B2082C00") == [
        "6C0A",
        "6A83",
        "F001009000",
        "F001009000",
        "6A83",
    ]
    assert send("00A4000002DF01", "00B0960001", "00B0960101")[1:] == ["0A9000", "6B00"]


def test_records_may_be_given_whole(bench: Callable[..., Exchange]) -> None:
    send = bench('raw: {SSSEEF05: ["0110AB", "0B"], DF04EF15: ["000139"]}\n')
    assert send("00B2012C00", "00B2022C01", "00B2032C00") == ["6C03", "0B9000", "6A83"]
    assert send(PIN, DF04, "00B201AC03")[2] == "0001399000"


def test_what_a_card_lacks_is_absent(bench: Callable[..., Exchange]) -> None:
    send = bench("absent: [SSSEEF08, DF01EF15, DF07]\n")
    assert send("00A4020002EF08", DF01, "00A4020002EF15", "00A4040006D15600000504", "00A4000002DF07") == [
        "6A82",
        "6F088406D156000005009000",
        "6A82",
        "6A82",
        "6A82",
    ]
    assert send("00A4000002DDF1", "00B204F402", "00B205F402")[1:] == ["701B9000", "6A83"]


def test_an_issuer_s_own_application_and_files_are_there_and_listed(bench: Callable[..., Exchange]) -> None:
    send = bench('raw: {DF0AEF0C: "01020304", DF0AEF0D: {"31": "32"}, DF01EF0C: ["310133"]}\n')
    assert send("00A4040006D1560000050A", "00B08C0002", "00B2316803")[1:] == ["01029000", "3101329000"]
    assert send("00A4000002DF01", "00B2316003")[1] == "3101339000"
    assert send("00A4000002DDF1", "00B206F40C")[1] == "700A61084F06D1560000050A9000"


@pytest.mark.parametrize(
    ("more", "hint"),
    [
        ('files: {DF01EF05: {"99": x}}\n', "DF01EF05.99.*no such item"),
        ('files: {DF01EF05: {"20:2": x}}\n', "no such item"),
        ('files: {DF01EF15: {"40:4": x}}\n', "no such item"),
        ('files: {DF01EF05: {"20": 111}}\n', "room for 2"),
        ('files: {DF01EF15: {"40": a^b}}\n', "texts"),
        ("files: {DF02EF07: {}}\n", "list of records"),
        ("files: {DF02EF16: [a^b^]}\n", "DF02EF16"),
        ("files: {DF01EF16: [a]}\n", "hexadecimal"),
        ("files: {DF01EF05: [a]}\n", "items"),
        ("files: {SSSEEF1E: {}}\n", "no such file"),
        ("files: {DF0AEF0C: {}}\n", "no such file"),
        ("raw: {DF01EF0B: 00}\n", "EF0C"),
        ("raw: {XF01EF0B: 00}\n", "no application and file|is no"),
        ("raw: {SSSEEF05: 00}\n", "records in hexadecimal"),
        ('raw: {SSSEEF05: {"1": "00"}}\n', "a tag"),
        ('raw: {SSSEEF05: {"01": "0"}}\n', "a tag"),
        ("raw: {DF04EF15: ['000139', '0001']}\n", "different lengths"),
        ("applications: [DF99]\n", "no such application"),
        ("absent: [DF99]\n", "no such application"),
    ],
)
def test_what_no_card_can_hold_is_told_with_its_place(bench: Callable[..., Exchange], more: str, hint: str) -> None:
    with pytest.raises(DocumentError, match=hint):
        bench(more)
