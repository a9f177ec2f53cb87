"""The page as a file, for node_exporter's textfile collector."""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import structlog

from cardd.base.errors import CarddError

log = structlog.get_logger()

_FIRST_S: Final = 1.0

_READABLE: Final = 0o644
"""By node_exporter, which is another user; nothing in it is secret."""


class TextFile:
    """Writes the page now and then. What reads it never finds half a page, nor one that outlived an orderly end."""

    def __init__(self, path: Path, page: Callable[[], Awaitable[str]], *, every_s: float) -> None:
        self._path = path
        # of another ending, so that it is not read
        self._beside = path.with_name(f".{path.name}.new")
        self._page = page
        self._every_s = every_s
        self._keeping: asyncio.Task[None] | None = None
        self._ended = False
        self._known = ""
        """What was in the way last."""

    def start(self) -> None:
        """Begin, with the event loop running."""
        self._keeping = asyncio.get_running_loop().create_task(self._keep())

    def close(self) -> None:
        """End, and take the file away: figures of a daemon that has ended tell nothing."""
        self._ended = True
        if self._keeping is not None:
            self._keeping.cancel()
        self._remove()

    async def _keep(self) -> None:
        """Write the page for ever. That a page cannot be written is logged once, and the next one tried."""
        # whoever starts the daemon waits for it, and the first page takes an import
        await asyncio.sleep(min(_FIRST_S, self._every_s))
        while True:
            self._tell(await self._problem())
            await asyncio.sleep(self._every_s)

    async def _problem(self) -> str:
        """Write the page; return what was in the way, if anything."""
        try:
            text = await self._page()
            await asyncio.to_thread(self._write, text)
        except OSError as error:
            return error.strerror or type(error).__name__
        except CarddError as error:
            return error.detail
        return ""

    def _tell(self, problem: str) -> None:
        """Log what changed: a directory that is not there would else be told for ever."""
        known, self._known = self._known, problem
        if problem == known:
            return
        if problem:
            log.warning("metrics are not written", file=str(self._path), problem=problem)
        else:
            log.info("metrics are written again", file=str(self._path))

    def _remove(self) -> None:
        for path in (self._path, self._beside):
            with contextlib.suppress(OSError):
                path.unlink()

    def _write(self, text: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._beside.unlink()
        descriptor = os.open(self._beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _READABLE)
        with open(descriptor, "w", encoding="utf-8") as out:  # noqa: PTH123 - a descriptor
            os.fchmod(descriptor, _READABLE)
            out.write(text)
        self._beside.replace(self._path)
        if self._ended:
            # this thread was under way meanwhile
            self._remove()
