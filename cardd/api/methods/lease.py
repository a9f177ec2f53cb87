"""Cards held for a connection."""

from cardd.api.leasing import check_choice, leases
from cardd.api.method import Call, Method
from cardd.api.rights import Right
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.wire.leases import (
    LeaseAcquireParams,
    LeaseReleaseParams,
    LeaseReleaseResult,
    LeaseRenewParams,
    LeaseResult,
)
from cardd.wire.methods import LEASE_ACQUIRE, LEASE_RELEASE, LEASE_RENEW


async def _acquire(call: Call, params: LeaseAcquireParams) -> LeaseResult:
    check_choice(call, params)
    holder = call.session.name
    given = await leases(call).acquire(params, holder=holder)
    if call.session.left:
        # it closed its sending side while it waited: nobody would end this lease
        leases(call).release(LeaseReleaseParams(lease=given.lease), holder=holder)
        raise CarddError(Reason.LEASE_LOST, "a connection that can send nothing more holds no card")
    return given


async def _renew(call: Call, params: LeaseRenewParams) -> LeaseResult:
    return leases(call).renew(params, holder=call.session.name)


async def _release(call: Call, params: LeaseReleaseParams) -> LeaseReleaseResult:
    return leases(call).release(params, holder=call.session.name)


METHODS = (
    Method(LEASE_ACQUIRE, Right.LEASE, _acquire),
    Method(LEASE_RENEW, Right.LEASE, _renew),
    Method(LEASE_RELEASE, Right.LEASE, _release),
)
