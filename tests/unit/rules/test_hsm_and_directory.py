import pytest

from cardd.iso7816.tlv import Record
from cardd.rules.directory import Entry, read_entry
from cardd.rules.driver_errors import ASK_THE_HSM, DRIVER_ERRORS, driver_error
from cardd.rules.hsm import hsm_address, key_at
from cardd.rules.keys import KeyName


@pytest.mark.parametrize(
    ("key", "version", "address"),
    [
        (KeyName.PUK, 1, 0x0090),
        (KeyName.PUK, 2, None),
        (KeyName.UKSSSE, 3, 0x0096),
        (KeyName.UKSSSE, 4, None),
        (KeyName.UKSSSE, 0, None),
        (KeyName.DPK, 2, 0x0199),
        (KeyName.RK1DF06, 1, None),
    ],
)
def test_a_version_of_a_key_has_an_address(key: KeyName, version: int, address: int | None) -> None:
    assert hsm_address(key, version) == address


@pytest.mark.parametrize(
    ("address", "key"),
    [
        (0x0173, (KeyName.STKSSSE, 1)),
        (0x0172, (KeyName.IRK, 3)),
        (0x0181, (KeyName.DPK, 1)),
        (0x019E, (KeyName.DPK, 3)),
        (0x004B, None),
        (0x019F, None),
        (0x00B8, None),
    ],
)
def test_an_address_tells_its_key(address: int, key: tuple[KeyName, int] | None) -> None:
    assert key_at(address) == key


def test_no_two_keys_share_an_address() -> None:
    addresses = [hsm_address(key, version) for key in KeyName for version in (1, 2, 3)]
    told = [address for address in addresses if address is not None]
    assert len(told) == len(set(told))


def test_a_directory_entry_is_as_in_the_rule() -> None:
    entry = Entry(bytes.fromhex("D15600000500"), "公共应用信息区")
    label = "公共应用信息区".encode("gbk").hex()
    raw = bytes.fromhex(f"701A 6118 4F06D15600000500 500E{label}")
    assert entry.encode() == raw
    assert read_entry(Record.decode(raw)) == entry


def test_an_environment_has_an_entry_without_label_and_df05_one_without_identifier() -> None:
    assert Entry(b"\xaa").encode().hex() == "70056103 4f01aa".replace(" ", "")
    (entry,) = {read_entry(Record.decode(Entry(b"", "生命与健康信息区").encode()))}
    assert entry == Entry(b"", "生命与健康信息区")


@pytest.mark.parametrize("record", [Record(0x01, b"x"), Record(0x70, b"\x61\x09"), Record(0x70, b"\x61\x00")])
def test_what_is_no_entry_is_passed_over(record: Record) -> None:
    assert read_entry(record) is None


def test_a_label_that_is_no_text_does_not_hide_its_application() -> None:
    entry = read_entry(Record(0x70, bytes.fromhex("6106 4F01AA 5001B2")))
    assert entry is not None
    assert entry.aid == b"\xaa"


def test_a_refusal_is_a_negated_status_word_and_no_result_of_the_table() -> None:
    assert driver_error(0x6A82) == -27266
    assert driver_error(0x6A88) not in DRIVER_ERRORS


def test_five_results_send_a_business_system_to_the_security_machine() -> None:
    assert {-2201, -2202, -2203, -24, driver_error(0x6A88)} == ASK_THE_HSM
