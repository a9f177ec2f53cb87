"""The readers and what is in them."""

from cardd.api.method import Call, Look
from cardd.api.rights import Right
from cardd.wire.cards import ReadersListResult
from cardd.wire.methods import READERS_LIST
from cardd.wire.system import NoParams


def _list(call: Call, _: NoParams) -> ReadersListResult:
    return call.office.encoded.readers(call.office.services.readers())


METHODS = (Look(READERS_LIST, Right.OBSERVE, _list),)
