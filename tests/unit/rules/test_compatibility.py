import pytest

from cardd.iso7816.tlv import Record
from cardd.rules.compatibility import JUDGED_BY, OLD_FILES, OLD_MEANINGS, has_old_meaning, unfilled
from cardd.rules.content import Value, read_records
from cardd.rules.files import FILES, Generation


def on_a_1_0_card(file: str, **records: str) -> dict[int, Value]:
    """Read records of a 1.0 card; keywords are `t37="…"`."""
    stored = [Record(int(tag[1:], 16), bytes.fromhex(raw)) for tag, raw in records.items()]
    return {value.tag: value for value in read_records(FILES[file], Generation.V1, stored)}


def test_values_of_1_0_are_read_as_what_they_meant() -> None:
    values = on_a_1_0_card("DF01EF0A", t37="00123456", t38="01234567", t39="20050101")
    assert {tag: (value.item.key, value.text, value.old) for tag, value in values.items()} == {
        0x37: ("contribution_base", "00123456", True),
        0x38: ("last_years_pay", "01234567", True),
        0x39: ("update_date", "20050101", True),
    }


def test_a_rewritten_value_is_read_in_its_new_length_and_keeps_its_filled_bytes() -> None:
    values = on_a_1_0_card("DF01EF0A", t37="43484EEE", t38="3133EEEE", t39="20100701")
    assert {tag: (value.item.key, value.text, value.old) for tag, value in values.items()} == {
        0x37: ("nationality", "CHN", False),
        0x38: ("political_status", "13", False),
        0x39: ("party_date", "20100701", False),
    }
    assert values[0x37].raw == bytes.fromhex("43484EEE")


def test_a_long_text_that_was_rewritten_is_short() -> None:
    hospital = "测试医院".encode("gbk").ljust(0x46, b"\x00").hex()
    values = on_a_1_0_card("DF04EF05", t81=b"31010000".hex() + "EE" * 62, t84=hospital, t87=b"1".hex() + "EE" * 0x45)
    assert values[0x81].text == "31010000"
    assert (values[0x84].text, values[0x84].item.key) == ("测试医院", "hospital_2")
    assert not values[0x87].old


def test_a_region_that_replaced_money_is_read() -> None:
    assert on_a_1_0_card("DF03EF05", t61="510100EE")[0x61].text == "510100"
    assert on_a_1_0_card("DF03EF05", t61="00010000")[0x61].item.key == "monthly_payment"


@pytest.mark.parametrize(("judge", "old"), [("510100EE", False), ("00123456", True)])
def test_a_neighbour_decides_where_both_meanings_have_one_length(judge: str, old: bool) -> None:  # noqa: FBT001
    values = on_a_1_0_card("DF03EF07", t70="313130", t71=judge, t6F="20200101")
    assert [values[tag].old for tag in (0x70, 0x71, 0x6F)] == [old, old, old]


def test_without_its_neighbour_a_value_is_judged_alone() -> None:
    assert on_a_1_0_card("DF04EF06", t92="00001234")[0x92].old is True
    assert on_a_1_0_card("DF02EF09", t97="510100EE")[0x97].old is False
    assert on_a_1_0_card("DF02EF09", t97="20100101")[0x97].old is True


def test_a_value_of_the_new_length_alone_is_new() -> None:
    number = b"5101000000000001".hex()
    values = on_a_1_0_card("DF02EF09", t55=number, t96="20200101")
    assert (values[0x55].old, values[0x96].old) == (False, False)
    assert on_a_1_0_card("DF02EF09", t55="00000000000000000001")[0x55].old


@pytest.mark.parametrize(
    ("generation", "raw", "text"),
    [
        (Generation.V3, "5101010000000001", "5101010000000001"),
        (Generation.V2, b"5101010000000001".hex(), "5101010000000001"),
        (Generation.V1, "5101010000000001EEEE", "5101010000000001"),
        (Generation.V3, "FFFFFFFFFFFFFFFF", None),
    ],
)
def test_a_certificate_number_is_read_by_its_length_as_annex_or_table_has_it(
    generation: Generation, raw: str, text: str | None
) -> None:
    (value,) = read_records(FILES["DF02EF09"], generation, [Record(0x55, bytes.fromhex(raw))])
    assert (value.text, value.fault, value.raw.hex().upper()) == (text, None, raw.upper())


def test_a_certificate_number_of_any_other_length_stays_a_fault() -> None:
    (value,) = read_records(FILES["DF02EF09"], Generation.V3, [Record(0x55, bytes(range(1, 8)))])
    assert value.fault is not None


@pytest.mark.parametrize("generation", [Generation.V2, Generation.V3])
def test_later_cards_have_no_old_meanings(generation: Generation) -> None:
    raw = {0x37: bytes.fromhex("00123456")}
    assert has_old_meaning(FILES["DF01EF0A"], Generation.V1, 0x37, raw)
    assert not has_old_meaning(FILES["DF01EF0A"], generation, 0x37, raw)


def test_other_tags_and_absent_values_have_no_old_meaning() -> None:
    assert not has_old_meaning(FILES["DF01EF09"], Generation.V1, 0x2E, {0x2E: b"x", 0x32: b"123"})
    assert not has_old_meaning(FILES["DF01EF09"], Generation.V1, 0x32, {})


def test_only_bytes_ee_behind_the_new_length_are_taken_away() -> None:
    assert unfilled(bytes.fromhex("510100EE"), 3) == bytes.fromhex("510100")
    assert unfilled(bytes.fromhex("5101EEEE"), 4) == bytes.fromhex("5101EEEE")
    assert unfilled(bytes.fromhex("51010011EE"), 3) == bytes.fromhex("51010011EE")


def test_old_meanings_name_items_of_the_files_they_stand_in() -> None:
    for file, items in OLD_MEANINGS.items():
        assert all(FILES[file].item(item.tag) for item in items)
    for file, judged in JUDGED_BY.items():
        assert {*judged, *judged.values()} <= {item.tag for item in OLD_MEANINGS[file]}
    assert all(FILES[file].exists_in(Generation.V1) for file in (*OLD_FILES, *OLD_MEANINGS))
