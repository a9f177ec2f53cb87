"""Keys in the issuer's security machine, asked over the network: what KeyService and MoneyService want, as JSON.

Each question is a POST to the machine's address with the operation's name; bytes are hexadecimal, keys are named by
their logical addresses too (人社信息函[2016]38号), because that is what such machines know them by.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, TypeVar

import msgspec

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.base.web import NO_JSON
from cardd.crypto.block import Algorithm
from cardd.crypto.derive import FACTOR, Factors
from cardd.crypto.messaging import MAC, plain_blocks
from cardd.crypto.money import TERMINAL
from cardd.keys.line import HsmLine
from cardd.keys.money import CardKeys, Load, Purchase, Signature
from cardd.keys.versions import KeyVersions
from cardd.rules.hsm import hsm_address
from cardd.rules.keys import KeyName
from cardd.wire.base import Json

_AUTHENTICATION: Final = 8
_FIRST: Final = 1

_NOBODY: Final = Factors(bytes(FACTOR), bytes(FACTOR), bytes(FACTOR))
_NOTHING: Final = (bytes(_AUTHENTICATION), bytes(_AUTHENTICATION))


class _Data(msgspec.Struct):
    data: str


class _Loaded(msgspec.Struct):
    mac2: str | None


class _Signed(msgspec.Struct):
    sequence: int
    mac1: str


class _Right(msgspec.Struct):
    right: bool | None


T = TypeVar("T")


class RemoteKeys:
    """A key service and a money service behind a line."""

    def __init__(self, line: HsmLine) -> None:
        self.versions: Final = KeyVersions()
        self._line = line

    def authentication_data(
        self,
        key: KeyName,
        algorithm: Algorithm,
        factors: Factors,
        process_factor: bytes,
        original: bytes,
        *,
        version: int | None = None,
        deadline: float,
    ) -> bytes:
        """Return the 8 bytes of authentication data for one card, as KeyService says.

        Raises CarddError: HSM_UNAVAILABLE, PSAM_KEY_MISSING, PSAM_ALGORITHM, PSAM_LEVEL.
        """
        question = {
            **_card(CardKeys(algorithm, factors)),
            **_key(key, version or _FIRST),
            "process_factor": _hex(process_factor),
            "original": _hex(original),
        }
        return self._bytes("authentication", question, _AUTHENTICATION, deadline)

    def maintenance(
        self,
        key: KeyName,
        algorithm: Algorithm,
        factors: Factors,
        challenge: bytes,
        header: bytes,
        plaintext: Secret | None,
        *,
        deadline: float,
    ) -> bytes:
        """Return cipher and MAC of a maintenance command, as KeyService says. A new PIN goes to the machine in clear.

        Raises CarddError as `authentication_data` does.
        """
        digits = None if plaintext is None else plaintext.reveal()
        cipher = 0 if digits is None else len(plain_blocks(algorithm, digits))
        question = {
            **_card(CardKeys(algorithm, factors)),
            **_key(key, _FIRST),
            "challenge": _hex(challenge),
            "header": _hex(header),
            "plaintext": None if digits is None else _hex(digits),
        }
        return self._bytes("maintenance", question, cipher + MAC, deadline)

    def status(self) -> Mapping[str, Json]:
        """Return which machine it is, and how the last question ended (null: none was asked yet)."""
        return {"provider": "remote", "available": self._line.available, "host": self._line.host}

    def reachable(self, *, deadline: float) -> bool:
        """Tell whether the machine answers a question about no card, also by refusing it."""
        try:
            self.authentication_data(KeyName.IRK, Algorithm.SM4, _NOBODY, *_NOTHING, deadline=deadline)
        except CarddError as error:
            return error.reason is not Reason.HSM_UNAVAILABLE
        return True

    def close(self) -> None:
        """End the line."""
        self._line.close()

    # -- the medical account

    def terminal(self, card: CardKeys, *, deadline: float) -> bytes:
        """Return the terminal's number, as MoneyService says. Raises CarddError as `authentication_data` does."""
        return self._bytes("terminal", _card(card), TERMINAL, deadline)

    @contextmanager
    def purchase(self, card: CardKeys, *, deadline: float) -> Iterator["RemoteTill"]:
        """Open a purchase, as MoneyService says; the machine keeps nothing of it."""
        yield RemoteTill(self, card, self.terminal(card, deadline=deadline), deadline)

    def sign(self, card: CardKeys, purchase: Purchase, terminal: bytes, *, deadline: float) -> Signature:
        """Have the machine count its sequence and make MAC1."""
        question = {**_card(card), **_purchase(purchase), "terminal": _hex(terminal)}
        signed = self._ask("purchase-sign", question, _Signed, deadline)
        return Signature(signed.sequence, self._unhex(signed.mac1, MAC))

    def load_mac2(self, card: CardKeys, load: Load, mac1: bytes, *, deadline: float) -> bytes | None:
        """Check MAC1 and return MAC2, as MoneyService says."""
        question = {**_card(card), **_load(load), "mac1": _hex(mac1)}
        mac2 = self._ask("load-grant", question, _Loaded, deadline).mac2
        return None if mac2 is None else self._unhex(mac2, MAC)

    def purchase_tac_right(
        self, card: CardKeys, purchase: Purchase, terminal: bytes, sequence: int, tac: bytes, *, deadline: float
    ) -> bool | None:
        """Have the machine judge a certificate, as MoneyService says."""
        question = {
            **_card(card),
            **_purchase(purchase, KeyName.DTK),
            "terminal": _hex(terminal),
            "terminal_sequence": sequence,
            "tac": _hex(tac),
        }
        return self._ask("purchase-certificate", question, _Right, deadline).right

    def load_tac_right(self, card: CardKeys, load: Load, tac: bytes, *, deadline: float) -> bool | None:
        """Have the machine judge a certificate, as MoneyService says."""
        question = {**_card(card), **_load(load, KeyName.DTK), "tac": _hex(tac)}
        return self._ask("load-certificate", question, _Right, deadline).right

    def purchase_mac2_right(
        self, card: CardKeys, purchase: Purchase, sequence: int, mac2: bytes, *, deadline: float
    ) -> bool | None:
        """Have the machine judge MAC2, as MoneyService says."""
        question = {**_card(card), **_purchase(purchase), "terminal_sequence": sequence, "mac2": _hex(mac2)}
        return self._ask("purchase-check", question, _Right, deadline).right

    def _bytes(self, operation: str, question: Mapping[str, Json], length: int, deadline: float) -> bytes:
        return self._unhex(self._ask(operation, question, _Data, deadline).data, length)

    def _ask(self, operation: str, question: Mapping[str, Json], kind: type[T], deadline: float) -> T:
        answer = self._line.ask(operation, question, deadline)
        try:
            return msgspec.json.decode(answer, type=kind)
        except NO_JSON:
            raise self._line.unusable() from None

    def _unhex(self, text: str, length: int) -> bytes:
        try:
            value = bytes.fromhex(text)
        except ValueError:
            raise self._line.unusable() from None
        if len(value) != length:
            raise self._line.unusable()
        return value


