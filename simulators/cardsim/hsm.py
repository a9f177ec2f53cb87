"""An issuer's security machine (加密机) for tests: it holds invented roots and really computes, over HTTP.

Questions and answers are JSON. What a key is for is not asked: a test machine serves whatever is asked of it.
"""

import hmac
import itertools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Annotated, Final, Self

import msgspec

from cardd.base.errors import CarddError
from cardd.crypto import money
from cardd.crypto.authentication import authentication_data
from cardd.crypto.block import Algorithm
from cardd.crypto.derive import diversify_all, session_key
from cardd.crypto.messaging import encipher, mac, mac_input
from cardd.crypto.money import Amounts
from cardd.rules.hsm import key_at
from cardd.rules.keys import KEYS, KeyName

_QUESTION_BYTES: Final = 64 * 1024
_SHORT: Final = 8

Hex = Annotated[str, msgspec.Meta(pattern="^([0-9A-Fa-f]{2})*$")]
Json = Mapping[str, str | int | bool | None]


class RefusedError(Exception):
    """The machine does not compute this; its text goes into the answer's `error`."""


class Factors(msgspec.Struct):
    """What makes a root into one card's key."""

    province: Hex
    city: Hex
    card: Hex


class Question(msgspec.Struct, kw_only=True):
    """What may be asked; each operation takes what it needs."""

    algorithm: int
    factors: Factors
    address: Annotated[str, msgspec.Meta(pattern="^[0-9A-Fa-f]{4}$")] = "0000"
    process_factor: Hex = ""
    original: Hex = ""
    challenge: Hex = ""
    header: Hex = ""
    plaintext: Hex | None = None
    amounts: Hex = ""
    random: Hex = ""
    sequence: int = 0
    time: Hex = ""
    terminal: Hex = ""
    terminal_sequence: int = 0
    balance: int = 0
    amount: int = 0
    mac1: Hex = ""
    mac2: Hex = ""
    tac: Hex = ""


@dataclass(slots=True)
class Machine:
    """The keys and the counter. `keys` are roots of their own for one version of a key; all others are `root`."""

    root: bytes = field(repr=False)
    stk_root: bytes | None = field(default=None, repr=False)
    keys: Mapping[tuple[KeyName, int], bytes] = field(default_factory=dict, repr=False)
    terminal: bytes = bytes.fromhex("510100000009")
    algorithms: frozenset[Algorithm] = frozenset({Algorithm.DES, Algorithm.SM4})
    sequences: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def answer(self, operation: str, question: Question) -> Json:
        """Compute. Raises RefusedError, ValueError for lengths that cannot be."""
        work = _OPERATIONS.get(operation)
        if work is None:
            raise RefusedError("no_such_operation")
        return work(self, question)

    def algorithm(self, question: Question) -> Algorithm:
        """Return the algorithm that is asked for."""
        found = next((one for one in self.algorithms if one == question.algorithm), None)
        if found is None:
            raise RefusedError("no_such_algorithm")
        return found

    def key(self, question: Question) -> bytes:
        """Derive the card's key behind the address."""
        algorithm, place = self.algorithm(question), key_at(int(question.address, 16))
        if place is None:
            raise RefusedError("no_such_key")
        factors = question.factors
        chain = [bytes.fromhex(factor) for factor in (factors.province, factors.city, factors.card)]
        return diversify_all(algorithm, self._root(algorithm, *place), chain)

    def _root(self, algorithm: Algorithm, name: KeyName, version: int) -> bytes:
        if (name, version) in self.keys:
            return self.keys[name, version]
        if algorithm is Algorithm.DES and name in KEYS and KEYS[name].des_length == _SHORT:
            if self.stk_root is None:
                raise RefusedError("no_such_key")
            return self.stk_root
        return self.root


def _authentication(machine: Machine, question: Question) -> Json:
    process, original = bytes.fromhex(question.process_factor), bytes.fromhex(question.original)
    data = authentication_data(machine.algorithm(question), machine.key(question), process, original)
    return {"data": data.hex().upper()}


def _maintenance(machine: Machine, question: Question) -> Json:
    algorithm = machine.algorithm(question)
    session = session_key(algorithm, machine.key(question), bytes.fromhex(question.challenge))
    plaintext = question.plaintext
    cipher = b"" if plaintext is None else encipher(algorithm, session, bytes.fromhex(plaintext))
    signed = mac(algorithm, session, mac_input(bytes.fromhex(question.header), cipher))
    return {"data": (cipher + signed).hex().upper()}


def _terminal(machine: Machine, question: Question) -> Json:
    machine.algorithm(question)
    return {"data": machine.terminal.hex()}


def _purchase_session(machine: Machine, question: Question, sequence: int) -> bytes:
    random = bytes.fromhex(question.random)
    algorithm = machine.algorithm(question)
    return money.purchase_session(algorithm, machine.key(question), random, question.sequence, sequence)


