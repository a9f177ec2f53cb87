"""The state of a card: what survives power loss, what a reset clears, and how rights live and die (LD/T 32.4, 32.5)."""

from dataclasses import dataclass, field
from typing import Final

from cardd.base.structs import Hidden, Struct
from cardd.crypto.block import Algorithm
from cardd.crypto.money import Amounts
from cardsim.card.challenges import Challenges
from cardsim.card.filesystem import Access, Application, ElementaryFile, condition_text
from cardsim.card.keyring import PIN, Key, Pin
from cardsim.card.memory import Memory
from cardsim.card.money_file import Transaction
from cardsim.card.status import Refusal, Status
from cardsim.toggles import Toggles

_NOTHING: Final[frozenset[str]] = frozenset()


class Reply(Struct, frozen=True):
    """What a command gives back. `clause` says for people which rule decided the status word."""

    data: Hidden[bytes] = b""
    status: int = Status.DONE
    clause: str = ""


@dataclass(slots=True)
class SessionCipher:
    """A session key that a security module was given, and the MAC that is under way with it."""

    key: bytes = field(repr=False)
    usages: frozenset[str]
    chain: bytes | None = field(default=None, repr=False)


class PendingDebit(Struct, frozen=True):
    """A debit that a security module made MAC1 for, until the card's MAC2 comes."""

    session: Hidden[bytes]
    amounts: Amounts


@dataclass(slots=True)
class Session:
    """What a reset clears.

    `pointer` is the index of the current record; `waiting` is for GET RESPONSE. `memory_type` is which memory card the
    reader was told to expect.
    """

    application: Application
    file: ElementaryFile | None = None
    pointer: int | None = None
    pin_verified: bool = False
    global_rights: set[str] = field(default_factory=set)
    local_rights: set[str] = field(default_factory=set)
    challenge: bytes | None = field(default=None, repr=False)
    waiting: bytes = field(default=b"", repr=False)
    cipher: SessionCipher | None = None
    debit: PendingDebit | None = None
    transaction: Transaction | None = None
    memory_type: str | None = None


class Machine:
    """One card's memory and its session, shared by both interfaces."""

    def __init__(
        self, root: Application, algorithm: Algorithm, challenges: Challenges, toggles: Toggles | None = None
    ) -> None:
        self.root = root
        self.algorithm = algorithm
        self.challenges = challenges
        self.toggles = toggles or Toggles()
        self.on_antenna = False
        self.memory = Memory()
        self.blocked = False
        self.session = Session(root)

    def reset(self) -> None:
        """Forget selections, rights and challenge; the MF is selected."""
        self.memory.restore()
        self.session = Session(self.root)

    def enter(self, target: Application) -> None:
        """Make an application the current one; rights end as far as they belong to what is left (LD/T 32.7 5.8, 6.6).

        The PIN's right lasts until power goes; global rights inside their environment, until it is selected anew; local
        rights and the challenge only in their own application.
        """
        session = self.session
        session.file, session.pointer = None, None
        same = target is session.application
        if same and not target.is_environment:
            return
        if self._ends_global_rights(target):
            session.global_rights.clear()
        session.local_rights.clear()
        session.challenge = None
        session.cipher, session.debit = None, None
        session.application = target

    def _ends_global_rights(self, target: Application) -> bool:
        before, after = self.session.application.environment, target.environment
        if before is not after:
            return self.toggles.firewall == "closed"
        if target.is_environment:
            return self.toggles.environment_again == "clears"
        return self.toggles.global_rights_below == "cleared"

    def select_file(self, file: ElementaryFile) -> None:
        """Make a file the current one, with no current record."""
        self.session.file, self.session.pointer = file, None

    def environment(self) -> Application:
        """Return the current environment. Refuses at the MF, which has neither keys nor PIN."""
        environment = self.session.application.environment
        if environment is None:
            raise Refusal(Status.KEY_ABSENT, "the MF has no keys and no PIN: select an environment first")
        return environment

    def pin(self) -> Pin:
        """Return the environment's PIN."""
        pin = self.environment().pin
        if pin is None:
            raise Refusal(Status.KEY_ABSENT, "this environment has no PIN")
        return pin

    def key(self, kid: int) -> Key:
        """Return the key that an identifier means in the current application."""
        key = self.session.application.key(kid)
        if key is None:
            raise Refusal(Status.KEY_ABSENT, f"LD/T 32.5 table 14: no key {kid:02X} here")
        return key

    def grant(self, key: Key) -> None:
        """Remember that the terminal proved itself with a key."""
        (self.session.local_rights if key.local else self.session.global_rights).add(key.name)

    def revoke(self, key: Key) -> None:
        """Take a key's right away."""
        (self.session.local_rights if key.local else self.session.global_rights).discard(key.name)

    def rights(self) -> frozenset[str]:
        """Return the rights that are there. A PIN that is not set needs no proof."""
        session = self.session
        environment = session.application.environment
        pin = environment.pin if environment else None
        granted = session.pin_verified or (pin is not None and not pin.value)
        return frozenset(session.global_rights | session.local_rights | ({PIN} if granted else set()))

    def require(self, access: Access) -> None:
        """Refuse unless one alternative of a condition is fulfilled."""
        if _NOTHING in access:
            return
        rights = self.rights()
        if not any(alternative <= rights for alternative in access):
            raise Refusal(Status.NO_RIGHT, f"LD/T 32.6: needs {condition_text(access)}")

    def take_challenge(self) -> bytes | None:
        """Use the challenge up: it is good for one use, right or wrong."""
        challenge, self.session.challenge = self.session.challenge, None
        return challenge

    def describe(self) -> str:
        """Tell the state for people, without any data."""
        session = self.session
        file = f"{session.file.fid:04X}" if session.file else "-"
        record = "-" if session.pointer is None else str(session.pointer + 1)
        rights = ", ".join(sorted(self.rights())) or "-"
        challenge = "yes" if session.challenge else "no"
        begun = f" transaction {session.transaction.name}" if session.transaction else ""
        return f"{session.application.label} file {file} record {record} rights {rights} challenge {challenge}{begun}"
