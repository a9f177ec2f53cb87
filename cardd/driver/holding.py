"""A card held from one step of a function to the next."""

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Final, TypeVar

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.desk.intending import preparing, was_kept_back
from cardd.desk.requests import Chosen
from cardd.driver.calls import Job
from cardd.driver.pending import Pending
from cardd.iso7816.channel import Channel
from cardd.readers.insertion import Insertion

T = TypeVar("T")

_OVER: Final = frozenset({Reason.LEASE_LOST, Reason.CARD_REMOVED, Reason.STALE_INSERTION})


@contextlib.asynccontextmanager
async def held(job: Job, chosen: Chosen) -> AsyncIterator[Chosen]:
    """Hold a card for the connection, beyond the end of this; not where what is done with it fails."""
    readers = job.tools.readers
    lease = readers.lease(chosen.insertion.id, job.holder, ttl_s=job.tools.lease_s).id
    try:
        yield Chosen(chosen.insertion, lease)
    except BaseException:
        with contextlib.suppress(CarddError):
            readers.end_lease(lease, job.holder)
        raise


async def go_on(job: Job, pending: Pending, operation: Callable[[Channel, Insertion], T]) -> T:
    """Go on with the card of the step before. Raises CarddError(STALE_INSERTION) where it has left the reader since.

    Where the hold on it is over, nothing is sent, and the error says so (`was_kept_back`).
    """
    readers, chosen = job.tools.readers, pending.chosen
    try:
        with preparing():
            readers.renew(chosen.lease or "", job.holder, ttl_s=job.tools.lease_s)
        return await job.run(chosen, operation)
    except CarddError as error:
        if error.reason in _OVER and readers.reader_of(chosen.insertion.id) is None:
            kept_back = {"sent": False} if was_kept_back(error) else {}
            raise CarddError(
                Reason.STALE_INSERTION, "the card has left the reader since the step before", **kept_back
            ) from error
        raise
