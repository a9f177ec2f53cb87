"""The tables against the same specification as somebody wrote it down who had not seen them, cell by cell."""

from collections.abc import Iterator

import pytest
from support.transcription import Row, address, rows

from cardd.rules import directory
from cardd.rules.applications import APPLICATIONS, FIRST_LOCAL_APPLICATION, MASTER_FILE
from cardd.rules.applications.df04 import MONEY
from cardd.rules.compatibility import JUDGED_BY, LENGTHS_NOT_PUBLISHED, OLD_MEANINGS, old_item
from cardd.rules.files import FILES, Access, FileRule, Generation
from cardd.rules.items import Item

MONEY_FILE = "money"
DIRECTORY = "EF1E"


def item_name(row: Row) -> str:
    return "-".join(filter(None, (address(row), row["parent_tag"], row["tag"], row["position"])))


# --- files ---

# what the specification leaves open, and what the tables say there
FILES_IN_OTHER_WORDS = {
    ("SSSEEF1E", "name_en"): "directory of applications",
    ("SSSEEF1E", "name_zh"): "目录数据文件",
    ("DF02EF09", "name_en"): "employment and unemployment certificate",
    # the four files that 1.0 alone has are named as such
    ("DF03EF08", "name_en"): "work injury insurance of 1.0",
    ("DF03EF09", "name_en"): "maternity insurance of 1.0",
    ("DF03EF0A", "name_en"): "rural pension of 1.0",
    ("DF04EF09", "name_en"): "residents' medical insurance of 1.0",
    **{(f"DF01EF{0x15 + number:02X}", "name_zh"): f"预留信息{number}" for number in range(1, 6)},
    # "its UK" is the next of that application
    ("DF03EF08", "read_1_0"): "PIN & RK3DF03 or UK4DF03",
    ("DF03EF09", "read_1_0"): "PIN & RK4DF03 or UK5DF03",
    ("DF03EF0A", "read_1_0"): "PIN & RK5DF03 or UK6DF03",
    # 1.0's condition of the permit is not given: that of its neighbours
    ("DF02EF09", "read_1_0"): "PIN or UK4DF02",
    ("DF04EF08", "write"): "",
}
READ_COLUMNS = dict(zip(Generation, ("read_1_0", "read_2_0", "read_3_0"), strict=True))
CARD_FILES = [row for row in rows("card_files") if row["file"] != MONEY_FILE]


def file_cells(rule: FileRule) -> Row:
    size = f"{rule.size:X}" if rule.size else ""
    return {
        "application": rule.application,
        "file": f"{rule.fid:04X}",
        "fid": f"{rule.fid:04X}",
        "name_en": rule.en,
        "name_zh": rule.zh,
        "structure": rule.structure.value,
        "records_min": str(rule.records or ""),
        "record_length_hex": f"{rule.record_length:02X}" if rule.record_length else "",
        "size_hex": size,
        **{column: access_text(rule.read.get(generation)) for generation, column in READ_COLUMNS.items()},
        "write": rule.write or "",
        "class": rule.file_class.value if rule.file_class else "",
    }


def access_text(access: Access | None) -> str:
    return "" if access is None else str(access)


@pytest.mark.parametrize("row", CARD_FILES, ids=address)
def test_a_file_is_as_transcribed(row: Row) -> None:
    cells = file_cells(FILES[address(row)])
    told_elsewhere = {"structure", "name_en", "name_zh", "write"}
    for column, transcribed in row.items():
        if column == "remark" or (not transcribed and column in told_elsewhere):
            continue
        expected = FILES_IN_OTHER_WORDS.get((address(row), column), transcribed)
        assert cells[column] == expected, column


def test_every_file_is_transcribed_and_no_other() -> None:
    assert {address(row) for row in CARD_FILES} == set(FILES)


def test_the_account_of_1_0_has_fixed_records_and_transactions_a_short_form_as_remarked() -> None:
    assert FILES["DF04EF06"].structure_of(Generation.V1).value == "LF"
    assert [sum(item.length for item in layout) for layout in FILES["DF04EF08"].layouts] == [0x1C, 0x14]


# --- items ---

