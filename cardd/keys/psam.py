"""The terminal's security module (PSAM): a card in a reader with the role `sam` that computes with the issuer's keys.

All counters share the modules of the machine. Each computation is one call on the module's own worker: environment,
application, session key and cipher together, because nothing of it may be left over from another counter's card.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.base.structs import Struct
from cardd.crypto.authentication import fold, original_block
from cardd.crypto.block import Algorithm
from cardd.crypto.derive import Factors
from cardd.crypto.messaging import mac_blocks, mac_input, plain_blocks
from cardd.keys.psam_session import Delivery, Session
from cardd.keys.service import UNASKED
from cardd.keys.versions import KeyVersions
from cardd.readers.config import Role
from cardd.readers.facts import CardInserted, CardRemoved, Fact
from cardd.readers.registry import Readers
from cardd.readers.worker import HeldChannel
from cardd.rules.keys import KEYS, MONEY_KEYS, KeyName, Usage
from cardd.wire.base import Json

T = TypeVar("T")

_FIRST_VERSION: Final = 1

# What says most about a module that is there comes last.
_TELLING: Final = (Reason.PSAM_ABSENT, Reason.PSAM_ALGORITHM, Reason.PSAM_KEY_MISSING, Reason.PSAM_LEVEL)

_CIPHERS: Final = (Usage.MAC_AND_ENCRYPT, Usage.ENCRYPT)
_SIGNS: Final = (Usage.MAC_AND_ENCRYPT, Usage.MAC)


class _Module(Struct, frozen=True):
    """One PSAM in its reader."""

    reader: str
    insertion: str


_Learned = dict[tuple[str, Algorithm, KeyName, tuple[Usage, ...]], Delivery]


class PsamKeys:
    """A key service of all PSAMs of this machine, tried in the order of their readers."""

    def __init__(self, readers: Readers) -> None:
        """Watch the readers for modules. Event loop's thread."""
        self.versions: Final = KeyVersions()
        self._readers = readers
        # replaced whole by the loop's thread, read by the workers'
        self._modules: tuple[_Module, ...] = ()
        self._learned: _Learned = {}
        readers.subscribe(self._notice)
        self._look()

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
        """Return the 8 bytes of authentication data for one card, as KeyService says (LD/T 32.9 9.4).

        Raises CarddError: PSAM_ABSENT, PSAM_ALGORITHM, PSAM_KEY_MISSING, PSAM_LEVEL, whichever module came furthest;
        TIMEOUT.
        """
        if version not in {None, _FIRST_VERSION}:
            raise CarddError(Reason.PSAM_KEY_MISSING, f"a PSAM computes with the first version of {key} only")

        def compute(session: "_Learning") -> bytes:
            session.deliver(key, process_factor, _usages(key))
            return fold(session.encrypt(original_block(algorithm, original)))

        return self._ask(algorithm, factors, compute, deadline)

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
        """Return cipher and MAC of a maintenance command, as KeyService says (LD/T 32.4 8.2, 8.3; LD/T 32.9 80 FA).

        A module that keeps the key for ciphers and for MACs apart is asked for it twice. Raises CarddError as
        `authentication_data` does.
        """

        def compute(session: "_Learning") -> bytes:
            usage, cipher = None, b""
            if plaintext is not None:
                usage = session.deliver(key, challenge, _CIPHERS)
                cipher = session.encrypt(plain_blocks(algorithm, plaintext.reveal()))
            if usage is not Usage.MAC_AND_ENCRYPT:
                session.deliver(key, challenge, _SIGNS)
            return cipher + session.mac(mac_blocks(algorithm, mac_input(header, cipher)))

        return self._ask(algorithm, factors, compute, deadline)

    def update_mac(
        self,
        key: KeyName,
        algorithm: Algorithm,
        factors: Factors,
        challenge: bytes,
        header: bytes,
        data: bytes,
        *,
        deadline: float,
    ) -> bytes:
        """Return the MAC of an update command, as UpdateMacs says. Raises CarddError as `authentication_data` does."""

        def compute(session: "_Learning") -> bytes:
            session.deliver(key, challenge, _SIGNS)
            return session.mac(mac_blocks(algorithm, mac_input(header, data)))

        return self._ask(algorithm, factors, compute, deadline)

    def _ask(self, algorithm: Algorithm, factors: Factors, compute: Callable[["_Learning"], T], deadline: float) -> T:
        """Have the first module compute that can."""
        return self.first_that_can(
            algorithm, lambda reader, _: self._ask_module(reader, algorithm, factors, compute, deadline)
        )

    def status(self) -> Mapping[str, Json]:
        """Return which readers hold a module, and at which level each key was found so far."""
        found: dict[str, dict[str, Json]] = {module.reader: {} for module in self._modules}
        readers = {module.insertion: module.reader for module in self._modules}
        for (insertion, algorithm, key, _), (level, _) in tuple(self._learned.items()):
            if insertion in readers:
                found[readers[insertion]][f"{algorithm.name} {key}"] = level.name.lower()
        modules: list[Json] = [{"reader": reader, "levels": levels} for reader, levels in found.items()]
        return {"provider": "psam", "available": bool(modules), "modules": modules}

    def first_that_can(self, algorithm: Algorithm, attempt: Callable[[str, str], T]) -> T:
        """Return what the first module makes of an attempt, which is given its reader and its insertion's id.

        Those that have computed with the algorithm before are asked first: by its name alone an environment may be
        another algorithm's, and of what is attempted not everything would show it.

        Raises CarddError as `authentication_data` does, and what an attempt raises that is not about a module.
        """
        error = CarddError(Reason.PSAM_ABSENT, "no card in a reader with the role sam")
        for module in self._in_order(algorithm):
            try:
                return attempt(module.reader, module.insertion)
            except CarddError as refused:
                error = max(error, _about_module(module, refused), key=_telling)
        raise error

    def _in_order(self, algorithm: Algorithm) -> Sequence[_Module]:
        modules = self._modules
        if len(modules) < 2:  # noqa: PLR2004 # there is nothing to choose
            return modules
        able = {insertion for insertion, known, *_ in tuple(self._learned) if known is algorithm}
        return sorted(modules, key=lambda module: module.insertion not in able)

    def _notice(self, fact: Fact) -> None:
        # of all that happens at the counters nothing concerns a module: whoever puts a card in waits for this
        if isinstance(fact, CardInserted | CardRemoved) and fact.insertion.role is Role.SAM:
            self._look()

    def _look(self) -> None:
        self._modules = tuple(
            _Module(view.reader, view.insertion.id)
            for view in self._readers.views()
            if view.role is Role.SAM and view.insertion is not None
        )
        present = {module.insertion for module in self._modules}
        self._learned = {place: found for place, found in tuple(self._learned.items()) if place[0] in present}

    def _ask_module(
        self,
        reader: str,
        algorithm: Algorithm,
        factors: Factors,
        compute: Callable[["_Learning"], T],
        deadline: float,
    ) -> T:
        def job(held: HeldChannel) -> T:
            session = _Learning(Session(held.channel, algorithm, factors), self._learned, held.insertion.id)
            session.open()
            return compute(session)

        return self._readers.call_on(reader, job, deadline=deadline)


