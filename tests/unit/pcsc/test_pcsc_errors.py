"""The table of PC/SC codes."""

import re
from pathlib import Path

import pytest

from cardd.base.reasons import Reason
from cardd.base.texts import TEXTS
from cardd.pcsc.errors import CARD_DENIED, CONTEXT_LOST, SOCKET_CLOSED, TABLE, Phase, convey, explain
from cardd.pcsc.scard import PcscError

HEADER = Path("/usr/include/PCSC/pcsclite.h")
DEFINE = re.compile(r"^#define (SCARD_[EFPW]_\w+)\s+\(\(LONG\)0x([0-9A-F]{8})\)", re.MULTILINE)


def test_every_code_of_pcsclite_is_in_the_table_under_its_name() -> None:
    defined = DEFINE.findall(HEADER.read_text(encoding="utf-8"))
    assert len(defined) > 50
    # one number, two names; the table has the one that a reader's driver can cause
    wanted = [(name, int(code, 16)) for name, code in defined if name != "SCARD_E_UNEXPECTED"]
    assert [(name, code) for name, code in wanted if code not in TABLE or TABLE[code][0] != name] == []


def test_the_table_has_no_gaps_in_the_ranges_of_pc_sc() -> None:
    assert [
        code for code in (*range(0x80100001, 0x80100032), *range(0x80100065, 0x80100070)) if code not in TABLE
    ] == []


def test_whoever_sits_at_the_counter_is_not_told_to_start_a_service_that_runs() -> None:
    meanings = {meaning for _, meaning in TABLE.values()} | {CARD_DENIED, SOCKET_CLOSED}
    named = {meaning.text_code for meaning in meanings if meaning.text_code}
    assert named <= TEXTS.keys()
    for code in (0x8010001E, 0x80100006, 0x80100031):
        text = explain(PcscError("SCardEstablishContext", code), Phase.CONNECTING).text
        assert "Start it" not in text["en"]
        assert "请启动" not in text["zh-CN"]
    denied = convey(PcscError("SCardConnect", 0x80100013), CARD_DENIED, Phase.CONNECTING)
    assert (denied.reason, denied.text["en"]) == (Reason.PCSC_DENIED, TEXTS["pcsc_cards_denied"][0])


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("code", [*TABLE, 0x80100032, 0x1, 0xFFFFFFFF])
def test_every_code_becomes_a_reason_and_a_sentence_with_a_remedy(code: int, phase: Phase) -> None:
    error = explain(PcscError("SCardTransmit", code), phase)
    assert error.facts == {"pcsc": f"0x{code:08X}"}
    assert "SCardTransmit" in error.detail
    # what has happened, and what to do
    assert len(re.findall(r"\. |\.$| \(", error.detail)) >= 2


@pytest.mark.parametrize(
    ("code", "connecting", "with_an_open_card"),
    [
        (0x80100069, Reason.NO_CARD, Reason.CARD_REMOVED),
        (0x8010000C, Reason.NO_CARD, Reason.CARD_REMOVED),
        (0x80100016, Reason.READER_UNAVAILABLE, Reason.CARD_REMOVED),
        (0x80100068, Reason.READER_IN_USE, Reason.CARD_REMOVED),
        (0x80100003, Reason.PCSC_UNAVAILABLE, Reason.CARD_REMOVED),
        (0x8010000B, Reason.READER_IN_USE, Reason.READER_IN_USE),
        (0x8010001D, Reason.PCSC_UNAVAILABLE, Reason.PCSC_UNAVAILABLE),
        (0x80100013, Reason.PCSC_UNAVAILABLE, Reason.PCSC_UNAVAILABLE),
        (0x8010006A, Reason.PCSC_DENIED, Reason.PCSC_DENIED),
        (0x80100009, Reason.READER_UNAVAILABLE, Reason.READER_UNAVAILABLE),
        (0x80100066, Reason.CARD_MUTE, Reason.CARD_REMOVED),
        (0x8010000F, Reason.CARD_MUTE, Reason.CARD_REMOVED),
        (0x80100067, Reason.CARD_UNPOWERED, Reason.CARD_UNPOWERED),
    ],
)
def test_what_a_code_means_depends_on_whether_a_card_was_open(
    code: int, connecting: Reason, with_an_open_card: Reason
) -> None:
    assert explain(PcscError("any", code), Phase.CONNECTING).reason is connecting
    assert explain(PcscError("any", code), Phase.OPEN).reason is with_an_open_card


def test_a_lost_context_is_never_blamed_on_the_card_while_connecting() -> None:
    reasons = {explain(PcscError("SCardConnect", code), Phase.CONNECTING).reason for code in CONTEXT_LOST}
    assert reasons == {Reason.PCSC_UNAVAILABLE}
