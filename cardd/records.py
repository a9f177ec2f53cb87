"""Composition of the journal: its keys, who signs and seals, and what opens without a daemon."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Final

import structlog

from cardd.base.clock import Clock
from cardd.base.sealing import Sealer
from cardd.base.secret import Secret
from cardd.base.structs import Hidden, Struct
from cardd.config import Config
from cardd.crypto.sealing import GcmSealer
from cardd.crypto.signing import KEY_LENGTH as SIGNING_KEY_LENGTH
from cardd.crypto.signing import signer, verify
from cardd.crypto.tokens import KeyedTokens
from cardd.journal.connection import FILE_NAME
from cardd.journal.evidence import Evidence
from cardd.journal.heads import Notary
from cardd.journal.keeper import Keeper, Retention
from cardd.journal.keyfile import KEY_LENGTH, load_key, load_or_create_key
from cardd.journal.store import Journal, Keeping

_SEALING_CREDENTIAL: Final = "journal.key"
_SIGNING_CREDENTIAL: Final = "journal.signing"
_MEGABYTE: Final = 1024 * 1024

log = structlog.get_logger(__name__)


class Records(Struct, frozen=True):
    """An open journal and those who work with it. `key` also makes tokens."""

    journal: Journal
    evidence: Evidence
    keeper: Keeper
    sealer: Sealer
    notary: Notary
    key: Hidden[Secret]


def open_records(config: Config, *, clock: Clock, source: str) -> Records:
    """Open the journal of a configuration; keys that are nowhere are made.

    Raises CarddError: BUSY, INVALID, JOURNAL_FULL, JOURNAL_UNAVAILABLE.
    """
    rules, state = config.journal, Path(config.state_dir)
    key = sealing_key(config)
    sealer, tokens = GcmSealer(rules.sealing, key), KeyedTokens(key)
    notary = Notary(signer(rules.signing, signing_key(config)), clock)
    keeping = Keeping(notary=notary, tokens=tokens, reserve_bytes=rules.reserve_mb * _MEGABYTE)
    journal = Journal.open(state, sealer=sealer, clock=clock, source=source, keeping=keeping)
    evidence = Evidence(journal, sealer=sealer, tokens=tokens, verify=verify)
    keeper = Keeper(journal, evidence, retention_of(config), clock=clock, every_s=rules.heads_s)
    return Records(journal, evidence, keeper, sealer, notary, key)


def retention_of(config: Config) -> Retention:
    """Return for how long a configuration keeps events."""
    rules = config.journal
    return Retention(
        keep=timedelta(days=rules.keep_days),
        floor=timedelta(days=rules.floor_days),
        most_bytes=None if rules.most_mb is None else rules.most_mb * _MEGABYTE,
    )


def sealing_key(config: Config) -> Secret:
    """Take the sealing key from a credential of the service manager, the configured file, or our own."""
    own = Path(config.journal.key_file or Path(config.state_dir) / "journal.key")
    path = _given(_SEALING_CREDENTIAL) or own
    if not _there(path) and (Path(config.state_dir) / FILE_NAME).exists():
        log.error("journal.key_lost", file=str(path), meaning="a new one is made; what the old one sealed stays shut")
    return _key(path, own, KEY_LENGTH)


def signing_key(config: Config) -> Secret:
    """Take the signing key likewise; one of our own is for one algorithm."""
    own = Path(config.state_dir) / f"signing-{config.journal.signing}.key"
    own = Path(config.journal.signing_key_file or own)
    return _key(_given(_SIGNING_CREDENTIAL) or own, own, SIGNING_KEY_LENGTH)


def _given(credential: str) -> Path | None:
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    path = None if directory is None else Path(directory) / credential
    return path if path is not None and _there(path) else None


def _there(path: Path) -> bool:
    """Tell whether there is a key. One that may not be looked at counts: reading it fails, and no other is taken."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def _key(path: Path, own: Path, length: int) -> Secret:
    # a key that somebody else gives is never made here
    return load_or_create_key(own, length=length) if path == own else load_key(path, length=length)
