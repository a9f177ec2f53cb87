"""Tampering of every kind against exports and the stored chain."""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec
import pytest

from cardd.base.clock import SystemClock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.sealing import Sealer
from cardd.base.secret import Secret
from cardd.crypto.digest import sm3
from cardd.crypto.signing import Ed25519Signer, verify
from cardd.crypto.tokens import KeyedTokens
from cardd.journal import heads, transcript
from cardd.journal.events import ActivationRow, Json, Lost, NewEvent
from cardd.journal.evidence import Evidence, Wanted
from cardd.journal.examiner import Examiner, Report
from cardd.journal.heads import Notary, Place
from cardd.journal.store import Journal, Keeping

TOKENS = KeyedTokens(Secret(b"0123456789abcdef"))
NOTARY = Notary(Ed25519Signer(Secret(bytes(range(32)))), SystemClock())
OTHER = Notary(Ed25519Signer(Secret(bytes(32))), SystemClock())
NUMBER = "510101190001010012"
WITH_AN_X = "51010119000303003X"


def opened(path: Path, sealer: Sealer, notary: Notary = NOTARY) -> tuple[Journal, Evidence]:
    keeping = Keeping(notary=notary, tokens=TOKENS)
    journal = Journal.open(path, sealer=sealer, clock=SystemClock(), source="/cardd/test", keeping=keeping)
    return journal, Evidence(journal, sealer=sealer, tokens=TOKENS, verify=verify)


async def fill(journal: Journal, events: int = 20) -> None:
    for number in range(events):
        person = {"holder": {"name": "测试甲", "social_security_number": NUMBER}} if number % 2 else {}
        activation = ActivationRow("a-1", "s", "pharmacy", "authorising", True, {}) if number == 7 else None
        await journal.record(NewEvent("a.b", "s", {"n": number}, person), activation=activation)


async def exported(evidence: Evidence, after: int = 0, until: int | None = None) -> list[bytes]:
    lines: list[bytes] = []
    while True:
        piece = await evidence.export(after, until)
        lines += piece.lines
        after = piece.after.sequence
        if piece.last:
            return lines


def examined(lines: Iterable[bytes], kept: Iterable[str] = (), keys: Iterable[str] = ()) -> Report:
    examiner = Examiner(verify, heads=map(heads.parse, kept), keys=keys)
    transcript.examine(lines, examiner)
    return examiner.report()


def code(report: Report) -> tuple[str, int | None] | None:
    return None if report.problem is None else (report.problem.code, report.problem.sequence)


@pytest.fixture
def written(tmp_path: Path, sealer: Sealer) -> list[bytes]:
    async def write() -> list[bytes]:
        journal, evidence = opened(tmp_path, sealer)
        await fill(journal)
        lines = await exported(evidence)
        await journal.close()
        return lines

    return asyncio.run(write())


def rewritten(lines: Sequence[bytes], change: Callable[[int, str], str | None], notary: Notary = NOTARY) -> list[bytes]:
    """Forge an export as somebody would who holds the signing key: change events, recompute and sign the rest."""
    out: list[bytes] = []
    opening = json.loads(lines[0])["journal"]
    stream, sequence, before = opening["stream"], opening["after"], bytes.fromhex(opening["digest"])
    out.append(lines[0])
    for line in lines[1:]:
        read = json.loads(line)
        if "event" in read:
            text = line[len(b'{"event":') : line.rindex(b',"digest"')].decode()
            changed = change(sequence + 1, text)
            if changed is None:
                break
            sequence += 1
            sealed = bytes.fromhex(read["sealed"]) if "sealed" in read else sm3(b"")
            before = sm3(before + changed.encode() + sealed)
            tail = f',"sealed":"{read["sealed"]}"' if "sealed" in read else ""
            out.append(f'{{"event":{changed},"digest":"{before.hex()}"{tail}}}'.encode())
        elif "head" in read:
            head = notary.sign(stream, sequence, before)
            out.append(b'{"head":' + msgspec.json.encode(head) + b"}")
    out.append(transcript.end(Place(stream, sequence, before.hex())))
    return out


def test_an_export_verifies_without_any_key_and_tells_who_signed(written: list[bytes]) -> None:
    report = examined(written)
    assert report.whole
    assert (report.first, report.last, report.events, report.heads, report.signed) == (1, 20, 20, 2, 20)
    assert report.keys == [NOTARY.key]
    assert examined(written, keys=[NOTARY.key]).whole