def _sign(machine: Machine, question: Question) -> Json:
    sequence = next(machine.sequences)
    session, amounts = _purchase_session(machine, question, sequence), _amounts(question)
    terminal, time = bytes.fromhex(question.terminal), bytes.fromhex(question.time)
    mac1 = money.purchase_mac1(machine.algorithm(question), session, amounts, terminal, time)
    return {"sequence": sequence, "mac1": mac1.hex().upper()}


def _check(machine: Machine, question: Question) -> Json:
    session = _purchase_session(machine, question, question.terminal_sequence)
    mac2 = money.purchase_mac2(machine.algorithm(question), session, _amounts(question))
    return {"right": hmac.compare_digest(mac2, bytes.fromhex(question.mac2))}


def _grant(machine: Machine, question: Question) -> Json:
    algorithm, terminal = machine.algorithm(question), bytes.fromhex(question.terminal)
    session = money.load_session(algorithm, machine.key(question), bytes.fromhex(question.random), question.sequence)
    asked = money.load_mac1(algorithm, session, question.balance, question.amount, terminal)
    if not hmac.compare_digest(asked, bytes.fromhex(question.mac1)):
        return {"mac2": None}
    mac2 = money.load_mac2(algorithm, session, question.amount, terminal, bytes.fromhex(question.time))
    return {"mac2": mac2.hex().upper()}


def _purchase_certificate(machine: Machine, question: Question) -> Json:
    tac = money.purchase_tac(
        machine.algorithm(question),
        machine.key(question),
        _amounts(question),
        bytes.fromhex(question.terminal),
        question.terminal_sequence,
        bytes.fromhex(question.time),
    )
    return {"right": hmac.compare_digest(tac, bytes.fromhex(question.tac))}


def _load_certificate(machine: Machine, question: Question) -> Json:
    # the rule leaves open which balance is certified
    right = (
        money.load_tac(
            machine.algorithm(question),
            machine.key(question),
            balance,
            question.sequence,
            question.amount,
            bytes.fromhex(question.terminal),
            bytes.fromhex(question.time),
        )
        for balance in (question.balance + question.amount, question.balance)
    )
    return {"right": any(hmac.compare_digest(tac, bytes.fromhex(question.tac)) for tac in right)}


def _amounts(question: Question) -> Amounts:
    return Amounts.decode(bytes.fromhex(question.amounts))


_OPERATIONS: Final[Mapping[str, Callable[[Machine, Question], Json]]] = MappingProxyType(
    {
        "authentication": _authentication,
        "maintenance": _maintenance,
        "terminal": _terminal,
        "purchase-sign": _sign,
        "purchase-check": _check,
        "purchase-certificate": _purchase_certificate,
        "load-grant": _grant,
        "load-certificate": _load_certificate,
    }
)


class _Handler(BaseHTTPRequestHandler):
    """One connection; questions follow each other on it."""

    protocol_version = "HTTP/1.1"

    def __init__(self, machine: Machine, token: str | None, *rest: object) -> None:
        self._machine = machine
        self._token = token
        super().__init__(*rest)  # type: ignore[arg-type] # what the server hands over

    def do_POST(self) -> None:
        """Answer one question."""
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > _QUESTION_BYTES:
            self._send(HTTPStatus.BAD_REQUEST, {"error": "no_question"})
            self.close_connection = True
            return
        raw = self.rfile.read(int(length))
        if self._token is not None and self.headers.get("authorization") != f"Bearer {self._token}":
            self._send(HTTPStatus.UNAUTHORIZED, {"error": "who_are_you"})
            return
        self._send(*self._answer(raw))

    def _answer(self, raw: bytes) -> tuple[HTTPStatus, Json]:
        try:
            question = msgspec.json.decode(raw, type=Question)
            return HTTPStatus.OK, self._machine.answer(self.path.rsplit("/", 1)[-1], question)
        except RefusedError as refused:
            return HTTPStatus.UNPROCESSABLE_ENTITY, {"error": str(refused)}
        except (ValueError, CarddError, OverflowError):
            return HTTPStatus.BAD_REQUEST, {"error": "no_question"}

    def _send(self, status: HTTPStatus, body: Json) -> None:
        encoded = msgspec.json.encode(body)
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def log_message(self, *_: object) -> None:
        """Say nothing: questions hold PINs."""


class HsmServer:
    """The machine on a port of this computer, from `with` to its end."""

    def __init__(self, machine: Machine, *, port: int = 0, token: str | None = None) -> None:
        self.machine = machine
        self._server = ThreadingHTTPServer(("127.0.0.1", port), partial(_Handler, machine, token))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """Return the address to configure."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=2)
