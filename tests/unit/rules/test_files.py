import pytest

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.iso7816.tlv import parse_records
from cardd.rules.files import BASIC_FILES, FILES, Generation, generation_of
from cardd.rules.items import Form, ItemType
from cardd.rules.keys import KeyName

EF05 = bytes.fromhex(
    "0110510100D156000005C0FFEE01FFFFFFFF 020133 0304332E3030 040C915600000251010051010001"
    "050420240102 060420340102 0709543030303030303158"
)
EF06 = bytes.fromhex(
    "0812353130313031313930303031303130303132 091EB2E2CAD4BCD7" + "00" * 24 + "4E14" + "00" * 20 + "0A0131 0B0101"
    "0C03510100 0D0419000101"
)


@pytest.mark.parametrize(("address", "raw", "size"), [("SSSEEF05", EF05, 0x40), ("SSSEEF06", EF06, 0x5B)])
def test_the_records_of_a_3_0_card_are_the_items_in_order_and_length(address: str, raw: bytes, size: int) -> None:
    assert len(raw) == size
    records = [(record.tag, len(record.value)) for record in parse_records(raw)]
    assert records == [(item.tag, item.length) for item in FILES[address].items_of(Generation.V3)]


def test_a_1_0_card_has_no_name_extension_and_other_record_numbers() -> None:
    tags = {generation: [item.tag for item in FILES["SSSEEF06"].items_of(generation)] for generation in Generation}
    assert tags[Generation.V1] == [0x08, 0x09, 0x0A, 0x0B, 0x0C, 0x0D]
    assert tags[Generation.V2] == tags[Generation.V3] == [0x08, 0x09, 0x4E, 0x0A, 0x0B, 0x0C, 0x0D]


def test_issuer_data_are_the_same_in_every_generation() -> None:
    for generation in Generation:
        assert [item.tag for item in FILES["SSSEEF05"].items_of(generation)] == [1, 2, 3, 4, 5, 6, 7]


def test_only_the_holder_of_a_3_0_card_is_closed_among_the_basic_files() -> None:
    closed = [
        (address, generation, access.key)
        for address, rule in BASIC_FILES.items()
        for generation, access in rule.read.items()
        if not access.free
    ]
    assert closed == [("SSSEEF06", Generation.V3, KeyName.RKSSSE)]
    assert all(set(rule.read) == set(Generation) for rule in BASIC_FILES.values())


def test_files_of_the_environment_are_written_with_its_update_key() -> None:
    written = {address: rule.write for address, rule in FILES.items() if rule.application == "SSSE"}
    assert written == {f"SSSEEF0{number}": KeyName.UKSSSE for number in range(5, 9)} | {"SSSEEF1E": None}


def test_a_short_identifier_is_the_low_byte_of_the_file_identifier() -> None:
    assert (FILES["SSSEEF1E"].fid, FILES["SSSEEF1E"].sfi) == (0xEF1E, 0x1E)
    assert (FILES["DF01EF0A"].fid, FILES["DF01EF0A"].sfi) == (0xEF0A, 0x0A)
    assert all(rule.fid == 0xEF00 | rule.sfi and 5 <= rule.sfi <= 0x1E for rule in FILES.values())


def test_an_address_is_application_and_file() -> None:
    assert all(address == rule.address == f"{rule.application}{rule.fid:04X}" for address, rule in FILES.items())


def test_items_are_found_by_tag_in_every_generation() -> None:
    extension = FILES["SSSEEF06"].item(0x4E)
    assert extension is not None
    assert (extension.key, extension.type, extension.length) == ("name_extension", ItemType.AN, 20)
    assert FILES["SSSEEF06"].item(0x4F) is None


def test_dates_and_identifiers_are_known_as_such() -> None:
    forms = {item.key: item.form for rule in BASIC_FILES.values() for item in rule.items if item.form is not Form.PLAIN}
    assert forms == {
        "identification_code": Form.IDENTIFIER,
        "initialising_organisation": Form.IDENTIFIER,
        "issue_date": Form.DATE,
        "valid_until": Form.DATE,
        "card_number": Form.HEAD,
        "birth_date": Form.DATE,
    }


@pytest.mark.parametrize(
    ("version", "generation"),
    [
        (b"", Generation.V1),
        (bytes(4), Generation.V1),
        (b"\xff" * 4, Generation.V1),
        (b"1.00", Generation.V1),
        (b"2.00", Generation.V2),
        (b"2.0\x00", Generation.V2),
        (b"2.01", Generation.V2),
        (b"2.10", Generation.V2),
        (b"3.00", Generation.V3),
    ],
)
def test_three_characters_of_the_version_tell_the_generation(version: bytes, generation: Generation) -> None:
    assert generation_of(version) is generation


@pytest.mark.parametrize("version", [b"4.00", b"9.99", b"2", b"300\0", b"v3.0", b"2.x0", b"\xb2\xe2\xca\xd4"])
def test_an_unknown_version_is_an_unknown_card(version: bytes) -> None:
    with pytest.raises(CarddError) as caught:
        generation_of(version)
    assert caught.value.reason is Reason.CARD_UNKNOWN
