"""One computation on an open security module (PSAM): environment, application, session key, cipher (LD/T 32.9)."""

from collections.abc import Iterator
from enum import Enum, auto
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.crypto.block import Algorithm, block_size
from cardd.crypto.derive import Factors
from cardd.crypto.messaging import MAC, shortened
from cardd.iso7816 import tlv
from cardd.iso7816.apdu import Command, Response
from cardd.iso7816.channel import Channel
from cardd.iso7816.status import SW, describe
from cardd.rules.keys import KEYS, MONEY_KEYS, KeyName, Level, Usage, usage_byte
from cardd.rules.names import FCI_ALGORITHM, PSAM_APPLICATION, PSAM_NAMES, SX1_NAME
from cardd.rules.psam import TERMINAL_INFORMATION

Delivery = tuple[Level, Usage]
"""How a module gives a key: how many factors it takes, and what the session key may do."""

_WHOLE: Final = 256
_FACTOR: Final = 8
_DEBIT_ANSWER: Final = 8
_ENCRYPT: Final = 0x00
_MAC: Final = 0x05
_MAC_FIRST: Final = 0x07
_MAC_NEXT: Final = 0x03
_MAC_LAST: Final = 0x01
_BLOCKS: Final = 8
"""As many as one cipher command takes."""

# BF EC is known to some modules only; these words say "I do not know that".
_NOT_NEEDED: Final = frozenset({SW.INS_UNKNOWN, SW.CLA_UNKNOWN, SW.FUNCTION_NOT_SUPPORTED})

# What a module says to the wrong number of factors.
_OTHER_LEVEL: Final = frozenset({SW.WRONG_DATA, SW.WRONG_LENGTH})


