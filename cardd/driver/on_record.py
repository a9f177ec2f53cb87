"""Deeds whose commands a machine elsewhere has made: on record before and after, as those of the desk are."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from cardd.base.errors import CarddError
from cardd.base.masks import mask_number
from cardd.base.structs import Struct
from cardd.desk.intending import was_kept_back
from cardd.desk.reading import Identity
from cardd.driver.calls import METHOD, Job
from cardd.journal.events import Json, NewEvent
from cardd.readers.insertion import Insertion

T = TypeVar("T")


class Act(Struct, frozen=True):
    """The events of a deed: before it, after it, not done, and of one that nobody knows the end of."""

    intended: str
    done: str
    refused: str
    unknown: str


RELOAD = Act("pin.intended", "pin.changed", "pin.refused", "pin.unknown")
UNBLOCK = Act("pin.intended", "pin.unblocked", "pin.refused", "pin.unknown")


async def on_record(
    job: Job,
    act: Act,
    card: tuple[Insertion, Identity],
    shown: Mapping[str, Json],
    work: Callable[[], Awaitable[tuple[T, Mapping[str, Json]]]],
) -> T:
    """Do a deed between the record that it is intended and that of what became of it; `work` returns what to tell.

    Raises what the work raises; what the journal raises, then nothing is done.
    """
    await job.tools.journal.record(_event(job, act.intended, card, shown))
    try:
        done, further = await work()
    except CarddError as error:
        refused = "status_word" in error.facts or was_kept_back(error)
        told = {**shown, **(_why(error) if refused else {})}
        await job.tools.journal.record(_event(job, act.refused if refused else act.unknown, card, told))
        raise
    await job.tools.journal.record(_event(job, act.done, card, {**shown, **further}))
    return done


def _why(error: CarddError) -> Mapping[str, Json]:
    return {"reason": str(error.reason), "text": {"code": str(error.reason), "args": {}}}


def _event(job: Job, kind: str, card: tuple[Insertion, Identity], data: Mapping[str, Json]) -> NewEvent:
    insertion, identity = card
    number = None if identity.number is None else identity.number.disclose()
    told: dict[str, Json] = {
        "station": insertion.station,
        "client": job.client,
        "request": job.params.request,
        "method": METHOD,
        "number": None if number is None else mask_number(number),
        **data,
    }
    return NewEvent(kind, insertion.reader, told, {} if number is None else {"number": number}, insertion=insertion.id)
