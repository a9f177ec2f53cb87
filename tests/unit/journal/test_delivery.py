import json
from typing import Any

import pytest
from msgspec.structs import replace

from cardd.base.sealing import Sealer
from cardd.base.secret import Secret
from cardd.base.texts import render
from cardd.crypto.sealing import Sm4GcmSealer
from cardd.journal.delivery import Delivery
from cardd.journal.events import Json, StoredEvent

HOLDER: Json = {"holder": {"name": "测*甲", "sex": "1"}, "numbers": ["****1", "****2"]}
WHOLE: Json = {"holder": {"name": "测试甲"}, "numbers": ["12341"]}


def stored(data: Json, sealed: bytes | None = None) -> StoredEvent:
    text = json.dumps(data).encode()
    return StoredEvent(
        42, "e-1", "card.identified", "2031-05-07T08:09:10.123456Z", "reader-1", None, None, text, sealed
    )


@pytest.fixture
def delivery(sealer: Sealer) -> Delivery:
    return Delivery(sealer, "/cardd/test")


def deliver(delivery: Delivery, event: StoredEvent, *, personal: bool = False) -> dict[str, Any]:
    out: dict[str, Any] = json.loads(delivery.event(event, personal=personal))
    return out


def test_an_event_is_a_cloud_event(delivery: Delivery) -> None:
    assert deliver(delivery, stored({"kind": "social_security"})) == {
        "specversion": "1.0",
        "id": "e-1",
        "source": "/cardd/test",
        "type": "org.cardd.card.identified.v1",
        "time": "2031-05-07T08:09:10.123456Z",
        "subject": "reader-1",
        "datacontenttype": "application/json",
        "sequence": "00000000000000000042",
        "data": {"kind": "social_security"},
    }


def test_insertion_and_correlation_are_sent_where_there_are_any(delivery: Delivery) -> None:
    out = deliver(delivery, replace(stored({}), insertion="1-7", correlation="a-1"))
    assert (out["insertion"], out["correlationid"]) == ("1-7", "a-1")


def test_an_event_is_one_line(delivery: Delivery) -> None:
    assert b"\n" not in delivery.event(stored({"text": "two\nlines"}), personal=False)


def test_sentences_are_rendered_in_both_languages_wherever_they_stand(delivery: Delivery) -> None:
    sentence: Json = {"code": "old_card_password_again", "args": {"tries_left": 2}}
    out = deliver(delivery, stored({"text": sentence, "list": [{"prompt": {"code": "x", "text": sentence}}]}))
    expected = render("old_card_password_again", {"tries_left": 2})
    assert "2 tries" in expected["en"]
    assert out["data"] == {"text": expected, "list": [{"prompt": {"code": "x", "text": expected}}]}


def test_a_sentence_without_arguments_is_rendered(delivery: Delivery) -> None:
    assert deliver(delivery, stored({"text": {"code": "CARD_LOST"}}))["data"]["text"] == render("CARD_LOST")


@pytest.mark.parametrize("text", ["plain", None, 7, ["a"], {"en": "done"}, {"code": 7}])
def test_any_other_text_stays_as_it_is(delivery: Delivery, text: Json) -> None:
    assert deliver(delivery, stored({"text": text}))["data"] == {"text": text}


def test_personal_data_stay_sealed_unless_asked_for(delivery: Delivery, sealer: Sealer) -> None:
    out = deliver(delivery, stored(HOLDER, sealer.seal(json.dumps(WHOLE).encode(), b"e-1")))
    assert out["data"] == HOLDER
    assert "personal" not in out


def test_whole_values_replace_their_masks_and_nothing_else(delivery: Delivery, sealer: Sealer) -> None:
    out = deliver(delivery, stored(HOLDER, sealer.seal(json.dumps(WHOLE).encode(), b"e-1")), personal=True)
    assert out["data"] == {"holder": {"name": "测试甲", "sex": "1"}, "numbers": ["12341"]}
    assert "personal" not in out


def test_sentences_see_whole_arguments_when_personal_data_are_given(delivery: Delivery, sealer: Sealer) -> None:
    whole = {"text": {"args": {"tries_left": "测试甲"}}}
    event = stored(
        {"text": {"code": "old_card_password_again", "args": {"tries_left": "测*甲"}}},
        sealer.seal(json.dumps(whole).encode(), b"e-1"),
    )
    assert "测*甲" in deliver(delivery, event)["data"]["text"]["en"]
    assert "测试甲" in deliver(delivery, event, personal=True)["data"]["text"]["en"]


def test_an_event_with_nothing_personal_is_whole(delivery: Delivery) -> None:
    out = deliver(delivery, stored(HOLDER), personal=True)
    assert out["data"] == HOLDER
    assert "personal" not in out


@pytest.mark.parametrize("case", ["erased", "another event's", "another key's"])
def test_what_does_not_open_stays_masked_and_says_so(delivery: Delivery, sealer: Sealer, case: str) -> None:
    other = Sm4GcmSealer(Secret(b"fedcba9876543210"))
    text = json.dumps(WHOLE).encode()
    sealed = {"erased": b"", "another event's": sealer.seal(text, b"e-2"), "another key's": other.seal(text, b"e-1")}
    out = deliver(delivery, stored(HOLDER, sealed[case]), personal=True)
    assert out["data"] == HOLDER
    assert out["personal"] == ("erased" if case == "erased" else "unreadable")
