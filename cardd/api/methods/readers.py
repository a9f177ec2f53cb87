"""The readers and what is in them."""

from cardd.api.method import Call, Method
from cardd.api.rights import Right
from cardd.wire.cards import ReadersListResult
from cardd.wire.methods import READERS_LIST
from cardd.wire.system import NoParams


async def _list(call: Call, _: NoParams) -> ReadersListResult:
    return ReadersListResult(readers=list(call.office.services.readers()))


METHODS = (Method(READERS_LIST, Right.OBSERVE, _list),)
