"""Run a command under the restrictions on system calls that a unit file asks for, as systemd would set them up.

    python confined.py UNIT COMMAND…

Done through libseccomp: SystemCallFilter=, SystemCallErrorNumber=, RestrictAddressFamilies=, MemoryDenyWriteExecute=
and RestrictNamespaces=; NoNewPrivileges= and LimitCORE= besides. There is no systemd to ask for it where tests run.
"""

import ctypes
import errno
import os
import re
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_ALLOW: Final = 0x7FFF0000
_REFUSE: Final = 0x00050000
_NO_NEW_PRIVS: Final = 38
_EQUAL, _MASKED_EQUAL = 4, 7
_PROT_EXEC, _PROT_WRITE = 4, 2


class _Compare(ctypes.Structure):
    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("a", ctypes.c_uint64),
        ("b", ctypes.c_uint64),
    )


def _values(unit: str, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit, re.MULTILINE)


def system_calls(groups: list[str]) -> Iterator[str]:
    """Yield what groups of system calls hold, with the groups in them, by systemd's own word."""
    known: dict[str, list[str]] = {}
    name = ""
    ask = ["systemd-analyze", "syscall-filter", "--no-pager"]
    table = subprocess.run(ask, capture_output=True, text=True, check=True)
    for line in table.stdout.splitlines():
        if line.startswith("@"):
            name = line.split()[0]
            known[name] = []
        elif line.strip() and not line.strip().startswith("#"):
            known.get(name, []).append(line.strip())
    todo = list(groups)
    while todo:
        one = todo.pop()
        if one.startswith("@"):
            todo.extend(known[one])
        else:
            yield one


class Filter:
    """A filter that is being put together."""

    def __init__(self, refused: int) -> None:
        self._library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
        self._library.seccomp_init.restype = ctypes.c_void_p
        self._refuse = _REFUSE | refused
        self._context = ctypes.c_void_p(self._library.seccomp_init(ctypes.c_uint32(_ALLOW)))
        self._allowed: set[str] = set()

    def refuse(self, name: str, *conditions: _Compare, error: int | None = None) -> None:
        """Refuse a system call, where its arguments meet all conditions."""
        number = self._library.seccomp_syscall_resolve_name(name.encode())
        if number < 0:
            return
        action = self._refuse if error is None else _REFUSE | error
        array = (_Compare * max(len(conditions), 1))(*conditions)
        done = self._library.seccomp_rule_add_array(
            self._context, ctypes.c_uint32(action), number, ctypes.c_uint(len(conditions)), array
        )
        if done not in {0, -errno.EEXIST}:
            raise OSError(-done, name)

    def load(self) -> None:
        """Put it in force, for good."""
        if ctypes.CDLL(None).prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) or (done := self._library.seccomp_load(self._context)):
            raise OSError(done, "the filter cannot be loaded")


def confine(unit: str) -> None:
    """Restrict this process as a unit file says."""
    refused = getattr(errno, _values(unit, "SystemCallErrorNumber")[0])
    rules = Filter(refused)
    lists = _values(unit, "SystemCallFilter")
    allowed = set(system_calls([word for row in lists if not row.startswith("~") for word in row.split()]))
    taken = set(system_calls([word for row in lists if row.startswith("~") for word in row[1:].split()]))
    always = set(system_calls(["@default"]))
    for name in set(system_calls(["@known"])) - ((allowed - taken) | always):
        rules.refuse(name)
    families = {getattr(socket, name) for row in _values(unit, "RestrictAddressFamilies") for name in row.split()}
    for family in set(range(48)) - families:
        rules.refuse("socket", _Compare(0, _EQUAL, family, 0), error=errno.EAFNOSUPPORT)
    if _values(unit, "MemoryDenyWriteExecute") == ["yes"]:
        both = _PROT_EXEC | _PROT_WRITE
        rules.refuse("mmap", _Compare(2, _MASKED_EQUAL, both, both))
        for name in ("mprotect", "pkey_mprotect"):
            rules.refuse(name, _Compare(2, _MASKED_EQUAL, _PROT_EXEC, _PROT_EXEC))
    for name in ("unshare", "setns"):
        rules.refuse(name)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    rules.load()


if __name__ == "__main__":
    confine(Path(sys.argv[1]).read_text(encoding="utf-8"))
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - the command that was asked for
