"""The steps of a rebuilt incident: who does what, when; faults at the same commands, the centre as it was."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from cardd.wire.activation import ENDS, State
from cardd.wire.incident import Asked, Incident, SeenCard
from cardsim.scenario.incidents.chapters import (
    CARD_FACTS,
    PROMPTED,
    REFUSED_BY_HOLDER,
    RESTARTS,
    Stay,
    answered_later,
    is_by_hand,
    is_moving,
    moves_by_itself,
    position,
    stays,
    unheard,
    waits_for_centre,
    was_carried_out,
)
from cardsim.scenario.incidents.flaws import flaw, torn

Step = dict[str, object]

MODULE: Final = "psam"
STATION: Final = "counter"
_PATIENCE_S: Final = 90.0
_LEAST_S: Final = 0.02
_TRIES: Final = 3
"""So often is one question put before it counts as unheard."""
_END_EVENTS: Final[Mapping[State, str]] = MappingProxyType(
    {state: f"activation.{'completed' if state is State.COMPLETED else state}" for state in ENDS}
)
_ASKS: Final = frozenset({"PSAM_ABSENT", "PSAM_ALGORITHM", "PSAM_KEY_MISSING", "PSAM_LEVEL"})
_AT_THE_CARD: Final = frozenset({"read_old_card", "read_social_card", "verify_pin", "change_pin", "update_card"})
_HELD_MS: Final = 500
"""So much longer than the daemon lives does a card take where that ends in the middle of it."""
_SELECTED: Final = "SELECT"

_KINDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "silence": ("silent_before", "silent_after"),
        "nothing": ("silent_before", "silent_after"),
        "no_sense": ("cut_before", "bad_json"),
        "status": ("500", "500_after"),
        "answer": ("silent_before", "silent_after"),
    }
)
"""What a centre does that carries nothing out, and one that carries out what it does not answer."""
_NO_CONNECTION: Final = ("cut_before", "cut_after")


class Timeline:
    """Makes the steps. `cards` are the names of the cards by their numbers."""

    def __init__(self, incident: Incident, cards: Mapping[int, str], start: Mapping[str, object]) -> None:
        self._incident = incident
        self._turns = incident.turns
        self._cards = cards
        self._start = dict(start)
        self._stays = stays(incident)
        self._began = {stay.came: stay for stay in self._stays}
        self._in: dict[str, int] = {}
        """Which card is in which reader."""
        self._ordered: tuple[str, ...] = ()

    def steps(self) -> Iterator[Step]:
        """Yield all steps, to the end that is expected."""
        turns, by_itself = self._turns, self._by_itself
        first = 0
        yield from self._order_centre(0)
        if turns and not by_itself and turns[0].fact in CARD_FACTS and turns[0].at_ms < _LEAST_S * 1000:
            # the card lay in its reader when it began
            yield from self._insert(0, self._seen(0))
            yield {"wait": "card.*", "within_s": _PATIENCE_S}
            first = 1
        if not by_itself:
            yield {"activate": self._start, "as": "it"}
            yield from self._beginning()
        if first:
            yield self._until(0)
        for number in range(first, len(turns)):
            yield from self._turn(number)
        if not is_moving(self._incident):
            yield self._end()

    # -- one turn

    def _turn(self, number: int) -> Iterator[Step]:
        turn = self._turns[number]
        before = self._turns[number - 1].at_ms if number else 0
        gap_s = max(turn.at_ms - before, 0) / 1000
        if not moves_by_itself(turn):
            if turn.fact not in RESTARTS:
                yield from self._order_centre(number)
            yield from self._somebody(number, gap_s)
        if number == 0 and self._by_itself:
            yield from self._beginning()
        yield self._until(number, gap_s)
        if turn.fact == "card_gone" and not is_by_hand(turn):
            # a fault took it; it lies in its reader still
            yield from self._take_out()

    def _somebody(self, number: int, gap_s: float) -> Iterator[Step]:
        turn = self._turns[number]
        if turn.fact != "deadline" and gap_s >= _LEAST_S and not self._lies_in(number):
            yield {"pass": gap_s}
        if turn.fact in CARD_FACTS:
            yield from self._come(number)
        elif is_by_hand(turn):
            yield from self._take_out()
        elif turn.fact in PROMPTED:
            yield {"answer": self._answer(number), "to": PROMPTED[turn.fact], "within_s": _PATIENCE_S}
        elif turn.fact in _DONE:
            yield from _DONE[turn.fact](self, number)
        elif waits_for_centre(turn):
            yield from self._order_centre(number, over=True)

    def _come(self, number: int) -> Iterator[Step]:
        """Have a card noticed: put in, or in already and looked at again."""
        seen = self._seen(number)
        reader = reader_name(seen)
        if number in self._began or reader not in self._in:
            if self._lies_in(number):
                return
            yield from self._insert(number, seen)
            return
        if any(turn.reason in _ASKS for turn in self._turns[max(number - 2, 0) : number]):
            yield {"insert": MODULE, "reader": "sam"}

    def _insert(self, number: int, seen: SeenCard) -> Iterator[Step]:
        reader = reader_name(seen)
        if reader in self._in:
            yield {"remove": reader}
        self._in[reader] = seen.card
        card = self._cards.get(seen.card, MODULE)
        step: Step = {"insert": card, "reader": reader}
        if seen.via == "contactless" and card != MODULE:
            step["interface"] = "contactless"
        faults = self._faults(number)
        yield {**step, "faults": faults} if faults else step

    def _take_out(self) -> Iterator[Step]:
        """Take out the card that is worked with: the one that came last."""
        if self._in:
            reader = next(reversed(self._in))
            del self._in[reader]
            yield {"remove": reader}

    def _trouble(self, number: int) -> Iterator[Step]:
        fault = dict(_TROUBLES.get(self._turns[number].reason or "", _NONSENSE))
        if "reader1" in self._in:
            yield {"remove": "reader1"}
        self._in["reader1"] = 0
        yield {"insert": "holder.social", "reader": "reader1", "faults": [fault]}

    def _cancel(self, _number: int) -> Iterator[Step]:
        yield {"call": "activation.list", "as": "all"}
        yield {"call": "activation.cancel", "params": {"activation": "{all.activations.0.activation}"}}

    def _cancel_prompt(self, number: int) -> Iterator[Step]:
        del number
        yield {"answer": "cancel", "within_s": _PATIENCE_S}

    def _restart(self, number: int) -> Iterator[Step]:
        yield {"kill": "daemon"}
        following = number + 1
        if following in self._began and self._seen(following).at_start:
            # anew, also where it lies in: what befell it before is over
            yield from self._insert(following, self._seen(following))
            yield from self._order_centre(following)
        else:
            yield from self._order_centre(number, over=True)
        yield {"start": "daemon"}

    def _lies_in(self, number: int) -> bool:
        """Say whether a daemon that begins finds the card of a turn by itself."""
        seen = self._turns[number].card
        return seen is not None and seen.at_start and self._in.get(reader_name(seen)) == seen.card

    # -- what is expected

    def _until(self, number: int, gap_s: float = 0.0) -> Step:
        turn = self._turns[number]
        kind = _END_EVENTS.get(turn.to, "activation.step")
        return {"wait": kind, "where": {"state": str(turn.to)}, "within_s": round(gap_s + _PATIENCE_S, 3)}

    def _beginning(self) -> Iterator[Step]:
        """Wait for what the activation says first, so that no later turn is taken for it."""
        if self._turns:
            yield {"wait": "activation.step", "where": {"state": str(self._turns[0].state)}, "within_s": _PATIENCE_S}

    def _end(self) -> Step:
        incident = self._incident
        ends = {"state": str(incident.state), "outcome": incident.outcome, "reason": incident.reason}
        where = {f"activations.0.{name}": None if value is None else str(value) for name, value in ends.items()}
        return {"call": "activation.list", "where": where}

    # -- what holders type

    def _answer(self, number: int) -> str:
        following = self._turns[number + 1] if number + 1 < len(self._turns) else None
        wrong = following is not None and following.fact in REFUSED_BY_HOLDER
        return "wrong" if wrong else "right"

    # -- what goes wrong with a card

    def _faults(self, number: int) -> list[dict[str, object]]:
        stay = self._began.get(number)
        if stay is None:
            return []
        return [fault for worked in stay.worked for fault in self._fault(stay, worked)] + self._mishaps(stay)

    def _fault(self, stay: Stay, number: int) -> Iterator[dict[str, object]]:
        turn = self._turns[number]
        work = turn.work
        assert work is not None  # noqa: S101 - that is what makes it a turn of the stay
        found = flaw(turn, work, position(stay, self._turns, number), self._when(number))
        if found is not None:
            yield found

    def _mishaps(self, stay: Stay) -> list[dict[str, object]]:
        """Return what befell a card of which nothing is told: gone when it was to be written, or the daemon ended."""
        for number, turn in enumerate(self._turns[stay.came + 1 :], stay.came + 1):
            if turn.fact in CARD_FACTS:
                return []
            worked = [one for one in stay.worked if one < number]
            last = position(stay, self._turns, worked[-1]) if worked else stay.card.identified
            if turn.fact == "card_gone" and turn.state is State.UPDATING_CARD and turn.work is None:
                return [torn(last + 1, "before")]
            if turn.fact in RESTARTS:
                before = self._turns[number - 1]
                held = max(turn.at_ms - before.at_ms, 0) + _HELD_MS
                return [{"do": "slow", "at": str(last + 1), "ms": held}] if _AT_THE_CARD & set(before.do) else []
        return []

    def _when(self, number: int) -> str:
        """Say whether a torn command was carried out: what was found out later tells."""
        for turn in self._turns[number + 1 :]:
            if turn.fact == "pin_changed":
                return "after"
            if turn.fact in {"pin_not_changed", "pin_wrong"}:
                return "before"
        return "before"

    # -- the centre

    def _order_centre(self, number: int, *, over: bool = False) -> Iterator[Step]:
        """Order what goes wrong at the centre until somebody acts again; `over`: it answers what it left open."""
        end = next((at for at in range(number + 1, len(self._turns)) if not moves_by_itself(self._turns[at])), None)
        wanted = dict[str, list[tuple[int, Asked]]]()
        for at, asked in unheard(self._incident):
            mine = at == number and not over
            if self._was_heard(asked.what, number, at):
                continue
            if mine or (number < at and (end is None or at <= end)):
                wanted.setdefault(asked.what, []).append((at, asked))
        faults = tuple(self._unheard(what, found, end) for what, found in wanted.items())
        if faults != self._ordered:
            self._ordered = faults
            yield {"centre": list(faults)}

    def _was_heard(self, what: str, first: int, number: int) -> bool:
        """Say whether a daemon that died had an answer to the same question before: it may have been waiting to ask."""
        between = self._turns[first:number] if self._turns[number].fact in RESTARTS else ()
        return any(asked.what == what and asked.came == "answer" for turn in between for asked in turn.asked)

    def _unheard(self, what: str, found: Sequence[tuple[int, Asked]], end: int | None) -> str:
        """Return what goes wrong with one question, as often as it was put, where it was answered afterwards."""
        last = found[-1][0]
        times = _TRIES * sum(asked.times for _, asked in found)
        often = f":{times}" if answered_later(self._incident, last, end, what) else ""
        return f"{self._kind(*found[0])}@{what}{often}"

    def _kind(self, number: int, asked: Asked) -> str:
        kinds = _KINDS.get(asked.came.partition("_")[0], _NO_CONNECTION)
        kinds = _KINDS.get(asked.came, kinds)
        return kinds[was_carried_out(self._incident, number, asked.what)]

    # -- small helps

    @property
    def _by_itself(self) -> bool:
        setting = self._incident.setting
        return setting is not None and setting.by_itself

    def _seen(self, number: int) -> SeenCard:
        seen = self._turns[number].card
        assert seen is not None  # noqa: S101 - a card came
        return seen


_DONE: Final = MappingProxyType(
    {
        "card_trouble": Timeline._trouble,  # noqa: SLF001 - its own
        "cancel": Timeline._cancel,  # noqa: SLF001
        "prompt_cancelled": Timeline._cancel_prompt,  # noqa: SLF001
        "restarted": Timeline._restart,  # noqa: SLF001
        "restarted_late": Timeline._restart,  # noqa: SLF001
    }
)
_TROUBLES: Final[Mapping[str, Mapping[str, object]]] = MappingProxyType(
    {
        "CARD_MUTE": {"do": "mute", "at": "reset"},
        "CARD_UNPOWERED": {"do": "mute", "at": "reset"},
        "CARD_BLOCKED": {"do": "answer", "at": _SELECTED, "word": "6A81"},
        "CARD_ID_MALFORMED": {"do": "answer", "at": "1", "word": "6A82"},
    }
)
"""Why a card could not be used at all, and what makes it so."""
_NONSENSE: Final[Mapping[str, object]] = MappingProxyType({"do": "answer", "word": "6F00"})


def reader_name(seen: SeenCard) -> str:
    """Return the name of the reader that a card was in."""
    return f"reader{max(seen.reader, 1)}"


def needs_centre(incident: Incident) -> bool:
    """Say whether the centre must be one on the network: it was, or it fails to answer."""
    setting = incident.setting
    return any(True for _ in unheard(incident)) or (setting is not None and setting.authority != "local")


def station_readers(roles: Sequence[str]) -> list[dict[str, str]]:
    """Return the readers of the station, by the numbers that the account gives them."""
    return [
        {"name": "sam" if role == "sam" else f"reader{number}", "role": role} for number, role in enumerate(roles, 1)
    ]
