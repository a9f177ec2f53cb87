"""A card centre asked over a real socket, with each of its faults at each question."""

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
import structlog
from support.centre import JIA, OLD, PASSWORD, asking, open_centre, request

from cardd.activation.authority import IdentityDocument, Prospect, Standing, Verdict
from cardd.activation.http_authority import HttpAuthority, Trust
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardsim.centre.certificates import Certificates
from cardsim.centre.faults import KINDS
from cardsim.centre.server import CentreServer, Tls

KEY = "activation-1"
WRONG = Secret(b"000000")
RIGHT = Secret(PASSWORD)


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[CentreServer]:
    with open_centre(tmp_path) as opened:
        yield opened


@dataclass(frozen=True)
class Question:
    """One question of the protocol, and what it has to come out as, however it got there."""

    ask: Callable[[HttpAuthority], Awaitable[object]]
    right: Callable[[object], bool]


def _granted(answer: object) -> bool:
    return isinstance(answer, Verdict) and answer.standing is Standing.GRANTED


async def _as_a_patient_counter_asks(authority: HttpAuthority, method: str) -> object:
    """Ask again where 0.4 s were too short for a busy machine."""
    for _ in range(5):
        with contextlib.suppress(CarddError):
            return await QUESTIONS[method].ask(authority)
    return await QUESTIONS[method].ask(authority)


QUESTIONS = {
    "look_up_old_card": Question(
        lambda a: a.look_up_old_card(OLD), lambda r: r is not None and getattr(r, "tries_left", None) == 5
    ),
    "verify_old_password": Question(
        lambda a: a.verify_old_password(KEY, OLD, WRONG), lambda r: getattr(r, "tries_left", None) == 4
    ),
    "look_up_social_card": Question(
        lambda a: a.look_up_social_card(JIA, None, None), lambda r: r == Prospect(standing=Standing.GRANTED)
    ),
    "activate": Question(lambda a: a.activate(request(KEY)), _granted),
    "outcome": Question(lambda a: a.outcome(KEY), lambda r: r is None),
    "report_update": Question(lambda a: a.report_update(KEY, written=True), lambda r: r is None),
}


def tries_of(centre: CentreServer) -> object:
    return old_card(centre)["password_tries"]


def old_card(centre: CentreServer) -> dict[str, object]:
    jia = msgspec.convert(centre.desk.people()[0], dict[str, object])
    return msgspec.convert(jia["old_cards"], list[dict[str, object]])[0]


def activations(centre: CentreServer) -> list[dict[str, object]]:
    jia = msgspec.convert(centre.desk.people()[0], dict[str, object])
    return msgspec.convert(jia["activations"], list[dict[str, object]])