ITEMS_IN_OTHER_WORDS = {
    "unemployment type(2)+reason(2)+cancel reason(2)": "unemployment type, reason, cancel reason",
    "personal payments, fen": "personal payments",
    "退出…认定地行政区划代码": "退出就业援助对象范围的认定地行政区划代码",
    "累计次数": "脱网医保结算累计次数",
    "heart": "heart disease",
    "cardio-cerebral": "cardio-cerebral disease",
    "clotting": "clotting disorder",
    "mental": "mental disorder",
    "ABO": "ABO blood type as text",
    "grade": "disability grade",
}
ITEMS_TOLD_APART = {
    "DF07EF05-F2": "date of the title",
    "DF07EF05-F4": "date of the medal",
    "DF05EF05-AB": "vaccination date",
    "DF06EF05-C2": "paying body's code",
}
NUMBERED = {"83": 1, "86": 2, "89": 3, "7D": 1, "7E": 2, "7F": 3, "8D": 1, "8E": 2}
ITEMS = [row for row in rows("items") if row["file"] not in {DIRECTORY, MONEY_FILE} and ".." not in row["tag"]]


def nested_items(rule: FileRule) -> Iterator[tuple[str, str, str, Item]]:
    """Give (tag of the item around it, tag, position, item) of a file."""
    for position, item in enumerate((*rule.items, *rule.fields), 1):
        yield "", f"{item.tag:02X}" if item.tag else "", "" if item.tag else str(position), item
        for inner in item.inner:
            yield f"{item.tag:02X}", f"{inner.tag:02X}", "", inner


def item_of(row: Row) -> Item:
    place = (row["parent_tag"], row["tag"], row["position"])
    (item,) = (item for *at, item in nested_items(FILES[address(row)]) if tuple(at) == place)
    return item


@pytest.mark.parametrize("row", ITEMS, ids=item_name)
def test_an_item_has_the_type_length_and_number_of_the_transcription(row: Row) -> None:
    item = item_of(row)
    transcribed = (row["type"], row["length_hex"], row["occurrences"] or "1")
    assert (item.type.value, f"{item.length:02X}", str(item.count)) == transcribed


@pytest.mark.parametrize("row", [row for row in ITEMS if row["name_en"]], ids=item_name)
def test_an_item_is_named_as_transcribed(row: Row) -> None:
    plain = ITEMS_IN_OTHER_WORDS.get(row["name_en"], row["name_en"].replace("/", " or "))
    assert item_of(row).en == ITEMS_TOLD_APART.get(item_name(row), plain)


@pytest.mark.parametrize("row", [row for row in ITEMS if row["name_zh"]], ids=item_name)
def test_an_item_has_the_chinese_name_of_the_transcription(row: Row) -> None:
    number = str(NUMBERED[row["tag"]]) if row["name_zh"].endswith("定点医疗机构代码") or row["tag"] in NUMBERED else ""
    assert item_of(row).zh == ITEMS_IN_OTHER_WORDS.get(row["name_zh"], row["name_zh"]) + number


@pytest.mark.parametrize("row", [row for row in ITEMS if row["record_2_0"]], ids=item_name)
def test_an_item_has_the_record_number_of_the_transcription(row: Row) -> None:
    rule, item = FILES[address(row)], item_of(row)
    numbers = [rule.items_of(generation) for generation in (Generation.V1, Generation.V2, Generation.V3)]
    found = [str(items.index(item) + 1) if item in items else "" for items in numbers]
    assert found == [row["record_1_0"], row["record_2_0"], row["record_2_0"]]


@pytest.mark.parametrize("row", [row for row in ITEMS if row["generation_from"]], ids=item_name)
def test_an_item_is_as_old_as_transcribed(row: Row) -> None:
    rule, item = FILES[address(row)], item_of(row)
    there = rule.exists_in(Generation.V1) and item in rule.items_of(Generation.V1)
    same = there and old_item(rule.address, item.tag) is None
    assert row["generation_from"] == ("1.0" if same else "2.0")


