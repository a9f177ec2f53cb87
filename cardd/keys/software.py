"""The issuer's root keys in this process's memory: for tests, never for a counter."""

from collections.abc import Mapping
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.crypto.authentication import authentication_data
from cardd.crypto.block import Algorithm
from cardd.crypto.derive import Factors, diversify_all, session_key
from cardd.crypto.messaging import encipher, mac, mac_input
from cardd.keys.versions import KeyVersions
from cardd.rules.keys import KEYS, KeyName
from cardd.wire.base import Json

_ROOT_LENGTH: Final = 16
SHORT_KEY: Final = 8
"""Bytes of the short root."""


class SoftwareKeys:
    """A key service that holds one invented root, which stands for every 16-byte key in all its generations.

    `stk_root`, 8 bytes, stands for the keys that are that short on DES cards: those of secure messages.
    """

    def __init__(self, root: Secret, *, tests_only: bool, stk_root: Secret | None = None) -> None:
        """Take the roots. Raises CarddError(INVALID) unless the configuration says that this is for tests."""
        if not tests_only:
            raise CarddError(Reason.INVALID, "the software key service is for tests: say tests_only, or use a PSAM")
        for name, value, length in (("root", root, _ROOT_LENGTH), ("short root", stk_root, SHORT_KEY)):
            if value is not None and len(value) != length:
                raise CarddError(Reason.INVALID, f"the {name} of the software key service has {length} bytes")
        self.versions: Final = KeyVersions()
        self._root = root
        self._stk_root = stk_root

    def authentication_data(
        self,
        key: KeyName,  # noqa: ARG002 - one root stands for every key
        algorithm: Algorithm,
        factors: Factors,
        process_factor: bytes,
        original: bytes,
        *,
        version: int | None = None,  # noqa: ARG002 - and for every generation
        deadline: float,  # noqa: ARG002 - nothing is waited for
    ) -> bytes:
        """Return the 8 bytes of authentication data for one card, as KeyService says."""
        card_key = diversify_all(algorithm, self._root.reveal(), factors.chain)
        return authentication_data(algorithm, card_key, process_factor, original)

    def maintenance(
        self,
        key: KeyName,
        algorithm: Algorithm,
        factors: Factors,
        challenge: bytes,
        header: bytes,
        plaintext: Secret | None,
        *,
        deadline: float,  # noqa: ARG002 - nothing is waited for
    ) -> bytes:
        """Return cipher and MAC of a maintenance command, as KeyService says."""
        card_key = diversify_all(algorithm, self._root_of(key, algorithm).reveal(), factors.chain)
        session = session_key(algorithm, card_key, challenge)
        cipher = b"" if plaintext is None else encipher(algorithm, session, plaintext.reveal())
        return cipher + mac(algorithm, session, mac_input(header, cipher))

    def update_mac(
        self,
        key: KeyName,
        algorithm: Algorithm,
        factors: Factors,
        challenge: bytes,
        header: bytes,
        data: bytes,
        *,
        deadline: float,  # noqa: ARG002 - nothing is waited for
    ) -> bytes:
        """Return the MAC of an update command, as UpdateMacs says."""
        card_key = diversify_all(algorithm, self._root_of(key, algorithm).reveal(), factors.chain)
        return mac(algorithm, session_key(algorithm, card_key, challenge), mac_input(header, data))

    def status(self) -> Mapping[str, Json]:
        """Return what an operator wants to see."""
        return {"provider": "software", "available": True, "tests_only": True}

    def _root_of(self, key: KeyName, algorithm: Algorithm) -> Secret:
        if algorithm is not Algorithm.DES or KEYS[key].des_length != SHORT_KEY:
            return self._root
        if self._stk_root is None:
            raise CarddError(Reason.PSAM_KEY_MISSING, "the software key service has no root of 8 bytes", key=str(key))
        return self._stk_root
