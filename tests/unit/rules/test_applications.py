import pytest

from cardd.rules.applications import APPLICATIONS
from cardd.rules.files import FILES, PIN, Generation, Structure
from cardd.rules.items import Item, ItemType
from cardd.rules.keys import KeyName

ITEMS = [(rule, item) for rule in FILES.values() for item in (*rule.items, *rule.fields)]
CHAINS = [item for _, item in ITEMS if item.type is ItemType.B_TLV]


def test_applications_have_the_files_of_the_rule() -> None:
    files = {name: [rule.address.removeprefix(name) for rule in app.files] for name, app in APPLICATIONS.items()}
    assert files == {
        "SSSE": ["EF05", "EF06", "EF07", "EF08", "EF1E"],
        "DF01": [f"EF{number:02X}" for number in (*range(5, 11), *range(0x15, 0x1B))],
        "DF02": ["EF05", "EF06", "EF07", "EF09", "EF15", "EF16"],
        "DF03": [f"EF{number:02X}" for number in (*range(5, 11), *range(0x15, 0x1A))],
        "DF04": ["EF05", "EF06", "EF08", "EF09", "EF15"],
        "DF05": ["EF05"],
        "DF06": ["EF05", "EF06"],
        "DF07": ["EF05", "EF06", "EF07"],
    }
    assert all(rule.application == name for name, app in APPLICATIONS.items() for rule in app.files)


def test_optional_applications_are_found_by_their_label_alone() -> None:
    assert {name for name, application in APPLICATIONS.items() if application.optional} == {"DF05", "DF06"}
    assert {name for name, application in APPLICATIONS.items() if application.aid is None} == {"DF05", "DF06"}
    assert APPLICATIONS["SSSE"].label is None
    assert APPLICATIONS["DF05"].label == "生命与健康信息区"


@pytest.mark.parametrize("item", CHAINS, ids=lambda item: item.key)
def test_a_chain_is_as_long_as_its_inner_items(item: Item) -> None:
    assert sum(inner.record_length for inner in item.inner) == item.length


def test_only_chains_have_inner_items() -> None:
    assert all(bool(item.inner) == (item.type is ItemType.B_TLV) for _, item in ITEMS)
    assert len(CHAINS) == 11


def test_no_file_has_a_tag_or_a_name_twice() -> None:
    for rule in FILES.values():
        for items in (rule.items, rule.fields, *(item.inner for item in rule.items)):
            assert len({item.key for item in items}) == len(items)
        assert len({item.tag for item in rule.items}) == len(rule.items)


def test_a_tag_stands_for_one_item_of_the_whole_card_but_for_the_last_unemployment_registration() -> None:
    tags = [item.tag for rule, item in ITEMS if not rule.fields]
    assert {tag for tag in tags if tags.count(tag) > 1} == {0x60}


@pytest.mark.parametrize(
    ("address", "structure", "records", "length"),
    [("DF02EF07", "CY", 4, 0x55), ("DF02EF16", "CY", 4, 0x12), ("DF04EF08", "CY", 30, 0x1C), ("DF04EF15", "CY", 8, 3)],
)
def test_cyclic_files_have_records_of_one_length(address: str, structure: str, records: int, length: int) -> None:
    rule = FILES[address]
    assert (rule.structure, rule.records, rule.record_length) == (structure, records, length)
    assert rule.space == records * length


@pytest.mark.parametrize(("address", "size"), [("SSSEEF07", 0x300), ("SSSEEF08", 0x1000), ("DF01EF1A", 0x128)])
def test_transparent_files_have_a_size(address: str, size: int) -> None:
    assert (FILES[address].structure, FILES[address].space) == (Structure.TRANSPARENT, size)


def test_a_transaction_of_an_account_alone_is_shorter() -> None:
    assert [sum(item.length for item in layout) for layout in FILES["DF04EF08"].layouts] == [0x1C, 0x14]


def test_repeated_tags_are_those_of_the_rule() -> None:
    assert {item.tag: item.count for _, item in ITEMS if item.count > 1} == {
        0x40: 3,
        0x43: 2,
        0x44: 2,
        0x99: 4,
        0x4A: 3,
        0x79: 4,
        0xA3: 5,
        0xA4: 5,
    }


def test_every_condition_and_update_key_is_one_of_its_own_application() -> None:
    for rule in FILES.values():
        keys = {right for access in rule.read.values() for way in access.ways for right in way if right is not PIN}
        keys |= {rule.write} if rule.write else set()
        assert all(key.endswith(rule.application) for key in keys)


def test_files_of_1_0_alone_have_no_items_and_files_since_2_0_are_not_there() -> None:
    only = {address for address, rule in FILES.items() if set(rule.read) == {Generation.V1}}
    assert only == {"DF03EF08", "DF03EF09", "DF03EF0A", "DF04EF09"}
    assert not any(FILES[address].items for address in only)
    assert not FILES["SSSEEF08"].exists_in(Generation.V1)
    assert FILES["SSSEEF08"].exists_in(Generation.V2)


def test_the_account_of_1_0_has_fixed_records() -> None:
    assert FILES["DF04EF06"].structure_of(Generation.V1) is Structure.LINEAR_FIXED
    assert FILES["DF04EF06"].structure_of(Generation.V3) is Structure.LINEAR_VARIABLE


def test_transactions_are_written_by_no_key() -> None:
    assert {address for address, rule in FILES.items() if rule.write is None} == {"SSSEEF1E", "DF04EF08"}
    assert FILES["DF04EF15"].write is KeyName.UK2DF04


@pytest.mark.parametrize(
    ("address", "tag", "text", "meaning"),
    [
        ("SSSEEF06", 0x0B, "01", "汉"),
        ("SSSEEF06", 0x0B, "56", "基诺"),
        ("SSSEEF06", 0x0A, "9", "not stated"),
        ("SSSEEF06", 0x0A, "7", None),
        ("DF03EF18", 0x76, "01", "spouse"),
        ("DF03EF18", 0x76, "1", "spouse"),
        ("SSSEEF06", 0x08, "1", None),
        (
            "DF04EF05",
            0x81,
            "31010010",
            (
                "type: employees; treatment elsewhere approved: yes; outpatient pooling: no; "
                "serious outpatient disease: no; medical relief: yes; veterans' subsidy: no"
            ),
        ),
        ("DF02EF06", 0x4F, "102030", "type: 10; reason: 20; cancel reason: 30"),
    ],
)
def test_a_code_has_the_meaning_of_its_table(address: str, tag: int, text: str, meaning: str | None) -> None:
    item = FILES[address].item(tag)
    assert item is not None
    assert item.meaning(text) == meaning
