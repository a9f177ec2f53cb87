"""The course of an activation: what is kept of every move, so that somebody elsewhere can see why it ended so.

It goes with the case into every commit. Nothing in it is a person's: codes, positions of commands, status words, times.
Which of its cards one is, is told by what is on them, and that is kept sealed.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal

import msgspec

from cardd import __version__
from cardd.activation import facts
from cardd.activation.authority import IdentityDocument, Verdict
from cardd.activation.case import Case
from cardd.activation.effects import Effect
from cardd.activation.facts import Fact
from cardd.activation.local_rules import WITH_SOCIAL_SECURITY_NUMBER
from cardd.activation.policy import Policy
from cardd.activation.ports import Counter
from cardd.activation.transition import reason_of, tries_left
from cardd.base.reasons import Reason
from cardd.base.structs import Struct
from cardd.wire.incident import VERSION, Asked, CardWork, Incident, Late, SeenCard, Setting, Turn, Waits

MOST_TURNS: Final = 120
_FIRST_TURNS: Final = 80


class Step(Struct, frozen=True):
    """What is known of a move beside the two cases: the fact, what is begun now, and what came of what was under way.

    `readers` are the names of the station's readers, in the order in which they are numbered.
    """

    fact: Fact
    outcome: facts.Outcome
    do: Sequence[Effect]
    now: datetime
    readers: Sequence[str] = ()
    work: CardWork | None = None
    asked: Sequence[Asked] = ()


def setting_of(case: Case, counter: Counter, policy: Policy, *, authority: str, by_itself: bool) -> Setting:
    """Return how the counter is set up where an activation begins, and what was given for it, without its values."""
    waits = Waits(
        person_s=policy.deadlines.person_s,
        card_s=policy.deadlines.card_s,
        authority_s=policy.deadlines.authority_s,
        states=dict(policy.deadlines.states),
        first_s=policy.backoff.first_s,
        most_s=policy.backoff.most_s,
    )
    return Setting(
        readers=tuple("sam" if reader.sam else "counter" for reader in counter.readers(case.station)),
        module=counter.has_module(),
        keys=counter.keys(),
        authority=authority,
        by_itself=by_itself,
        visit=case.visit is not None,
        document=_kind_of(case.document),
        old_number=case.old_card is not None,
        pin_policy=str(policy.pin_of(case.route)),
        regional=policy.region is not None,
        accept_expired=policy.accept_expired,
        without_old_card=policy.without_old_card,
        waits=waits,
    )


def _kind_of(document: IdentityDocument | None) -> Literal["resident", "other"] | None:
    if document is None:
        return None
    return "resident" if document.type in WITH_SOCIAL_SECURITY_NUMBER else "other"


def noted(before: Case, after: Case, step: Step) -> Case:
    """Return the case after a move with the move in its course. Of very many the first and the newest are kept."""
    cards, seen = before.cards, None
    if isinstance(step.outcome, facts.CardIn):
        cards, number = _known(cards, step.outcome)
        seen = _seen(step.outcome, number, step.readers)
    turns = (*before.turns, _turn(before, after, step, seen))
    spare = len(turns) - MOST_TURNS
    if spare > 0:
        turns = (*turns[:_FIRST_TURNS], *turns[_FIRST_TURNS + spare :])
    left_out = before.turns_left_out + max(spare, 0)
    return msgspec.structs.replace(after, turns=turns, turns_left_out=left_out, cards=cards)


def delayed(case: Case, reason: Reason, ms: int) -> Case:
    """Return the case of a move that the journal has not taken for so long, which its course then tells."""
    *before, newest = case.turns
    late = msgspec.structs.replace(newest, late=Late(reason=str(reason), ms=ms))
    return msgspec.structs.replace(case, turns=(*before, late))


def account(case: Case, waiting: Turn | None = None) -> Incident:
    """Return what went on in an activation: of the case only what is nobody's. `waiting` is not on record yet."""
    return Incident(
        incident=VERSION,
        activation=case.id,
        route=case.route,
        state=case.state,
        outcome=case.outcome,
        reason=case.reason,
        cardd=__version__,
        setting=case.setting,
        left_out=case.turns_left_out,
        turns=list(case.turns),
        waiting=waiting,
    )


def _turn(before: Case, after: Case, step: Step, seen: SeenCard | None) -> Turn:
    outcome = step.outcome
    reason = reason_of(outcome)
    verdict = outcome.verdict if isinstance(outcome, facts.VerdictCame) else None
    files = verdict.updates if isinstance(verdict, Verdict) else {}
    return Turn(
        at_ms=round((step.now - datetime.fromisoformat(before.started)).total_seconds() * 1000),
        state=before.state,
        fact=str(step.fact),
        to=after.state,
        reason=None if reason is None else str(reason),
        cause=outcome.cause if isinstance(outcome, facts.CardGone) else None,
        tries_left=tries_left(outcome),
        do=tuple(map(str, step.do)),
        card=seen,
        work=step.work,
        asked=tuple(step.asked),
        files={file: tuple(items) for file, items in files.items()},
    )


def _known(cards: tuple[str, ...], card: facts.CardIn) -> tuple[tuple[str, ...], int]:
    """Return the cards with this one, and its number among them; what shows nothing of its own is a card each time."""
    shown = card.identification_code or card.number or card.insertion
    name = f"{card.kind} {shown}"
    known = cards if name in cards else (*cards, name)
    return known, known.index(name) + 1


def _seen(card: facts.CardIn, number: int, readers: Sequence[str]) -> SeenCard:
    look = card.look
    return SeenCard(
        card=number,
        kind=card.kind,
        generation=look.generation,
        algorithm=look.algorithm,
        layout=look.layout,
        via=look.via,
        reader=readers.index(look.reader) + 1 if look.reader in readers else 0,
        at_start=card.at_start,
        identified=look.identified,
        commands=look.commands,
    )
