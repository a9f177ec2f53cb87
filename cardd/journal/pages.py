"""The chain as it is stored, page by page: what exports and examinations read."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from cardd.base.structs import Hidden, Struct
from cardd.journal import chain
from cardd.journal.heads import Head, Place

PAGE_EVENTS: Final = 500
PAGE_BYTES: Final = 384 * 1024
"""A page ends with the event that makes it longer than this; with its digests it still fits one line of the socket."""

_ROWS: Final = """
    SELECT sequence, public, sealed, sealed_digest, digest FROM events
    WHERE sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?
"""
_HEADS: Final = "SELECT sequence, head FROM heads WHERE sequence > ? AND sequence <= ? ORDER BY sequence"


class Link(Struct, frozen=True):
    """One event as the chain has it. `sealed` as stored: None, empty where erased."""

    sequence: int
    public: bytes
    sealed: Hidden[bytes | None]
    sealed_digest: bytes
    digest: bytes

    @property
    def intact(self) -> bool:
        """Whether the sealed bytes are those that the chain covers, or were erased, or never were."""
        return self.sealed == b"" or self.sealed_digest == chain.digest(self.sealed or b"")


class Page(Struct, frozen=True):
    """Events that follow a place, and the signed heads among them."""

    before: Place
    links: Sequence[Link]
    heads: Mapping[int, Head]
    """By the event after which each is stored."""

    @property
    def after(self) -> Place:
        """The place behind the page."""
        if not self.links:
            return self.before
        return Place(self.before.stream, self.links[-1].sequence, self.links[-1].digest.hex())


def origin(connection: sqlite3.Connection) -> Place:
    """Return where the chain that is left begins: before the first event, or after the last that was evicted."""
    stream, evicted, digest = connection.execute("SELECT stream, evicted, evicted_digest FROM identity").fetchone()
    return Place(stream, evicted, (chain.genesis(stream) if digest is None else digest).hex())


def page(connection: sqlite3.Connection, before: Place, until: int) -> Page:
    """Return what follows a place up to and with `until`, at most one page of it."""
    links: list[Link] = []
    size = 0
    for row in connection.execute(_ROWS, (before.sequence, until, PAGE_EVENTS)):
        links.append(Link(*row))
        size += len(links[-1].public)
        if size > PAGE_BYTES:
            break
    last = links[-1].sequence if links else before.sequence
    heads = connection.execute(_HEADS, (before.sequence, last))
    return Page(before, links, {sequence: msgspec.json.decode(head, type=Head) for sequence, head in heads})


def place(connection: sqlite3.Connection, sequence: int) -> Place | None:
    """Return the place after an event, None for one that is not there (or was evicted)."""
    first = origin(connection)
    if sequence == first.sequence:
        return first
    row = connection.execute("SELECT digest FROM events WHERE sequence = ?", (sequence,)).fetchone()
    return None if row is None else Place(first.stream, sequence, row[0].hex())