class Session:
    """One computation for one card. Its CarddErrors are about the module, never about the card."""

    def __init__(self, channel: Channel, algorithm: Algorithm, factors: Factors) -> None:
        self.algorithm: Final = algorithm
        self._channel = channel
        self._factors = factors

    def open(self) -> None:
        """Select environment and application and name the card's province (LD/T 32.9 9).

        Of an environment that does not tell its algorithm, and may be another's by its name, the cipher is looked at.

        Raises CarddError: PSAM_ABSENT for a card that is no module, PSAM_ALGORITHM, PSAM_LEVEL.
        """
        place = self._select_environment()
        if not (place and self._select_application()):
            if any(self._select(name) is not None and self._select_application() for name in PSAM_NAMES.values()):
                raise CarddError(Reason.PSAM_ALGORITHM, f"the PSAM has no environment for {self.algorithm.name}")
            raise CarddError(Reason.PSAM_ABSENT, "the card is no PSAM")
        province = bytes.fromhex(self._factors.province[:2].decode("ascii"))
        response = self._channel.send(Command(0xBF, 0xEC, 0x00, 0x00, province))
        if not response.ok and response.sw not in _NOT_NEEDED:
            raise CarddError(
                Reason.PSAM_LEVEL,
                f"the PSAM answered {describe(response.sw)} to the card's province",
                status_word=f"{response.sw:04X}",
            )
        if place is _Place.UNTOLD:
            self._look_at_cipher()

    def terminal_number(self) -> bytes:
        """Read the terminal's number, 6 bytes of packed digits (LD/T 32.9, EF 0016); `open` comes after this.

        Raises CarddError: PSAM_ALGORITHM without the environment, PSAM_ABSENT for a module without the file.
        """
        if not self._select_environment():
            raise CarddError(Reason.PSAM_ALGORITHM, f"the PSAM has no environment for {self.algorithm.name}")
        file = TERMINAL_INFORMATION
        self._channel.send(Command(0x00, 0xA4, 0x02, 0x00, file.fid.to_bytes(2, "big"), _WHOLE))
        response = self._channel.send(Command(0x00, 0xB0, 0x00, 0x00, le=file.size))
        if not response.ok or len(response.data) != file.size:
            raise CarddError(
                Reason.PSAM_ABSENT,
                f"the PSAM answered {describe(response.sw)} when asked for the terminal's number",
                status_word=f"{response.sw:04X}",
            )
        return response.data

    def debit_mac1(self, data: bytes, known: Level | None = None) -> tuple[Response, Level]:
        """Have the module sign a purchase (80 70), and return its answer and the level at which it did.

        `data` are the 28 bytes of the purchase; the card's factors follow, as many as the module takes. A refusal
        counts nothing.
        """
        levels = dict.fromkeys((known, *sorted(Level, reverse=True)) if known else sorted(Level, reverse=True))
        for level in levels:
            factors = b"".join(tuple(reversed(self._factors.chain))[:level])
            response = self._channel.send(Command(0x80, 0x70, 0x01, 0x00, data + factors, _DEBIT_ANSWER))
            if response.sw not in _OTHER_LEVEL:
                return response, level
        raise CarddError(Reason.PSAM_LEVEL, "the PSAM gives DPK at no level", key=str(KeyName.DPK))

    def check_debit_mac2(self, mac2: bytes) -> Response:
        """Have the module check the card's MAC2 (80 72) of the purchase that it has signed just before."""
        return self._channel.send(Command(0x80, 0x72, 0x00, 0x00, mac2))

    def deliver(
        self, key: KeyName, process_factor: bytes, usages: tuple[Usage, ...], known: Delivery | None = None
    ) -> Delivery:
        """Have the module derive the card's session key, and return at which level and usage it did.

        What a module holds is what it accepts: levels and usages are tried, the known ones first. Raises CarddError:
        PSAM_LEVEL, PSAM_KEY_MISSING, also for a key that has no published identifier.
        """
        place = _place(key)
        if place is None:
            raise CarddError(Reason.PSAM_KEY_MISSING, f"{key} has no published identifier", key=str(key))
        levels_refused = False
        for level, usage in _deliveries(place[1], usages, known):
            sw = self._deliver(place[0], level, usage, process_factor)
            if sw == SW.OK:
                return level, usage
            if sw not in {SW.WRONG_DATA, SW.REFERENCED_DATA_NOT_FOUND}:
                raise CarddError(
                    Reason.PSAM_KEY_MISSING,
                    f"the PSAM answered {describe(sw)} when asked for {key}",
                    status_word=f"{sw:04X}",
                )
            levels_refused = levels_refused or sw == SW.WRONG_DATA
        reason = Reason.PSAM_LEVEL if levels_refused else Reason.PSAM_KEY_MISSING
        raise CarddError(reason, f"the PSAM gives {key} at no level", key=str(key))

    def encrypt(self, blocks: bytes) -> bytes:
        """Encipher whole blocks, eight at most, in ECB under the session key that was delivered."""
        response = self._cipher(_ENCRYPT, blocks)
        if not response.ok or len(response.data) != len(blocks):
            raise _useless(response)
        return response.data

    def mac(self, blocks: bytes) -> bytes:
        """Return the MAC, 4 bytes, over whole blocks, from a zero start; more than seven are chained."""
        started = bytes(block_size(self.algorithm)) + blocks
        most = _BLOCKS * block_size(self.algorithm)
        *begun, last = (started[at : at + most] for at in range(0, len(started), most))
        for number, part in enumerate(begun):
            response = self._cipher(_MAC_NEXT if number else _MAC_FIRST, part)
            if not response.ok:
                raise _useless(response)
        response = self._cipher(_MAC_LAST if begun else _MAC, last)
        if response.ok and len(response.data) == block_size(self.algorithm):
            # some modules leave the shortening to the terminal
            return shortened(self.algorithm, response.data)
        if not response.ok or len(response.data) != MAC:
            raise _useless(response)
        return response.data

    def _cipher(self, mode: int, data: bytes) -> Response:
        return self._channel.send(Command(0x80, 0xFA, mode, 0x00, data, _WHOLE))

    def _select_environment(self) -> "_Place | None":
        if self._select(PSAM_NAMES[self.algorithm]) is not None:
            return _Place.ITS_OWN
        # some modules keep every algorithm in the first environment, and some of them say so in its answer
        fci = self._select(SX1_NAME)
        told = None if fci is None else _algorithm_number(fci)
        if told is not None:
            return _Place.ITS_OWN if told == self.algorithm else None
        # SSF33 is nobody's to compute, so that what is untold can be DES or SM4 only
        return _Place.UNTOLD if fci is not None and self.algorithm is Algorithm.SM4 else None

    def _look_at_cipher(self) -> None:
        """Make sure that the module computes with blocks of 16 bytes; no counter hangs on it.

        A module for DES may take what is sent to one for SM4 for a request of another level, and its answer would make
        a genuine card look forged: but it enciphers equal halves into equal halves. Raises CarddError(PSAM_ALGORITHM).
        """
        try:
            self.deliver(KeyName.IRK, bytes(_FACTOR), KEYS[KeyName.IRK].usages)
            first, second = _halves(self.encrypt(bytes(block_size(Algorithm.SM4))))
        except CarddError as error:
            if error.reason not in {Reason.PSAM_LEVEL, Reason.PSAM_KEY_MISSING}:
                raise
            first = second = b""
        if first == second:
            raise CarddError(Reason.PSAM_ALGORITHM, f"the PSAM's only environment is none for {self.algorithm.name}")

    def _select_application(self) -> bool:
        return self._select(PSAM_APPLICATION) is not None

    def _select(self, name: bytes) -> bytes | None:
        response = self._channel.send(Command(0x00, 0xA4, 0x04, 0x00, name, _WHOLE))
        return response.data if response.ok else None

    def _deliver(self, psam_id: int, level: Level, usage: Usage, process_factor: bytes) -> int:
        # card first, and only as many as the module has still to diversify
        inside_out = b"".join(tuple(reversed(self._factors.chain))[:level])
        random = process_factor.ljust(block_size(self.algorithm), b"\x00")
        return self._channel.send(Command(0xBF, 0xDE, usage_byte(level, usage), psam_id, inside_out + random)).sw


