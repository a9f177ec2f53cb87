"""Old memory cards, SLE4442 and SLE4428, behind what a PC/SC reader makes of them: pseudo-APDUs of class FF.

Reading is free. The chip's own secret code guards writing; each wrong one takes one of very few tries, and without any
left the chip cannot be written again. The commands for it are here so that nobody's using them can be proved.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from cardd.base.structs import Struct
from cardd.crypto.block import Algorithm
from cardd.rules.old_cards import SIZES, Field, Layout, Writing, layouts_of
from cardd.rules.old_cards import Chip as Kind
from cardsim.card.answers import Answers
from cardsim.card.build import challenges, unhex
from cardsim.card.chip import Chip
from cardsim.card.command import Command, Direction
from cardsim.card.filesystem import FREE, Application, TransparentFile, needs
from cardsim.card.keyring import PIN, Pin, set_tries
from cardsim.card.machine import Machine, Reply
from cardsim.card.status import Refusal, Status
from cardsim.card.system import ANY_LENGTH, OperatingSystem, Row, exactly
from cardsim.persona import MemoryPersona, Persona

_READER: Final = 0xFF
_ERASED: Final = b"\xff"
_UNREAD: Final = b"\x00"
_BLANK: Final = b" "
_DATA: Final = 0
_COUNTER_DUMMIES: Final = 3


class Model(Struct, frozen=True):
    """What tells the chips apart: the reader's number, the chip's answer, its secret code, how often it may fail.

    `code_place` is where the code lies in the memory, None where it lies apart. `right` is what follows 90 after the
    right code.
    """

    number: int
    answer: bytes
    code: bytes
    tries: int
    right: int
    code_place: int | None = None


MODELS: Final[Mapping[Kind, Model]] = MappingProxyType(
    {
        Kind.SLE4442: Model(0x06, bytes.fromhex("A2131091"), b"\xff\xff\xff", 3, 0x07),
        Kind.SLE4428: Model(0x05, bytes.fromhex("92231091"), b"\xff\xff", 8, 0xFF, code_place=1022),
    }
)
_KINDS: Final[Mapping[int, Kind]] = MappingProxyType({model.number: kind for kind, model in MODELS.items()})


class MemoryCard:
    """One chip as its reader serves it. `presented` is how often somebody sent it a secret code."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._model = MODELS[kind]
        self.presented = 0

    def rows(self) -> tuple[Row, ...]:
        """Return the reader's commands for memory cards."""
        code = frozenset({len(self._model.code)})

        def anywhere(_p1: int, _p2: int) -> bool:
            return True

        return (
            Row("SELECT CARD TYPE", _READER, 0xA4, Direction.IN, exactly(0, 0), frozenset({1}), self._choose),
            Row("READ MEMORY CARD", _READER, 0xB0, Direction.OUT, anywhere, ANY_LENGTH, self._read),
            Row("WRITE MEMORY CARD", _READER, 0xD0, Direction.IN, anywhere, range(1, 256), self._write),
            Row("READ PRESENTATION ERROR COUNTER", _READER, 0xB1, Direction.OUT, exactly(0, 0), ANY_LENGTH, self._left),
            Row("PRESENT CODE", _READER, 0x20, Direction.IN, exactly(0, 0), code, self._present),
            Row("CHANGE CODE", _READER, 0xD2, Direction.IN, exactly(0, 1), code, self._change),
        )

    def _choose(self, machine: Machine, command: Command) -> Reply:
        kind = _KINDS.get(command.data[0])
        if kind is None:
            raise Refusal(Status.WRONG_DATA, f"the reader knows no card type {command.data[0]:02X}")
        machine.session.memory_type = kind
        machine.session.pin_verified = False
        return Reply()

    def _read(self, machine: Machine, command: Command) -> Reply:
        seen = self._seen(machine)
        address = command.p1 << 8 | command.p2
        if address >= len(seen):
            raise Refusal(Status.WRONG_OFFSET, f"address {address} is outside the memory")
        return Reply(seen[address : address + (command.le or 0)])

    def _write(self, machine: Machine, command: Command) -> Reply:
        address = command.p1 << 8 | command.p2
        if address + len(command.data) > len(self._seen(machine)):
            raise Refusal(Status.WRONG_OFFSET, f"address {address} is outside the memory")
        if not machine.session.pin_verified:
            raise Refusal(Status.NO_RIGHT, "the chip's secret code was not presented")
        data, file = command.data, self._file(machine)
        machine.memory.write(len(data), lambda: file.put(address, data))
        return Reply()

    def _left(self, machine: Machine, command: Command) -> Reply:
        self._seen(machine)
        return Reply((bytes((_mask(machine.pin().tries),)) + bytes(_COUNTER_DUMMIES))[: command.le])

    def _present(self, machine: Machine, command: Command) -> Reply:
        self.presented += 1
        self._seen(machine)
        code = machine.pin()
        if code.locked:
            return Reply(status=Status.DONE, clause="the secret code has no tries left")
        if command.data != code.value:
            machine.memory.write(1, lambda: set_tries(code, code.tries - 1))
            machine.session.pin_verified = False
            return Reply(status=Status.DONE | _mask(code.tries), clause="this is not the secret code")
        machine.memory.write(1, code.reset)
        machine.session.pin_verified = True
        return Reply(status=Status.DONE | self._model.right, clause="this is the secret code")

    def _change(self, machine: Machine, command: Command) -> Reply:
        code, value = machine.pin(), command.data
        if not machine.session.pin_verified:
            raise Refusal(Status.NO_RIGHT, "the chip's secret code was not presented")

        def change() -> None:
            code.value = value

        machine.memory.write(len(value), change)
        return Reply()

    def _seen(self, machine: Machine) -> bytes:
        """Return the memory as the chosen type of card shows it: beyond its end, an SLE4442 gives ones."""
        chosen = machine.session.memory_type
        if chosen is None:
            raise Refusal(Status.CONDITIONS, "the reader was not told which type of memory card this is")
        content = bytes(self._file(machine).content)
        place = self._model.code_place
        if place is not None:
            # the code cannot be read before it was presented
            code = machine.pin()
            shown = code.value if machine.session.pin_verified else _UNREAD * len(code.value)
            content = content[: place - 1] + bytes((_mask(code.tries),)) + shown
        size = SIZES[Kind(chosen)]
        return content[:size].ljust(size, _ERASED)

    @staticmethod
    def _file(machine: Machine) -> TransparentFile:
        file = machine.root.files[_DATA]
        assert isinstance(file, TransparentFile)  # noqa: S101 # the only one there is
        return file


