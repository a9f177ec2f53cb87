import pytest

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.rules.address import merge, parse_address, print_address
from cardd.rules.exchange import FileData, parse_data, print_data

PAIRS = [
    ("DF01EF0A|37|$", "DF01EF0A|CHN|$", [("CHN",)]),
    ("DF01EF0A|37|38|$", "DF01EF0A|CHN||$", [("CHN", "")]),
    ("SSSEEF06|08|$DF01EF15|40:2|$", "SSSEEF06|1|$DF01EF15|403^^^|$", [("1",), ("403^^^",)]),
    ("DF04EF08|$", "DF04EF08|0002^1^|0001^2^|$", [("0002^1^", "0001^2^")]),
    ("DF04EF08:3|$", "DF04EF08:3|0001^2^|$", [("0001^2^",)]),
    ("SSSEEF08|$", "SSSEEF08|FFD8|$", [("FFD8",)]),
    ("DF04EF08|$", "DF04EF08|$", [()]),
]


@pytest.mark.parametrize(("address", "data", "texts"), PAIRS)
def test_data_mirror_their_address(address: str, data: str, texts: list[tuple[str, ...]]) -> None:
    files = parse_address(address)
    parsed = parse_data(files, data)
    assert [file.texts for file in parsed] == texts
    assert tuple(file.file for file in parsed) == files
    assert print_data(parsed) == data


@pytest.mark.parametrize(
    ("address", "data"),
    [
        ("MFEF06|08|$", "SSSEEF06|1|$"),
        ("SSSEEF06|08|$", "MFEF06|1$"),
        ("DF02EF07:01$", "DF02EF07:1|x$"),
        ("SSSEEF06|08|$", "ssseef06|1|$\r\n"),
    ],
)
def test_spellings_of_the_field_mirror_each_other(address: str, data: str) -> None:
    (file,) = parse_data(parse_address(address), data)
    assert len(file.texts) == 1


@pytest.mark.parametrize(
    ("address", "data"),
    [
        ("SSSEEF06|08|$", "SSSEEF06|1|"),
        ("SSSEEF06|08|$", "SSSEEF06|1|$SSSEEF06|1|$"),
        ("SSSEEF06|08|$", "SSSEEF05|1|$"),
        ("DF04EF08:3|$", "DF04EF08:2|1|$"),
        ("SSSEEF06|08|09|$", "SSSEEF06|1|$"),
        ("SSSEEF06|08|$", "SSSEEF06|1|2|$"),
    ],
)
def test_data_that_do_not_fit_their_address_are_refused(address: str, data: str) -> None:
    with pytest.raises(CarddError) as refusal:
        parse_data(parse_address(address), data)
    assert refusal.value.reason is Reason.INVALID


def test_a_refusal_does_not_repeat_the_data() -> None:
    with pytest.raises(CarddError) as refusal:
        parse_data(parse_address("SSSEEF06|08|$"), "SSSEEF06|510101190001010012|x|$")
    assert "5101" not in str(refusal.value)
    assert "5101" not in repr(parse_data(parse_address("SSSEEF06|08|$"), "SSSEEF06|510101190001010012|$"))


@pytest.mark.parametrize("text", ["a|b", "a$b"])
def test_a_text_with_a_separator_is_not_printed(text: str) -> None:
    (file,) = parse_address("SSSEEF06|09|$")
    with pytest.raises(CarddError):
        print_data((FileData(file, (text,)),))


def test_texts_and_items_have_one_number() -> None:
    (file,) = parse_address("SSSEEF06|08|09|$")
    with pytest.raises(CarddError, match="1 texts, 2 items"):
        print_data((FileData(file, ("1",)),))


@pytest.mark.parametrize(
    ("address", "merged"),
    [
        ("SSSEEF06|08|$SSSEEF06|09|08|$", "SSSEEF06|08|09|$"),
        ("SSSEEF06|08|$DF01EF05|20|$SSSEEF06|09|$", "SSSEEF06|08|09|$DF01EF05|20|$"),
        ("SSSEEF06|08|$SSSEEF06|$", "SSSEEF06|$"),
        ("SSSEEF06|$SSSEEF06|08|$", "SSSEEF06|$"),
        ("DF04EF08:1|$DF04EF08:2|$DF04EF08:1|$", "DF04EF08:1|$DF04EF08:2|$"),
        ("DF01EF15|40|40:2|$", "DF01EF15|40|40:2|$"),
    ],
)
def test_groups_of_one_file_come_together(address: str, merged: str) -> None:
    assert print_address(merge(parse_address(address))) == merged
