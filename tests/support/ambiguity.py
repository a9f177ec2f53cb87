"""The reader against cards that differ where cards may differ: what of its work depends on how the card is."""

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Final, TypeVar, cast

import msgspec

from cardd.base.clock import SystemClock
from cardd.base.errors import CarddError
from cardd.base.secret import Personal, Secret
from cardd.cards.account import Deed
from cardd.crypto.money import Amounts
from cardd.desk.account import Order, Services, debit, load
from cardd.desk.account_reading import ask_proof, read_balances
from cardd.desk.identify import identify
from cardd.desk.pin import change_pin, query_pin, reload_pin, unblock_pin, verify_pin
from cardd.desk.read import read_card
from cardd.desk.reading import CardValue, Identity, Unreadable
from cardd.desk.stopped import StoppedKeys
from cardd.desk.write import write_records
from cardd.iso7816.channel import Channel
from cardd.iso7816.device import Transport
from cardd.keys.psam import PsamKeys
from cardd.keys.psam_money import PsamMoney
from cardd.keys.software_money import SoftwareMoney
from cardd.readers.config import Role
from cardd.readers.facts import Fact, ReaderState, ReaderStatus
from cardd.readers.insertion import Insertion
from cardd.readers.job import Explain
from cardd.readers.registry import Readers
from cardd.readers.worker import HeldChannel
from cardd.rules.access import PIN as PIN_RIGHT
from cardd.rules.access import Access
from cardd.rules.files import FILES, Generation
from cardd.rules.keys import KEYS
from cardsim.card.base import VirtualCard
from cardsim.card.make import make_card
from cardsim.persona import KeyValue, Persona, PsamPersona, SocialSecurityPersona, load_persona
from cardsim.toggles import Toggles
from support.cards import DEADLINE, ROOT, STK_ROOT, Record
from support.choices import Basis
from support.contents import content

T = TypeVar("T")

PIN: Final = Secret(b"123456")
_NEW_PIN: Final = Secret(b"654321")
_OTHER_ROOTS: Final = {2: "0F" * 16, 3: "F0" * 16}
_TERMINAL: Final = bytes.fromhex("510100000001")
_TIME: Final = "20240506101112"
_NOT_BY_ADDRESS: Final = frozenset({"SSSEEF05", "SSSEEF06", "SSSEEF1E"})
_FITTING: Final = {("DF02EF09", "55"): "5101010000000001"}
"""What fits an item in every reading."""
NONE: Final = "none"

Facts = Mapping[str, str]
"""What the reader found out and did, by what it was about; refusals as their reason."""


class Part(StrEnum):
    """What is done with one card and modules of its own, so that no part can disturb another."""

    CARD = "card"
    """Identify, read and write every kind of file, use the PIN."""
    ACCOUNT = "account"
    """Pay, load, and ask for the proofs."""
    ONLINE = "online"
    """Ask for the account of a card that is for use online."""


@dataclass(frozen=True, slots=True)
class Share:
    """What came out of one part, and the commands (CLA INS P1 P2) and status words by which it did."""

    facts: Facts
    trace: tuple[str, ...]


def played(part: Part, basis: Basis, toggles: Toggles) -> Share:
    """Do one part on a card that is as these toggles say."""
    record, facts = Record(), dict[str, str]()
    keys = PsamKeys(_modules(toggles, record))
    card = _Stay(make_card(_persona(part, basis, toggles)), record)
    _PLAYS[part](_Scene(facts, basis, toggles, record, card, keys))
    trace = (
        f"{command.header.hex().upper()} {word:04X}"
        for command, word in zip(record.commands, record.words, strict=False)
    )
    return Share(facts, tuple(trace))


@dataclass(frozen=True, slots=True)
class _Scene:
    facts: dict[str, str]
    basis: Basis
    toggles: Toggles
    record: Record
    card: "_Stay"
    keys: PsamKeys