class MemoryChip(Chip):
    """A memory card in its reader."""

    def __init__(self, card: MemoryCard, system: OperatingSystem, answers: Answers) -> None:
        super().__init__(system, answers)
        self._card = card

    @property
    def presented(self) -> int:
        """Return how often somebody sent a secret code."""
        return self._card.presented


def make_memory_card(persona: Persona, card: MemoryPersona, seed: int | None) -> MemoryChip:
    """Make the card with its layout filled in. Raises DocumentError for what the layout has no place for."""
    kind = Kind(card.kind)
    model = MODELS[kind]
    code = unhex(card.secret_code) if card.secret_code else model.code
    if len(code) != len(model.code):
        raise persona.fault("$.secret_code", f"has {len(model.code)} bytes")
    root = Application("CHIP", 0, b"", is_environment=True)
    root.pin = Pin(code, limit=model.tries, tries=model.tries)
    root.files[_DATA] = TransparentFile(_DATA, FREE, needs(PIN), _memory(persona, card, kind, model))
    machine = Machine(root, Algorithm.DES, challenges(persona, seed), card.toggles)
    memory_card = MemoryCard(kind)
    atr = unhex(card.atr) if card.atr else bytes((0x3B, len(model.answer))) + model.answer
    system = OperatingSystem(machine, (_READER,), memory_card.rows())
    return MemoryChip(memory_card, system, Answers(contact=atr, contactless=None, historical=model.answer))


def _memory(persona: Persona, card: MemoryPersona, kind: Kind, model: Model) -> bytearray:
    content = bytearray(_ERASED * SIZES[kind])
    content[: len(model.answer)] = model.answer
    layout = _layout(persona, card, kind)
    for name, field, text in (
        ("number", layout.number, card.number),
        ("identity_number", layout.identity_number, card.identity_number),
        ("name", layout.holder, card.name),
        ("issue_date", layout.issue_date, card.issue_date),
        ("employer", layout.employer, card.employer),
    ):
        if text is None:
            continue
        if field is None:
            raise persona.fault(f"$.{name}", f"the layout {layout.name} has no place for it")
        content[field.offset : field.offset + field.length] = _written(persona, name, field, text)
    return content


def _layout(persona: Persona, card: MemoryPersona, kind: Kind) -> Layout:
    known = {layout.name: layout for layout in layouts_of(kind)}
    usual = next(name for name in known if name.startswith("loudi"))
    layout = known.get(card.layout or usual)
    if layout is None:
        raise persona.fault("$.layout", f"no such layout of this chip; known are {', '.join(known)}")
    return layout


def _written(persona: Persona, name: str, field: Field, text: str) -> bytes:
    try:
        raw = _WRITE[field.writing](text, field.length)
    except (UnicodeEncodeError, ValueError):
        raise persona.fault(f"$.{name}", "cannot be written so in this layout") from None
    if len(raw) > field.length:
        raise persona.fault(f"$.{name}", f"has no place in {field.length} bytes")
    return raw


def _digits(text: str, length: int) -> bytes:
    return str(int(text)).zfill(len(text)).encode().ljust(length, _BLANK)


def _packed(text: str, length: int) -> bytes:
    return bytes.fromhex(text + "F" * (len(text) % 2)).ljust(length, _ERASED)


def _characters(text: str, length: int) -> bytes:
    return text.encode("gb18030").ljust(length, _BLANK)


def _turned(text: str, length: int) -> bytes:
    return bytes((byte >> 4 | byte << 4) & 0xFF ^ 0xFF for byte in _digits(text, length))


_WRITE: Final[Mapping[Writing, Callable[[str, int], bytes]]] = MappingProxyType(
    {
        Writing.LEADING: _digits,
        Writing.FILLED: _digits,
        Writing.PACKED: _packed,
        Writing.TEXT: _characters,
        Writing.CODE: _characters,
        Writing.TURNED: _turned,
    }
)


def _mask(tries: int) -> int:
    """Return an error counter as the chip keeps it: a bit for each try that is left."""
    return (1 << tries) - 1
