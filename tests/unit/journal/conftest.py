from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from cardd.base.clock import SystemClock
from cardd.base.sealing import Sealer
from cardd.base.secret import Secret
from cardd.crypto.sealing import Sm4GcmSealer
from cardd.journal.store import Journal


@pytest.fixture
def sealer() -> Sealer:
    return Sm4GcmSealer(Secret(b"0123456789abcdef"))


@pytest.fixture
def reopen(tmp_path: Path, sealer: Sealer) -> Callable[[], Journal]:
    return lambda: Journal.open(tmp_path, sealer=sealer, clock=SystemClock(), source="/cardd/test")


@pytest_asyncio.fixture
async def journal(reopen: Callable[[], Journal]) -> AsyncIterator[Journal]:
    opened = reopen()
    yield opened
    await opened.close()