def _play_card(scene: _Scene) -> None:
    facts, basis, card, keys = scene.facts, scene.basis, scene.card, scene.keys
    identity = _noted(
        facts, "identify", lambda: card.run(lambda channel, insertion: identify(channel, insertion, keys, DEADLINE))
    )
    if identity is not None:
        facts["identify"] = _shown(identity)
        _read_all(facts, basis, card, keys)
        _write_some(facts, basis, card, keys, identity)
        _use_pin(facts, card, keys, identity)


def _play_account(scene: _Scene) -> None:
    _move_money(scene.facts, scene.card, scene.keys, scene.toggles, scene.record)


def _play_online(scene: _Scene) -> None:
    _noted(
        scene.facts,
        "account of an online card",
        lambda: scene.card.run(lambda channel, insertion: read_balances(channel, insertion, None)),
    )


_PLAYS: Final[Mapping[Part, Callable[[_Scene], None]]] = {
    Part.CARD: _play_card,
    Part.ACCOUNT: _play_account,
    Part.ONLINE: _play_online,
}


def filled(basis: Basis) -> Facts:
    """Return what the basis' files are filled with, as facts."""
    return {
        f"{name} {item}": text
        for name, (_, expected) in _contents(basis.generation).items()
        for item, text in expected.items()
    }


class _Stay:
    """A card that is powered up anew for every operation."""

    def __init__(self, card: VirtualCard, record: Record) -> None:
        self._card = card
        self._record = record

    def run(self, work: Callable[[Channel, Insertion], T]) -> T:
        atr = self._card.power_on()
        return work(Channel(self._card.transmit, Transport.T0, self._record), Insertion("1-1", "front", "desk", atr))


class _Modules:
    """The readers as the key service sees them, with modules in them, and a thread for each purchase."""

    def __init__(self, cards: Mapping[str, VirtualCard], record: Record) -> None:
        self._held = {
            reader: HeldChannel(
                Channel(card.transmit, Transport.T0, record),
                Insertion(f"1-{reader}", reader, "desk", card.power_on()),
                fresh=False,
            )
            for reader, card in cards.items()
        }

    def subscribe(self, listener: Callable[[Fact], None]) -> None:
        """Nothing ever happens here."""

    def views(self) -> list[ReaderStatus]:
        return [
            ReaderStatus(reader, "desk", reader, Role.SAM, ReaderState.PRESENT, held.insertion)
            for reader, held in self._held.items()
        ]

    def call_on(self, reader: str, operation: Callable[[HeldChannel], T], *, deadline: float) -> T:
        assert deadline
        return operation(self._held[reader])

    def begin_on(self, reader: str, operation: Callable[[HeldChannel], T], *, deadline: float) -> "_Begun[T]":
        assert deadline
        future: _Begun[T] = _Begun()

        def serve() -> None:
            try:
                future.set_result(self.call_on(reader, operation, deadline=deadline))
            except CarddError as error:
                future.set_exception(error)

        threading.Thread(target=serve, daemon=True).start()
        return future


class _Begun(Future[T]):
    """What was begun on the module."""

    @property
    def ended(self) -> bool:
        return self.done()

    def waiting(self) -> AbstractContextManager[Explain]:
        """Nobody is ever in the way here."""
        return nullcontext(lambda error: error)


def _modules(toggles: Toggles, record: Record) -> Readers:
    persona = load_persona_once("psam")
    assert isinstance(persona.card, PsamPersona)
    # a module that has but one environment is for SM4, and a station for cards of both kinds has another one beside it
    kinds = {"sam": persona.card.algorithms, "sam 2": ("des",)}
    cards = {
        reader: make_card(Persona("psam", persona.path, msgspec.structs.replace(persona.card, **changes)))
        for reader, algorithms in kinds.items()
        for changes in [{"toggles": toggles, "algorithms": algorithms}]
    }
    return cast("Readers", _Modules(cards, record))


@cache
def load_persona_once(name: str) -> Persona:
    return load_persona(name)


@cache
def _contents(generation: Generation) -> Mapping[str, tuple[Any, Mapping[str, str]]]:
    """Return what stands in the card's files, and how it reads."""
    contents = {
        name: content(rule, generation)
        for name, rule in FILES.items()
        if name not in _NOT_BY_ADDRESS and rule.exists_in(generation)
    }
    for (name, item), text in _FITTING.items():
        for texts in contents.get(name, ()):
            texts[item] = text
    return contents


