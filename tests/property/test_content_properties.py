from hypothesis import given
from hypothesis import strategies as st

from cardd.base.errors import CarddError
from cardd.iso7816.tlv import Record
from cardd.rules.address import merge, parse_address, print_address
from cardd.rules.content import read_fields, read_records, read_value, write_fields
from cardd.rules.exchange import FileData, parse_data, print_data
from cardd.rules.files import FILES, Generation
from cardd.rules.items import Item
from cardd.rules.layout import FileRule
from cardd.rules.values import ValueFault, encode

RULES = st.sampled_from(list(FILES.values()))
CYCLIC = st.sampled_from([rule for rule in FILES.values() if rule.layouts])
ITEMS = st.sampled_from([item for rule in FILES.values() for item in (*rule.items, *rule.fields)])
GENERATIONS = st.sampled_from(Generation)
TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="|$"), max_size=8)


def records_of(rule: FileRule) -> st.SearchStrategy[list[Record]]:
    tags = st.sampled_from([item.tag for item in rule.items]) if rule.items else st.integers(1, 0xFE)
    return st.lists(st.builds(Record, tags | st.integers(1, 0xFE), st.binary(max_size=80)), max_size=8)


@given(RULES, GENERATIONS, st.data())
def test_no_record_is_lost_and_no_byte_of_it(rule: FileRule, generation: Generation, data: st.DataObject) -> None:
    records = data.draw(records_of(rule))
    values = read_records(rule, generation, records)
    assert [(value.tag, value.raw) for value in values] == [(record.tag, record.value) for record in records]
    assert all(value.text is None or value.fault is None for value in values)


@given(ITEMS, st.binary(max_size=120))
def test_a_value_has_a_text_a_fault_or_neither(item: Item, raw: bytes) -> None:
    value = read_value(item, raw)
    assert value.raw == raw
    assert value.text is None or value.fault is None
    assert value.text != ""


@given(CYCLIC, st.binary(max_size=100))
def test_a_record_without_tags_keeps_its_bytes(rule: FileRule, raw: bytes) -> None:
    fields = read_fields(rule, raw)
    assert fields.raw == raw
    assert b"".join(value.raw for value in fields.values) == raw[: sum(len(value.raw) for value in fields.values)]


@given(CYCLIC, st.data())
def test_texts_of_a_record_are_read_again_after_writing(rule: FileRule, data: st.DataObject) -> None:
    raw = data.draw(st.binary(min_size=rule.record_length, max_size=rule.record_length))
    fields = read_fields(rule, raw)
    if fields.fault or fields.text is None:
        return
    try:
        written = write_fields(rule, fields.text)
    except ValueFault:
        return
    assert len(written) == rule.record_length
    assert read_fields(rule, written).text == fields.text


@given(ITEMS)
def test_an_empty_text_is_written_as_a_whole_item(item: Item) -> None:
    assert len(encode(item, "")) == item.length


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_data_are_read_as_they_were_printed(texts: list[str]) -> None:
    address = "SSSEEF06" + "|08" * len(texts) + "|$"
    (file,) = parse_address(address)
    (read,) = parse_data((file,), print_data((FileData(file, tuple(texts)),)))
    assert read.texts == tuple(texts)


@given(st.text(alphabet="SEDF0148A|$:^ \n", max_size=40))
def test_any_text_is_data_or_refused(text: str) -> None:
    files = parse_address("SSSEEF08|$DF04EF08:1|$")
    try:
        data = parse_data(files, text)
    except CarddError:
        return
    assert parse_data(files, print_data(data)) == data


@given(st.text(alphabet="SEDF018|$:", max_size=60))
def test_a_merged_address_stays_merged(text: str) -> None:
    try:
        merged = merge(parse_address(text))
    except CarddError:
        return
    assert merge(merged) == merged
    assert parse_address(print_address(merged)) == merged
