"""Stations and readers in an operator's hands."""

from cardd.wire.base import Params, Result


class StationClearParams(Params):
    """Name a station; where there is one it may be left out."""

    station: str | None = None


class StationClearResult(Result):
    """Which stopped keys may be used again, and which hung readers begin anew."""

    station: str
    lifted: list[str]
    forgotten: list[str]
