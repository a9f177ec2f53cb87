from hypothesis import given
from hypothesis import strategies as st

from cardd.base.errors import CarddError
from cardd.rules.address import FileAddress, ItemAddress, parse_address, print_address

numbers = st.integers(1, 0xFE)
items = st.builds(ItemAddress, st.integers(0, 0xFF), st.none() | numbers)
applications = st.just("SSSE") | st.integers(0, 0xFF).map("DF{:02X}".format)
files = st.integers(0, 0xFF).map("EF{:02X}".format)
addresses = st.lists(
    st.builds(FileAddress, applications, files, st.none(), st.lists(items, max_size=5).map(tuple))
    | st.builds(FileAddress, applications, files, numbers),
    min_size=1,
    max_size=5,
).map(tuple)


@given(addresses)
def test_what_is_printed_is_read_back_the_same(address: tuple[FileAddress, ...]) -> None:
    assert parse_address(print_address(address)) == address


@given(st.text(alphabet="SEDFM0148A|$: \n", max_size=40))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        address = parse_address(text)
    except CarddError:
        return
    assert parse_address(print_address(address)) == address