@pytest.mark.parametrize("method", QUESTIONS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.asyncio
async def test_one_fault_at_one_question_is_got_over_and_nothing_is_done_twice(
    centre: CentreServer, kind: str, method: str
) -> None:
    centre.faults.order(f"{kind}@{method}:1")
    question = QUESTIONS[method]

    async with asking(centre.url, timeout_s=1.4) as authority:
        answer = await question.ask(authority)

    assert question.right(answer), answer
    assert centre.faults.left() == []
    assert tries_of(centre) == (4 if method == "verify_old_password" else 5)
    assert len(activations(centre)) == (1 if method == "activate" else 0)
    assert len({call.question for call in centre.calls}) == 1, "a question that is asked again keeps its name"


LASTING = sorted(set(KINDS) - {"slow", "duplicate"})


@pytest.mark.parametrize("method", QUESTIONS)
@pytest.mark.parametrize("kind", LASTING)
@pytest.mark.asyncio
async def test_a_fault_that_lasts_is_an_authority_that_is_away_in_time(
    centre: CentreServer, kind: str, method: str
) -> None:
    centre.faults.order(f"{kind}@{method}")
    began = time.monotonic()

    async with asking(centre.url, timeout_s=0.4) as authority:
        with pytest.raises(CarddError) as caught:
            await QUESTIONS[method].ask(authority)
        assert time.monotonic() - began < 0.4 + 0.4
        assert authority.status()["available"] is False

        centre.faults.order()
        answer = await _as_a_patient_counter_asks(authority, method)

    assert caught.value.reason is Reason.AUTHORITY_UNAVAILABLE
    assert answer is None or not isinstance(answer, Verdict) or _granted(answer)
    assert len(activations(centre)) == (1 if method == "activate" else 0)
    assert tries_of(centre) in ({5} if method != "verify_old_password" else {3, 4}), (
        "one try for each time it was typed"
    )


@pytest.mark.asyncio
async def test_an_activation_whose_answer_was_lost_is_found_under_its_key(centre: CentreServer) -> None:
    centre.faults.order("silent_after@activate")
    async with asking(centre.url, timeout_s=0.6) as authority:
        with pytest.raises(CarddError):
            await authority.activate(request(KEY))
        verdict = await authority.outcome(KEY)

        centre.faults.order()
        again = await authority.activate(request(KEY))

    assert verdict is not None
    assert _granted(verdict)
    assert again == verdict, "receipt and all"


@pytest.mark.asyncio
async def test_an_activation_that_never_arrived_has_no_outcome(centre: CentreServer) -> None:
    centre.faults.order("silent_before@activate")
    async with asking(centre.url, timeout_s=0.6) as authority:
        with pytest.raises(CarddError):
            await authority.activate(request(KEY))
        assert await authority.outcome(KEY) is None


@pytest.mark.asyncio
async def test_a_password_counts_for_its_activation_only(centre: CentreServer) -> None:
    async with asking(centre.url) as authority:
        assert (await authority.verify_old_password("another", OLD, RIGHT)).right
        verdict = await authority.activate(request(KEY, old_card=OLD))
        assert (verdict.standing, verdict.reason) == (Standing.REFUSED, Reason.OLD_PASSWORD_WRONG)

        assert (await authority.verify_old_password("second", OLD, RIGHT)).right
        assert _granted(await authority.activate(request("second", old_card=OLD)))

    assert old_card(centre)["status"] == "void"


@pytest.mark.asyncio
async def test_each_time_a_wrong_password_is_typed_counts(centre: CentreServer) -> None:
    async with asking(centre.url) as authority:
        left = [(await authority.verify_old_password(KEY, OLD, WRONG)).tries_left for _ in range(6)]
    assert left == [4, 3, 2, 1, 0, 0]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (IdentityDocument(type="identity_card", number=JIA.social_security_number, name=JIA.name), None),
        (IdentityDocument(type="passport", number="t1234567", name=JIA.name), None),
        (IdentityDocument(type="identity_card", number="T1234567", name=JIA.name), Reason.DOCUMENT_DIFFERS),
        (IdentityDocument(type="passport", number="T7654321", name=JIA.name), Reason.DOCUMENT_DIFFERS),
        (IdentityDocument(type="passport", number="T1234567", name="测试乙"), Reason.DOCUMENT_DIFFERS),
    ],
)
@pytest.mark.asyncio
async def test_a_document_has_to_be_the_holders(
    centre: CentreServer, document: IdentityDocument, reason: Reason | None
) -> None:
    async with asking(centre.url) as authority:
        prospect = await authority.look_up_social_card(JIA, None, document)
        verdict = await authority.activate(msgspec.structs.replace(request(KEY), document=document))
    assert prospect.reason == verdict.reason == reason


@pytest.mark.asyncio
async def test_a_key_that_was_another_cards_activates_nothing(centre: CentreServer) -> None:
    other = msgspec.structs.replace(JIA, number="B00000025", social_security_number="510101190002020025", name="测试乙")
    async with asking(centre.url) as authority:
        await authority.activate(request(KEY))
        with pytest.raises(CarddError) as caught:
            await authority.activate(request(KEY, card=other))
    assert caught.value.reason is Reason.AUTHORITY_UNAVAILABLE
    assert len(centre.calls) == 2, "a centre that takes no such question is not asked it again"


@pytest.mark.asyncio
async def test_a_slow_answer_within_the_deadline_is_waited_for_and_not_asked_for_again(tmp_path: Path) -> None:
    with open_centre(tmp_path, "slow@activate", slow_s=0.4) as centre:
        async with asking(centre.url, timeout_s=2.0) as authority:
            assert _granted(await authority.activate(request(KEY)))
        assert len(centre.calls) == 1


@pytest.mark.asyncio
async def test_nobody_at_the_address_is_told_soon() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    began = time.monotonic()
    async with asking(f"http://127.0.0.1:{port}", timeout_s=5.0) as authority:
        with pytest.raises(CarddError) as caught:
            await authority.outcome(KEY)
    assert caught.value.reason is Reason.AUTHORITY_UNAVAILABLE
    assert time.monotonic() - began < 1.5


@pytest.mark.asyncio
async def test_questions_that_are_given_up_leave_room_for_others(centre: CentreServer) -> None:
    centre.faults.order("silent_before@look_up_old_card")
    async with asking(centre.url, timeout_s=30.0) as authority:
        for _ in range(3):
            waiting = [asyncio.create_task(authority.look_up_old_card(OLD)) for _ in range(40)]
            await asyncio.sleep(0.3)
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        async with asyncio.timeout(3):
            assert await authority.outcome(KEY) is None