def test_forging_is_done_well_enough_to_pass_for_itself(written: list[bytes]) -> None:
    assert examined(rewritten(written, lambda _, text: text)).head == examined(written).head
    forged = rewritten(written, lambda _, text: text.replace('"n":4', '"n":5'))
    assert examined(forged, keys=[NOTARY.key]).whole


def test_a_rewritten_event_with_all_later_hashes_and_signatures_is_found_by_a_head_kept_earlier(
    written: list[bytes],
) -> None:
    kept = examined(written).head
    forged = rewritten(written, lambda _, text: text.replace('"n":4', '"n":5'))
    assert kept is not None
    assert code(examined(forged, [kept])) == ("head", 20)


def test_a_cut_tail_is_found_by_a_head_kept_earlier(written: list[bytes]) -> None:
    kept = examined(written).head
    cut = rewritten(written, lambda sequence, text: None if sequence > 15 else text)
    assert examined(cut).whole
    assert kept is not None
    assert code(examined(cut, [kept])) == ("cut", 15)


def test_heads_of_an_earlier_export_serve_as_those_kept(written: list[bytes]) -> None:
    forged = rewritten(written, lambda _, text: text.replace('"n":4', '"n":5'))
    kept = [str(place) for place in transcript.places(written)]
    assert code(examined(forged, kept)) == ("head", 8)
    assert sorted(examined(written, kept).agreed) == sorted(set(kept))


def test_a_rewritten_chain_signed_with_another_key_is_found_where_the_key_is_known(written: list[bytes]) -> None:
    forged = rewritten(written, lambda _, text: text.replace('"n":4', '"n":5'), OTHER)
    assert examined(forged).keys == [OTHER.key]
    assert code(examined(forged, keys=[NOTARY.key])) == ("key", 8)


def test_a_chain_without_heads_is_not_accepted_where_a_key_is_asked_for(written: list[bytes]) -> None:
    unsigned = [line for line in written if not line.startswith(b'{"head"')]
    assert examined(unsigned).whole
    assert code(examined(unsigned, keys=[NOTARY.key])) == ("unsigned", None)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda lines: [line.replace(b'"n":4', b'"n":5') for line in lines], ("digest", 5)),
        (lambda lines: [line.replace(b'"sequence":5', b'"sequence":6') for line in lines], ("gap", 5)),
        (lambda lines: lines[:5] + lines[6:], ("gap", 5)),
        (lambda lines: [*lines[:5], lines[6], lines[5], *lines[7:]], ("gap", 5)),
        (lambda lines: lines[:-1], ("cut", 21)),
        (lambda lines: lines[:10], ("cut", 9)),
        (lambda lines: [*lines[:10], lines[-1]], ("cut", 20)),
        (lambda lines: lines[1:], ("form", None)),
        (lambda _: [], ("form", None)),
        (lambda lines: [b"{}", *lines], ("form", None)),
        (lambda lines: [b"\xff", *lines], ("form", None)),
        (lambda lines: [line.replace(b'"digest":"', b'"digest":"0') for line in lines], ("form", None)),
        (lambda lines: [line.replace(b'"signature":"', b'"signature":"00') for line in lines], ("signature", 8)),
        (lambda lines: [line.replace(b'"time":"2', b'"time":"3') for line in lines], ("digest", 1)),
    ],
)
def test_whatever_is_changed_in_an_export_is_found_where_it_was_changed(
    written: list[bytes], change: Callable[[list[bytes]], list[bytes]], found: tuple[str, int | None]
) -> None:
    assert code(examined(change(written))) == found


def test_any_single_byte_that_is_changed_is_found(written: list[bytes]) -> None:
    text = b"\n".join(written)
    opening = len(written[0])
    for at in range(opening, len(text), 37):
        changed = text[:at] + bytes([text[at] ^ 1]) + text[at + 1 :]
        assert not examined(changed.split(b"\n"), [examined(written).head or ""]).whole, text[at - 20 : at + 20]


def test_a_head_of_another_stream_or_of_none_of_the_events_is_told(written: list[bytes]) -> None:
    stranger = f"{'0' * 16}:5:{'0' * 64}"
    assert code(examined(written, [stranger])) == ("head", 5)
    assert code(examined(written, [f"{'0' * 16}:99:{'0' * 64}"])) == ("stream", None)


