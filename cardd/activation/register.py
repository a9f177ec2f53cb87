"""The local authority: a register in an SQLite file of its own, filled from YAML.

For tests, demonstrations and counters without a centre. SQLite runs in one thread, so that the event loop never waits
for the disk and every deed is one transaction after the other.
"""

import asyncio
import functools
import sqlite3
from collections.abc import Callable, Mapping
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import ParamSpec, TypeVar
from uuid import uuid4

from cardd.activation.authority import (
    ActivationRequest,
    IdentityDocument,
    OldCardStanding,
    PasswordAnswer,
    Prospect,
    SocialCard,
    Verdict,
)
from cardd.base.clock import Clock, SystemClock
from cardd.base.document import load_document
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.register.document import RegisterDocument
from cardd.register.store import KeyReusedError, Register
from cardd.wire.base import Json

P = ParamSpec("P")
T = TypeVar("T")

_FAREWELL_S = 0.5


def people_in(path: Path) -> list[dict[str, object]]:
    """Return what a register holds that a daemon may have open, as `LocalRegister.show` does.

    Raises CarddError(AUTHORITY_UNAVAILABLE) where there is none.
    """
    try:
        with closing(Register.look(path, clock=SystemClock())) as register:
            return register.show()
    except sqlite3.Error as error:
        problem = f"the register {path}, which the daemon makes, cannot be read: {error}"
        raise CarddError(Reason.AUTHORITY_UNAVAILABLE, problem) from None


class LocalRegister:
    """An Authority in this process. Open it, ask it, close it."""

    def __init__(self, executor: ThreadPoolExecutor, register: Register) -> None:
        self._executor = executor
        self._register = register
        self._available: bool | None = None

    @classmethod
    def open(cls, path: Path, people: Path | None, *, clock: Clock) -> "LocalRegister":
        """Open or create the register at `path` and take over what is new or changed in the YAML file.

        Raises DocumentError for a YAML file that is not in order, CarddError(AUTHORITY_UNAVAILABLE) for a file that
        cannot be opened. Blocking: call it before the event loop runs.
        """
        content = load_document(people, RegisterDocument) if people is not None else None
        executor = ThreadPoolExecutor(1, thread_name_prefix="register")
        try:
            register = executor.submit(functools.partial(Register.open, path, content, clock=clock)).result()
        except sqlite3.Error as error:
            executor.shutdown(wait=False)
            raise CarddError(Reason.AUTHORITY_UNAVAILABLE, f"the register {path} cannot be opened: {error}") from None
        return cls(executor, register)

    def close(self) -> None:
        """Close the file once what was asked before is done; wait for that no longer than a moment.

        What the file's lock or the disk holds up longer is left behind: SQLite undoes it when the file is next opened.
        """
        futures.wait([self._executor.submit(self._register.close)], _FAREWELL_S)
        self._executor.shutdown(wait=False)

    def show(self) -> list[dict[str, object]]:
        """Return what the register holds, one dictionary a person, by the names of its YAML; numbers whole.

        `password` is only yes or no, `password_tries` are those left, and `activations` is what was done so far.
        """
        return self._executor.submit(self._register.show).result()

    async def look_up_old_card(self, number: str) -> OldCardStanding:
        """Say whether an old card may be handed in. One that an activation voided passes: it asks for no password."""
        return await self._ask(self._register.old_standing, number)

    async def verify_old_password(self, key: str, number: str, password: Secret) -> PasswordAnswer:
        """Check a password and count the tries; a right one counts for that activation only."""
        return await self._ask(self._register.verify, key, uuid4().hex, number, password)

    async def look_up_social_card(
        self, card: SocialCard, old_card: str | None, document: IdentityDocument | None
    ) -> Prospect:
        """Say what activating would come to."""
        return await self._ask(self._register.prospect, card, old_card, document)

    async def activate(self, request: ActivationRequest) -> Verdict:
        """Set the card normal, the person's old cards void and the account normal, all or nothing."""
        return await self._ask(self._register.activate, request)

    async def outcome(self, key: str) -> Verdict | None:
        """Return the verdict that a key got."""
        return await self._ask(self._register.outcome, key)

    async def report_update(self, key: str, *, written: bool) -> None:
        """Note whether the card was written. A key that never arrived is ignored."""
        await self._ask(self._register.report, key, written=written)

    def status(self) -> Mapping[str, Json]:
        """Return that it is this machine's own, and whether the last question was answered."""
        return {"provider": "local", "available": self._available}

    async def _ask(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        problem = "the register is closed"
        try:
            answer = await asyncio.get_running_loop().run_in_executor(
                self._executor, functools.partial(work, *args, **kwargs)
            )
        except sqlite3.Error as error:
            problem = f"the register failed: {error.sqlite_errorname}"
        except KeyReusedError:
            problem = "the key was used for another card before"
        except RuntimeError:  # the executor takes nothing more
            pass
        else:
            self._available = True
            return answer
        self._available = False
        raise CarddError(Reason.AUTHORITY_UNAVAILABLE, problem)
