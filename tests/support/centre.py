"""A simulated centre in this process, on a real socket, and who asks it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from cardd.activation.authority import ActivationRequest, SocialCard
from cardd.activation.http_authority import HttpAuthority, Trust
from cardsim.centre.desk import Desk
from cardsim.centre.server import CentreServer, Tls

PEOPLE = """
region: "510100"
people:
  - social_security_number: "510101190001010012"
    name: 测试甲
    account: frozen
    cards: [{number: A00000012, identification_code: 510100AABBCCDDEE, status: not_enabled}]
    old_cards: [{number: "10000001", status: valid, password: "123456", password_tries: 5}]
    documents: [{type: passport, number: T1234567}]
    updates: {SSSEEF05: {"06": "20400101"}}
  - social_security_number: "510101190002020025"
    name: 测试乙
    cards: [{number: B00000025}, {number: B00000033, status: lost}]
    old_cards: [{number: "10000003", status: frozen}]
"""
JIA = SocialCard(
    number="A00000012",
    identification_code="510100AABBCCDDEE",
    region="510100",
    social_security_number="510101190001010012",
    name="测试甲",
    valid_until="2099-01-01",
)
OLD = "10000001"
PASSWORD = b"123456"


def request(key: str, card: SocialCard = JIA, old_card: str | None = None) -> ActivationRequest:
    return ActivationRequest(
        key=key,
        route="pharmacy",
        card=card,
        old_card=old_card,
        operator="clerk",
        terminal="test/counter",
        time="2026-01-02T03:04:05+00:00",
        challenge=None,
        answer=None,
        journal_head="",
    )


@contextmanager
def open_centre(directory: Path, *faults: str, tls: Tls | None = None, slow_s: float = 0.4) -> Iterator[CentreServer]:
    people = directory / "people.yaml"
    people.write_text(PEOPLE, encoding="utf-8")
    desk = Desk.open(directory / "centre.sqlite", people)
    try:
        with CentreServer(desk, faults=faults, tls=tls, slow_s=slow_s) as centre:
            yield centre
    finally:
        desk.close()


@asynccontextmanager
async def asking(url: str, *, trust: Trust | None = None, timeout_s: float = 2.0) -> AsyncIterator[HttpAuthority]:
    authority = HttpAuthority(url, trust=trust, timeout_s=timeout_s)
    try:
        yield authority
    finally:
        await authority.close()