class _Place(Enum):
    """Whose an environment is that was selected."""

    ITS_OWN = auto()
    """The algorithm's: by its name, or by what it tells."""
    UNTOLD = auto()
    """It has the name of the one for DES, beside which there is none of the algorithm's name, and tells nothing."""


def _halves(data: bytes) -> tuple[bytes, bytes]:
    return data[: len(data) // 2], data[len(data) // 2 :]


def _place(key: KeyName) -> tuple[int, Level] | None:
    """Return the key's identifier in a module and its usual level; of a money key those of its first version."""
    if key in KEYS:
        return KEYS[key].psam_id, KEYS[key].level
    rule = MONEY_KEYS.get(key)
    return None if rule is None else (rule.psam_ids[0], rule.level)


def _deliveries(usual: Level, usages: tuple[Usage, ...], known: Delivery | None) -> Iterator[Delivery]:
    """Give every level and usage once: the known pair, then the rule's level, then the others."""
    levels = dict.fromkeys((usual, *sorted(Level, reverse=True)))
    pairs = ((level, usage) for level in levels for usage in usages)
    yield from dict.fromkeys((known, *pairs) if known else pairs)


def _useless(response: Response) -> CarddError:
    return CarddError(
        Reason.PSAM_KEY_MISSING,
        f"the PSAM answered {describe(response.sw)} with {len(response.data)} bytes to its cipher command",
        status_word=f"{response.sw:04X}",
    )


def _algorithm_number(fci: bytes) -> int | None:
    try:
        value = tlv.find(fci, *FCI_ALGORITHM)
    except tlv.TlvError:
        return None
    return int.from_bytes(value, "big") if value else None