class _Learning:
    """A session that begins with what this module was found to accept before, and notes what it accepts."""

    def __init__(self, session: Session, learned: _Learned, insertion: str) -> None:
        self._session = session
        self._learned = learned
        self._insertion = insertion
        self.open = session.open
        self.encrypt = session.encrypt
        self.mac = session.mac

    def deliver(self, key: KeyName, process_factor: bytes, usages: tuple[Usage, ...]) -> Usage:
        """Have the module derive a session key, and return under which of the usages it did."""
        place = (self._insertion, self._session.algorithm, key, usages)
        found = self._session.deliver(key, process_factor, usages, self._learned.get(place))
        self._learned[place] = found
        return found[1]


def _usages(key: KeyName) -> tuple[Usage, ...]:
    """Return the usual usages of a key; one that no source numbers has none, and is refused by name."""
    rule = KEYS.get(key) or MONEY_KEYS.get(key)
    return () if rule is None else rule.usages


def _about_module(module: _Module, error: CarddError) -> CarddError:
    """Return an error that blames the module: the counter's card has no part in it."""
    if error.reason in UNASKED:
        return error
    return CarddError(Reason.PSAM_ABSENT, f"the PSAM in {module.reader} does not answer: {error.reason}")


def _telling(error: CarddError) -> int:
    return _TELLING.index(error.reason) if error.reason in _TELLING else len(_TELLING)
