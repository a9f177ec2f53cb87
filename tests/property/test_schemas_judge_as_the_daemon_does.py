"""A client that checks its parameters against the contract's schema is taken and refused where the daemon is."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from support.json_schema import contract

import cardd
from cardd.api.methods import METHODS
from cardd.base.errors import CarddError
from cardd.wire import rpc

NUMBERS = st.sampled_from([-1, 0, 1, 3, 4, 16, 17, 254, 255, 0xFFFF, 0x10000, 0xFFFFFFFF, 2**32, 1.5])
CODES = st.sampled_from(
    [
        "",
        "x",
        "y" * 200,
        "z" * 201,
        "pharmacy",
        "post",
        "card",
        "DF04",
        "DF05",
        "debit",
        "0701",
        "1301",
        "00A40000",
        "0A4",
    ]
)
LEAVES = st.none() | st.booleans() | NUMBERS | CODES
VALUES = (
    LEAVES | st.lists(LEAVES, max_size=2) | st.dictionaries(CODES, LEAVES | st.dictionaries(CODES, CODES, max_size=1))
)
KNOWN = st.sampled_from(
    [
        {"kind": "outpatient", "number": "1"},
        {"kind": "outpatient"},
        {"type": "resident", "number": "1", "name": "x"},
        {"DF04EF05": {"84": "510100"}},
        "2026-01-01T00:00:00Z",
    ]
)


SHOWN: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(cardd.__file__).parents[1] / "docs" / "exchanges.json").read_text(encoding="utf-8")
)
ELSEWHERE = {"since", "until"}
"""A moment's text is judged by its format, which a checker of schemas may leave alone."""


@pytest.mark.parametrize("method", [name for name, row in METHODS.items() if row.signature.params.__struct_fields__])
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_the_schema_and_the_daemon_judge_parameters_alike(method: str, data: st.DataObject) -> None:
    kind = METHODS[method].signature.params
    schema = {**contract().methods[method]["x-params"], "components": contract().document["components"]}
    members = [name for name in kind.__struct_encode_fields__ if name not in ELSEWHERE]
    changed = data.draw(st.dictionaries(st.sampled_from(members), VALUES | KNOWN, min_size=1, max_size=2))
    params = {**SHOWN[method][0]["→"]["params"], **changed}
    for name in data.draw(st.lists(st.sampled_from(sorted(params)), max_size=1)):
        del params[name]
    assert Draft202012Validator(schema).is_valid(params) == _is_taken(params, kind)


def _is_taken(params: dict[str, Any], kind: type[msgspec.Struct]) -> bool:
    try:
        rpc.decode_params(msgspec.Raw(json.dumps(params).encode()), kind)
    except CarddError:
        return False
    return True
