"""What is asked for again and again and seldom changes: encoded once."""

from collections.abc import Sequence
from typing import cast

import msgspec

from cardd.wire.cards import ReadersListResult, ReaderView


class Encoded:
    """The list of readers as it was encoded last, kept for as long as it is the same tuple. Loop thread only."""

    def __init__(self) -> None:
        self._readers: tuple[ReaderView, ...] | None = None
        self._result = msgspec.Raw()

    def readers(self, views: Sequence[ReaderView]) -> ReadersListResult:
        """Return the result of `readers.list`, which encodes as such."""
        if not isinstance(views, tuple):
            # a list may change and be the same
            return ReadersListResult(readers=list(views))
        if views is not self._readers:
            self._result = msgspec.Raw(msgspec.json.encode(ReadersListResult(readers=list(views))))
            self._readers = views
        # for whoever encodes it, bytes are as good as the struct
        return cast("ReadersListResult", self._result)