def _persona(part: Part, basis: Basis, toggles: Toggles) -> Persona:
    """Return the card itself, one with an account, or one that is for use online."""
    shipped = load_persona_once("social-jia-3.0")
    assert isinstance(shipped.card, SocialSecurityPersona)
    stk_root = {"stk_root": STK_ROOT.hex()} if basis.algorithm == "des" else {}
    roots: dict[str, KeyValue] = {"root": {1: ROOT.hex(), **_OTHER_ROOTS}, **stk_root}
    plain: dict[str, KeyValue] = {"root": ROOT.hex(), **stk_root}
    changes: Mapping[Part, Mapping[str, Any]] = {
        Part.CARD: {"keys": roots, "files": _files(basis.generation)},
        Part.ACCOUNT: {"keys": plain, "balance": 100_000},
        Part.ONLINE: {"keys": plain},
    }
    card = msgspec.structs.replace(
        shipped.card,
        profile=str(basis.generation),
        algorithm=basis.algorithm,
        toggles=toggles,
        pin="123456",
        interface="contact",
        identification_code=None,
        **changes[part],
    )
    return Persona("card", shipped.path, card)


def _files(generation: Generation) -> Mapping[str, Any]:
    return {
        name: tuple(given) if isinstance(given, list) else given for name, (given, _) in _contents(generation).items()
    }


def _noted(facts: dict[str, str], name: str, work: Callable[[], T]) -> T | None:
    """Do something, and note that it was done, or for which reason not."""
    try:
        result = work()
    except CarddError as error:
        facts[name] = str(error.reason)
        return None
    facts[name] = "done"
    return result


def _shown(identity: Identity) -> str:
    algorithm = identity.algorithm.name if identity.algorithm else NONE
    number = identity.number.disclose() if identity.number else NONE
    return f"{identity.kind} {identity.generation} {algorithm} authentic={identity.authentic} number={number}"


def _read_all(facts: dict[str, str], basis: Basis, card: _Stay, keys: PsamKeys) -> None:
    names = ["SSSEEF05", "SSSEEF06", *_contents(basis.generation)]
    together = [name for name in names if _opens(FILES[name].read[basis.generation])]
    if not _read(facts, together, card, keys):
        for name in together:
            _read(facts, [name], card, keys)
    for name in names:
        if name not in together:
            _read(facts, [name], card, keys)


def _opens(access: Access) -> bool:
    """Tell whether the PIN and keys that have a number open it."""
    return any(all(right in KEYS or right == PIN_RIGHT for right in way) for way in access.ways)


def _read(facts: dict[str, str], names: Iterable[str], card: _Stay, keys: PsamKeys) -> bool:
    names = list(names)
    address = "".join(f"{name}|$" for name in names)
    # two files at once tell nothing about either
    scratch = facts if len(names) == 1 else {}
    reading = _noted(
        scratch,
        names[0],
        lambda: card.run(
            lambda channel, insertion: read_card(
                channel, insertion, keys, None, DEADLINE, address, stopped=StoppedKeys(), pin=PIN
            )
        ),
    )
    if reading is None:
        return False
    for name, values in reading.records.items():
        facts[name] = "done"
        facts.update((f"{name} {item}", _text(value)) for item, value in values.items())
    for name, meanings in reading.old_meanings.items():
        facts.update((f"{name} {item} meant as", meaning) for item, meaning in meanings.items())
    return True


def _text(value: CardValue) -> str:
    if isinstance(value, Unreadable):
        return f"unreadable: {value.error}"
    text = value.disclose() if isinstance(value, Personal) else value
    return NONE if text is None else text


_WRITES: Final = (
    "SSSEEF06",
    "SSSEEF08",
    "DF01EF15",
    "DF02EF06",
    "DF02EF07",
    "DF04EF05",
    "DF04EF15",
    "DF05EF05",
    "DF07EF05",
)


