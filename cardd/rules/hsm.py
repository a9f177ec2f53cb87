"""Logical addresses of keys in the issuer's security machine, by which a terminal without a PSAM names them.

National notice 人社信息函[2016]38号 as the Sichuan terminal specification V2.0 gives it, annex B.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cardd.rules.keys import KEYS, MONEY_KEYS, KeyName

# fmt: off
HSM_ADDRESSES: Final[Mapping[KeyName, int]] = MappingProxyType({
    KeyName.RKSSSE:  0x004C, KeyName.UK1DF07: 0x007D, KeyName.IRK:     0x0170,
    KeyName.RK1DF01: 0x004F, KeyName.RK2DF07: 0x0080, KeyName.STKSSSE: 0x0173,
    KeyName.UK6DF01: 0x0052, KeyName.UK2DF07: 0x0083, KeyName.STKDF01: 0x0174,
    KeyName.UK7DF01: 0x0055, KeyName.RK3DF07: 0x0086, KeyName.STKDF04: 0x0175,
    KeyName.UK8DF01: 0x0058, KeyName.UK3DF07: 0x0089, KeyName.UK3DF01: 0x0176,
    KeyName.UK9DF01: 0x005B, KeyName.STKDF05: 0x008C, KeyName.UK4DF01: 0x0179,
    KeyName.UKADF01: 0x005E, KeyName.UK1DF05: 0x008D, KeyName.UK2DF04: 0x017C,
    KeyName.UKBDF01: 0x0061, KeyName.PUK:     0x0090, KeyName.DPK:     0x017F,
    KeyName.RK1DF02: 0x0064, KeyName.BK:      0x0091, KeyName.RK1DF04: 0x0182,
    KeyName.UK6DF02: 0x0067, KeyName.LKDF03:  0x0092, KeyName.STKDF02: 0x0185,
    KeyName.UK4DF03: 0x006A, KeyName.LKDF04:  0x0093, KeyName.STKDF03: 0x0186,
    KeyName.UK5DF03: 0x006D, KeyName.UKSSSE:  0x0094, KeyName.UK1DF02: 0x0187,
    KeyName.UK6DF03: 0x0070, KeyName.UK1DF01: 0x0097, KeyName.UK4DF02: 0x018A,
    KeyName.UK7DF03: 0x0073, KeyName.UK2DF01: 0x009A, KeyName.UK5DF02: 0x018D,
    KeyName.UK8DF03: 0x0076, KeyName.UK5DF01: 0x009D, KeyName.UK2DF03: 0x0190,
    KeyName.STKDF07: 0x0079, KeyName.UK2DF02: 0x00A0, KeyName.RK1DF03: 0x0193,
    KeyName.RK1DF07: 0x007A, KeyName.UK3DF02: 0x00A3, KeyName.RK2DF03: 0x0196,
    KeyName.UK1DF03: 0x00A6, KeyName.UK3DF03: 0x00A9, KeyName.UK1DF04: 0x00AC,
    KeyName.DSK:     0x00AF, KeyName.DLK:     0x00B2, KeyName.DTK:     0x00B5,
})
# fmt: on
"""The address of a key's first version; its other versions follow."""

DEBIT_ADDRESSES: Final = (0x017F, 0x0199, 0x019C)
"""The debit key's versions 1 to 3, each with three groups at addresses that follow each other."""

_VERSIONS: Final[Mapping[KeyName, int]] = MappingProxyType(
    {
        **{key: rule.versions for key, rule in KEYS.items()},
        **{key: rule.versions for key, rule in MONEY_KEYS.items()},
    }
)


def hsm_address(key: KeyName, version: int = 1) -> int | None:
    """Return the address of one version of a key, None where the key or the version has none."""
    first = HSM_ADDRESSES.get(key)
    if first is None or not 1 <= version <= _VERSIONS[key]:
        return None
    return DEBIT_ADDRESSES[version - 1] if key is KeyName.DPK else first + version - 1


def key_at(address: int) -> tuple[KeyName, int] | None:
    """Return the key and version behind an address, None where it is no key's. Groups of the debit key count as one."""
    for version, first in enumerate(DEBIT_ADDRESSES, 1):
        if first <= address < first + _VERSIONS[KeyName.DPK]:
            return KeyName.DPK, version
    for key, first in HSM_ADDRESSES.items():
        if first <= address < first + _VERSIONS[key]:
            return key, address - first + 1
    return None
