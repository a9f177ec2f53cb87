"""What pages say in the shape of existing ones: a call of the driver or a refusal in that shape, and nothing else."""

from collections.abc import Iterator
from typing import Final

import msgspec

from cardd.driver.functions import FUNCTIONS
from cardd.web.shapes import SHAPES, Conversation, Settings
from cardd.wire import rpc
from cardd.wire.driver import DriverCallParams, DriverCallResult

_ARGUMENTS: Final = 8


class _Refusal(msgspec.Struct, forbid_unknown_fields=True):
    functionName: str  # noqa: N815 - the page's name for it
    success: int
    pOutInfo: str  # noqa: N815 - the same


def messages(raw: bytes) -> None:
    """Hold messages to: each becomes one line for the socket that says the same, or is refused as pages are."""
    for shape in SHAPES:
        conversation = Conversation(shape, Settings("reader-0", 6))
        for message in raw.split(b"\n")[:20]:
            asked = conversation.read(message)
            if asked.refusal:
                assert not asked.request
                assert msgspec.json.decode(asked.refusal, type=_Refusal).success < 0
                continue
            assert asked.request.count(b"\n") == 1
            request = rpc.parse_request(asked.request[:-1])
            params = rpc.decode_params(request.params, DriverCallParams)
            assert (params.function, params.reader, params.keypad_digits) == (asked.function, "reader-0", 6)
            row = FUNCTIONS.get(params.function)
            assert len(params.args) == len((row and row.arguments) or ()) <= _ARGUMENTS
            conversation.write(asked, rpc.success(1, DriverCallResult(code=0, out="x")))


def said() -> Iterator[bytes]:
    """Yield a message for every function."""
    for name, row in FUNCTIONS.items():
        arguments: dict[str, int | str] = {str(kind): "1" for kind in row.arguments or ()}
        yield msgspec.json.encode({"function": name, **arguments})
    yield b"\n".join(
        (
            b'{"function": "iReadCard_HSM_Step1", "iType": 1, "pCardInfo": "c", "pFileAddr": "f"}',
            b'{"function": "ReadCard_HSM_Step2", "pkey": "00"}',
        )
    )
