"""Stations and readers in an operator's hands."""

from cardd.wire.base import Params, Result


class ReaderLendParams(Params):
    """Name a reader, by its name here or that of PC/SC."""

    reader: str


class ReaderLendResult(Result):
    """The reader that another program may open now, by its name here and that of PC/SC."""

    reader: str
    pcsc_name: str


class ReaderTakeBackResult(Result):
    """The reader that is watched again."""

    reader: str


class StationClearParams(Params):
    """Name a station; where there is one it may be left out."""

    station: str | None = None


class StationClearResult(Result):
    """Which stopped keys may be used again, and which hung readers begin anew."""

    station: str
    lifted: list[str]
    forgotten: list[str]
