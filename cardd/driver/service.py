"""The driver: a function by name, with arguments in, number and text out."""

from typing import Final

import structlog
from msgspec.structs import replace

from cardd.base.errors import CarddError
from cardd.base.structs import Hidden, Struct
from cardd.driver.arguments import read_arguments
from cardd.driver.calls import Job, Told, Tools
from cardd.driver.functions import CERTIFICATES, FUNCTIONS, INFO, SIGN, Function
from cardd.driver.numbers import SUCCESS, data_length, number_of, text_of, unsupported
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


class Driver:
    """Calls functions for connections. Event loop's thread only."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def call(self, params: DriverCallParams, *, holder: str, client: str) -> Answer:
        """Call a function: what has a number goes back as its answer.

        Raises CarddError for what is neither the card's affair nor the caller's: the journal's, mostly.
        """
        job = Job(self._tools, params, holder, client)
        function = _function(params.function)
        try:
            told = await function.handler(job, *read_arguments(function.arguments, params.args))
            _check_room(function, told)
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
