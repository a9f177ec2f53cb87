from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from cardd.base.errors import CarddError
from cardd.rules.files import FILES, generation_of
from cardd.rules.identity import IdentificationCode, card_number_check, citizen_number_ok
from cardd.rules.items import Form, Item, ItemType
from cardd.rules.values import ValueFault, decode, encode, iso_date, join_name, split_name

ITEMS = st.sampled_from([item for rule in FILES.values() for item in rule.items])
# what a keyboard writes: no control characters, no blank at the end
TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=25).filter(lambda text: not text.endswith(" "))


@given(ITEMS, st.binary(max_size=60))
def test_any_raw_value_is_text_nothing_or_a_fault(item: Item, raw: bytes) -> None:
    try:
        text = decode(item, raw)
    except ValueFault:
        return
    assert text is None or text


@given(ITEMS, st.data())
def test_what_is_read_from_a_raw_value_is_read_again_after_writing(item: Item, data: st.DataObject) -> None:
    raw = data.draw(st.binary(min_size=item.length, max_size=item.length))
    try:
        text = decode(item, raw)
        written = encode(item, text or "")
    except ValueFault:
        return
    assert len(written) == item.length
    assert decode(item, written) == text


@given(TEXTS)
def test_a_text_that_fits_round_trips(text: str) -> None:
    item = Item(0x09, "name", ItemType.AN, 100, "name", "姓名")
    assert decode(item, encode(item, text)) == (text or None)


@given(TEXTS)
def test_a_name_round_trips_wherever_the_border_cuts_it(name: str) -> None:
    try:
        parts = split_name(name)
    except ValueFault:
        return
    assert [len(part) for part in parts] == [30, 20]
    assert join_name(*parts) == (name or None)


@given(st.binary(max_size=30), st.none() | st.binary(max_size=20))
def test_any_two_records_are_a_name_nothing_or_a_fault(raw09: bytes, raw4e: bytes | None) -> None:
    try:
        name = join_name(raw09, raw4e)
    except ValueFault:
        return
    assert name is None or name


@given(st.dates())
def test_every_day_of_the_calendar_is_a_date(day: date) -> None:
    item = Item(0x05, "issue_date", ItemType.CN, 4, "issue date", "发卡日期", Form.DATE)
    text = day.strftime("%Y%m%d").zfill(8)
    assert iso_date(text) == day.isoformat()
    assert decode(item, encode(item, text)) == text


@given(st.text(max_size=10))
def test_any_text_is_a_date_or_a_fault(text: str) -> None:
    try:
        iso_date(text)
    except ValueFault:
        return
    assert text.isascii()
    assert len(text) == 8


@given(st.binary(max_size=20))
def test_any_bytes_are_an_identification_code_or_refused(raw: bytes) -> None:
    try:
        code = IdentificationCode.parse(raw)
    except CarddError:
        return
    assert code.encode() == raw


@given(st.binary(max_size=6))
def test_any_version_is_a_generation_or_an_unknown_card(version: bytes) -> None:
    try:
        generation = generation_of(version)
    except CarddError:
        return
    assert generation


@given(st.from_regex(r"[0-9A-Z]{8}", fullmatch=True))
def test_every_card_number_gets_one_of_eleven_check_characters(eight: str) -> None:
    assert card_number_check(eight) in set("0123456789X")


@given(st.text(max_size=20))
def test_judging_a_citizen_number_never_fails(number: str) -> None:
    assert citizen_number_ok(number) in {True, False}


@given(st.from_regex(r"[0-9]{6}19[0-9]{2}0[1-9][01][1-9][0-9]{3}", fullmatch=True))
def test_exactly_one_check_character_is_right(seventeen: str) -> None:
    assert sum(citizen_number_ok(seventeen + check) for check in "0123456789X") == 1
