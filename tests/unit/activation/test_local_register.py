"""The local authority, asked as the engine asks it."""

import asyncio
import dataclasses
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from support.centre import JIA, OLD
from support.centre import request as asked

from cardd.activation.authority import ActivationRequest, IdentityDocument, SocialCard, Standing
from cardd.activation.register import LocalRegister, people_in
from cardd.base.clock import SystemClock
from cardd.base.document import DocumentError
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.register.store import Register

YAML = """
region: "510100"
people:
  - social_security_number: "510101190001010012"
    name: 测试甲
    account: frozen
    cards: [{number: A00000012, identification_code: 510100AABBCCDDEE, status: not_enabled}]
    old_cards: [{number: "10000001", status: valid}]
    updates: {SSSEEF05: {"06": "20400101"}}
  - social_security_number: "510101190002020025"
    name: 测试乙
    cards: [{number: B00000025}, {number: B00000033, status: lost}, {number: B00000041, status: sealed}]
    old_cards:
      - {number: "10000002", password: "123456", password_tries: 3}
      - {number: "10000003", status: frozen}
      - {number: "10000004", status: lost}
      - {number: "10000005", status: void}
"""
YI = SocialCard(
    number="B00000025",
    identification_code="510100AABBCCDD02",
    region="510100",
    social_security_number="510101190002020025",
    name="测试乙",
)


class FixedClock(SystemClock):
    def now(self) -> datetime:
        return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclasses.dataclass
class Files:
    database: Path
    people: Path

    def open(self) -> LocalRegister:
        return LocalRegister.open(self.database, self.people, clock=FixedClock())


@pytest.fixture
def files(tmp_path: Path) -> Files:
    people = tmp_path / "register.yaml"
    people.write_text(YAML, encoding="utf-8")
    return Files(tmp_path / "state" / "register.sqlite", people)


@pytest.fixture
def register(files: Files) -> Iterator[LocalRegister]:
    opened = files.open()
    yield opened
    opened.close()


def request(card: SocialCard = JIA, old_card: str | None = OLD, key: str = "key-1") -> ActivationRequest:
    return asked(key, card, old_card)


def person(register: LocalRegister, name: str) -> dict[str, object]:
    return next(row for row in register.show() if row["name"] == name)


def statuses(register: LocalRegister, name: str, kind: str) -> dict[str, str]:
    rows = person(register, name)[kind]
    assert isinstance(rows, list)
    return {row["number"]: row["status"] for row in rows}


def test_activation_sets_card_and_account_normal_and_the_old_card_void_together(register: LocalRegister) -> None:
    verdict = asyncio.run(register.activate(request()))
    assert verdict.standing is Standing.GRANTED
    assert verdict.updates == {"SSSEEF05": {"06": "20400101"}}
    assert verdict.receipt["account"] == "normal"
    assert statuses(register, "测试甲", "cards") == {"A00000012": "normal"}
    assert statuses(register, "测试甲", "old_cards") == {"10000001": "void"}
    assert person(register, "测试甲")["account"] == "normal"


def test_the_same_key_gets_the_same_verdict_and_changes_nothing_more(register: LocalRegister) -> None:
    first = asyncio.run(register.activate(request()))
    assert asyncio.run(register.activate(request())) == first
    assert asyncio.run(register.outcome("key-1")) == first
    activations = person(register, "测试甲")["activations"]
    assert isinstance(activations, list)
    assert len(activations) == 1


def test_another_key_for_the_same_person_and_card_is_told_already_active(register: LocalRegister) -> None:
    asyncio.run(register.activate(request()))
    assert asyncio.run(register.activate(request(key="key-2"))).standing is Standing.ALREADY_ACTIVE


def test_a_key_that_never_arrived_has_no_outcome(register: LocalRegister) -> None:
    assert asyncio.run(register.outcome("key-9")) is None


def test_a_refused_activation_changes_nothing(register: LocalRegister) -> None:
    before = register.show()
    verdict = asyncio.run(register.activate(request(old_card="10000002")))
    assert (verdict.standing, verdict.reason) == (Standing.REFUSED, Reason.OTHER_PERSON)
    after = register.show()
    assert [{**row, "activations": []} for row in after] == [{**row, "activations": []} for row in before]


