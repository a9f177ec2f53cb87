"""The two-step strings by which a terminal without keys and a back office with them talk (人社信息函[2016]38号).

Step 1 goes out: what a security machine needs to compute. What it has computed comes back for step 2. Items stand with
`|` behind each, bytes as upper-case hexadecimal. Faults name the item, never its content: PINs and proofs go through
here.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.base.structs import Hidden, Struct
from cardd.crypto.block import Algorithm
from cardd.crypto.messaging import plain_blocks
from cardd.crypto.money import Amounts
from cardd.desk.pin_block import pin_block
from cardd.rules.hsm import hsm_address
from cardd.rules.keys import KeyName

SEPARATOR: Final = "|"
_HALF: Final = 8
_MAC: Final = 4
_HEADER: Final = 5
_DATA_LENGTHS: Final[Mapping[bytes, int]] = MappingProxyType(
    {
        bytes.fromhex("8424000114"): 0x14,
        bytes.fromhex("842400010C"): 0x0C,
        bytes.fromhex("8424000004"): 0x04,
    }
)

_RELOAD: Final = bytes.fromhex("84240001")
UNBLOCK_HEADER: Final = bytes.fromhex("8424000004")


class Challenge(Struct, frozen=True):
    """What authentication data are computed from: process factor and original data, 8 bytes each."""

    process_factor: bytes
    original: bytes


class Answer(Struct, frozen=True):
    """Authentication data and the original data that they were computed from, 8 bytes each."""

    authentication: bytes
    original: bytes

    __repr__ = object.__repr__


class DebitAnswer(Struct, frozen=True):
    """The terminal's part of a purchase as the back office gives it."""

    terminal_sequence: int
    time: bytes
    mac1: Hidden[bytes]


def basic_step1(
    region: str,
    historical: bytes,
    algorithm: Algorithm,
    identification_code: bytes,
    internal: Challenge | None,
    external: Challenge | None,
    device: str | None = None,
) -> str:
    """Write what reading the basic data asks of a machine; a card before 3.0 has no external authentication.

    `region` six digits, `historical` 13 bytes, `identification_code` 16 bytes. `device`, 32 characters, is the ninth
    item of newer services.
    """
    items = [region, _hex(historical), _algorithm(algorithm), _hex(identification_code)]
    for challenge in (internal, external):
        items += ["", ""] if challenge is None else [_hex(challenge.process_factor), _hex(challenge.original)]
    return _line(*items, *([] if device is None else [device]))


def parse_basic_answer(text: str) -> tuple[Answer, Answer | None]:
    """Read `internal | external |`; the external half is empty, or missing, for a card before 3.0.

    Raises CarddError(INVALID).
    """
    internal, *rest = _items(text)
    external = rest[0] if rest else ""
    if len(rest) > 1:
        raise CarddError(Reason.INVALID, f"{len(rest) + 1} items came back, two are asked for")
    return parse_key_answer(internal), parse_key_answer(external) if external else None


def key_step1(algorithm: Algorithm, key: KeyName, challenge: Challenge, version: int = 1) -> str:
    """Write what one external authentication asks of a machine. Raises CarddError(PSAM_KEY_MISSING) for no address."""
    address = _address(key, version)
    return _line(_algorithm(algorithm), address, _hex(challenge.process_factor), _hex(challenge.original))


def parse_key_answer(text: str) -> Answer:
    """Read authentication data and original data, 32 characters, a bar behind them or not. Raises CarddError(INVALID).

    A bar between the two is read over.
    """
    raw = _bytes("the authentication data", text.replace(SEPARATOR, ""), 2 * _HALF)
    return Answer(raw[:_HALF], raw[_HALF:])


def reload_header(algorithm: Algorithm, pin: Secret) -> bytes:
    """Return CLA INS P1 P2 Lc of a new PIN: Lc counts its cipher and the MAC. Raises CarddError(PIN_LENGTH)."""
    cipher = plain_blocks(algorithm, pin_block(pin).reveal())
    return _RELOAD + bytes((len(cipher) + _MAC,))


