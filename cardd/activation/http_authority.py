"""The authority in a card centre, asked over HTTP: one total deadline a question, asked again where that is safe.

It is safe for every question: a look-up changes nothing, a password's check is counted once for its question's name,
and everything else is done once for the activation's key. What is no answer to the question that was asked counts as
no answer.
"""

import asyncio
import re
import ssl
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Final, NoReturn, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import msgspec
import structlog

from cardd.base.errors import CarddError
from cardd.base.http_client import httpx
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.base.structs import Struct
from cardd.base.web import NO_JSON, EndlessAnswerError, host_of, post
from cardd.wire import centre
from cardd.wire.authority import (
    REFUSALS,
    ActivationRequest,
    IdentityDocument,
    OldCardStanding,
    PasswordAnswer,
    Prospect,
    SocialCard,
    Standing,
    Verdict,
)
from cardd.wire.base import Json

TIMEOUT_S: Final = 10.0
TRIES: Final = 3

_PAUSE_S: Final = 0.05
_LEAST_S: Final = 0.5
_BUSY: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
_PLACE: Final = re.compile(r"\$[\w.\[\]]*")

T = TypeVar("T")

log = structlog.get_logger(__name__)


class Trust(Struct, frozen=True):
    """Files for TLS: who vouches for the centre (None: the machine's own list), and what this counter shows to it."""

    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Return what connections are made with. Raises CarddError(INVALID) for files that do not serve."""
        try:
            context = ssl.create_default_context(cafile=None if self.ca_file is None else str(self.ca_file))
            if self.certificate_file is not None:
                # a key under a password would be asked for on the terminal, and a daemon would wait for ever
                context.load_cert_chain(self.certificate_file, self.key_file, password=_no_password)
        except (OSError, ssl.SSLError, CarddError):
            named = ", ".join(str(file) for file in (self.ca_file, self.certificate_file, self.key_file) if file)
            detail = f"TLS with the centre is not possible with {named}: PEM files, a key without a password that fits"
            raise CarddError(Reason.INVALID, detail) from None
        return context


class _UnheardError(Exception):
    """One try came to nothing: what was seen, in words and as a code, and whether another may come to something."""

    def __init__(self, problem: str, code: str = "no_sense", *, again: bool = True) -> None:
        super().__init__(problem)
        self.code = code
        self.again = again


class HttpAuthority:
    """An Authority across the network. It belongs to one event loop; connections are kept between questions."""

    def __init__(self, url: str, *, trust: Trust | None = None, timeout_s: float = TIMEOUT_S) -> None:
        """Take the centre's address; nothing is asked yet. `timeout_s` is for one question with all its tries.

        Raises CarddError(INVALID) for an address that is none or that is plain HTTP to another machine (passwords and
        whole names go there), and for files that do not serve.
        """
        self.host: Final = host_of(url)
        self.available: bool | None = None
        self._url = url.rstrip("/")
        self._timeout_s = timeout_s
        # no proxy of the environment, no redirection: the centre is where the configuration says
        self._client = httpx.AsyncClient(
            verify=_nobody() if urlsplit(url).scheme == "http" else (trust or Trust()).context(),
            trust_env=False,
            timeout=None,
            follow_redirects=False,
        )

    async def close(self) -> None:
        """End the connections."""
        await self._client.aclose()

    async def look_up_old_card(self, number: str) -> OldCardStanding:
        """Ask whether an old card may be handed in."""
        question = centre.OldCardQuestion(question=_name(), number=number)
        return await self._ask(centre.LOOK_UP_OLD_CARD, question)

    async def verify_old_password(self, key: str, number: str, password: Secret) -> PasswordAnswer:
        """Ask whether a password is right. All tries of this call are one attempt of the holder's."""
        digits = password.reveal().decode("ascii", "replace")
        question = centre.PasswordQuestion(question=_name(), key=key, number=number, password=digits)
        return await self._ask(centre.VERIFY_OLD_PASSWORD, question)

    async def look_up_social_card(
        self, card: SocialCard, old_card: str | None, document: IdentityDocument | None
    ) -> Prospect:
        """Ask what activating would come to."""
        question = centre.SocialCardQuestion(question=_name(), card=card, old_card=old_card, document=document)
        return await self._ask(centre.LOOK_UP_SOCIAL_CARD, question)

    async def activate(self, request: ActivationRequest) -> Verdict:
        """Have it activated, once for the request's key."""
        question = centre.ActivateQuestion(question=_name(), key=request.key, request=request)
        return await self._ask(centre.ACTIVATE, question)

    async def outcome(self, key: str) -> Verdict | None:
        """Ask for the verdict that a key got."""
        return await self._ask(centre.OUTCOME, centre.OutcomeQuestion(question=_name(), key=key))

    async def report_update(self, key: str, *, written: bool) -> None:
        """Tell whether the card was written."""
        await self._ask(centre.REPORT_UPDATE, centre.UpdateQuestion(question=_name(), key=key, written=written))

    def status(self) -> Mapping[str, Json]:
        """Return which centre it is, and whether the last question was answered."""
        return {"provider": "http", "host": self.host, "available": self.available}

    async def _ask(self, operation: centre.Operation[T], question: centre.Question) -> T:
        """Ask, up to three times within the deadline. Raises CarddError(AUTHORITY_UNAVAILABLE)."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout_s
        body = msgspec.json.encode(question)
        problem, code = "nothing was asked", "nothing"
        for tries in range(TRIES):
            if tries:
                await asyncio.sleep(max(0.0, min(_PAUSE_S * 2**tries, deadline - loop.time())))
            left = deadline - loop.time()
            if left <= 0:
                break
            try:
                answer = await self._once(operation, question, body, _patience(left, tries))
            except _UnheardError as error:
                problem, code = str(error), error.code
                log.warning("authority.unheard", asked=operation.name, host=self.host, tries=tries, problem=problem)
                if not error.again:
                    break
            else:
                self.available = True
                return answer
        self.available = False
        raise CarddError(Reason.AUTHORITY_UNAVAILABLE, f"the centre {self.host}: {problem}", unheard=code)

    async def _once(self, operation: centre.Operation[T], question: centre.Question, body: bytes, seconds: float) -> T:
        try:
            async with asyncio.timeout(seconds):
                status, answer = await post(self._client, f"{self._url}{operation.path}", body)
        except TimeoutError:
            raise _UnheardError(f"it did not answer in {seconds:.1f} s", "silence") from None
        except EndlessAnswerError:
            raise _UnheardError("its answer is too long") from None
        except (httpx.HTTPError, ssl.SSLError, OSError) as error:
            raise _UnheardError(type(error).__name__, "no_connection") from None
        if status != HTTPStatus.OK:
            raise _UnheardError(f"it answered HTTP status {status}", f"status_{status}", again=_passing(status))
        return _judged(operation, question, answer)


def _judged(operation: centre.Operation[T], question: centre.Question, body: bytes) -> T:
    """Return what was asked for. Raises _UnheardError for what is no answer to this question."""
    try:
        answer = msgspec.json.decode(body, type=operation.answer)
    except msgspec.ValidationError as error:
        # the sentence may quote the answer, and that names people: only the place is told
        place = _PLACE.search(str(error))
        raise _UnheardError(f"its answer is of the wrong type at {place.group() if place else '$'}") from None
    except NO_JSON:
        raise _UnheardError("its answer is not JSON") from None
    if (answer.question, answer.key) != (question.question, question.key):
        raise _UnheardError("its answer is to another question")
    if not _makes_sense(answer.result):
        raise _UnheardError("its answer contradicts itself")
    return answer.result


def _makes_sense(result: object) -> bool:
    """Say whether a refusal has a reason that is a centre's to give, and nothing else has one."""
    match result:
        case Prospect() | Verdict():
            return result.reason in REFUSALS if result.standing is Standing.REFUSED else result.reason is None
        case OldCardStanding():
            return result.refusal is None or result.refusal in REFUSALS
    return True


def _patience(left: float, tries: int) -> float:
    """Return how long one try may take: half of what is left, so that a lost packet leaves time for another."""
    return left if tries == TRIES - 1 else min(left, max(left / 2, _LEAST_S))


def _passing(status: int) -> bool:
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _BUSY


def _name() -> str:
    return uuid4().hex


def _nobody() -> ssl.SSLContext:
    """Return a context that trusts nobody: without TLS none is asked for, and reading everybody's names takes time."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _no_password() -> NoReturn:
    raise CarddError(Reason.INVALID, "the key has a password")
