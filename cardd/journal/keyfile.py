"""The keys under which personal data are sealed and heads are signed: where they come from, and who may not read them.

A key is hexadecimal digits, 32 for sealing (`openssl rand -hex 16`) and 64 for signing: either a systemd credential,
which somebody else made, or a file of the daemon's own in its state directory, made at the first start. A token that
another machine wants to be shown is read as carefully.
"""

import os
import secrets
import stat
import struct
from pathlib import Path
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.journal.directory import make_durable

KEY_LENGTH: Final = 16

_TOKEN_BYTES: Final = 4096
_PRINTABLE: Final = range(0x21, 0x7F)

_ACL: Final = "system.posix_acl_access"
_ACL_ENTRY: Final = struct.Struct("<HHI")  # tag, permissions, user or group
_ACL_OWNER, _ACL_USER, _ACL_MASK = 0x01, 0x02, 0x10


def load_or_create_key(path: Path, *, length: int = KEY_LENGTH) -> Secret:
    """Return the key in a file of our own; where there is none, make one that only this user can read.

    Raises CarddError INVALID for a file that others can read, or that holds no key.
    """
    try:
        return load_key(path, length=length)
    except FileNotFoundError:
        _create(path, length)
        return load_key(path, length=length)


def load_key(path: Path, *, length: int = KEY_LENGTH) -> Secret:
    """Return the key, of so many bytes, in a file that must be there (a systemd credential).

    Raises FileNotFoundError; CarddError INVALID for a file that others can read, or that holds no key.
    """
    text = _read_ours(path, 2 * length + 2)
    try:
        key = bytes.fromhex(text.decode("ascii")) if len(text) == 2 * length else b""
    except ValueError:
        key = b""
    # raised out here: the error of a bad digit quotes the text
    if len(key) != length:
        raise CarddError(Reason.INVALID, f"the key file {path} must hold {2 * length} hexadecimal digits")
    return Secret(key)


def load_token(path: Path) -> Secret:
    """Return the text that another machine wants to be shown, in a file that must be there.

    Raises CarddError INVALID for a file that is not there, that others can read, or that holds no token: one line of
    printable ASCII without blanks, so that nothing can choke on it later and quote it.
    """
    try:
        text = _read_ours(path, _TOKEN_BYTES + 1)
    except FileNotFoundError:
        raise CarddError(Reason.INVALID, f"the key file {path} is missing: it holds a token") from None
    if not 0 < len(text) <= _TOKEN_BYTES or any(byte not in _PRINTABLE for byte in text):
        raise CarddError(Reason.INVALID, f"the key file {path} must hold a token: one line of ASCII without blanks")
    return Secret(text)


def _read_ours(path: Path, most: int) -> bytes:
    """Return what a file holds, but for blanks around it, if nobody else can read it. Raises as `load_key` does."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise CarddError(Reason.INVALID, f"the key file {path} cannot be read: {error.strerror}") from None
    try:
        _refuse_if_shared(handle, path)
        return os.read(handle, most).strip()
    finally:
        os.close(handle)


def _refuse_if_shared(handle: int, path: Path) -> None:
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        raise CarddError(Reason.INVALID, f"the key file {path} is no file")
    if status.st_uid not in {0, os.geteuid()}:
        raise CarddError(Reason.INVALID, f"the key file {path} belongs to another user: chown it to the daemon's")
    if _readable_by_others(handle, status.st_mode):
        raise CarddError(Reason.INVALID, f"the key file {path} can be read by others: chmod 600 it")


def _readable_by_others(handle: int, mode: int) -> bool:
    """Look at the mode, or at the access list if there is one: systemd hands credentials to a user that way.

    With a list the group's bits of the mode are the list's mask and say nothing about the group.
    """
    try:
        entries = os.getxattr(handle, _ACL)[4:]
    except OSError:
        return bool(mode & (stat.S_IRWXG | stat.S_IRWXO))
    for tag, permissions, who in _ACL_ENTRY.iter_unpack(entries):
        ours = tag in {_ACL_OWNER, _ACL_MASK} or (tag == _ACL_USER and who in {0, os.geteuid()})
        if permissions and not ours:
            return True
    return False


def _create(path: Path, length: int) -> None:
    """Write a new key so that the file appears whole or not at all."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(handle, secrets.token_hex(length).encode() + b"\n")
            os.fsync(handle)
        finally:
            os.close(handle)
        try:
            os.link(draft, path)  # unlike a rename it never replaces the key of a daemon that started beside us
        except FileExistsError:
            return
        finally:
            draft.unlink()
        # the key must not vanish under data that were sealed with it
        make_durable(path.parent)
    except OSError as error:
        raise CarddError(Reason.INVALID, f"the key file {path} cannot be made: {error.strerror}") from None