@pytest.mark.asyncio
async def test_a_part_of_the_chain_is_exported_and_verifies_and_says_which_heads_it_cannot_check(
    tmp_path: Path, sealer: Sealer
) -> None:
    journal, evidence = opened(tmp_path, sealer)
    await fill(journal, 9)
    early = journal.head
    await fill(journal, 11)
    late = journal.head
    lines = await exported(evidence, 12, 18)
    report = examined(lines)
    assert (report.whole, report.first, report.last) == (True, 13, 18)
    lines = await exported(evidence, 12)
    assert examined(lines, [early, late]).unchecked == [early]
    assert code(examined(lines, [early])) == ("unchecked", None)
    with pytest.raises(CarddError) as caught:
        await evidence.export(99, None)
    assert caught.value.reason is Reason.NOT_FOUND
    await journal.close()


@pytest.mark.asyncio
async def test_a_long_export_comes_in_pieces_that_verify_as_one(
    tmp_path: Path, sealer: Sealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cardd.journal.pages.PAGE_EVENTS", 7)
    journal, evidence = opened(tmp_path, sealer)
    await fill(journal)
    lines = await exported(evidence)
    assert sum(line.startswith(b'{"journal"') for line in lines) == 3
    assert examined(lines).whole
    assert (await evidence.examine()).events == 20
    second = next(number for number, line in enumerate(lines[1:], start=1) if line.startswith(b'{"journal"'))
    assert code(examined([*lines[: second - 1], *lines[second:]])) == ("gap", 7)
    await journal.close()


@pytest.mark.asyncio
async def test_an_export_holds_nothing_that_is_personal(tmp_path: Path, sealer: Sealer) -> None:
    journal, evidence = opened(tmp_path, sealer)
    await fill(journal)
    text = b"\n".join(await exported(evidence))
    assert "测试甲".encode() not in text
    assert NUMBER.encode() not in text
    assert TOKENS.holder(NUMBER).encode() not in text
    await journal.close()


def alter(path: Path, sql: str) -> None:
    connection = sqlite3.connect(path / "journal.db", isolation_level=None)
    connection.execute(sql)
    connection.close()


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("UPDATE events SET public = CAST(replace(public, '\"n\":6', '\"n\":4') AS BLOB) WHERE sequence = 7", "digest"),
        ("UPDATE events SET sealed = x'01' WHERE sequence = 8", "sealed"),
        ("UPDATE events SET sealed = NULL WHERE sequence = 8", "sealed"),
        ("DELETE FROM events WHERE sequence = 7", "gap"),
        ("UPDATE events SET sealed_digest = zeroblob(32), sealed = x'' WHERE sequence = 8", "digest"),
        ("UPDATE heads SET head = CAST(replace(head, 'sequence\":20', 'sequence\":19') AS BLOB)", "head"),
        ("UPDATE heads SET head = CAST(replace(head, 'time\":\"2', 'time\":\"3') AS BLOB)", "signature"),
        ("UPDATE identity SET stream = '0123456789abcdef'", "digest"),
    ],
)
def test_whatever_is_changed_in_the_file_is_found(tmp_path: Path, sealer: Sealer, sql: str, found: str) -> None:
    async def write() -> None:
        journal, _ = opened(tmp_path, sealer)
        await fill(journal)
        await journal.close()

    async def examine() -> Report:
        journal, evidence = opened(tmp_path, sealer)
        report = await evidence.examine()
        await journal.close()
        return report

    asyncio.run(write())
    assert asyncio.run(examine()).whole
    alter(tmp_path, sql)
    problem = asyncio.run(examine()).problem
    assert problem is not None
    assert problem.code == found


