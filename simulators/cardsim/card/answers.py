"""Answers to reset, by interface (LD/T 32.2; ISO 14443-4; PC/SC part 3)."""

from functools import reduce
from operator import xor
from typing import Final

from cardd.base.structs import Struct
from cardd.iso7816.atr import parse_atr

_TS: Final = 0x3B
_T0_TB1_TC1: Final = 0x60
_T0_TD1: Final = 0x80
_MOST_HISTORICAL: Final = 15
_ATS_LEADERS: Final = 0x70
"""Bits of an ATS's format byte that each announce one interface byte."""


class Answers(Struct, frozen=True):
    """What a card says at reset on each interface; None on one that it has not."""

    contact: bytes | None
    contactless: bytes | None
    historical: bytes


def contact_atr(historical: bytes) -> bytes:
    """Return the basic form: direct convention, no Vpp, no extra guard time, T=0."""
    return bytes((_TS, _T0_TB1_TC1 | len(historical), 0x00, 0x00)) + historical


def contactless_atr(historical: bytes) -> bytes:
    """Return what a PC/SC reader makes of an ATS: T=0 and T=1 announced, historical bytes, check byte."""
    body = bytes((_T0_TD1 | len(historical), 0x80, 0x01)) + historical
    return bytes((_TS,)) + body + bytes((reduce(xor, body),))


def ats_historical(ats: bytes) -> bytes:
    """Return the historical bytes of an ATS (length, format, interface bytes, historical bytes). Raises ValueError."""
    if len(ats) < 1 or ats[0] != len(ats):
        raise ValueError("an ATS begins with its own length")
    leaders = (ats[1] & _ATS_LEADERS).bit_count() if len(ats) > 1 else 0
    historical = ats[2 + leaders :]
    if len(historical) > _MOST_HISTORICAL:
        raise ValueError("an ATS has at most 15 historical bytes here")
    return historical


def atr_historical(atr: bytes) -> bytes:
    """Return the historical bytes of an answer to reset."""
    return parse_atr(atr).historical
