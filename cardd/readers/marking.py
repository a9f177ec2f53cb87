"""What is logged on a reader's thread bears the marks of the work: its caller's, its card, its reader."""

from collections.abc import Callable
from contextvars import copy_context
from typing import ParamSpec, TypeVar

from structlog.contextvars import bind_contextvars

P = ParamSpec("P")
T = TypeVar("T")


def marked(operation: Callable[P, T], **marks: str) -> Callable[P, T]:
    """Return an operation that runs, on whatever thread and once, in a copy of this context that bears more marks."""
    context = copy_context()
    context.run(bind_contextvars, **marks)

    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        return context.run(operation, *args, **kwargs)

    return run
