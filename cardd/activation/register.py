"""The local authority: a register in an SQLite file of its own, filled from YAML.

For tests, demonstrations and counters without a centre. The YAML says how persons and cards begin; afterwards the
register is the truth, and a row is taken from the YAML again only when that row was changed there. SQLite runs in one
thread, so that the event loop never waits for the disk and every deed is one transaction after the other.
"""

import asyncio
import functools
import hmac
import json
import sqlite3
from collections.abc import Callable, Iterator
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import msgspec

from cardd.activation import register_document as document
from cardd.activation.authority import (
    ActivationRequest,
    IdentityDocument,
    OldCardStanding,
    PasswordAnswer,
    Prospect,
    SocialCard,
    Standing,
    Verdict,
)
from cardd.activation.register_fill import SCHEMA, digest_of, fill
from cardd.activation.register_rules import Entry, OldEntry, judge
from cardd.base.clock import Clock
from cardd.base.document import load_document
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret

P = ParamSpec("P")
T = TypeVar("T")

_BUSY_S = 5.0
_FAREWELL_S = 0.5
_REPLACED = "SELECT 1 FROM cards WHERE ssn = ? AND status = 'normal'"


class LocalRegister:
    """An Authority in this process. Open it, ask it, close it."""

    def __init__(self, executor: ThreadPoolExecutor, database: sqlite3.Connection, clock: Clock) -> None:
        self._executor = executor
        self._database = database
        self._clock = clock

    @classmethod
    def open(cls, path: Path, people: Path | None, *, clock: Clock) -> "LocalRegister":
        """Open or create the register at `path` and take over what is new or changed in the YAML file.

        Raises DocumentError for a YAML file that is not in order, CarddError(AUTHORITY_UNAVAILABLE) for a file that
        cannot be opened. Blocking: call it before the event loop runs.
        """
        content = load_document(people, document.RegisterDocument) if people is not None else None
        executor = ThreadPoolExecutor(1, thread_name_prefix="register")
        try:
            database = executor.submit(_connect, path).result()
            register = cls(executor, database, clock)
            if content is not None:
                executor.submit(register._fill, content).result()
        except sqlite3.Error as error:
            executor.shutdown(wait=False)
            raise CarddError(Reason.AUTHORITY_UNAVAILABLE, f"the register {path} cannot be opened: {error}") from None
        return register

    def close(self) -> None:
        """Close the file once what was asked before is done; wait for that no longer than a moment.

        What the file's lock or the disk holds up longer is left behind: SQLite undoes it when the file is next opened.
        """
        futures.wait([self._executor.submit(self._database.close)], _FAREWELL_S)
        self._executor.shutdown(wait=False)

    def show(self) -> list[dict[str, object]]:
        """Return what the register holds, one dictionary a person, by the names of its YAML; numbers whole.

        `password` is only yes or no, `password_tries` are those left, and `activations` is what was done so far.
        """
        return self._executor.submit(self._show).result()

    async def look_up_old_card(self, number: str) -> OldCardStanding:
        """Say whether an old card may be handed in. One that an activation voided passes: it asks for no password."""
        return await self._ask(LocalRegister._old_standing, number)

    async def verify_old_password(self, key: str, number: str, password: Secret) -> PasswordAnswer:
        """Check a password and count the tries; a right one counts for that activation only."""
        return await self._ask(LocalRegister._verify, key, number, password)

    async def look_up_social_card(
        self, card: SocialCard, old_card: str | None, document: IdentityDocument | None
    ) -> Prospect:
        """Say what activating would come to."""
        return await self._ask(LocalRegister._prospect, card, old_card, document)

    async def activate(self, request: ActivationRequest) -> Verdict:
        """Set the card normal, the person's old cards void and the account normal, all or nothing."""
        return await self._ask(LocalRegister._activate, request)

    async def outcome(self, key: str) -> Verdict | None:
        """Return the verdict that a key got."""
        return await self._ask(LocalRegister._outcome, key)

    async def report_update(self, key: str, *, written: bool) -> None:
        """Note whether the card was written. A key that never arrived is ignored."""
        await self._ask(LocalRegister._report, key, written)

    async def _ask(self, work: "Callable[Concatenate[LocalRegister, P], T]", *args: P.args, **kwargs: P.kwargs) -> T:
        job = functools.partial(work, self, *args, **kwargs)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, job)
        except sqlite3.Error as error:
            raise CarddError(Reason.AUTHORITY_UNAVAILABLE, f"the register failed: {error.sqlite_errorname}") from None
        except RuntimeError:  # the executor takes nothing more
            raise CarddError(Reason.AUTHORITY_UNAVAILABLE, "the register is closed") from None

    # Everything below runs in the register's thread.

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield self._database
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def _fill(self, content: document.RegisterDocument) -> None:
        with self._transaction() as db:
            fill(db, content)

    def _show(self) -> list[dict[str, object]]:
        people = self._database.execute("SELECT ssn, name, account, updates FROM people ORDER BY ssn").fetchall()
        return [
            {
                "social_security_number": ssn,
                "name": name,
                "account": account,
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
                "activations": self._rows(
                    "SELECT key AS activation, standing, card, old_card, time, written"
                    " FROM activations WHERE ssn = ? ORDER BY receipt",
                    ssn,
                ),
            }
            for ssn, name, account, updates in people
        ]

    def _rows(self, query: str, ssn: str) -> list[dict[str, object]]:
        cursor = self._database.execute(query, (ssn,))
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def _old_entry(self, number: str) -> OldEntry | None:
        row = self._database.execute(
            "SELECT ssn, status, password IS NOT NULL, tries_left FROM old_cards WHERE number = ?", (number,)
        ).fetchone()
        return None if row is None else OldEntry(row[0], row[1], password=bool(row[2]), tries_left=row[3])

    def _old_standing(self, number: str) -> OldCardStanding:
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

    def _verify(self, key: str, number: str, password: Secret) -> PasswordAnswer:
        with self._transaction() as db:
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
            if right:
                db.execute("INSERT OR IGNORE INTO passwords VALUES (?, ?)", (key, number))
            return PasswordAnswer(right=right, tries_left=left)

    def _entry(self, card: SocialCard, old_card: str | None, document: IdentityDocument | None) -> Entry:
        db = self._database
        region = db.execute("SELECT code FROM region").fetchone()
        person = db.execute("SELECT name FROM people WHERE ssn = ?", (card.social_security_number,)).fetchone()
        found = db.execute(
            "SELECT ssn, identification_code, status FROM cards WHERE number = ?", (card.number,)
        ).fetchone()
        return Entry(
            card=card,
            today=self._clock.now().astimezone().date().isoformat(),
            region=None if region is None else region[0],
            name=None if person is None else person[0],
            card_ssn=None if found is None else found[0],
            card_code=None if found is None else found[1],
            card_status=None if found is None else found[2],
            old_given=old_card is not None,
            old=None if old_card is None else self._old_entry(old_card),
            document=document,
        )

    def _prospect(self, card: SocialCard, old_card: str | None, document: IdentityDocument | None) -> Prospect:
        return judge(self._entry(card, old_card, document))

    def _outcome(self, key: str) -> Verdict | None:
        row = self._database.execute("SELECT verdict FROM activations WHERE key = ?", (key,)).fetchone()
        return None if row is None else msgspec.json.decode(row[0], type=Verdict)

    def _activate(self, request: ActivationRequest) -> Verdict:
        with self._transaction() as db:
            known = self._outcome(request.key)
            if known is not None:
                return known
            entry = self._entry(request.card, request.old_card, request.document)
            prospect = judge(entry)
            if prospect.standing is Standing.GRANTED and not self._password_settled(request, entry.old):
                prospect = Prospect(standing=Standing.REFUSED, reason=Reason.OLD_PASSWORD_WRONG)
            serial = db.execute("SELECT COALESCE(MAX(receipt), 0) + 1 FROM activations").fetchone()[0]
            verdict = self._verdict(request, prospect, serial)
            if verdict.standing is Standing.GRANTED:
                self._grant(db, request.card)
            row = (
                request.key,
                serial,
                request.card.social_security_number,
                request.card.number,
                request.old_card,
                request.time,
                str(verdict.standing),
                _json(request),
                _json(verdict),
            )
            db.execute("INSERT INTO activations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)", row)
            return verdict

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

    @staticmethod
    def _grant(db: sqlite3.Connection, card: SocialCard) -> None:
        ssn = card.social_security_number
        db.execute("UPDATE cards SET status = 'normal' WHERE number = ?", (card.number,))
        db.execute("UPDATE old_cards SET status = 'void' WHERE ssn = ?", (ssn,))
        db.execute("UPDATE people SET account = 'normal' WHERE ssn = ?", (ssn,))

    def _report(self, key: str, written: bool) -> None:  # noqa: FBT001 - a value to store
        with self._transaction() as db:
            db.execute("UPDATE activations SET written = ? WHERE key = ?", (int(written), key))


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=True)
    database = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
    # A rollback journal: `cardd register show` opens the same file beside the daemon, and the WAL of Debian 12's
    # SQLite has a fault with several connections.
    database.execute("PRAGMA journal_mode = DELETE")
    database.execute("PRAGMA synchronous = FULL")
    database.executescript(SCHEMA)
    return database


def _json(value: object) -> bytes:
    return msgspec.json.encode(value)
