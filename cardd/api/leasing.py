"""Leases as every method on cards meets them: they are of the connection that acquired them, and of no other."""

from cardd.api.method import Call, seconds
from cardd.api.services import LeaseService
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.wire.cards import CardChoice


def check_choice(call: Call, params: CardChoice) -> None:
    """Check which card a client means, as far as that is its own affair.

    Raises CarddError: INVALID for a time to wait that is none, LEASE_LOST for a lease that is over or another's.
    """
    seconds(params.wait_s, "$.wait_s")
    end_steps(call)
    if params.lease is not None:
        check_lease(call, params.lease)


def end_steps(call: Call) -> None:
    """End what the connection has begun in steps of the driver: nothing else may come between them."""
    if call.office.services.driver is not None:
        call.office.services.driver.end_steps(call.session.name)


def check_lease(call: Call, lease: str) -> None:
    """Raise CarddError(LEASE_LOST) for a lease that is over, or another connection's."""
    end_steps(call)
    if call.office.services.leases is None:
        raise CarddError(Reason.LEASE_LOST, "no leases are given here")
    call.office.services.leases.check(lease, holder=call.session.name)


def judge_held(call: Call, error: CarddError) -> CarddError:
    """Return an error that says to whoever holds the card in question himself that he does."""
    service, insertion = call.office.services.leases, error.facts.get("insertion")
    if error.reason is not Reason.LEASE_HELD or service is None or not isinstance(insertion, str):
        return error
    return error.in_words("lease_own") if service.has(insertion, holder=call.session.name) else error


def leases(call: Call) -> LeaseService:
    """Return who gives leases. Raises CarddError(NOT_FOUND) where nobody does."""
    if call.office.services.leases is None:
        raise CarddError(Reason.NOT_FOUND, "no leases are given here")
    return call.office.services.leases
