"""Names of files on the disk: a file that is durable may still be lost with its name."""

import os
from pathlib import Path


def make_durable(directory: Path) -> None:
    """Bring the names of new files in a directory onto the disk too. Raises OSError."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
