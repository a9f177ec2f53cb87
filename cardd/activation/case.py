"""An activation as it is kept: one value that a transition replaces, masked or whole.

No Secret can get in here: what was typed lies in the engine's slots, and only the fact that it was typed arrives.
"""

from collections.abc import Mapping

import msgspec

from cardd.activation.authority import Closed, IdentityDocument, SocialCard, Updates, Visit
from cardd.activation.effects import Purpose
from cardd.activation.pins import PinStep
from cardd.base.masks import mask_citizen_number, mask_name, mask_number
from cardd.base.texts import render
from cardd.journal.events import ActivationRow
from cardd.wire.activation import ENDS, ActivationResult, Outcome, Prompt, Route, State
from cardd.wire.authority import HeadSignature
from cardd.wire.base import Json
from cardd.wire.incident import Setting, Turn

TextArgs = dict[str, str | int | None]


class Say(Closed, frozen=True, kw_only=True):
    """A sentence by its code and arguments."""

    code: str
    args: TextArgs = msgspec.field(default_factory=dict)


class Question(Closed, frozen=True, kw_only=True):
    """A prompt that is open. `digits` are the fewest and the most."""

    prompt: str
    purpose: Purpose
    digits: tuple[int, int]
    tries_left: int | None = None
    deadline: str | None = None


class Case(Closed, frozen=True, kw_only=True):
    """One activation. Times are ISO 8601 in UTC; `challenge` and `answer` are hex."""

    id: str
    route: Route
    station: str
    state: State
    started: str
    client: str
    request: str | None = None
    operator: str | None = None
    say: Say
    deadline: str | None = None
    question: Question | None = None
    old_card: str | None = None
    document: IdentityDocument | None = None
    visit: Visit | None = None
    social: SocialCard | None = None
    pin: PinStep = PinStep.NONE
    challenge: str | None = None
    answer: str | None = None
    requested: str | None = None
    """When the authority was first asked to activate: a repeated request says the same."""
    attempts: int = 0
    """How often the authority was asked to activate."""
    journal_head: str | None = None
    journal_signature: HeadSignature | None = None
    updates: Updates = msgspec.field(default_factory=dict)
    receipt: dict[str, str] = msgspec.field(default_factory=dict)
    outcome: Outcome | None = None
    reason: str | None = None
    ended: str | None = None
    setting: Setting | None = None
    turns: tuple[Turn, ...] = ()
    """What happened so far, for whoever must find out why it ended so: no person, no number."""
    turns_left_out: int = 0
    cards: tuple[str, ...] = ()
    """The cards that were put in, by what is on them, in the order in which they came."""

    @property
    def is_open(self) -> bool:
        """Return whether it has not ended."""
        return self.state not in ENDS


PRIVATE = ("old_card", "document", "visit", "social", "challenge", "answer", "updates", "cards")
"""The fields that are stored whole in sealed form only."""


def masked(case: Case) -> Case:
    """Return the case as anybody may see it."""
    social = case.social
    if social is not None:
        social = SocialCard(
            number=mask_number(social.number),
            identification_code=mask_number(social.identification_code),
            region=social.region,
            social_security_number=mask_citizen_number(social.social_security_number),
            name=mask_name(social.name),
            valid_until=social.valid_until,
        )
    old_card = None if case.old_card is None else mask_number(case.old_card)
    visit = None if case.visit is None else masked_visit(case.visit)
    return msgspec.structs.replace(
        case,
        old_card=old_card,
        document=None,
        visit=visit,
        social=social,
        challenge=None,
        answer=None,
        updates={},
        cards=(),
    )


def masked_visit(visit: Visit) -> Visit:
    """Return a visit as anybody may see it."""
    return Visit(kind=visit.kind, number=mask_number(visit.number))


def to_row(case: Case) -> ActivationRow:
    """Return the row to store: everything masked in the open part, the private fields whole in the sealed one."""
    whole: dict[str, Json] = {name: msgspec.to_builtins(getattr(case, name)) for name in PRIVATE}
    return ActivationRow(
        id=case.id,
        station=case.station,
        route=str(case.route),
        state=str(case.state),
        open=case.is_open,
        data=msgspec.to_builtins(masked(case)),
        personal=whole,
        client=case.client,
        request=case.request,
    )


def from_row(row: ActivationRow) -> Case:
    """Return the case that a row holds; masked where its sealed part was erased."""
    return msgspec.convert({**row.data, **row.personal}, Case)


def parties(case: Case) -> dict[str, Json]:
    """Return who and what an activation is about, null where not known.

    The names are `old_card`, `card`, `holder`, `visit` and `receipt`.
    """
    social = case.social
    return {
        "old_card": None if case.old_card is None else {"number": case.old_card},
        "card": None
        if social is None
        else {
            "number": social.number,
            "identification_code": social.identification_code,
            "valid_until": social.valid_until,
        },
        "holder": None
        if social is None
        else {"name": social.name, "social_security_number": social.social_security_number},
        "visit": None if case.visit is None else {"kind": case.visit.kind, "number": case.visit.number},
        "receipt": dict(case.receipt) or None,
    }


def result(case: Case, *, lost: str | None = None) -> ActivationResult:
    """Return what a client sees of a case, as whole or as masked as the case is, and why where it is masked for want.

    `lost` is why what was sealed of it cannot be told.
    """
    sentence = render(case.say.code, case.say.args)
    about: Mapping[str, Json] = parties(case)
    view = {
        "activation": case.id,
        "route": case.route,
        "station": case.station,
        "state": case.state,
        "outcome": case.outcome,
        "reason": case.reason,
        "text": sentence,
        "prompt": _prompt(case, sentence) if case.is_open else None,
        "started": case.started,
        "ended": case.ended,
        **about,
        "personal": lost,
    }
    return msgspec.convert(view, ActivationResult)


def _prompt(case: Case, sentence: dict[str, str]) -> Prompt:
    question = case.question
    if question is None:
        return Prompt(code=case.say.code, text=sentence, deadline=case.deadline)
    return Prompt(
        code=case.say.code,
        text=sentence,
        prompt=question.prompt,
        purpose=str(question.purpose),
        digits=list(question.digits),
        tries_left=question.tries_left,
        deadline=question.deadline,
    )
