"""What an account tells between its lines: which stay of which card work was done in, and what the centre did."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from cardd.base.structs import Struct
from cardd.wire.activation import ENDS, State
from cardd.wire.incident import Asked, Incident, SeenCard, Turn

CARD_FACTS: Final = frozenset(
    {
        "old_card_in",
        "same_old_card_in",
        "social_card_in",
        "same_social_card_in",
        "social_card_instead",
        "other_card_in",
    }
)
PROMPTED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "password_given": "old_card_password",
        "pin_given": "social_pin",
        "new_pin_ready": "new_pin",
        "new_pin_to_set": "new_pin",
        "new_pin_to_check": "new_pin",
    }
)
"""Facts that an answer to a prompt makes, and the prompt's purpose."""
BY_SOMEBODY: Final = frozenset(
    {*CARD_FACTS, *PROMPTED, "card_trouble", "prompt_cancelled", "cancel", "deadline", "restarted", "restarted_late"}
)
"""Facts that somebody, or time, makes; all others follow by themselves."""
REFUSED_BY_HOLDER: Final = frozenset({"password_wrong", "password_locked", "pin_wrong", "pin_locked"})
RESTARTS: Final = frozenset({"restarted", "restarted_late"})
_QUESTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "read_old_card": "look_up_old_card",
        "verify_old_password": "verify_old_password",
        "read_social_card": "look_up_social_card",
        "activate": "activate",
        "ask_outcome": "outcome",
        "confirm": "report_update",
    }
)
"""What the centre is asked in the course of an effect."""
_WORK: Final = frozenset({*_QUESTIONS, "verify_pin", "change_pin", "update_card"})
"""Effects that come to something."""
_PATIENT: Final = frozenset({State.IN_DOUBT, State.CONFIRMING})


class Stay(Struct, frozen=True):
    """One stay of a card: the turn at which it came in, and the turns in which it was worked with, in their order."""

    came: int
    card: SeenCard
    worked: tuple[int, ...]


def is_by_hand(turn: Turn) -> bool:
    """Say whether a turn is a card taken out while nothing was done with it."""
    return turn.fact == "card_gone" and turn.work is None and turn.state is not State.UPDATING_CARD


def moves_by_itself(turn: Turn) -> bool:
    """Say whether a turn follows from the one before it, with nobody's doing."""
    return turn.fact not in BY_SOMEBODY and not is_by_hand(turn) and not waits_for_centre(turn)


def is_moving(incident: Incident) -> bool:
    """Say whether it was told while something was under way that leads on by itself: where it stood is no end."""
    return incident.state not in ENDS and bool(incident.turns) and bool(_WORK & set(incident.turns[-1].do))


def waits_for_centre(turn: Turn) -> bool:
    """Say whether a turn came only after the centre had been asked again and again."""
    return turn.state in _PATIENT and any(asked.times > 1 for asked in turn.asked)


def stays(incident: Incident) -> Sequence[Stay]:
    """Return the stays of all cards, in the order in which the cards came in."""
    found: list[Stay] = []
    current: int | None = None
    for number, turn in enumerate(incident.turns):
        if turn.card is not None and turn.fact in CARD_FACTS:
            going_on = _going_on(found, incident.turns, turn.card)
            if going_on is None:
                found.append(Stay(number, turn.card, ()))
                going_on = len(found) - 1
            # a card that leads nowhere leaves the one that is worked with where it is
            current = going_on if turn.do else current
        elif turn.work is not None and current is not None:
            stay = found[current]
            found[current] = Stay(stay.came, stay.card, (*stay.worked, number))
    return found


def _going_on(found: Sequence[Stay], turns: Sequence[Turn], card: SeenCard) -> int | None:
    """Return the stay that goes on where a card is noticed again without having been out."""
    for place in range(len(found) - 1, -1, -1):
        stay = found[place]
        if stay.card.card != card.card:
            continue
        last = _last_command(stay, turns)
        return place if card.commands >= last > card.identified else None
    return None


def _last_command(stay: Stay, turns: Sequence[Turn]) -> int:
    works = (turns[number].work for number in stay.worked)
    return max([stay.card.commands, *(work.last for work in works if work is not None)])


def position(stay: Stay, turns: Sequence[Turn], number: int) -> int:
    """Return which command of its stay a turn's work came to, had nobody else worked with the card."""
    known, foreign = stay.card.identified, 0
    for turn in stay.worked:
        work = turns[turn].work
        assert work is not None  # noqa: S101 - that is what makes it one of these
        foreign += max(work.first - 1 - known, 0)
        known = max(work.last, work.first)
        if turn == number:
            break
    return max(known - foreign, 1)


def unheard(incident: Incident) -> Iterator[tuple[int, Asked]]:
    """Yield the questions that got no answer, with the turn that came of it; also where the daemon ended meanwhile."""
    turns = incident.turns
    for number, turn in enumerate(turns):
        for asked in turn.asked:
            if asked.came != "answer" or (waits_for_centre(turn) and asked.times > 1):
                yield number, asked
        if turn.fact in RESTARTS and number:
            for effect in turns[number - 1].do:
                if effect in _QUESTIONS:
                    yield number, Asked(what=_QUESTIONS[effect], came="nothing")


def answered_later(incident: Incident, number: int, end: int | None, what: str) -> bool:
    """Say whether the same question was answered after a turn, before anybody did anything."""
    turns = incident.turns[number + 1 : None if end is None else end + 1]
    return any(asked.what == what and asked.came == "answer" for turn in turns for asked in turn.asked)


def was_carried_out(incident: Incident, number: int, what: str) -> bool:
    """Say whether the centre did what it did not answer: it knew of it later."""
    if what != "activate":
        return False
    for turn in incident.turns[number:]:
        if turn.fact == "outcome_unknown":
            return False
        if any(asked.what == "outcome" and asked.came == "answer" for asked in turn.asked):
            return True
    return False
