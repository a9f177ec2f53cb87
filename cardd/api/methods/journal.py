"""The journal for auditors."""

from collections.abc import Sequence
from typing import Final

import msgspec

from cardd.api.audit import Disclosure, fields_beyond
from cardd.api.method import Call, Method
from cardd.api.rights import Right
from cardd.api.services import EvidenceService
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.journal import cursor as cursors
from cardd.journal import heads
from cardd.journal.events import StoredEvent
from cardd.journal.evidence import Wanted
from cardd.wire.base import Json
from cardd.wire.journal import (
    JournalEraseParams,
    JournalEraseResult,
    JournalExportParams,
    JournalExportResult,
    JournalFindParams,
    JournalFindResult,
    JournalFound,
    JournalVerifyParams,
    JournalVerifyResult,
)
from cardd.wire.methods import JOURNAL_ERASE, JOURNAL_EXPORT, JOURNAL_FIND, JOURNAL_VERIFY

_FOUND_MOST: Final = 1000
_FOUND_BYTES: Final = 512 * 1024
_GIVEN_MOST: Final = 1000
_GLOBS_MOST: Final = 64
_NAME_CHARACTERS: Final = 128


class _Data(msgspec.Struct):
    data: dict[str, Json]


_DATA: Final = msgspec.json.Decoder(_Data)


async def _verify(call: Call, params: JournalVerifyParams) -> JournalVerifyResult:
    if len(params.heads) > _GIVEN_MOST or len(params.keys) > _GIVEN_MOST:
        raise CarddError(Reason.INVALID, f"give at most {_GIVEN_MOST} heads and keys", path="$.heads")
    report = await _evidence(call).examine([heads.parse(text) for text in params.heads], params.keys)
    return msgspec.convert(report, JournalVerifyResult, from_attributes=True)


async def _export(call: Call, params: JournalExportParams) -> JournalExportResult:
    journal = call.office.services.journal
    after = journal.evicted if params.after is None else journal.position(params.after)
    until = None if params.until is None else journal.position(params.until)
    piece = await _evidence(call).export(after, until)
    return JournalExportResult(
        lines=[msgspec.Raw(line) for line in piece.lines],
        cursor=cursors.encode(journal.stream, piece.after.sequence),
        until=cursors.encode(journal.stream, piece.until),
        more=not piece.last,
    )


async def _find(call: Call, params: JournalFindParams) -> JournalFindResult:
    if not 1 <= params.limit <= _FOUND_MOST:
        raise CarddError(Reason.INVALID, f"a limit is 1 to {_FOUND_MOST}", path="$.limit")
    if len(params.types) > _GLOBS_MOST:
        raise CarddError(Reason.INVALID, f"give at most {_GLOBS_MOST} globs", path="$.types")
    personal = await call.personal_for(params.purpose)
    journal = call.office.services.journal
    after = journal.evicted if params.after is None else journal.position(params.after)
    found = await _evidence(call).find(_wanted(params), after=after, limit=params.limit)
    lines, kept = _fitting(call, found.events, personal=personal)
    if personal:
        await _disclose(call, found.events[:kept], params.purpose or "")
    cut = kept < len(found.events)
    looked = found.events[kept - 1].sequence if cut else found.looked
    return JournalFindResult(events=lines, cursor=cursors.encode(journal.stream, looked), more=cut or found.more)


async def _erase(call: Call, params: JournalEraseParams) -> JournalEraseResult:
    # an auditor looks; only who may see persons may decide that nobody shall any more
    await call.personal_for(params.purpose)
    _named(params.token, "$.token")
    client = call.session.client
    work = _evidence(call).erase(params.token, client=client, purpose=params.purpose)
    erased = await call.office.deeds.carry_out(work)
    return JournalEraseResult(
        token=params.token,
        events=len(erased.events),
        activations=len(erased.activations),
        payments=len(erased.deeds),
    )


def _wanted(params: JournalFindParams) -> Wanted:
    return Wanted(
        token=_named(params.token, "$.token"),
        card=_named(params.card, "$.card"),
        activation=_named(params.activation, "$.activation"),
        insertion=_named(params.insertion, "$.insertion"),
        since=params.since,
        until=params.until,
        types=params.types,
    )


def _named(text: str | None, path: str) -> str | None:
    if text is not None and not 1 <= len(text) <= _NAME_CHARACTERS:
        raise CarddError(Reason.INVALID, f"this has 1 to {_NAME_CHARACTERS} characters", path=path)
    return text


def _fitting(call: Call, events: Sequence[StoredEvent], *, personal: bool) -> tuple[list[JournalFound], int]:
    """Encode events, as many as fit a line: at least the first."""
    delivery, stream = call.office.services.delivery, call.office.services.journal.stream
    lines: list[JournalFound] = []
    size = 0
    for stored in events:
        event = delivery.event(stored, personal=personal)
        size += len(event)
        if lines and size > _FOUND_BYTES:
            break
        lines.append(JournalFound(cursor=cursors.encode(stream, stored.sequence), event=msgspec.Raw(event)))
    return lines, len(lines)


async def _disclose(call: Call, events: Sequence[StoredEvent], purpose: str) -> None:
    """Put on record, before the answer leaves, what of whom is told."""
    delivery = call.office.services.delivery
    disclosures = [
        Disclosure(
            client=call.session.client,
            purpose=purpose,
            method=call.method,
            fields=fields_beyond(
                _DATA.decode(delivery.event(stored, personal=False)).data,
                _DATA.decode(delivery.event(stored, personal=True)).data,
            ),
            subject=stored.subject,
            insertion=stored.insertion,
            correlation=stored.correlation,
        )
        for stored in events
        if stored.sealed
    ]
    await call.office.audit.disclosed(disclosures)


def _evidence(call: Call) -> EvidenceService:
    evidence = call.office.services.evidence
    if evidence is None:
        raise CarddError(Reason.NOT_FOUND, "no journal is kept here")
    return evidence


METHODS = (
    Method(JOURNAL_VERIFY, Right.AUDIT, _verify),
    Method(JOURNAL_FIND, Right.AUDIT, _find),
    Method(JOURNAL_EXPORT, Right.AUDIT, _export),
    Method(JOURNAL_ERASE, Right.AUDIT, _erase),
)
