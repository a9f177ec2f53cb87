"""The shapes of messages that pages use which were written for other drivers, as data, and their translation.

A page sends `{"function": "iReadCardBas", "iType": 3}` and is answered `{"functionName": "iReadCardBas", "success": 1,
"pOutInfo": "…"}`; a failure has the driver's negative number in `success` and its sentence in `pOutInfo`.
"""

from collections.abc import Mapping
from enum import Enum, auto
from types import MappingProxyType
from typing import Final

import msgspec

from cardd.base.reasons import REASONS, Reason
from cardd.base.structs import Hidden, Struct
from cardd.driver.functions import FUNCTIONS
from cardd.wire import rpc
from cardd.wire.base import Json
from cardd.wire.driver import DriverCallParams, DriverCallResult
from cardd.wire.methods import DRIVER_CALL

_NAME_CHARACTERS: Final = 64
_NOT_CALLED: Final = -13
"""The driver's functions cannot be called: what the library returns too where the socket refuses."""

_ILLEGAL: Final = -14


class Slot(Enum):
    """What goes into a place of an answer's template."""

    FUNCTION = auto()
    SUCCESS = auto()
    OUT = auto()


class Variant(Struct, frozen=True):
    """One name for the next steps of several functions: which it is depends on the step that was taken before."""

    after: Mapping[str, str]
    otherwise: str
    """Where none of them was taken; it says so itself."""

    def meant(self, before: str) -> str:
        """Return the function that is meant."""
        return self.after.get(before, self.otherwise)


class Shape(Struct, frozen=True):
    """How pages of one kind talk: on which path, which member names the function, and what an answer looks like.

    `renamed` are arguments that some pages spell differently, `variants` functions that some pages call otherwise.
    """

    path: str
    match: str
    answer: Mapping[str, Slot]
    success: int
    renamed: Mapping[str, str]
    variants: Mapping[str, Variant]


SHAPES: Final = (
    Shape(
        path="/",
        match="function",
        answer=MappingProxyType({"functionName": Slot.FUNCTION, "success": Slot.SUCCESS, "pOutInfo": Slot.OUT}),
        success=1,
        renamed=MappingProxyType({"pkey": "pKey"}),
        variants=MappingProxyType(
            {
                "ReadCard_HSM_Step2": Variant(
                    after=MappingProxyType(
                        {
                            "iReadCardBas_HSM_Step1": "iReadCardBas_HSM_Step2",
                            "iReadCard_HSM_Step1": "iReadCard_HSM_Step2",
                        }
                    ),
                    otherwise="iReadCardBas_HSM_Step2",
                )
            }
        ),
    ),
)


class Settings(Struct, frozen=True):
    """What a page's message has no place for: which reader is meant, and how many digits its own keypad takes."""

    reader: str | None = None
    keypad_digits: int | None = None


class Asked(Struct, frozen=True):
    """What a page wants: a function, and what is to be sent for it; where that cannot be, what is answered at once."""

    function: str
    request: Hidden[bytes] = b""
    refusal: Hidden[bytes] = b""


class Conversation:
    """One page's messages in its shape. It remembers the step that was taken last."""

    def __init__(self, shape: Shape, settings: Settings) -> None:
        self._shape = shape
        self._settings = settings
        self._before = ""
        self._number = 0

    def read(self, message: bytes) -> Asked:
        """Read one message of the page's."""
        fields: dict[str, msgspec.Raw] = {}
        try:
            fields = msgspec.json.decode(message, type=dict[str, msgspec.Raw])
            named = _decoded(fields.get(self._shape.match, msgspec.Raw(b"null")))
        except _NO_JSON:
            named = None
        if not isinstance(named, str) or not 0 < len(named) <= _NAME_CHARACTERS:
            return self._refused("", _ILLEGAL, Reason.INVALID)
        variant = self._shape.variants.get(named)
        function = named if variant is None else variant.meant(self._before)
        args = self._arguments(function, fields)
        if args is None:
            return self._refused(function, _ILLEGAL, Reason.INVALID)
        params = DriverCallParams(
            function=function, args=args, reader=self._settings.reader, keypad_digits=self._settings.keypad_digits
        )
        self._number += 1
        return Asked(function, request=rpc.call(self._number, DRIVER_CALL.name, params))

    def write(self, asked: Asked, line: bytes) -> bytes:
        """Write the answer to what was asked in the page's shape."""
        incoming = msgspec.json.decode(line, type=rpc.Incoming)
        if incoming.error is not None:
            self._before = ""
            return self._answer(asked.function, *_refusal(incoming.error))
        result = msgspec.json.decode(incoming.result, type=DriverCallResult)
        self._before = asked.function if result.code == 0 else ""
        return self._answer(asked.function, self._shape.success if result.code == 0 else result.code, result.out)

    def _arguments(self, function: str, fields: Mapping[str, msgspec.Raw]) -> list[int | str] | None:
        """Return what goes into a function, in its order, None where one is missing or is neither text nor number.

        What nobody knows is called without: it says itself what is wrong.
        """
        row = FUNCTIONS.get(function)
        given = {self._shape.renamed.get(name, name): value for name, value in fields.items()}
        args: list[int | str] = []
        for kind in (row and row.arguments) or ():
            value = _decoded(given.get(str(kind), msgspec.Raw(b"null")))
            if not isinstance(value, int | str):
                return None
            args.append(value)
        return args

    def _refused(self, function: str, number: int, reason: Reason) -> Asked:
        return Asked(function, refusal=self._answer(function, number, REASONS[reason].zh))

    def _answer(self, function: str, success: int, out: str) -> bytes:
        values: Mapping[Slot, Json] = {Slot.FUNCTION: function, Slot.SUCCESS: success, Slot.OUT: out}
        return msgspec.json.encode({name: values[slot] for name, slot in self._shape.answer.items()})


_NO_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def _decoded(raw: msgspec.Raw) -> object:
    """Return a member's value, None where it is none that the driver takes."""
    try:
        return msgspec.json.decode(raw, type=int | str | None)
    except _NO_JSON:
        return None


def _refusal(error: rpc.ErrorObject) -> tuple[int, str]:
    """Return number and sentence for what the socket refuses, which is neither the card's affair nor the caller's."""
    reason, text = error.data.get("reason"), error.data.get("text")
    number = REASONS[Reason(reason)].driver if isinstance(reason, str) and reason in REASONS else None
    sentence = text.get("zh-CN") if isinstance(text, Mapping) else None
    return number or _NOT_CALLED, sentence if isinstance(sentence, str) else error.message
