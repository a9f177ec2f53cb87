"""A terminal as business software has it: libsscard, a daemon, the real pcscd, virtual cards, and one key service."""

import contextlib
import ctypes
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cardd.client.blocking import Client
from cardd.client.errors import CallError, UnreachableError
from cardd.driver.function_numbers import gives
from cardd.wire.activation import PromptAnswerParams
from cardd.wire.events import EventsSubscribeParams
from cardd.wire.methods import PROMPT_ANSWER, READERS_LIST, STATION_CLEAR, SYSTEM_STATUS
from cardd.wire.stations import StationClearParams
from cardd.wire.system import NoParams
from cardsim.rig import Rig
from support.sscard import EXTRA, SIGNING, VARIABLES, Guarded, Library
from support.terminal_office import MachineOffice
from support.terminal_profiles import Profile

COUNTER, SAM, ANTENNA = 0, 1, 2
"""The readers of a terminal: contacts and antenna for holders' cards."""

OF_THE_LIBRARY = {-5, -11, -41, -42}
"""What libsscard says by itself: of the daemon, the charset and its caller's buffer."""

PERSON_S = 2.0
PATIENCE_S = 10.0

_READERS = (
    ("Cardsim 0 00 00", "counter", "contacts"),
    ("Cardsim 0 00 01", "sam", "sam"),
    ("Cardsim 1 00 00", "counter", "antenna"),
    ("Cardsim 1 00 01", "sam", "spare"),
)
_NAMES = tuple(own for _, _, own in _READERS)


class Service(StrEnum):
    """Who computes with the issuer's keys."""

    PSAM = "psam"
    HSM = "hsm"
    """A security machine on the network, asked by the terminal itself."""
    STEPS = "steps"
    """Nobody in the terminal: the back office's machine, in steps."""


class NotApplicable(Exception):  # noqa: N818 - no error
    """The case says nothing about this card with this service; the text says why."""


class NotSoError(Exception):
    """What a case found is not what it should be."""


