"""The issuer's root key in this process's memory: for tests, never for a counter."""

from collections.abc import Mapping

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.crypto.authentication import authentication_data
from cardd.crypto.block import Algorithm
from cardd.crypto.derive import Factors, diversify_all
from cardd.rules.keys import KeyName
from cardd.wire.base import Json

_ROOT_LENGTH = 16


class SoftwareKeys:
    """A key service that holds one invented root, which stands for every 16-byte key in all its generations."""

    def __init__(self, root: Secret, *, tests_only: bool) -> None:
        """Take the root. Raises CarddError(INVALID) unless the configuration says that this is for tests."""
        if not tests_only:
            raise CarddError(Reason.INVALID, "the software key service is for tests: say tests_only, or use a PSAM")
        if len(root) != _ROOT_LENGTH:
            raise CarddError(Reason.INVALID, f"the root of the software key service has {_ROOT_LENGTH} bytes")
        self._root = root

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

    def status(self) -> Mapping[str, Json]:
        """Return what an operator wants to see."""
        return {"provider": "software", "available": True, "tests_only": True}