@pytest.mark.asyncio
async def test_what_is_recorded_during_an_examination_does_not_disturb_it(
    tmp_path: Path, sealer: Sealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cardd.journal.pages.PAGE_EVENTS", 3)
    journal, evidence = opened(tmp_path, sealer)
    await fill(journal)
    report, _ = await asyncio.gather(evidence.examine(), fill(journal))
    assert report.whole
    assert 20 <= report.last <= 40
    await journal.close()


@pytest.mark.asyncio
async def test_events_are_found_by_time_type_activation_and_insertion(tmp_path: Path, sealer: Sealer) -> None:
    journal, evidence = opened(tmp_path, sealer)
    first, *_ = await journal.record(NewEvent("card.inserted", "r", {}, insertion="1-1", correlation="a-1"))
    await journal.record(NewEvent("card.removed", "r", {}, insertion="1-1"))
    await journal.record(NewEvent("activation.step", "r", {}, correlation="a-1"), NewEvent("pcsc.up", "pcsc", {}))

    async def look(wanted: Wanted, after: int = 0, limit: int = 10) -> list[int]:
        return [event.sequence for event in (await evidence.find(wanted, after=after, limit=limit)).events]

    assert await look(Wanted()) == [1, 2, 3, 4]
    assert await look(Wanted(), after=2) == [3, 4]
    assert await look(Wanted(), limit=3) == [1, 2, 3]
    assert await look(Wanted(types=["card.*", "pcsc.up"])) == [1, 2, 4]
    assert await look(Wanted(activation="a-1")) == [1, 3]
    assert await look(Wanted(insertion="1-1")) == [1, 2]
    assert await look(Wanted(insertion="1-2")) == []
    moment = SystemClock().now()
    assert await look(Wanted(since=moment)) == []
    assert await look(Wanted(until=moment)) == [1, 2, 3, 4]
    assert (await evidence.find(Wanted(), after=0, limit=3)).more
    assert first.sequence == 1
    await journal.close()


async def visit(journal: Journal, insertion: str, card: str, person: str | None = None, old: str | None = None) -> None:
    """Have a card identified, and activated where there is a person."""
    identified = NewEvent("card.identified", "r", {"number": "***"}, {"number": card}, insertion=insertion)
    await journal.record(NewEvent("card.inserted", "r", {}, insertion=insertion), identified)
    if person is not None:
        whole = {
            "old_card": {"number": old or "O-0"},
            "card": {"number": card, "identification_code": f"ID-{card}"},
            "holder": {"name": "测试甲", "social_security_number": person},
        }
        activation = f"a-{insertion}"
        await journal.record(NewEvent("activation.started", "s", {}, correlation=activation))
        row = ActivationRow(activation, "s", "pharmacy", "completed", False, {"n": 1}, {"old_card": old or "O-0"})
        await journal.record(NewEvent("activation.completed", "s", {}, whole, correlation=activation), activation=row)


@pytest.mark.asyncio
async def test_everything_about_a_person_and_nothing_about_others_is_found_by_token(
    tmp_path: Path, sealer: Sealer
) -> None:
    journal, evidence = opened(tmp_path, sealer)
    await visit(journal, "1-1", "T1")  # before anybody knew whose it is
    await visit(journal, "1-2", "T2", person="other")
    await visit(journal, "1-3", "T1", person=NUMBER, old="O-1")
    found = await evidence.find(Wanted(token=TOKENS.holder(NUMBER)), after=0, limit=100)
    assert [event.sequence for event in found.events] == [1, 2, 7, 8, 9, 10]
    by_card = await evidence.find(Wanted(card="T2"), after=0, limit=100)
    assert [event.sequence for event in by_card.events] == [3, 4, 5, 6]
    assert (await evidence.find(Wanted(card="ID-T2"), after=0, limit=100)).events[0].sequence == 5
    old = await evidence.find(Wanted(card="O-1"), after=0, limit=100)
    assert [event.sequence for event in old.events] == [9, 10]
    assert (await evidence.find(Wanted(token="0" * 32), after=0, limit=100)).events == []
    await journal.close()


def stored(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.iterdir())


@pytest.mark.asyncio
async def test_erasing_a_person_takes_that_persons_sealed_data_and_leaves_the_chain(
    tmp_path: Path, sealer: Sealer
) -> None:
    journal, evidence = opened(tmp_path, sealer)
    await visit(journal, "1-2", "T2", person="other", old="O-2")
    await visit(journal, "1-3", "T1", person=NUMBER, old="O-1")
    before = journal.head
    stale = [event.sealed for event in await journal.read(0, 100) if event.sealed and event.sequence > 4]
    await evidence.erase(TOKENS.holder(NUMBER), client="auditor", purpose="asked for it")
    events = {event.sequence: event for event in await journal.read(0, 100)}
    assert [sequence for sequence, event in events.items() if event.sealed == b""] == [6, 8]
    assert [sequence for sequence, event in events.items() if event.sealed] == [2, 4]
    assert events[9].type == "journal.erased"
    erased, kept = await journal.activation("a-1-3"), await journal.activation("a-1-2")
    assert erased is not None
    assert kept is not None
    assert (erased.personal_lost, kept.personal_lost) == (Lost.ERASED, None)
    report = await evidence.examine([heads.parse(before)])
    assert (report.whole, report.agreed) == (True, [before])
    assert examined(await exported(evidence), [before]).whole
    raw = stored(tmp_path)
    assert len(stale) == 2
    assert not any(sealed[20:] in raw for sealed in stale)
    with pytest.raises(CarddError) as caught:
        await evidence.erase(TOKENS.holder(NUMBER), client="auditor", purpose="again")
    assert caught.value.reason is Reason.NOT_FOUND
    await journal.close()


@pytest.mark.asyncio
@pytest.mark.parametrize("typed", [WITH_AN_X, f" {WITH_AN_X.lower()} "])
async def test_a_document_shown_without_its_holders_card_is_erased_too(
    tmp_path: Path, sealer: Sealer, typed: str
) -> None:
    journal, evidence = opened(tmp_path, sealer)
    document: Json = {"type": "resident", "number": typed, "name": "测试丙"}
    rows: dict[str, Json] = {"nobody-came": None, "another-came": {"social_security_number": NUMBER, "number": "T1"}}
    for identity, social in rows.items():
        personal = {"document": document, "social": social}
        await journal.record(activation=ActivationRow(identity, "s", "bank", "refused", False, {}, personal))
    await evidence.erase(TOKENS.holder(WITH_AN_X), client="auditor", purpose="asked for it")
    left = [await journal.activation(identity) for identity in rows]
    assert [row.personal_lost for row in left if row is not None] == [Lost.ERASED] * 2
    await journal.close()


@pytest.mark.asyncio
async def test_erased_bytes_are_overwritten_where_they_lay_in_the_file(tmp_path: Path, sealer: Sealer) -> None:
    journal, _ = opened(tmp_path, sealer)
    whole = {"social_security_number": NUMBER, "photograph": "x" * 20_000}
    (event,) = await journal.record(NewEvent("a.b", "s", {}, whole))
    await journal.close()  # what the log held is in the file now
    assert event.sealed is not None
    pieces = [event.sealed[at : at + 32] for at in range(0, 20_000, 1000)]
    assert all(piece in stored(tmp_path) for piece in pieces)
    journal, evidence = opened(tmp_path, sealer)
    await evidence.erase(TOKENS.holder(NUMBER), client="auditor", purpose="asked for it")
    assert not any(piece in stored(tmp_path) for piece in pieces)
    await journal.close()


@pytest.mark.asyncio
async def test_a_person_with_something_under_way_is_not_erased(tmp_path: Path, sealer: Sealer) -> None:
    journal, evidence = opened(tmp_path, sealer)
    await visit(journal, "1-3", "T1", person=NUMBER)
    row = ActivationRow("a-9", "s", "bank", "authorising", True, {}, {"social": {"social_security_number": NUMBER}})
    await journal.record(activation=row)
    with pytest.raises(CarddError) as caught:
        await evidence.erase(TOKENS.holder(NUMBER), client="auditor", purpose="asked")
    assert caught.value.reason is Reason.BUSY
    assert not any(event.sealed == b"" for event in await journal.read(0, 100))
    await journal.close()


def test_events_from_before_there_were_marks_are_found_after_the_next_start(tmp_path: Path, sealer: Sealer) -> None:
    async def write() -> None:
        journal, _ = opened(tmp_path, sealer)
        await visit(journal, "1-3", "T1", person=NUMBER)
        await journal.close()

    async def look() -> int:
        journal, evidence = opened(tmp_path, sealer)
        found = await evidence.find(Wanted(token=TOKENS.holder(NUMBER)), after=0, limit=100)
        await journal.close()
        return len(found.events)

    asyncio.run(write())
    alter(tmp_path, "DELETE FROM marks")
    assert asyncio.run(look()) == 0
    alter(tmp_path, "UPDATE identity SET marked = 0")
    assert asyncio.run(look()) == 4
    assert asyncio.run(look()) == 4