def check(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise NotSoError(f"{what}: {found!r}, should be {wanted!r}")


class Holder:
    """Answers the terminal's prompts: by purpose digits, None to cancel, or nothing at all where it is left out."""

    def __init__(self, client: Client) -> None:
        self.answers: dict[str, str | None] = {}
        self.asked: list[str] = []
        self._client = client
        self.usual()
        client.subscribe(EventsSubscribeParams(types=["prompt.opened"], after="now"))
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def usual(self) -> None:
        self.answers = {"social_pin": "123456", "new_pin": "246813"}

    def close(self) -> None:
        """Go away, after the daemon has."""
        self._thread.join(PATIENCE_S)
        self._client.close()

    def _follow(self) -> None:
        with contextlib.suppress(UnreachableError, OSError):
            for arrival in self._client.events():
                data = arrival.event.data
                purpose = str(data["purpose"])
                self.asked.append(purpose)
                if purpose in self.answers:
                    pin = self.answers[purpose]
                    answer = PromptAnswerParams(prompt=str(data["prompt"]), pin=pin, cancel=pin is None)
                    with contextlib.suppress(CallError):
                        self._client.call(PROMPT_ANSWER, answer)


_loading = threading.Lock()


def load(built: Path, directory: Path, **variables: str) -> Library:
    """Give the library as a program has it whose environment says so; it looks there at its first call."""
    with _loading:
        kept = {name: os.environ.pop(name) for name in VARIABLES if name in os.environ}
        os.environ.update(variables)
        try:
            library = Library(built, directory)
            # a call that is refused by the library itself: nothing is asked of a daemon
            library.function("iReadCardBas")(3, None)
            library.call("iReloadPIN", 1, None)
        finally:
            for name in variables:
                del os.environ[name]
            os.environ.update(kept)
    return library


@dataclass
class Terminal:
    """One of them, with its holder; numbers that functions returned are noted, and the next call works."""

    rig: Rig
    service: Service
    library: Library
    helped: Library
    helper: Path
    holder: Holder
    url: str
    directory: Path
    numbers: set[int] = field(default_factory=set)
    called: set[str] = field(default_factory=set)
    _inside: dict[int, tuple[Path, str]] = field(default_factory=dict)
    _offices: list[MachineOffice] = field(default_factory=list)

    @classmethod
    def start(cls, directory: Path, service: Service, built: Path, url: str) -> Self:
        directory.mkdir(parents=True)
        keys = {"provider": "remote", "url": url} if service is Service.HSM else {"provider": "psam"}
        readers = [{"match": {"name": name}, "role": role, "name": own} for name, role, own in _READERS]
        settings = {
            "stations": [{"name": "counter-0", "auto": False, "readers": readers}],
            "keys": keys,
            "activation": {"deadlines": {"person_s": PERSON_S}},
        }
        psam = "psam" if service is Service.PSAM else None
        rig = Rig.start(directory / "r", stations=2, psam=psam, settings=settings)
        helper, copies = directory / "helper", directory / "copies"
        copies.mkdir()
        variables = {"SSCARD_SOCKET": str(rig.socket)}
        terminal = cls(
            rig,
            service,
            load(built, copies, **variables),
            load(built, copies, SSCARD_PIN_HELPER=str(helper), **variables),
            helper,
            Holder(rig.client()),
            url,
            directory,
        )
        terminal._sam = "psam" if service is Service.PSAM else None
        return terminal

    _sam: str | Path | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for office in self._offices:
            office.close()
        self.rig.close()
        self.holder.close()

    # -- cards

    def insert(
        self, card: Profile | Path | str, place: int = COUNTER, *, fresh: bool = False, alone: bool = True
    ) -> None:
        """Have that card in, known to the daemon; one that was `fresh` and nothing was done to may stay."""
        path = card.path if isinstance(card, Profile) else card
        interface = "contactless" if place == ANTENNA else "contact"
        if alone:
            for other in [one for one in self._inside if one != place]:
                self.remove(other)
        if self._inside.get(place) == (path, interface) and not fresh:
            return
        self.remove(place)
        self.rig.lab.insert_persona(str(path), place, name=f"{path}-{place}", fresh=True, interface=interface)
        self._inside[place] = (Path(path), interface)
        self._await_card(_NAMES[place], inside=True)

    def remove(self, place: int = COUNTER) -> None:
        if place in self._inside:
            del self._inside[place]
            self.rig.lab.remove(place)
            self._await_card(_NAMES[place], inside=False)

    def spoil(self) -> None:
        """Say that the card that is in is not as it was: the next one is a new one."""
        self._inside = {place: (Path("spoilt"), "") for place in self._inside}

    def module(self, persona: str | Path | None) -> None:
        """Have that security module in, or none."""
        if persona == self._sam:
            return
        if self._sam is not None:
            self.rig.lab.remove(SAM)
            self._await_card("sam", inside=False)
        if persona is not None:
            self.rig.lab.insert_persona(str(persona), SAM, name=f"sam {persona}", fresh=True)
            self._await_card("sam", inside=True)
        self._sam = persona

    def _await_card(self, reader: str, *, inside: bool) -> None:
        deadline = time.monotonic() + PATIENCE_S
        with self.rig.client() as client:
            while time.monotonic() < deadline:
                views = client.call(READERS_LIST, NoParams()).readers
                (view,) = [view for view in views if view.reader == reader]
                if inside is (view.card is not None and view.state != "reading"):
                    return
                time.sleep(0.01)
        raise NotSoError(f"the daemon does not see what was done at {reader}")

    def office(self, card: Profile) -> MachineOffice:
        """Return the back office of a card."""
        office = MachineOffice(card.region, card.historical, self.url)
        self._offices.append(office)
        return office

    def clear(self) -> None:
        """Have an operator lift what is stopped."""
        with self.rig.client() as client:
            client.call(STATION_CLEAR, StationClearParams(station="counter-0"))

    @property
    def number(self) -> str:
        """The number that iReadCardBas must tell of the terminal."""
        return {Service.PSAM: "510100000001", Service.HSM: "510100000009", Service.STEPS: "0" * 12}[self.service]

    # -- calls

    def call(self, name: str, *arguments: int | str, by: Library | None = None) -> tuple[int, str]:
        """Call a function. After each negative number the next call must work, and nothing may be held."""
        library = by or self.library
        self.called.add(name)
        given = [value if isinstance(value, int) else value.encode("gb18030") for value in arguments]
        code, out = library.call(name, *given)
        if code < 0:
            check(f"{name} may give {code}", gives(name, code) or (code in OF_THE_LIBRARY), True)
            self._survive(name, code)
        return code, out.decode("gb18030")

    def signs(self, name: str) -> tuple[int, str]:
        """Call a function of certificates."""
        buffer = Guarded(1024)
        self.called.add(name)
        given = [1 if kind is ctypes.c_int else b"text" for kind in SIGNING[name]]
        code = self.library.function(name)(*given, ctypes.c_void_p(buffer.address))
        self._survive(name, code)
        return int(code), buffer.text().decode("gb18030")

    def two(self, name: str) -> tuple[int, str, str]:
        """Call a function with two buffers."""
        first, second = Guarded(EXTRA), Guarded(EXTRA)
        self.called.add(name)
        code = self.library.function(name)(ctypes.c_void_p(first.address), ctypes.c_void_p(second.address))
        return int(code), first.text().decode("gb18030"), second.text().decode("gb18030")

    def _survive(self, name: str, code: int) -> None:
        check(f"the call after {name} = {code}", self.two("iGetReaderInfo")[0], 0)
        with self.rig.client() as client:
            (station,) = client.call(SYSTEM_STATUS, NoParams())["stations"]
        check(f"cards held after {name} = {code}", list(station["leased"]), [])
        self.numbers.add(code)

    def fails(self, number: int, name: str, *arguments: int | str, by: Library | None = None) -> str:
        """Have a function return that number; its message is not empty."""
        code, text = self.call(name, *arguments, by=by)
        check(f"{name}{arguments}", code, number)
        if not text:
            raise NotSoError(f"{name} = {code} without a message")
        return text

    def gives(self, wanted: str, name: str, *arguments: int | str) -> None:
        """Have a function succeed with just that text."""
        check(f"{name}{arguments}", self.call(name, *arguments), (0, wanted))

    def done(self, name: str, *arguments: int | str, by: Library | None = None) -> str:
        """Have a function succeed, and return its text."""
        code, text = self.call(name, *arguments, by=by)
        check(f"{name}{arguments} ({text})", code, 0)
        return text

    @contextlib.contextmanager
    def asks(self, *purposes: str) -> Iterator[None]:
        """Have the holder asked for just these meanwhile."""
        before = len(self.holder.asked)
        yield
        check("asked for", tuple(self.holder.asked[before:]), purposes)

    def disclosures(self, enough: Callable[[list[Mapping[str, Any]]], bool]) -> list[Mapping[str, Any]]:
        """Return what is on record of what was told about people, oldest first, once there is enough of it."""
        found: list[Mapping[str, Any]] = []
        with self.rig.client() as client:
            client.subscribe(EventsSubscribeParams(after="earliest", types=["personal.disclosed"]))
            for arrival in client.events(PATIENCE_S):
                found.append(arrival.event.data)
                if enough(found):
                    return found
        raise NotSoError(f"not on record: {found}")