class RemoteTill:
    """One purchase at the machine."""

    def __init__(self, keys: RemoteKeys, card: CardKeys, terminal: bytes, deadline: float) -> None:
        self.terminal = terminal
        self._keys = keys
        self._card = card
        self._deadline = deadline
        self._signed: tuple[Purchase, int] | None = None

    def sign(self, purchase: Purchase) -> Signature:
        """Return the machine's sequence and MAC1."""
        signature = self._keys.sign(self._card, purchase, self.terminal, deadline=self._deadline)
        self._signed = purchase, signature.sequence
        return signature

    def confirms(self, mac2: bytes) -> bool:
        """Have the machine judge MAC2."""
        if self._signed is None:
            return False
        return bool(self._keys.purchase_mac2_right(self._card, *self._signed, mac2, deadline=self._deadline))


def _hex(value: bytes) -> str:
    return value.hex().upper()


def _card(card: CardKeys) -> dict[str, Json]:
    """Name the card: its algorithm by number, its three factors from the outermost level on."""
    province, city, own = card.factors.chain
    return {
        "algorithm": int(card.algorithm),
        "factors": {"province": _hex(province), "city": _hex(city), "card": _hex(own)},
    }


def _key(key: KeyName, version: int) -> dict[str, Json]:
    """Name a key. Raises CarddError(PSAM_KEY_MISSING) where it has no address of that version."""
    address = hsm_address(key, version)
    if address is None:
        raise CarddError(Reason.PSAM_KEY_MISSING, f"{key} has no logical address of version {version}", key=str(key))
    return {"key": str(key), "version": version, "address": f"{address:04X}"}


def _purchase(purchase: Purchase, key: KeyName = KeyName.DPK) -> dict[str, Json]:
    return {
        **_key(key, purchase.version),
        "amounts": _hex(purchase.amounts.encode()),
        "random": _hex(purchase.random),
        "sequence": purchase.sequence,
        "time": purchase.time.hex(),
    }


def _load(load: Load, key: KeyName = KeyName.DLK) -> dict[str, Json]:
    return {
        **_key(key, load.version),
        "balance": load.balance,
        "amount": load.amount,
        "random": _hex(load.random),
        "sequence": load.sequence,
        "terminal": _hex(load.terminal),
        "time": load.time.hex(),
    }
