"""What the socket says of itself."""

import asyncio
import threading
from collections.abc import Iterable
from typing import Final, cast

from cardd.api.method import Call, Look, Method
from cardd.wire.base import Params
from cardd.wire.methods import RPC_DISCOVER
from cardd.wire.system import Document, NoParams

Row = Method[Params, object] | Look[Params, object]


def discover(rows: Iterable[Row]) -> Row:
    """Return the row of the method that describes all of these, and itself."""
    return _Discover(rows).row


class _Discover:
    """The document, made when it is first asked for and kept."""

    def __init__(self, rows: Iterable[Row]) -> None:
        # a table holds rows of any parameters as rows of all
        self.row: Final = cast("Row", Method(RPC_DISCOVER, None, self._answer))
        self._rows: Final = (*rows, self.row)
        self._document: Document | None = None
        self._making = threading.Lock()

    async def _answer(self, _call: Call, _params: NoParams) -> Document:
        if self._document is not None:
            return self._document
        # it takes twenty milliseconds, which the loop's other clients are not to wait for
        return await asyncio.to_thread(self._made)

    def _made(self) -> Document:
        # what makes JSON Schema of types is of no use to a daemon that is never asked
        from cardd.api.discover import document  # noqa: PLC0415

        # many may ask before it is there: it is some megabytes, and one does for all
        with self._making:
            if self._document is None:
                self._document = document({row.name: row for row in self._rows})
            return self._document