def reload_step2(algorithm: Algorithm, challenge: bytes, pin: Secret) -> str:
    """Write what a new PIN asks of a machine. The PIN goes there in clear digits: the line is closed to others.

    Raises CarddError(PIN_LENGTH).
    """
    header = _hex(reload_header(algorithm, pin))
    digits = pin.reveal().decode("ascii")
    return _line(_algorithm(algorithm), _address(KeyName.STKSSSE, 1), _hex(challenge), header, digits)


def unblock_step2(algorithm: Algorithm, challenge: bytes) -> str:
    """Write what unblocking the PIN asks of a machine."""
    return _line(_algorithm(algorithm), _address(KeyName.STKSSSE, 1), _hex(challenge), _hex(UNBLOCK_HEADER), "")


def parse_maintenance_answer(text: str, header: bytes) -> bytes:
    """Return the data of the maintenance command with this header: cipher and MAC.

    34 characters for a new PIN in DES, 50 in 16-byte ciphers, 18 for unblocking; some services leave out the ten of the
    header. Another header than the one asked for is a fault, as is any other length. Raises CarddError(INVALID).
    """
    length = _DATA_LENGTHS.get(header)
    if length is None:
        raise CarddError(Reason.INVALID, "that header is of no maintenance command")
    raw = _bytes("the maintenance data", text.removesuffix(SEPARATOR), length, length + _HEADER)
    if len(raw) == length:
        return raw
    if raw[:_HEADER] != header:
        raise CarddError(Reason.INVALID, "the maintenance data are for another command than was asked for")
    return raw[_HEADER:]


def debit_step1(
    algorithm: Algorithm, key_index: int, random: bytes, sequence: int, amounts: Amounts, terminal: bytes, time: bytes
) -> str:
    """Write what a purchase asks of a machine; of the amounts the last two, as the notice says."""
    return _line(
        _algorithm(algorithm),
        _address(KeyName.DPK, key_index),
        _hex(random),
        f"{sequence:04X}",
        _hex(amounts.encode()[_MAC:]),
        "2",
        terminal.hex(),
        time.hex(),
    )


def parse_debit_answer(text: str) -> DebitAnswer:
    """Read `terminal sequence | time | MAC1 |`. Raises CarddError(INVALID)."""
    items = _items(text)
    if len(items) != _DEBIT_ITEMS:
        raise CarddError(Reason.INVALID, f"{len(items)} items came back, {_DEBIT_ITEMS} are asked for")
    sequence, time, mac1 = items
    return DebitAnswer(
        int.from_bytes(_bytes("the terminal's sequence", sequence, 4), "big"),
        _bytes("the time", time, 7),
        _bytes("MAC1", mac1, _MAC),
    )


_DEBIT_ITEMS: Final = 3
_HEX: Final = re.compile(r"([0-9A-Fa-f]{2})*", re.ASCII)


def _line(*items: str) -> str:
    return "".join(f"{item}{SEPARATOR}" for item in items)


def _items(text: str) -> list[str]:
    return text.removesuffix(SEPARATOR).split(SEPARATOR)


def _algorithm(algorithm: Algorithm) -> str:
    return f"{int(algorithm):02d}"


def _address(key: KeyName, version: int) -> str:
    address = hsm_address(key, version)
    if address is None:
        raise CarddError(Reason.PSAM_KEY_MISSING, f"{key} has no logical address of version {version}", key=str(key))
    return f"{address:04X}"


def _hex(value: bytes) -> str:
    return value.hex().upper()


def _bytes(what: str, text: str, *lengths: int) -> bytes:
    if not _HEX.fullmatch(text) or len(text) // 2 not in lengths:
        wanted = " or ".join(str(2 * length) for length in lengths)
        raise CarddError(Reason.INVALID, f"{what}: {len(text)} characters, {wanted} hexadecimal ones are asked for")
    return bytes.fromhex(text)
