"""Faults of our own in the log: what kind, and where, without the message, which may quote what it choked on."""

import traceback

import structlog

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


def log_fault(event: str, fault: BaseException, **facts: str) -> None:
    """Log an unexpected exception by its type and the places it came through."""
    frames = traceback.extract_tb(fault.__traceback__)
    places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    _log.error(event, fault=type(fault).__name__, places=places, **facts)