def _write_some(facts: dict[str, str], basis: Basis, card: _Stay, keys: PsamKeys, identity: Identity) -> None:
    """Write to files of every structure, one after the other."""
    for name in _WRITES:
        rule = FILES[name]
        if not rule.exists_in(basis.generation) or rule.write not in KEYS:
            continue
        given, expected = content(rule, basis.generation, 5)
        if not expected:
            continue
        updates = {"whole": given} if isinstance(given, str) else given
        if isinstance(given, list):
            updates = {str(number): text for number, text in enumerate(given, 1)}
        _noted(
            facts,
            f"write {name}",
            lambda name=name, updates=updates: card.run(  # type: ignore[misc]
                lambda channel, insertion: write_records(
                    channel, insertion, keys, identity, {name: updates}, DEADLINE, stopped=StoppedKeys(), pin=PIN
                )
            ),
        )
        after: dict[str, str] = {}
        _read(after, [name], card, keys)
        facts.update((f"written {item}", text) for item, text in after.items())


def _use_pin(facts: dict[str, str], card: _Stay, keys: PsamKeys, identity: Identity) -> None:
    """Verify the PIN, change it, reload it, unblock it, and ask for its tries."""
    stopped = StoppedKeys()
    for name, work in (
        ("PIN verify", lambda channel, insertion: verify_pin(channel, insertion, identity, PIN)),
        ("PIN wrong", lambda channel, insertion: verify_pin(channel, insertion, identity, _NEW_PIN)),
        ("PIN tries", lambda channel, insertion: query_pin(channel, insertion, identity)),
        ("PIN change", lambda channel, insertion: change_pin(channel, insertion, identity, PIN, _NEW_PIN)),
        (
            "PIN reload",
            lambda channel, insertion: reload_pin(channel, insertion, keys, identity, PIN, DEADLINE, stopped=stopped),
        ),
        (
            "PIN unblock",
            lambda channel, insertion: unblock_pin(channel, insertion, keys, identity, DEADLINE, stopped=stopped),
        ),
        ("PIN verify again", lambda channel, insertion: verify_pin(channel, insertion, identity, PIN)),
    ):
        result = _noted(facts, name, lambda work=work: card.run(work))  # type: ignore[misc]
        if isinstance(result, int):
            facts[name] = f"{result} left"


def _move_money(facts: dict[str, str], card: _Stay, keys: PsamKeys, toggles: Toggles, record: Record) -> None:
    """Ask for the balance, pay with the module's signature, load with the host's consent, and ask for the proofs."""
    module = _modules(toggles, record)
    at_module = Services(there := PsamKeys(module), PsamMoney(module, there, clock=SystemClock()))
    at_host = Services(keys, SoftwareMoney(Secret(ROOT), tests_only=True, terminal=_TERMINAL))
    purchase = Order(Deed.PURCHASE, Amounts(12_50, 3_00, 20_00), _TIME)
    for name, services, order, move in (
        ("debit", at_module, purchase, debit),
        ("load", at_host, Order(Deed.LOAD, Amounts(50_00), _TIME), load),
    ):
        settled = _noted(
            facts,
            name,
            lambda services=services, order=order, move=move: card.run(  # type: ignore[misc]
                lambda channel, insertion: move(
                    channel, insertion, None, services, order, PIN, lambda _: None, DEADLINE
                )
            ),
        )
        if settled is None:
            continue
        facts[name] = f"{settled.outcome} TAC {settled.tac_right} MAC {settled.mac_right}"
        proof = _noted(
            facts,
            f"{name} proof",
            lambda services=services, settled=settled: card.run(  # type: ignore[misc]
                lambda channel, insertion: ask_proof(channel, insertion, services, settled.intent, DEADLINE, PIN)
            ),
        )
        if proof is not None:
            facts[f"{name} proof"] = f"{proof.outcome} TAC {proof.tac_right} MAC {proof.mac_right}"
    balances = _noted(
        facts, "balance", lambda: card.run(lambda channel, insertion: read_balances(channel, insertion, None, PIN))
    )
    if balances is not None:
        facts["balance"] = (
            f"{balances.account} {balances.self_paid} {balances.pool} {balances.year} {balances.starting_day}"
        )