REFUSALS: dict[str, tuple[Callable[[], SocialCard], str | None, Reason]] = {
    "a name that differs": (lambda: msgspec.structs.replace(JIA, name="测试乙"), None, Reason.NAME_DIFFERS),
    "a number nobody has": (
        lambda: msgspec.structs.replace(JIA, social_security_number="510101190009090099"),
        None,
        Reason.NUMBER_DIFFERS,
    ),
    "a card of somebody else": (lambda: msgspec.structs.replace(JIA, number="B00000025"), None, Reason.NUMBER_DIFFERS),
    "an unknown card": (
        lambda: msgspec.structs.replace(JIA, number="X"),
        None,
        Reason.NUMBER_DIFFERS,
    ),
    "a chip that was replaced": (
        lambda: msgspec.structs.replace(JIA, identification_code="510100FFFFFFFFFF"),
        None,
        Reason.CARD_VOID,
    ),
    "a card of another region": (lambda: msgspec.structs.replace(JIA, region="520100"), None, Reason.OTHER_REGION),
    "an old card of another person": (lambda: JIA, "10000002", Reason.OTHER_PERSON),
    "an old card nobody knows": (lambda: JIA, "99999999", Reason.OLD_CARD_VOID),
    "a lost card": (lambda: msgspec.structs.replace(YI, number="B00000033"), None, Reason.CARD_LOST),
    "a sealed card": (lambda: msgspec.structs.replace(YI, number="B00000041"), None, Reason.CARD_VOID),
    "a card past its date": (lambda: msgspec.structs.replace(JIA, valid_until="2026-01-01"), None, Reason.CARD_EXPIRED),
    "a frozen old card": (lambda: YI, "10000003", Reason.OLD_CARD_FROZEN),
    "a lost old card": (lambda: YI, "10000004", Reason.OLD_CARD_LOST),
    "a void old card": (lambda: YI, "10000005", Reason.OLD_CARD_VOID),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refuses(register: LocalRegister, case: str) -> None:
    make, old_card, reason = REFUSALS[case]
    assert asyncio.run(register.look_up_social_card(make(), old_card, None)).reason is reason
    assert asyncio.run(register.activate(request(make(), old_card))).reason is reason


def test_a_district_of_the_registers_city_is_its_own_region(register: LocalRegister) -> None:
    card = msgspec.structs.replace(JIA, region="510107")
    assert asyncio.run(register.look_up_social_card(card, None, None)).standing is Standing.GRANTED


def test_looking_up_changes_nothing(register: LocalRegister) -> None:
    before = register.show()
    assert asyncio.run(register.look_up_social_card(JIA, "10000001", None)).standing is Standing.GRANTED
    assert asyncio.run(register.look_up_old_card("10000001")).refusal is None
    assert register.show() == before


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("10000003", Reason.OLD_CARD_FROZEN),
        ("10000004", Reason.OLD_CARD_LOST),
        ("10000005", Reason.OLD_CARD_VOID),
        ("99999999", Reason.OLD_CARD_VOID),
    ],
)
def test_an_old_card_that_is_no_longer_good_is_refused_at_once(
    register: LocalRegister, number: str, reason: Reason
) -> None:
    assert asyncio.run(register.look_up_old_card(number)).refusal is reason


def test_an_old_card_voided_by_its_own_activation_leads_on_to_already_active(register: LocalRegister) -> None:
    asyncio.run(register.activate(request()))
    assert asyncio.run(register.look_up_old_card("10000001")).refusal is None
    assert asyncio.run(register.look_up_social_card(JIA, "10000001", None)).standing is Standing.ALREADY_ACTIVE


def test_wrong_passwords_are_counted_here_until_the_old_card_is_locked(register: LocalRegister) -> None:
    async def go() -> None:
        assert (await register.look_up_old_card("10000002")).tries_left == 3
        wrong = [await register.verify_old_password("k", "10000002", Secret(b"000000")) for _ in range(3)]
        assert [answer.tries_left for answer in wrong] == [2, 1, 0]
        right = await register.verify_old_password("k", "10000002", Secret(b"123456"))
        assert (right.right, right.tries_left) == (False, 0)
        assert (await register.look_up_old_card("10000002")).refusal is Reason.OLD_PASSWORD_LOCKED

    asyncio.run(go())


def test_a_right_password_restores_the_tries(register: LocalRegister) -> None:
    async def go() -> None:
        await register.verify_old_password("k", "10000002", Secret(b"000000"))
        answer = await register.verify_old_password("k", "10000002", Secret(b"123456"))
        assert (answer.right, answer.tries_left) == (True, 3)

    asyncio.run(go())


def test_an_old_card_with_a_password_is_not_handed_in_without_it(register: LocalRegister) -> None:
    async def go() -> None:
        unasked = await register.activate(request(YI, "10000002", key="k1"))
        assert unasked.reason is Reason.OLD_PASSWORD_WRONG
        await register.verify_old_password("k2", "10000002", Secret(b"123456"))
        others = await register.activate(request(YI, "10000002", key="k3"))
        assert others.reason is Reason.OLD_PASSWORD_WRONG
        assert (await register.activate(request(YI, "10000002", key="k2"))).standing is Standing.GRANTED

    asyncio.run(go())


def test_a_restart_undoes_no_activation(files: Files) -> None:
    register = files.open()
    asyncio.run(register.activate(request()))
    asyncio.run(register.report_update("key-1", written=True))
    shown = register.show()
    register.close()
    again = files.open()
    assert again.show() == shown
    again.close()


def test_a_row_changed_in_the_yaml_is_taken_over_and_the_others_are_left(files: Files) -> None:
    register = files.open()
    asyncio.run(register.activate(request()))
    register.close()
    files.people.write_text(YAML.replace('"10000003", status: frozen', '"10000003", status: valid'), encoding="utf-8")
    again = files.open()
    assert statuses(again, "测试乙", "old_cards")["10000003"] == "valid"
    assert statuses(again, "测试甲", "cards") == {"A00000012": "normal"}
    again.close()


