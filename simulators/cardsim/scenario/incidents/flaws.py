"""What is wrong with a card in a rebuilt incident: the fault with which work ends as it did, at the same command."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from cardd.base.structs import Struct
from cardd.wire.incident import CardWork, OddWord, Turn

Fault = dict[str, object]

_AWAY: Final = frozenset({"PCSC_UNAVAILABLE", "READER_UNAVAILABLE"})
"""The service or the reader went away with the card: to the card that is one and the same."""
_NATURAL: Final = frozenset({"PIN_WRONG"})
"""Reasons whose status words the invented cards give by themselves."""
_DONE: Final = "9000"
_MORE: Final = "61"
_SELECT: Final = "00A4"
_ABSENT: Final = "6A82"
"""What every card answers that is asked whether it is of another kind."""
_LONG_MS: Final = 60_000
_LEAST_MS: Final = 1000


class _Ended(Struct, frozen=True):
    """Work and its end, by the numbers of the rebuilt stay: first and last command, and the word that ended it."""

    work: CardWork
    first: int
    last: int
    word: OddWord | None

    @property
    def looked_around(self) -> bool:
        """Say whether no word ended it but those of a look for other kinds."""
        return self.word is None or (self.word.command, self.word.word) == (_SELECT, _ABSENT)


def flaw(turn: Turn, work: CardWork, at: int, when: str) -> Fault | None:
    """Return the fault that a turn's work ended with; `at` is its last command, `when` a card was torn out there."""
    if turn.fact == "card_gone" or turn.reason in _AWAY:
        return torn(at, when)
    if turn.fact == "deadline" or (turn.fact == "cancel" and work.word is None):
        return {"do": "slow", "at": str(at), "ms": 2 * max(work.ms, _LEAST_MS)}
    ended = _Ended(work, max(at - (work.last - work.first), 1), at, _that_ended(work))
    by_reason = _BY_REASON.get(turn.reason or "")
    return (by_reason and by_reason(ended)) or _by_word(turn, ended)


def torn(at: int, when: str) -> Fault:
    """Return a card that is torn out at a command, and stays out."""
    return {"do": "tear", "at": str(at), "when": when, "stays_out": True}


def _unknown(ended: _Ended) -> Fault:
    return {"do": "answer", "at": str(ended.first), "word": _ABSENT}


def _another(ended: _Ended) -> Fault | None:
    if ended.word is not None and ended.word.command == _SELECT:
        return None
    # whoever works with a card asks it first who it is
    return {"do": "twin", "at": str(ended.first)}


def _no_code(ended: _Ended) -> Fault | None:
    # the card's code is read right behind the first selection
    return {"do": "answer", "at": str(ended.first + 1), "word": _ABSENT} if ended.looked_around else None


def _silent(ended: _Ended) -> Fault:
    # after its last answer it came up no more, also with new power; else it fell silent at that command
    return torn(ended.last + 1, "before") if ended.work.word == _DONE else {"do": "mute", "at": str(ended.last)}


def _late(ended: _Ended) -> Fault:
    return {"do": "slow", "at": str(ended.last), "ms": _LONG_MS}


def _stopped(ended: _Ended) -> Fault | None:
    return None if ended.work.odd else {"do": "answer", "at": "EXTERNAL AUTHENTICATION", "word": "63C2"}


def _more(ended: _Ended) -> Fault | None:
    endless = ended.word is None and (ended.work.word or "").startswith(_MORE)
    return {"do": "endless", "at": str(ended.last)} if endless else None


_BY_REASON: Final[Mapping[str, Callable[[_Ended], Fault | None]]] = MappingProxyType(
    {
        "CARD_UNKNOWN": _unknown,
        "CARD_DATA_DIFFERS": _another,
        "CARD_ID_MALFORMED": _no_code,
        "CARD_MUTE": _silent,
        "TIMEOUT": _late,
        "KEY_STOPPED": _stopped,
        "STATUS_WORD": _more,
    }
)
"""Reasons that a status word alone does not make."""


def _by_word(turn: Turn, ended: _Ended) -> Fault | None:
    """Return the word that ended work, where it is one that the invented card would not give."""
    if turn.reason is None or turn.reason in _NATURAL or ended.word is None:
        return None
    place = max(ended.last - (ended.work.last - ended.word.n), 1)
    return {"do": "answer", "at": str(place), "word": ended.word.word}


def _that_ended(work: CardWork) -> OddWord | None:
    """Return the word that ended work, None where none did: the last one, but for those of a look for other kinds."""
    if not work.odd or work.odd[-1].n != work.last:
        return None
    return next((one for one in reversed(work.odd) if (one.command, one.word) != (_SELECT, _ABSENT)), work.odd[-1])
