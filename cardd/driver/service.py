"""The driver: a function by name, with arguments in, number and text out."""

import contextlib
from collections.abc import Callable
from typing import Final

import structlog
from msgspec.structs import replace

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Hidden, Struct
from cardd.driver.arguments import read_arguments
from cardd.driver.calls import Job, Told, Tools
from cardd.driver.functions import CERTIFICATES, FUNCTIONS, INFO, SIGN, Function
from cardd.driver.numbers import SUCCESS, data_length, number_of, text_of, unsupported
from cardd.driver.pending import Pending
from cardd.wire.driver import DriverCallParams

log = structlog.get_logger()

_ENCODING: Final = "gb18030"
"""GBK, and what lies beyond it in four bytes."""


class Answer(Struct, frozen=True):
    """What goes back, and which of it is a person's: of what card, in which reader."""

    code: int
    out: Hidden[str]
    fields: tuple[str, ...] = ()
    insertion: str | None = None
    reader: str | None = None


def _always() -> bool:
    """Say that the client hears what it is told."""
    return True


class Driver:
    """Calls functions for connections. Event loop's thread only."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._pending: dict[str, Pending] = {}

    def end_steps(self, holder: str) -> None:
        """End what a connection has begun in steps, and let go of its card."""
        self._let_go(self._take(holder), holder)

    async def call(
        self, params: DriverCallParams, *, holder: str, client: str, heard: Callable[[], bool] = _always
    ) -> Answer:
        """Call a function: what has a number goes back as its answer.

        `heard` tells when it is over whether the client is still there to hear what became of it.

        Raises CarddError for what is neither the card's affair nor the caller's: the journal's, mostly.
        """
        job = Job(self._tools, params, holder, client, heard)
        function = _function(params.function)
        try:
            told = await self._carry_out(function, job)
        except CarddError as error:
            number = number_of(error)
            if number is None:
                raise
            log.info("driver.refused", function=params.function, code=number, reason=str(error.reason))
            return Answer(number, _cut(text_of(error), function.buffer))
        insertion = told.insertion
        if insertion is None:
            return Answer(SUCCESS, told.out)
        return Answer(SUCCESS, told.out, told.fields, insertion.id, insertion.reader)

    async def _carry_out(self, function: Function, job: Job) -> Told:
        """Call a function; whatever else the connection had begun ends before, and all of it where this fails."""
        earlier = self._take(job.holder)
        if function.continues is None:
            self._let_go(earlier, job.holder)
        elif not isinstance(earlier, function.continues):
            self._let_go(earlier, job.holder)
            raise CarddError(Reason.LEASE_LOST, "the step before this one was not taken")
        begun = () if function.continues is None else (earlier,)
        try:
            told = await function.handler(job, *begun, *read_arguments(function.arguments, job.params.args))
            _check_room(function, told)
        except BaseException:
            self._let_go(earlier, job.holder)
            raise
        if told.pending is None:
            self._let_go(earlier, job.holder)
        else:
            # two functions may run side by side on one connection: what the other has begun ends here
            self._let_go(self._pending.pop(job.holder, None), job.holder)
            self._pending[job.holder] = told.pending
        return told

    def _take(self, holder: str) -> Pending | None:
        """Return what a connection has begun, and forget what connections had begun whose holds are over."""
        taken = self._pending.pop(holder, None)
        lasts = self._tools.readers.lasts
        self._pending = {one: pending for one, pending in self._pending.items() if lasts(pending.chosen.lease or "")}
        return taken

    def _let_go(self, pending: Pending | None, holder: str) -> None:
        if pending is not None:
            with contextlib.suppress(CarddError):
                self._tools.readers.end_lease(pending.chosen.lease or "", holder)


def _function(name: str) -> Function:
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    return replace(FUNCTIONS[SIGN] if name.startswith(CERTIFICATES) else _UNKNOWN, name=name)


async def _unknown(job: Job, *_: object) -> Told:
    raise unsupported(f"there is no function {job.params.function}")


_UNKNOWN: Final = Function("", None, INFO, _unknown)


def _check_room(function: Function, told: Told) -> None:
    if not _fits(told.out, function.buffer):
        raise data_length(f"what {function.name} found has no room in {function.buffer} bytes")


def _fits(text: str, buffer: int) -> bool:
    # the byte behind the text is the zero that ends it
    return len(text.encode(_ENCODING)) < buffer


def _cut(text: str, buffer: int) -> str:
    """Return as much of a sentence as fits."""
    while not _fits(text, buffer):
        text = text[:-1]
    return text