def test_what_is_shown_beside_the_daemon_is_what_it_did(files: Files, register: LocalRegister) -> None:
    asyncio.run(register.activate(request()))
    assert people_in(files.database) == register.show()
    asyncio.run(register.report_update("key-1", written=True))
    assert people_in(files.database) == register.show()


def test_whoever_looks_can_write_nothing(files: Files, register: LocalRegister) -> None:
    register.show()
    looking = Register.look(files.database, clock=FixedClock())
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        looking.report("key-1", written=True)
    looking.close()


def test_whoever_reads_on_and_on_hinders_no_deed(files: Files, register: LocalRegister) -> None:
    with closing(sqlite3.connect(files.database, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        before = reader.execute("SELECT status FROM cards ORDER BY number").fetchall()
        began = time.monotonic()
        assert asyncio.run(register.activate(request())).standing is Standing.GRANTED
        assert time.monotonic() - began < 1
        assert reader.execute("SELECT status FROM cards ORDER BY number").fetchall() == before


def test_a_register_that_nobody_made_is_not_made_by_looking_for_it(files: Files) -> None:
    with pytest.raises(CarddError) as caught:
        people_in(files.database)
    assert caught.value.reason is Reason.AUTHORITY_UNAVAILABLE
    assert not files.database.exists()


def test_a_deed_is_in_the_file_before_it_is_answered(files: Files, register: LocalRegister, tmp_path: Path) -> None:
    asyncio.run(register.activate(request()))
    copy = tmp_path / "as-after-a-power-cut"
    shutil.copytree(files.database.parent, copy)
    assert people_in(copy / files.database.name) == register.show()


def test_passwords_are_neither_shown_nor_stored(files: Files, register: LocalRegister) -> None:
    asyncio.run(register.verify_old_password("k", "10000002", Secret(b"123456")))
    assert "123456" not in repr(register.show())
    assert not any(b"123456" in file.read_bytes() for file in files.database.parent.iterdir())


def test_a_person_is_shown_by_the_names_of_the_yaml(register: LocalRegister) -> None:
    asyncio.run(register.verify_old_password("k", "10000002", Secret(b"999999")))
    assert person(register, "测试甲")["updates"] == {"SSSEEF05": {"06": "20400101"}}
    old_cards = person(register, "测试乙")["old_cards"]
    assert isinstance(old_cards, list)
    assert old_cards[0] == {"number": "10000002", "status": "valid", "password": True, "password_tries": 2}


def test_a_file_that_somebody_holds_does_not_hold_up_the_end(files: Files) -> None:
    register = files.open()
    holder = sqlite3.connect(files.database, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")

    async def go() -> None:
        asking = asyncio.create_task(register.activate(request()))
        await asyncio.sleep(0.05)
        began = time.monotonic()
        register.close()
        assert time.monotonic() - began < 1
        asking.cancel()

    asyncio.run(go())
    holder.execute("ROLLBACK")
    holder.close()


def test_the_file_is_readable_by_its_owner_only(files: Files, register: LocalRegister) -> None:
    register.show()
    assert not any(file.stat().st_mode & 0o077 for file in files.database.parent.iterdir())


def test_messages_print_no_name_and_no_number() -> None:
    assert repr(request()) == "<ActivationRequest>"
    assert repr([JIA]) == "[<SocialCard>]"


def test_a_mistake_in_the_yaml_is_told_with_its_line(files: Files) -> None:
    files.people.write_text(
        "people:\n  - {social_security_number: 510101190001010012, name: 测试甲}\n", encoding="utf-8"
    )
    with pytest.raises(DocumentError, match=r"register\.yaml:2:.*quotes"):
        files.open()


def test_a_closed_register_cannot_be_asked(files: Files) -> None:
    register = files.open()
    register.close()
    with pytest.raises(CarddError) as error:
        asyncio.run(register.outcome("key-1"))
    assert error.value.reason is Reason.AUTHORITY_UNAVAILABLE


@pytest.mark.parametrize(("number", "name"), [("510101190002020025", "测试甲"), (JIA.social_security_number, "测试乙")])
def test_refuses_a_document_that_is_not_the_registered_persons(register: LocalRegister, number: str, name: str) -> None:
    document = IdentityDocument(type="resident", number=number, name=name)
    prospect = asyncio.run(register.look_up_social_card(JIA, None, document))
    assert prospect.reason is Reason.DOCUMENT_DIFFERS
    asked = msgspec.structs.replace(request(), document=document)
    assert asyncio.run(register.activate(asked)).reason is Reason.DOCUMENT_DIFFERS


def test_takes_the_registered_persons_document(register: LocalRegister) -> None:
    document = IdentityDocument(type="resident", number=JIA.social_security_number, name="测试甲")
    assert asyncio.run(register.look_up_social_card(JIA, None, document)).standing is Standing.GRANTED
