"""A private pcscd with vpcd readers, run as an ordinary user and kept running until it is closed."""

import os
import random
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Struct
from cardsim.pcsclite import PcscdSilentError, View, wait_for

MOST_READERS: Final = 16
"""So many a pcscd can hold."""

_VPCD: Final = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
_PCSCD: Final = Path("/usr/sbin/pcscd")
_RUN: Final = Path("/run/pcscd")
_SLOTS_A_LIBRARY: Final = 2
# below what the kernel gives to connecting sockets: a card that tries to reach a reader that is not there could
# otherwise be given the very port as its own and be connected to itself
_PORTS: Final = range(20000, 32000, _SLOTS_A_LIBRARY)
_LONGEST_SOCKET_PATH: Final = 107
_START_SECONDS: Final = 10.0
_START_TRIES: Final = 5
_END_SECONDS: Final = 2.0
_RESPAWN_PAUSE: Final = 0.1
_OURS: Final = "Cardsim {}"
_MOVED: Final = "Cardsim {} moved"
_OTHERS: Final = "Stranger {}"


class VirtualReader(Struct, frozen=True):
    """A reader as pcscd names it, and the port that puts a card into it."""

    name: str
    port: int


class PrivatePcscd:
    """A pcscd in a directory of its own. One that dies without being told to is started again, as systemd would.

    The directory holds the socket, the configuration, one copy of the driver for each two readers (vpcd keeps its
    state in static variables, so two entries need two files) and the log; `close` removes them.
    """

    def __init__(self, directory: Path, readers: int) -> None:
        if not 1 <= readers <= MOST_READERS:
            raise CarddError(Reason.INVALID, f"a pcscd holds 1 to {MOST_READERS} readers, not {readers}")
        self.socket: Final = directory / "pcscd.comm"
        if len(os.fsencode(self.socket)) > _LONGEST_SOCKET_PATH:
            raise CarddError(Reason.INVALID, f"{self.socket} is too long for a socket: use a shorter directory")
        self.readers: tuple[VirtualReader, ...] = ()
        self.unplugged: frozenset[VirtualReader] = frozenset()
        """Those of the readers that it does not show since the last restart."""
        self._count = readers
        self._ports: tuple[int, ...] = ()
        self._directory = directory
        self._configuration = directory / "reader.conf"
        self._log = directory / "pcscd.log"
        self._changed = threading.Condition()
        self._wanted = False
        self._closing = False
        self._frozen = False
        self._process: subprocess.Popen[bytes] | None = None
        # The kernel ends pcscd together with the thread that started it, also where this process is killed. So that
        # thread has to live as long as pcscd may.
        self._keeper = threading.Thread(target=self._keep, name="pcscd-keeper", daemon=True)

    def start(self) -> None:
        """Start it and wait until it shows all its readers; raises CarddError PCSC_UNAVAILABLE if it does not."""
        _check_installed()
        self._keeper.start()
        for _ in range(_START_TRIES):
            ports = _free_ports(-(-self._count // _SLOTS_A_LIBRARY))
            self._configure({_OURS.format(number): port for number, port in enumerate(ports)})
            self._set_wanted(True)
            view = self._await_answer()
            if len(view) == len(ports) * _SLOTS_A_LIBRARY:
                self._ports = tuple(ports)
                numbers = [port + slot for port in ports for slot in range(_SLOTS_A_LIBRARY)]
                self.readers = tuple(VirtualReader("", port) for port in numbers)[: self._count]
                self._name(view)
                return
            # somebody took one of the ports in the meantime
            self.kill()
        raise CarddError(Reason.PCSC_UNAVAILABLE, f"pcscd does not show its virtual readers; its log is {self._log}")

    @property
    def process(self) -> int | None:
        """The id of the process, None while there is none."""
        with self._changed:
            return None if self._process is None else self._process.pid

    @property
    def answers(self) -> bool:
        """Whether it is meant to run and to answer just now."""
        return self._wanted and not self._frozen

    def kill(self) -> None:
        """Kill it; it stays away until `restart`."""
        self._set_wanted(False)
        self._signal(signal.SIGKILL)
        self._await_end()

    def freeze(self) -> None:
        """Stop it with SIGSTOP: it is there and does not answer."""
        self._frozen = True
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)
        self._frozen = False

    def restart(self, *, strangers: int = 0, unplugged: Collection[int] = ()) -> None:
        """Kill it if it runs, start it again and wait until it answers.

        `strangers`: so many pairs of other readers are there as well, and ours have other names, as where pcscd numbers
        its readers anew. `unplugged` are pairs of ours, by number, that have gone; they keep their last names until
        they are back.
        """
        self.kill()
        others = {_OTHERS.format(number): port for number, port in enumerate(_free_ports(strangers))}
        name = _MOVED if strangers else _OURS
        ours = {name.format(number): port for number, port in enumerate(self._ports) if number not in unplugged}
        self._configure(others | ours)
        self._set_wanted(True)
        self._name(self._await_answer())

    def close(self) -> None:
        """End it and remove its files."""
        with self._changed:
            self._closing = True
            self._wanted = False
            self._changed.notify_all()
        if self._keeper.is_alive():
            self._signal(signal.SIGCONT)
            self._signal(signal.SIGTERM)
            self._keeper.join(_END_SECONDS)
            self._signal(signal.SIGKILL)
            self._keeper.join()
        for file in (self.socket, self._configuration, self._log, *self._directory.glob("vpcd*.so")):
            file.unlink(missing_ok=True)

    def _keep(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted or self._closing)
                if self._closing:
                    return
                process = self._process = self._spawn()
                self._changed.notify_all()
            process.wait()
            with self._changed:
                self._process = None
                self._frozen = False
                self._changed.notify_all()
                # a pcscd that dies at once is not started in a tight circle
                self._changed.wait_for(lambda: self._closing or not self._wanted, _RESPAWN_PAUSE)

    def _spawn(self) -> subprocess.Popen[bytes]:
        # pcscd has its socket's path compiled in, but takes one that is handed to it; it is started by the first client
        self.socket.unlink(missing_ok=True)
        activation = ("setpriv", "--pdeathsig", "KILL", "systemd-socket-activate", "-l", str(self.socket))
        service = (str(_PCSCD), "--foreground", "--config", str(self._configuration))
        with self._log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own words and paths
                activation + service, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def _signal(self, number: signal.Signals) -> None:
        with self._changed:
            if self._process is not None:
                self._process.send_signal(number)

    def _set_wanted(self, wanted: bool) -> None:  # noqa: FBT001 - the state that is asked for
        with self._changed:
            self._wanted = wanted
            self._changed.notify_all()

    def _await_end(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._process is None)

    def _await_answer(self) -> View:
        try:
            return wait_for(self.socket, lambda _: True, _START_SECONDS)
        except PcscdSilentError as error:
            raise CarddError(Reason.PCSC_UNAVAILABLE, f"{error}; its log is {self._log}") from None

    def _name(self, view: View) -> None:
        """Take over the names that the readers have now; pcscd writes its own numbers behind those of the pairs."""
        names = {}
        for seen in view:
            pair, _, slot = seen.name.rsplit(" ", 2)
            for number, port in enumerate(self._ports):
                if pair in {_OURS.format(number), _MOVED.format(number)}:
                    names[port + int(slot, 16)] = seen.name
        self.readers = tuple(VirtualReader(names.get(old.port, old.name), old.port) for old in self.readers)
        self.unplugged = frozenset(reader for reader in self.readers if reader.port not in names)

    def _configure(self, pairs: Mapping[str, int]) -> None:
        """Write down pairs of readers, the first port of each by its name."""
        entries = []
        for number, (name, port) in enumerate(pairs.items()):
            library = self._directory / f"vpcd{number}.so"
            shutil.copy(_VPCD, library)
            entries.append(f'FRIENDLYNAME "{name}"\nDEVICENAME /dev/null:{port}\nLIBPATH {library}\nCHANNELID {port}\n')
        self._configuration.write_text("\n".join(entries), encoding="utf-8")


def _check_installed() -> None:
    programs = [name for name in ("setpriv", "systemd-socket-activate") if shutil.which(name) is None]
    missing = programs + [str(path) for path in (_PCSCD, _VPCD) if not path.exists()]
    if missing:
        raise CarddError(
            Reason.PCSC_UNAVAILABLE,
            f"{', '.join(missing)} is missing. Install it: apt-get install pcscd vsmartcard-vpcd systemd util-linux.",
        )
    if not _RUN.is_dir() and not os.access(_RUN.parent, os.W_OK):
        # pcscd gives up without it, though it writes nothing there when its socket is handed to it
        raise CarddError(Reason.PCSC_UNAVAILABLE, f"pcscd needs the directory {_RUN}. Make it: sudo mkdir {_RUN}.")


def _free_ports(count: int) -> list[int]:
    """Return the first of each pair of ports that nobody listens on."""
    found: list[int] = []
    for port in random.sample(_PORTS, len(_PORTS)):
        if len(found) == count:
            return found
        if all(_is_free(port + slot) for slot in range(_SLOTS_A_LIBRARY)):
            found.append(port)
    raise CarddError(Reason.INVALID, "no free ports for the virtual readers are left on this machine")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
        return True
