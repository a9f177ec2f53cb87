"""Files of the terminal's security module (LD/T 32.9)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cardd.base.structs import Struct
from cardd.rules.items import NO_TAG, Form, Item, ItemType

_CN, _B = ItemType.CN, ItemType.B


class PsamFile(Struct, frozen=True):
    """One transparent file that anybody reads. `in_application` tells it from those of the environment."""

    fid: int
    en: str
    fields: tuple[Item, ...]
    in_application: bool = True

    @property
    def size(self) -> int:
        """Return its bytes."""
        return sum(field.length for field in self.fields)


# fmt: off
_VALIDITY: Final = (
    Item(NO_TAG, "debit_key_index", _B, 1, "debit key index", "消费密钥索引号"),
    Item(NO_TAG, "authentication_key_version", _B, 1, "authentication key version", "认证密钥版本"),
    Item(NO_TAG, "start", _CN, 4, "start", "应用启用日期", Form.DATE),
    Item(NO_TAG, "end", _CN, 4, "end", "应用有效日期", Form.DATE),
)

PUBLIC_INFORMATION: Final = PsamFile(0x0015, "public information", (
    Item(NO_TAG, "issuer", _B, 1, "issuer", "发卡方"),
    Item(NO_TAG, "serial", _CN, 10, "serial", "PSAM序列号"),
    Item(NO_TAG, "version", _B, 1, "version", "PSAM版本号"),
    Item(NO_TAG, "card_type", _B, 1, "card type", "密钥卡类型"),
    Item(NO_TAG, "issuer_data", _B, 2, "issuer's data", "发卡方自定义FCI数据"),
), in_application=False)

TERMINAL_INFORMATION: Final = PsamFile(0x0016, "terminal information", (
    Item(NO_TAG, "terminal_number", _CN, 6, "terminal number: three bytes region, the rest the issuer's", "终端机编号"),
), in_application=False)

TERMINAL_SEQUENCE: Final = PsamFile(0x0019, "terminal sequence", (
    Item(NO_TAG, "sequence", _B, 4, "counter", "终端交易序号"),
))

PSAM_FILES: Final = (
    PUBLIC_INFORMATION,
    TERMINAL_INFORMATION,
    TERMINAL_SEQUENCE,
    PsamFile(0x001A, "application of the nation", _VALIDITY),
    PsamFile(0x001B, "application of the province", _VALIDITY),
    PsamFile(0x001C, "application of the city", _VALIDITY),
)
# fmt: on

KEY_FILES: Final = (0x0011, 0x0012, 0x0013)
"""Files that hold keys; nobody reads them."""

ALGORITHMS: Final[Mapping[int, str]] = MappingProxyType({0x00: "3DES", 0x01: "DES", 0x02: "SSF33"})
"""The algorithm byte of a key in the module."""
