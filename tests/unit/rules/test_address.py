import pytest

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.rules.address import FileAddress, ItemAddress, parse_address, parse_item, print_address

CANONICAL = [
    ("SSSEEF06|08|09|$", (FileAddress("SSSE", "EF06", None, (ItemAddress(0x08), ItemAddress(0x09))),)),
    (
        "DF01EF0A|37|$DF01EF15|2A|40:2|$",
        (
            FileAddress("DF01", "EF0A", None, (ItemAddress(0x37),)),
            FileAddress("DF01", "EF15", None, (ItemAddress(0x2A), ItemAddress(0x40, 2))),
        ),
    ),
    ("DF04EF08|$", (FileAddress("DF04", "EF08"),)),
    ("DF04EF08:3|$", (FileAddress("DF04", "EF08", 3),)),
    ("SSSEEF08|$", (FileAddress("SSSE", "EF08"),)),
]


@pytest.mark.parametrize(("text", "files"), CANONICAL)
def test_an_address_of_the_rule_is_read_and_printed_as_it_stood(text: str, files: tuple[FileAddress, ...]) -> None:
    assert parse_address(text) == files
    assert print_address(files) == text


@pytest.mark.parametrize(
    ("spelling", "canonical"),
    [
        ("MFEF05|01|$", "SSSEEF05|01|$"),
        ("DF01EF15|40:02|$", "DF01EF15|40:2|$"),
        ("DF02EF07:01$", "DF02EF07:1|$"),
        ("SSSEEF08$", "SSSEEF08|$"),
        ("ssseef05|0a|$", "SSSEEF05|0A|$"),
        ("SSSEEF05|01|$SSSEEF05|07|$", "SSSEEF05|01|$SSSEEF05|07|$"),
        (" SSSEEF05|01|07$\n", "SSSEEF05|01|07|$"),
    ],
)
def test_a_spelling_of_the_field_is_read_and_printed_in_the_one_form(spelling: str, canonical: str) -> None:
    assert print_address(parse_address(spelling)) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        "$",
        "|$",
        "SSSEEF05",
        "SSSEEF05|01|",
        "SSSEEF05|01|$SSSEEF06",
        "SSSEEF05|1|$",
        "SSSEEF05|0G|$",
        "SSSEEF05||01|$",
        "SSSEEF05|40:0|$",
        "SSSEEF05|40:255|$",
        "SSSEEF05|40:٣|$",
        "SSSEEF05:1|01|$",
        "SSSE05|01|$",
        "DF1EF05|01|$",
        "EF05|01|$",
        "SSSEEF05:0|$",
    ],
)
def test_what_is_no_address_is_refused_as_invalid(text: str) -> None:
    with pytest.raises(CarddError) as refusal:
        parse_address(text)
    assert refusal.value.reason is Reason.INVALID


def test_the_refusal_names_the_place_and_not_the_text() -> None:
    with pytest.raises(CarddError, match="file 2") as refusal:
        parse_address("SSSEEF05|01|$510101190001010012|$")
    assert "5101" not in str(refusal.value)


def test_an_item_alone_is_read_as_in_an_address() -> None:
    assert parse_item("40:2") == ItemAddress(0x40, 2)
    with pytest.raises(CarddError):
        parse_item("081")