def test_every_item_is_transcribed_in_the_order_of_the_tables_and_no_other() -> None:
    for rule in FILES.values():
        transcribed = [
            (row["parent_tag"], row["tag"], row["position"]) for row in ITEMS if address(row) == rule.address
        ]
        assert [tuple(at) for *at, _ in nested_items(rule)] == transcribed


def test_tags_without_description_are_those_of_the_transcription() -> None:
    (row,) = (row for row in rows("items") if ".." in row["tag"])
    first, last = (int(tag, 16) for tag in row["tag"].split(".."))
    assert {address(row): tuple(range(first, last + 1))} == {
        rule.address: rule.undescribed for rule in FILES.values() if rule.undescribed
    }


def test_the_money_file_is_as_transcribed() -> None:
    transcribed = [(row["name_en"], row["length_hex"]) for row in rows("items") if row["file"] == MONEY_FILE]
    ours = [(item.en.removesuffix(", mmdd"), f"{item.length:02X}") for item in MONEY]
    assert ours == transcribed


def test_a_directory_entry_has_the_tags_of_the_transcription() -> None:
    tags = [int(row["tag"], 16) for row in rows("items") if row["file"] == DIRECTORY]
    assert tags == [directory.ENTRY, directory.APPLICATION, directory.AID, directory.LABEL]


# --- applications ---


@pytest.mark.parametrize("row", rows("applications"), ids=lambda row: row["fid"])
def test_an_application_is_as_transcribed(row: Row) -> None:
    fid = int(row["fid"], 16)
    if fid in {MASTER_FILE, FIRST_LOCAL_APPLICATION}:
        return
    (application,) = (application for application in APPLICATIONS.values() if application.fid == fid)
    aid = application.aid.hex().upper() if application.aid else ""
    assert (aid, application.label or "", application.en) == (
        row["aid_hex"],
        row["label_zh"],
        row["name_en"].replace("/", " and "),
    )
    assert application.optional == ("optional" in row["remark"])


def test_every_application_is_transcribed_and_no_other() -> None:
    fids = {application.fid for application in APPLICATIONS.values()}
    assert {int(row["fid"], 16) for row in rows("applications")} == fids | {MASTER_FILE, FIRST_LOCAL_APPLICATION}


# --- old meanings ---

OLD_IN_OTHER_WORDS = {
    "permit no.": "permit number",
    "date": "issue date",
    "account no.": "personal account number",
    ("81", "names of three hospitals"): "name of hospital 1",
    ("84", "names of three hospitals"): "name of hospital 2",
    ("87", "names of three hospitals"): "name of hospital 3",
}


@pytest.mark.parametrize("row", rows("old_meanings"), ids=lambda row: f"{row['file']}-{row['tag']}")
def test_an_old_meaning_is_as_transcribed(row: Row) -> None:
    file, tag = row["file"], int(row["tag"], 16)
    old, new = old_item(file, tag), FILES[file].item(tag)
    assert old is not None
    assert new is not None
    assert (new.type.value, f"{new.length:02X}") == (row["new_type"] or new.type.value, row["new_length_hex"])
    if row["old_type"]:
        assert (old.type.value, f"{old.length:02X}") == (row["old_type"], row["old_length_hex"])
    assert ((file, tag) in LENGTHS_NOT_PUBLISHED) == (not row["old_type"])
    plain = OLD_IN_OTHER_WORDS.get(row["old_meaning"], row["old_meaning"])
    assert old.en == OLD_IN_OTHER_WORDS.get((row["tag"], row["old_meaning"]), plain)


def test_every_old_meaning_is_transcribed_and_no_other() -> None:
    ours = [(file, f"{item.tag:02X}") for file, items in OLD_MEANINGS.items() for item in items]
    assert ours == [(row["file"], row["tag"]) for row in rows("old_meanings")]


def test_a_meaning_that_another_tag_tells_is_transcribed_so() -> None:
    judged = {(file, f"{tag:02X}"): f"{by:02X}" for file, tags in JUDGED_BY.items() for tag, by in tags.items()}
    for row in rows("old_meanings"):
        by = judged.get((row["file"], row["tag"]), row["tag"])
        assert (f"by {by}" in row["remark"]) == ("judge" in row["remark"])
    assert len(judged) == 7
