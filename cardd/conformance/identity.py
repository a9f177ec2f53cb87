"""Cases of what a card is found by: C-ATR, C-FCI, C-DIR."""

from typing import Final

from cardd.conformance.card import APPLICATION_BLOCKED, CARD_BLOCKED, DONE, FILE_ABSENT, Card
from cardd.conformance.case import Case, Cost
from cardd.conformance.checks import FailedError, NotApplicableError, holds, same
from cardd.iso7816.atr import parse_atr
from cardd.iso7816.tlv import TlvError, find, parse
from cardd.rules.directory import read_entry
from cardd.rules.files import APPLICATIONS, EF05, EF1E
from cardd.rules.generations import Generation
from cardd.rules.names import SSSE_NAME

_HISTORICAL: Final = 13
_ALGORITHMS: Final = (1, 2, 3)
_CODE: Final = 0x01


def answer_to_reset(card: Card) -> None:
    """Hold the ATR to the basic form with 13 historical bytes; T8 and T9 are the region's first four digits."""
    _contact(card)
    atr = parse_atr(card.atr)
    holds(not atr.problems, f"ATR: {'; '.join(atr.problems)}")
    holds(card.atr[:1] == b"\x3b" and 0 in atr.protocols, "ATR: not direct convention with T=0")
    holds(len(atr.historical) == _HISTORICAL, f"ATR: {len(atr.historical)} historical bytes, not {_HISTORICAL}")
    card.go("SSSE")
    code = card.data("READ RECORD of the identification code", card.read_tag(EF05, _CODE))[2:]
    holds(atr.historical[7:9] == code[:2], "ATR: T8 and T9 are not the region of the identification code")


def same_on_both_sides(card: Card) -> None:
    """Compare the historical bytes on contacts and antenna."""
    other = card.link.other_side()
    if other is None:
        raise NotApplicableError(f"{card.link.interface} only")
    holds(parse_atr(other).historical == card.historical, "the historical bytes differ between contacts and antenna")


def same_after_resets(card: Card) -> None:
    """Compare the ATR after cold and warm reset."""
    answers = {card.link.cold_reset(), card.link.warm_reset(), card.link.cold_reset()}
    holds(answers == {card.atr}, "the answers to cold and warm reset differ")


def environment(card: Card) -> None:
    """SELECT of the environment by name answers its FCI: name, DIR's short identifier, algorithm."""
    answer = card.select_name(SSSE_NAME)
    if answer.sw in {CARD_BLOCKED, APPLICATION_BLOCKED}:
        raise NotApplicableError("card blocked" if answer.sw == CARD_BLOCKED else "SSSE blocked")
    fci = card.data("SELECT SSSE", answer)
    try:
        template = find(fci, 0x6F) or b""
        holds(len(parse(fci)) == 1 and template, "FCI: not one template 6F")
        holds(find(template, 0x84) == SSSE_NAME, "FCI: 84 is not the environment's name")
        holds(find(template, 0xA5, 0x88) == bytes((EF1E.sfi,)), f"FCI: 88 is not {EF1E.sfi:02X}")
        told = find(template, 0xA5, 0x9F0C, 0x86)
    except TlvError as error:
        raise FailedError(f"FCI: {error}") from None
    if told is None:
        holds(card.subject.generation is Generation.V1, "FCI: no algorithm object")
        return
    holds(len(told) == 1 and told[0] in _ALGORITHMS, "FCI: 86 is none of 01, 02, 03")
    holds(told[0] == card.subject.algorithm, "FCI: 86 is not the card's algorithm")


def directory(card: Card) -> None:
    """EF1E can be read; what it lists can be selected by name, the rule's applications by identifier too."""
    card.go("SSSE")
    if card.read_number(EF1E, 1).sw == FILE_ABSENT:
        raise NotApplicableError("no directory")
    entries = [read_entry(record) for record in card.items(EF1E)]
    holds(entries and all(entries), "DIR: a record is no entry")
    listed = [entry.aid for entry in entries if entry is not None and entry.aid]
    for aid in listed:
        card.go("SSSE")
        same(f"SELECT {aid.hex().upper()}, which DIR lists", card.select_name(aid).sw, DONE, APPLICATION_BLOCKED)
    for rule in APPLICATIONS.values():
        if rule.aid in listed:
            card.go("SSSE")
            same(f"SELECT {rule.fid:04X}", card.select_fid(rule.fid, 0x00).sw, DONE, APPLICATION_BLOCKED)


def _contact(card: Card) -> None:
    if card.link.interface != "contact":
        raise NotApplicableError("contactless only")


CASES: Final = (
    Case("C-ATR-1", "ATR and region", Cost.NOTHING, answer_to_reset),
    Case("C-ATR-2", "historical bytes of both interfaces", Cost.NOTHING, same_on_both_sides),
    Case("C-ATR-3", "ATR after cold and warm reset", Cost.NOTHING, same_after_resets),
    Case("C-FCI-1", "FCI of the environment", Cost.NOTHING, environment),
    Case("C-DIR-1", "directory and selection", Cost.NOTHING, directory),
)
