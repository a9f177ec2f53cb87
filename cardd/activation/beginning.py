"""How an activation begins: what a client must and may say for each route, and the first case of it."""

import secrets
from datetime import datetime
from typing import Final, TypeVar

import msgspec

from cardd.activation.authority import IdentityDocument, Visit
from cardd.activation.case import Case, Say, masked_visit
from cardd.activation.effects import Effect
from cardd.activation.moves import Beginning
from cardd.activation.policy import Policy
from cardd.activation.routes import TABLES
from cardd.activation.transition import deadline_of, timestamp
from cardd.base.errors import CarddError
from cardd.base.masks import mask_number
from cardd.base.reasons import Reason
from cardd.wire.activation import ActivationStartParams, Route, State

M = TypeVar("M", IdentityDocument, Visit)

VISITS: Final = ("outpatient", "inpatient")


def check_start(params: ActivationStartParams, policy: Policy) -> None:
    """Make sure that the route is offered, has what it needs, and gets nothing that it would not look at.

    Raises CarddError(INVALID) with the path of what is wrong.
    """
    if params.route not in policy.routes:
        raise CarddError(Reason.INVALID, "route not offered here", route=str(params.route), path="$.route")
    if params.route is Route.BANK and params.identity_document is None:
        detail = "a bank has seen an identity document: give its type, number and name"
        raise CarddError(Reason.INVALID, detail, path="$.identity_document")
    if params.old_card is not None and params.route is not Route.PHARMACY:
        raise CarddError(Reason.INVALID, "an old card is handed in at a pharmacy only", path="$.old_card")
    if params.old_card is not None and not policy.old_numbers:
        raise CarddError(Reason.INVALID, "old cards are read here, not typed in", path="$.old_card")
    if params.visit is not None and params.visit.kind not in VISITS:
        raise CarddError(Reason.INVALID, f"a visit is {' or '.join(VISITS)}", path="$.visit.kind")


def beginning(params: ActivationStartParams) -> Beginning:
    """Return the first state and what is done in it: an old card's number without a chip is looked up at once."""
    if params.old_card is not None:
        return Beginning(State.READING_OLD_CARD, "reading_old_card", (Effect.READ_OLD_CARD,))
    return TABLES[params.route].begin


def new_case(params: ActivationStartParams, *, station: str, client: str, policy: Policy, now: datetime) -> Case:
    """Return the case of an activation that begins now; its fresh id is the key by which the authority knows it."""
    begin = beginning(params)
    return Case(
        id=secrets.token_hex(16),
        route=params.route,
        station=station,
        state=begin.state,
        started=timestamp(now),
        client=client,
        request=params.request,
        operator=params.operator,
        say=Say(code=begin.say),
        deadline=deadline_of(policy, begin.state, now),
        old_card=None if params.old_card is None else params.old_card.number,
        document=_as(params.identity_document, IdentityDocument),
        visit=_as(params.visit, Visit),
    )


def is_of(case: Case, params: ActivationStartParams) -> bool:
    """Tell whether a case may have begun with these parameters; of one whose person was erased only masks are left."""
    document, visit, old = _as(params.identity_document, IdentityDocument), _as(params.visit, Visit), params.old_card
    return (
        (case.route, case.operator) == (params.route, params.operator)
        and params.station in {None, case.station}
        and (old is None or case.old_card in {old.number, mask_number(old.number)})
        and case.document in {document, None}
        and case.visit in ([None] if visit is None else [visit, masked_visit(visit)])
    )


def _as(given: object, kind: type[M]) -> M | None:
    """Return what a client gave as the message of the same fields that the authority gets."""
    return None if given is None else msgspec.convert(given, kind, from_attributes=True)
