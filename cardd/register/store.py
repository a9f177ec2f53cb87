"""The register itself: persons, cards and what was done, in one SQLite file.

The YAML says how persons and cards begin; afterwards the register is the truth, and a row is taken from the YAML again
only when that row was changed there. Every deed is one transaction.
"""

import hmac
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from cardd.base.clock import Clock
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.register.document import RegisterDocument
from cardd.register.fill import SCHEMA, digest_of, fill
from cardd.register.rules import Entry, OldEntry, judge
from cardd.wire.authority import (
    ActivationRequest,
    IdentityDocument,
    OldCardStanding,
    PasswordAnswer,
    Prospect,
    SocialCard,
    Standing,
    Verdict,
)

_BUSY_S = 5.0
_ENTRY = """
SELECT (SELECT code FROM region), (SELECT accept_expired FROM rules), people.name,
  cards.ssn, cards.identification_code, cards.status
FROM (SELECT ? AS ssn, ? AS card) AS asked LEFT JOIN people USING (ssn) LEFT JOIN cards ON cards.number = asked.card
"""
_REPLACED = "SELECT 1 FROM cards WHERE ssn = ? AND status = 'normal'"

_ACTIVATIONS = """
SELECT key AS activation, standing, card, old_card, time, written, asked ->> '$.route' AS route,
  asked ->> '$.operator' AS operator, asked ->> '$.terminal' AS terminal, asked ->> '$.journal_head' AS journal_head,
  asked ->> '$.visit.number' AS visit
FROM (SELECT *, CAST(request AS TEXT) AS asked FROM activations WHERE ssn = ?) ORDER BY receipt
"""


class KeyReusedError(Exception):
    """The key of an activation was used before, for another card."""


