"""What `make fuzz` looks for with coverage, looked for here without: the seeds, and some random inputs around them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.targets import TARGETS, seeds


@pytest.mark.parametrize(("name", "raw"), [(name, raw) for name in TARGETS for raw in seeds(name)])
def test_every_seed_ends_well(name: str, raw: bytes) -> None:
    TARGETS[name](raw)


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_end_well(name: str, raw: bytes) -> None:
    TARGETS[name](raw)
