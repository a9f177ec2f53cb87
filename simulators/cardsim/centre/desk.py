"""Who answers at the centre: questions as they came over the network, carried out on the register."""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from cardd.base.clock import Clock, SystemClock
from cardd.base.document import load_document
from cardd.base.secret import Secret
from cardd.register.document import RegisterDocument
from cardd.register.store import KeyReusedError, Register
from cardd.wire import centre
from cardd.wire.centre import Question


class RefusedError(Exception):
    """The centre does not carry this out; its text goes into the answer's `error`."""


class Desk:
    """A register that many connections use, one after the other."""

    def __init__(self, register: Register) -> None:
        self._register = register
        self._lock = threading.Lock()

    @classmethod
    def open(cls, database: Path, people: Path | None, *, clock: Clock | None = None) -> "Desk":
        """Open or create the register and take over what is new in the YAML file.

        Raises DocumentError for a YAML file that is not in order, sqlite3.Error for a database that is none.
        """
        content = None if people is None else load_document(people, RegisterDocument)
        return cls(Register.open(database, content, clock=clock or SystemClock()))

    def close(self) -> None:
        """Close the register."""
        with self._lock:
            self._register.close()

    def people(self) -> list[dict[str, object]]:
        """Return what the register holds, one dictionary a person."""
        with self._lock:
            return self._register.show()

    def answer(self, method: str, question: Question) -> object:
        """Carry a question out and return its result. Raises RefusedError, sqlite3.Error."""
        with self._lock:
            return _WORK[method](self._register, question)


def _old_card(register: Register, question: Question) -> object:
    assert isinstance(question, centre.OldCardQuestion)  # noqa: S101 # the operation's own type
    return register.old_standing(question.number)


def _old_password(register: Register, question: Question) -> object:
    assert isinstance(question, centre.PasswordQuestion)  # noqa: S101 # the operation's own type
    password = Secret(question.password.encode())
    return register.verify(_key(question), question.question, question.number, password)


def _social_card(register: Register, question: Question) -> object:
    assert isinstance(question, centre.SocialCardQuestion)  # noqa: S101 # the operation's own type
    return register.prospect(question.card, question.old_card, question.document)


def _activate(register: Register, question: Question) -> object:
    assert isinstance(question, centre.ActivateQuestion)  # noqa: S101 # the operation's own type
    if question.request.key != _key(question):
        raise RefusedError("two_keys")
    try:
        return register.activate(question.request)
    except KeyReusedError:
        raise RefusedError("key_of_another_card") from None


def _outcome(register: Register, question: Question) -> object:
    return register.outcome(_key(question))


def _update(register: Register, question: Question) -> object:
    assert isinstance(question, centre.UpdateQuestion)  # noqa: S101 # the operation's own type
    register.report(_key(question), written=question.written)
    return centre.Noted()


def _key(question: Question) -> str:
    if question.key is None:
        raise RefusedError("no_key")
    return question.key


_WORK: Final[Mapping[str, Callable[[Register, Question], object]]] = MappingProxyType(
    {
        centre.LOOK_UP_OLD_CARD.name: _old_card,
        centre.VERIFY_OLD_PASSWORD.name: _old_password,
        centre.LOOK_UP_SOCIAL_CARD.name: _social_card,
        centre.ACTIVATE.name: _activate,
        centre.OUTCOME.name: _outcome,
        centre.REPORT_UPDATE.name: _update,
    }
)
