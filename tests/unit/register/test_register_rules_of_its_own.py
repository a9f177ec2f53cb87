"""What a register decides by itself, whatever counter asks."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from cardd.base.clock import SystemClock
from cardd.base.document import DocumentError, load_document
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.register.document import RegisterDocument
from cardd.register.store import Register
from cardd.wire.authority import ActivationRequest, IdentityDocument, SocialCard, Visit

PEOPLE = """
people:
  - social_security_number: "510101190001010012"
    name: 测试甲
    cards: [{number: A00000012}]
    old_cards: [{number: "10000001", password: "123456", password_tries: 3}]
    documents: [{type: passport, number: T1234567}]
"""
CARD = SocialCard(
    number="A00000012",
    identification_code="510100AABBCCDDEE",
    region="510100",
    social_security_number="510101190001010012",
    name="测试甲",
    valid_until="2026-01-01",
)
WRONG, RIGHT = Secret(b"000000"), Secret(b"123456")


class FixedClock(SystemClock):
    def now(self) -> datetime:
        return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@contextmanager
def opened(directory: Path, head: str = "") -> Iterator[Register]:
    file = directory / "people.yaml"
    file.write_text(head + PEOPLE, encoding="utf-8")
    register = Register.open(directory / "register.sqlite", load_document(file, RegisterDocument), clock=FixedClock())
    yield register
    register.close()


@pytest.mark.parametrize(
    ("head", "reason"),
    [("", Reason.CARD_EXPIRED), ("accept_expired: false\n", Reason.CARD_EXPIRED), ("accept_expired: true\n", None)],
)
def test_a_card_whose_validity_is_over_is_refused_unless_the_register_accepts_it(
    tmp_path: Path, head: str, reason: Reason | None
) -> None:
    with opened(tmp_path, head) as register:
        assert register.prospect(CARD, None, None).reason is reason


def test_a_card_is_valid_on_its_last_day_and_without_an_end_for_ever(tmp_path: Path) -> None:
    with opened(tmp_path) as register:
        for until in ("2026-01-02", None):
            card = msgspec.structs.replace(CARD, valid_until=until)
            assert register.prospect(card, None, None).reason is None


@pytest.mark.parametrize(
    ("head", "reason"), [("", None), ('region: "510000"\n', None), ('region: "440000"\n', Reason.OTHER_REGION)]
)
def test_cards_of_other_regions_are_refused_where_the_register_has_a_region(
    tmp_path: Path, head: str, reason: Reason | None
) -> None:
    card = msgspec.structs.replace(CARD, valid_until=None)
    with opened(tmp_path, head) as register:
        assert register.prospect(card, None, None).reason is reason


def test_an_attempt_that_arrives_again_is_not_counted_again(tmp_path: Path) -> None:
    with opened(tmp_path) as register:
        first = register.verify("key", "attempt", "10000001", WRONG)
        again = register.verify("key", "attempt", "10000001", RIGHT)
        assert again == first
        assert register.verify("key", "another", "10000001", WRONG).tries_left == first.tries_left - 1


def test_attempts_are_remembered_across_a_restart(tmp_path: Path) -> None:
    with opened(tmp_path) as register:
        first = register.verify("key", "attempt", "10000001", WRONG)
    with opened(tmp_path) as register:
        assert register.verify("key", "attempt", "10000001", WRONG) == first


def test_what_was_done_is_shown_with_who_asked_where_and_after_which_events(tmp_path: Path) -> None:
    request = ActivationRequest(
        key="k",
        route="hospital",
        card=msgspec.structs.replace(CARD, valid_until=None),
        old_card=None,
        visit=Visit(kind="outpatient", number="V1"),
        operator="clerk",
        terminal="host/desk",
        time="2026-01-02T03:04:05+00:00",
        challenge=None,
        answer=None,
        journal_head="s:1:00",
    )
    with opened(tmp_path) as register:
        register.activate(request)
        assert register.show()[0]["activations"] == [
            {
                "activation": "k",
                "standing": "granted",
                "card": "A00000012",
                "old_card": None,
                "time": "2026-01-02T03:04:05+00:00",
                "written": None,
                "route": "hospital",
                "operator": "clerk",
                "terminal": "host/desk",
                "journal_head": "s:1:00",
                "visit": "V1",
            }
        ]


def test_documents_are_what_the_file_says_now(tmp_path: Path) -> None:
    card = msgspec.structs.replace(CARD, valid_until=None)
    passport = IdentityDocument(type="passport", number="T1234567", name="测试甲")
    with opened(tmp_path) as register:
        assert register.prospect(card, None, passport).reason is None
        assert register.show()[0]["documents"] == [{"type": "passport", "number": "T1234567"}]
    file = tmp_path / "people.yaml"
    file.write_text(PEOPLE.replace("T1234567", "T7654321"), encoding="utf-8")
    content = load_document(file, RegisterDocument)
    register = Register.open(tmp_path / "register.sqlite", content, clock=FixedClock())
    assert register.prospect(card, None, passport).reason is Reason.DOCUMENT_DIFFERS
    register.close()


def test_a_document_without_a_number_is_a_mistake_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "people.yaml"
    file.write_text(PEOPLE.replace("number: T1234567", 'number: ""'), encoding="utf-8")
    with pytest.raises(DocumentError) as caught:
        load_document(file, RegisterDocument)
    assert caught.value.line == 7
