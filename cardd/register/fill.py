"""The register's tables, and how its YAML file gets into them.

Each row keeps a copy of the YAML row it came from. A row is written only when it is new or its YAML has
changed, so that a restart undoes no activation, and a person added to the file disturbs nobody else.
"""

import hashlib
import hmac
import secrets
import sqlite3

import msgspec

from cardd.register.document import Card, OldCard, Person, RegisterDocument

SCHEMA = """
CREATE TABLE IF NOT EXISTS region (one INTEGER PRIMARY KEY CHECK (one = 1), code TEXT);
CREATE TABLE IF NOT EXISTS rules (one INTEGER PRIMARY KEY CHECK (one = 1), accept_expired INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS people (
  ssn TEXT PRIMARY KEY, name TEXT NOT NULL, account TEXT NOT NULL, updates TEXT NOT NULL, source BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS cards (
  number TEXT PRIMARY KEY, ssn TEXT NOT NULL, identification_code TEXT, status TEXT NOT NULL, source BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS old_cards (
  number TEXT PRIMARY KEY, ssn TEXT NOT NULL, status TEXT NOT NULL, salt BLOB, password BLOB,
  tries INTEGER NOT NULL, tries_left INTEGER NOT NULL, source BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS documents (
  ssn TEXT NOT NULL, type TEXT NOT NULL, number TEXT NOT NULL, PRIMARY KEY (type, number)
) STRICT;
CREATE TABLE IF NOT EXISTS attempts (
  attempt TEXT PRIMARY KEY, right INTEGER NOT NULL, tries_left INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS passwords (key TEXT NOT NULL, number TEXT NOT NULL, PRIMARY KEY (key, number)) STRICT;
CREATE TABLE IF NOT EXISTS activations (
  key TEXT PRIMARY KEY, receipt INTEGER NOT NULL, ssn TEXT NOT NULL, card TEXT NOT NULL, old_card TEXT,
  time TEXT NOT NULL, standing TEXT NOT NULL, request BLOB NOT NULL, verdict BLOB NOT NULL, written INTEGER
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS once ON activations (ssn, card) WHERE standing = 'granted';
"""

_SCRYPT_N = 2**12
_HIDDEN = "0000"


def fill(db: sqlite3.Connection, content: RegisterDocument) -> None:
    """Take over what is new or changed; inside the caller's transaction."""
    db.execute("INSERT OR REPLACE INTO region VALUES (1, ?)", (content.region,))
    db.execute("INSERT OR REPLACE INTO rules VALUES (1, ?)", (int(content.accept_expired),))
    for person in content.people:
        _fill_person(db, person)
        _fill_documents(db, person)
        for card in person.cards:
            _fill_card(db, person.social_security_number, card)
        for old in person.old_cards:
            _fill_old_card(db, person.social_security_number, old)


def digest_of(password: bytes, salt: bytes) -> bytes:
    """Return what is stored of a password. Few digits stay guessable: the file is readable by its owner only."""
    return hashlib.scrypt(password, salt=salt, n=_SCRYPT_N, r=8, p=1, dklen=32)


def _fill_person(db: sqlite3.Connection, person: Person) -> None:
    ssn = person.social_security_number
    source = msgspec.json.encode([person.name, person.account, person.updates])
    if _source(db, "SELECT source FROM people WHERE ssn = ?", ssn) != source:
        updates = msgspec.json.encode(person.updates).decode()
        db.execute(
            "INSERT OR REPLACE INTO people VALUES (?, ?, ?, ?, ?)", (ssn, person.name, person.account, updates, source)
        )


def _fill_documents(db: sqlite3.Connection, person: Person) -> None:
    # nothing that happens here changes them: what the file says is always what holds
    db.execute("DELETE FROM documents WHERE ssn = ?", (person.social_security_number,))
    rows = [(person.social_security_number, row.type, row.number) for row in person.documents]
    db.executemany("INSERT OR REPLACE INTO documents VALUES (?, ?, ?)", rows)


def _fill_card(db: sqlite3.Connection, ssn: str, card: Card) -> None:
    source = msgspec.json.encode([ssn, card])
    if _source(db, "SELECT source FROM cards WHERE number = ?", card.number) != source:
        row = (card.number, ssn, card.identification_code, card.status, source)
        db.execute("INSERT OR REPLACE INTO cards VALUES (?, ?, ?, ?, ?)", row)


def _fill_old_card(db: sqlite3.Connection, ssn: str, old: OldCard) -> None:
    # the copy keeps whether there is a password; which one it is, only the digest tells
    shown = msgspec.structs.replace(old, password=None if old.password is None else _HIDDEN)
    source = msgspec.json.encode([ssn, shown])
    if _source(db, "SELECT source FROM old_cards WHERE number = ?", old.number) == source and _same(db, old):
        return
    salt = secrets.token_bytes(16)
    digest = None if old.password is None else digest_of(old.password.encode(), salt)
    row = (old.number, ssn, old.status, salt, digest, max(old.password_tries, 1), old.password_tries, source)
    db.execute("INSERT OR REPLACE INTO old_cards VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)


def _same(db: sqlite3.Connection, old: OldCard) -> bool:
    if old.password is None:
        return True
    salt, digest = db.execute("SELECT salt, password FROM old_cards WHERE number = ?", (old.number,)).fetchone()
    return hmac.compare_digest(digest_of(old.password.encode(), salt), digest)


def _source(db: sqlite3.Connection, query: str, key: str) -> bytes | None:
    found = db.execute(query, (key,)).fetchone()
    return None if found is None else bytes(found[0])
