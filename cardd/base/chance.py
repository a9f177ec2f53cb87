"""Random bytes for names and nonces, which must not repeat but need not stay secret.

They are the kernel's, fetched by the block: a call into it for each would cost more than what they are for. Keys and
challenges are drawn from `secrets`, one by one.
"""

import os
import threading
from typing import Final

_BLOCK: Final = 4096


class Chance:
    """Hands out each random byte once. Any thread; not across a fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._block = b""
        self._used = 0

    def take(self, count: int) -> bytes:
        """Return so many bytes, at most 4096."""
        if not 0 <= count <= _BLOCK:
            raise ValueError(f"{count} bytes are not to be had at once")
        with self._lock:
            if self._used + count > len(self._block):
                self._block, self._used = os.urandom(_BLOCK), 0
            begin = self._used
            self._used += count
            return self._block[begin : self._used]
