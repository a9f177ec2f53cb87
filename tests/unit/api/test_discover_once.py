"""The contract is some megabytes: it is made once."""

import asyncio
import time
from typing import Any, cast
from unittest import mock

import pytest

from cardd.api import discover
from cardd.api.methods import rpc

pytestmark = pytest.mark.asyncio


async def test_the_contract_is_made_once_for_all_who_ask_before_it_is_there() -> None:
    made: list[object] = []

    def slowly(_: object) -> dict[str, Any]:
        made.append(_)
        time.sleep(0.05)
        return {}

    row = cast("Any", rpc.discover([]))
    with mock.patch.object(discover, "document", slowly):
        documents = await asyncio.gather(*(row.handler(None, None) for _ in range(8)))
    assert len(made) == 1
    assert all(one is documents[0] for one in documents)
