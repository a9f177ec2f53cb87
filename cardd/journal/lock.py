"""One daemon a directory."""

import fcntl
import os
from pathlib import Path
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason

_NAME: Final = "lock"


class DirectoryLock:
    """Holds a directory for this process; the kernel lets go of it when the process ends, however it ends."""

    def __init__(self, directory: Path) -> None:
        """Take the lock at once. Raises CarddError BUSY when another process, or this one, holds it."""
        self._file = os.open(directory / _NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._file, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._file)
            raise CarddError(
                Reason.BUSY, f"{directory} is in use by another cardd (process {holder}): stop that one first"
            ) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, b"%d\n" % os.getpid(), 0)

    def release(self) -> None:
        """Let the next one in."""
        os.close(self._file)