class Register:
    """An open register. Whoever has it uses it from one thread at a time; methods raise sqlite3.Error."""

    def __init__(self, database: sqlite3.Connection, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    @classmethod
    def open(cls, path: Path, content: RegisterDocument | None, *, clock: Clock) -> "Register":
        """Open or create the register at `path` and take over what is new or changed in its YAML."""
        register = cls(_connect(path), clock)
        if content is not None:
            with register._transaction() as db:
                fill(db, content)
        return register

    @classmethod
    def look(cls, path: Path, *, clock: Clock) -> "Register":
        """Open a register that somebody else may have open, to be shown only. Raises sqlite3.Error for none."""
        return cls(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_S), clock)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def show(self) -> list[dict[str, object]]:
        """Return what the register holds, one dictionary a person, by the names of its YAML; numbers whole.

        `password` is only yes or no, `password_tries` are those left, and `activations` is what was done so far.
        """
        people = self._database.execute("SELECT ssn, name, account, updates FROM people ORDER BY ssn").fetchall()
        return [
            {
                "social_security_number": ssn,
                "name": name,
                "account": account,
                "documents": self._rows("SELECT type, number FROM documents WHERE ssn = ? ORDER BY number", ssn),
                "cards": self._rows(
                    "SELECT number, identification_code, status FROM cards WHERE ssn = ? ORDER BY number", ssn
                ),
                "old_cards": [
                    {**row, "password": bool(row["password"])}
                    for row in self._rows(
                        "SELECT number, status, password IS NOT NULL AS password, tries_left AS password_tries"
                        " FROM old_cards WHERE ssn = ? ORDER BY number",
                        ssn,
                    )
                ],
                "updates": json.loads(updates),
                "activations": self._rows(_ACTIVATIONS, ssn),
            }
            for ssn, name, account, updates in people
        ]

    def old_standing(self, number: str) -> OldCardStanding:
        """Say whether an old card may be handed in. One that an activation voided passes: it asks for no password."""
        old = self._old_entry(number)
        if old is not None and old.status == "void" and self._database.execute(_REPLACED, (old.ssn,)).fetchone():
            # Voided because its holder's new card is in use: the new card will tell, and that is no failure.
            return OldCardStanding()
        refusal = Reason.OLD_CARD_VOID if old is None else old.refusal
        if refusal is not None or old is None or not old.password:
            return OldCardStanding(refusal=refusal)
        if old.tries_left == 0:
            return OldCardStanding(refusal=Reason.OLD_PASSWORD_LOCKED)
        return OldCardStanding(password=True, tries_left=old.tries_left)

    def verify(self, key: str, attempt: str, number: str, password: Secret) -> PasswordAnswer:
        """Check a password and count the tries, once for each attempt; a right one counts for that activation only."""
        with self._transaction() as db:
            known = db.execute("SELECT right, tries_left FROM attempts WHERE attempt = ?", (attempt,)).fetchone()
            if known is not None:
                return PasswordAnswer(right=bool(known[0]), tries_left=known[1])
            answer = self._verified(db, number, password)
            db.execute("INSERT INTO attempts VALUES (?, ?, ?)", (attempt, int(answer.right), answer.tries_left))
            if answer.right:
                db.execute("INSERT OR IGNORE INTO passwords VALUES (?, ?)", (key, number))
            return answer

    def prospect(self, card: SocialCard, old_card: str | None, document: IdentityDocument | None) -> Prospect:
        """Say what activating would come to."""
        return judge(self._entry(card, old_card, document))

    def activate(self, request: ActivationRequest) -> Verdict:
        """Set the card normal, the person's old cards void and the account normal, all or nothing, once for each key.

        Raises KeyReusedError where the key is another card's.
        """
        with self._transaction() as db:
            known = db.execute("SELECT card, verdict FROM activations WHERE key = ?", (request.key,)).fetchone()
            if known is not None:
                return _same_deed(request, *known)
            entry = self._entry(request.card, request.old_card, request.document)
            prospect = judge(entry)
            if prospect.standing is Standing.GRANTED and not self._password_settled(request, entry.old):
                prospect = Prospect(standing=Standing.REFUSED, reason=Reason.OLD_PASSWORD_WRONG)
            serial = db.execute("SELECT COALESCE(MAX(receipt), 0) + 1 FROM activations").fetchone()[0]
            verdict = self._verdict(request, prospect, serial)
            if verdict.standing is Standing.GRANTED:
                _grant(db, request.card)
            row = (
                request.key,
                serial,
                request.card.social_security_number,
                request.card.number,
                request.old_card,
                request.time,
                str(verdict.standing),
                msgspec.json.encode(request),
                msgspec.json.encode(verdict),
            )
            db.execute("INSERT INTO activations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)", row)
            return verdict

    def outcome(self, key: str) -> Verdict | None:
        """Return the verdict that a key got."""
        row = self._database.execute("SELECT verdict FROM activations WHERE key = ?", (key,)).fetchone()
        return None if row is None else msgspec.json.decode(row[0], type=Verdict)

    def report(self, key: str, *, written: bool) -> None:
        """Note whether the card was written. A key that never arrived is ignored."""
        with self._transaction() as db:
            db.execute("UPDATE activations SET written = ? WHERE key = ?", (int(written), key))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield self._database
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def _rows(self, query: str, ssn: str) -> list[dict[str, object]]:
        cursor = self._database.execute(query, (ssn,))
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def _old_entry(self, number: str) -> OldEntry | None:
        row = self._database.execute(
            "SELECT ssn, status, password IS NOT NULL, tries_left FROM old_cards WHERE number = ?", (number,)
        ).fetchone()
        return None if row is None else OldEntry(row[0], row[1], password=bool(row[2]), tries_left=row[3])

    @staticmethod
    def _verified(db: sqlite3.Connection, number: str, password: Secret) -> PasswordAnswer:
        row = db.execute(
            "SELECT salt, password, tries, tries_left FROM old_cards WHERE number = ?", (number,)
        ).fetchone()
        if row is None or row[1] is None:
            return PasswordAnswer(right=False, tries_left=0)
        salt, digest, tries, left = row
        if left == 0:
            return PasswordAnswer(right=False, tries_left=0)
        right = hmac.compare_digest(digest_of(password.reveal(), salt), digest)
        left = tries if right else left - 1
        db.execute("UPDATE old_cards SET tries_left = ? WHERE number = ?", (left, number))
        return PasswordAnswer(right=right, tries_left=left)

    def _entry(self, card: SocialCard, old_card: str | None, document: IdentityDocument | None) -> Entry:
        ssn = card.social_security_number
        row = self._database.execute(_ENTRY, (ssn, card.number)).fetchone()
        region, accept_expired, name, card_ssn, card_code, card_status = row
        documents = self._database.execute("SELECT type, number FROM documents WHERE ssn = ?", (ssn,)).fetchall()
        return Entry(
            card=card,
            today=self._clock.now().astimezone().date().isoformat(),
            region=region,
            name=name,
            documents=frozenset((kind, number) for kind, number in documents),
            card_ssn=card_ssn,
            card_code=card_code,
            card_status=card_status,
            old_given=old_card is not None,
            old=None if old_card is None else self._old_entry(old_card),
            document=document,
            accept_expired=bool(accept_expired),
        )

    def _password_settled(self, request: ActivationRequest, old: OldEntry | None) -> bool:
        if old is None or not old.password:
            return True
        known = "SELECT 1 FROM passwords WHERE key = ? AND number = ?"
        return self._database.execute(known, (request.key, request.old_card)).fetchone() is not None

    def _verdict(self, request: ActivationRequest, prospect: Prospect, serial: int) -> Verdict:
        if prospect.standing is not Standing.GRANTED:
            return Verdict(standing=prospect.standing, reason=prospect.reason)
        ssn = request.card.social_security_number
        updates = self._database.execute("SELECT updates FROM people WHERE ssn = ?", (ssn,)).fetchone()[0]
        return Verdict(
            standing=Standing.GRANTED,
            updates=msgspec.json.decode(updates, type=dict[str, dict[str, str]]),
            receipt={
                "number": f"{request.card.region}-{serial:08d}",
                "time": self._clock.now().isoformat(timespec="seconds"),
                "account": "normal",
            },
        )


def _grant(db: sqlite3.Connection, card: SocialCard) -> None:
    ssn = card.social_security_number
    db.execute("UPDATE cards SET status = 'normal' WHERE number = ?", (card.number,))
    db.execute("UPDATE old_cards SET status = 'void' WHERE ssn = ?", (ssn,))
    db.execute("UPDATE people SET account = 'normal' WHERE ssn = ?", (ssn,))


def _same_deed(request: ActivationRequest, card: str, verdict: bytes) -> Verdict:
    if card != request.card.number:
        raise KeyReusedError
    return msgspec.json.decode(verdict, type=Verdict)


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=True)
    # who has the register sees to it that one thread at a time works on it
    database = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    # The WAL of Debian 12's SQLite has a fault where several connections write: one does, others `look`.
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.executescript(SCHEMA)
    return database