def _answer(result: str) -> bytes:
    return b'{"question": "%s", "key": null, "result": ' + result.encode() + b"}"


ANSWERS = {
    "an array": b"[]",
    "no result": b'{"question": "%s", "key": null}',
    "a standing that does not exist": _answer('{"standing": "测试甲"}'),
    "a refusal without a reason": _answer('{"standing": "refused"}'),
    "a grant with a reason": _answer('{"standing": "granted", "reason": "CARD_VOID"}'),
    "a reason that is not a centre's": _answer('{"standing": "refused", "reason": "BUSY"}'),
    "another key": b'{"question": "%s", "key": "k", "result": {"standing": "granted"}}',
    "bytes that are no text": b'{"question": "\xff\xfe", "key": null}',
    "nested without end": b"[" * 30_000,
    "nothing": b"",
}


class _Parrot:
    """A centre that answers every question with the same bytes."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as stream:
                length = 0
                while (line := stream.readline().strip()) != b"":
                    name, _, value = line.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                asked = msgspec.json.decode(stream.read(length), type=dict[str, object])
                body = self._answer.replace(b"%s", str(asked["question"]).encode())
                head = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
                connection.sendall(head + body)


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.asyncio
async def test_what_is_no_answer_is_logged_without_what_it_said(answer: bytes) -> None:
    parrot = _Parrot(answer)
    try:
        with structlog.testing.capture_logs() as logged:
            async with asking(parrot.url) as authority:
                with pytest.raises(CarddError) as caught:
                    await authority.look_up_social_card(JIA, None, None)
    finally:
        parrot.close()
    assert caught.value.reason is Reason.AUTHORITY_UNAVAILABLE
    assert [row["event"] for row in logged] == ["authority.unheard"] * 3
    said = repr(logged) + caught.value.detail
    assert "测试" not in said
    assert JIA.social_security_number not in said


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates.make(tmp_path / "tls")


@pytest.fixture
def guarded(tmp_path: Path, certificates: Certificates) -> Iterator[CentreServer]:
    tls = Tls(certificates.centre, certificates.centre_key, certificates.ca)
    with open_centre(tmp_path, tls=tls) as opened:
        yield opened


@pytest.mark.asyncio
async def test_a_centre_that_wants_to_see_a_certificate_is_shown_one(
    guarded: CentreServer, certificates: Certificates
) -> None:
    trust = Trust(certificates.ca, certificates.counter, certificates.counter_key)
    async with asking(guarded.url, trust=trust) as authority:
        assert _granted(await authority.activate(request(KEY)))


@pytest.mark.parametrize("who", ["nobody", "a stranger"])
@pytest.mark.asyncio
async def test_a_centre_that_wants_to_see_a_certificate_tells_others_nothing(
    guarded: CentreServer, certificates: Certificates, tmp_path: Path, who: str
) -> None:
    strange = Certificates.make(tmp_path / "strange")
    shown = (strange.counter, strange.counter_key) if who == "a stranger" else (None, None)
    async with asking(guarded.url, trust=Trust(certificates.ca, *shown)) as authority:
        with pytest.raises(CarddError) as caught:
            await authority.look_up_old_card(OLD)
    assert caught.value.reason is Reason.AUTHORITY_UNAVAILABLE
    assert guarded.calls == []


@pytest.mark.asyncio
async def test_a_centre_that_nobody_vouches_for_is_asked_nothing(guarded: CentreServer, tmp_path: Path) -> None:
    strange = Certificates.make(tmp_path / "strange")
    trust = Trust(strange.ca, strange.counter, strange.counter_key)
    async with asking(guarded.url, trust=trust) as authority:
        with pytest.raises(CarddError) as caught:
            await authority.look_up_old_card(OLD)
    assert caught.value.reason is Reason.AUTHORITY_UNAVAILABLE
    assert guarded.calls == []


@pytest.mark.parametrize("url", ["http://centre.example/", "ftp://127.0.0.1", "centre", "https://"])
def test_persons_are_not_sent_in_clear_to_another_machine(url: str) -> None:
    with pytest.raises(CarddError) as caught:
        HttpAuthority(url)
    assert caught.value.reason is Reason.INVALID


def test_files_that_do_not_serve_are_named_at_the_start(certificates: Certificates, tmp_path: Path) -> None:
    with pytest.raises(CarddError) as caught:
        Trust(tmp_path / "absent.pem").context()
    assert "absent.pem" in caught.value.detail
    with pytest.raises(CarddError) as caught:
        Trust(certificates.ca, certificates.counter, certificates.centre_key).context()
    assert caught.value.reason is Reason.INVALID
    assert isinstance(Trust(certificates.ca, certificates.counter, certificates.counter_key).context(), ssl.SSLContext)
