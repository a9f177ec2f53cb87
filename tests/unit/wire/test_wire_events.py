import pytest

from cardd.wire.events import short_type, whole_type


@pytest.mark.parametrize("name", ["card.inserted", "org.cardd.card.inserted.v1"])
def test_an_event_type_has_a_short_and_a_whole_name(name: str) -> None:
    assert short_type(name) == "card.inserted"
    assert whole_type(name) == "org.cardd.card.inserted.v1"
