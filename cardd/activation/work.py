"""How each effect is done: one coroutine an effect, each ending in the outcome that comes next."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import msgspec
import structlog

from cardd.activation import facts
from cardd.activation.authority import ActivationRequest, Authority, Prospect, SocialCard, Standing
from cardd.activation.case import Case
from cardd.activation.effects import Effect, Purpose
from cardd.activation.local_rules import refused_here
from cardd.activation.pin_work import PinWork
from cardd.activation.pins import PinPolicy, PinStep
from cardd.activation.policy import Policy
from cardd.activation.ports import Counter
from cardd.activation.questions import Questions
from cardd.activation.timing import sleep, within
from cardd.base.clock import Clock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.base.structs import Struct
from cardd.desk.prompts import Prompts
from cardd.wire.activation import Outcome
from cardd.wire.cards import Kind

T = TypeVar("T")

log = structlog.get_logger(__name__)


class Job(Struct, frozen=True):
    """Whom an effect is for, the insertion of the card that is being worked with, and who notes what is asked."""

    case: Case
    insertion: str | None
    questions: Questions = msgspec.field(default_factory=Questions)


class Work:
    """Does effects. It keeps nothing: what it needs is in the case, in the slots or in the readers."""

    def __init__(
        self, counter: Counter, authority: Authority, prompts: Prompts, policy: Policy, clock: Clock, terminal: str
    ) -> None:
        self._counter = counter
        self._authority = authority
        self._prompts = prompts
        self._pins = PinWork(counter, prompts, policy)
        self._policy = policy
        self._clock = clock
        self._terminal = terminal
        self._doing: Mapping[Effect, Callable[[Job], Awaitable[facts.Outcome]]] = {
            Effect.READ_OLD_CARD: self._read_old,
            Effect.VERIFY_OLD_PASSWORD: self._verify_password,
            Effect.READ_SOCIAL_CARD: self._read_social,
            Effect.VERIFY_PIN: self._verify_pin,
            Effect.CHANGE_PIN: self._change_pin,
            Effect.ACTIVATE: self._activate,
            Effect.ASK_OUTCOME: self._ask_outcome,
            Effect.UPDATE_CARD: self._update_card,
            Effect.CONFIRM: self._confirm,
        }

    def follow(self, policy: Policy) -> None:
        """Go by another policy from now on."""
        self._policy = policy
        self._pins.follow(policy)

    async def do(self, effect: Effect, job: Job) -> facts.Outcome:
        """Do one effect and return what came of it.

        Never raises: a failure is an outcome, also one of our own making.
        """
        try:
            return await self._doing[effect](job)
        except CarddError as error:
            left, sent = error.facts.get("tries_left"), error.facts.get("sent", True)
            return facts.CardFailed(error.reason, left if isinstance(left, int) else None, sent=sent is not False)
        except Exception as error:  # noqa: BLE001 - the activation must come to know of it
            # the message may hold what nobody may read in a log
            kind = type(error).__name__
            log.error("activation.effect_failed", effect=str(effect), activation=job.case.id, error=kind)  # noqa: TRY400
            return facts.AuthoritySilent() if effect is Effect.ACTIVATE else facts.CardFailed(Reason.INTERNAL)

    async def _read_old(self, job: Job) -> facts.Outcome:
        # a number that was given has no card; a card that was read before gives its number anew
        number = job.case.old_card if job.insertion is None else None
        if number is None:
            number = await self._counter.read_old(_present(job), timeout_s=self._policy.deadlines.card_s)
        question = job.questions.put("look_up_old_card", self._authority.look_up_old_card(number), self._clock)
        standing = await self._asked(question)
        return facts.OldCardLookedUp(number, standing)

    async def _verify_password(self, job: Job) -> facts.Outcome:
        case = job.case
        password, number = self._typed(case, Purpose.OLD_CARD_PASSWORD), _known(case.old_card)
        checking = self._authority.verify_old_password(case.id, number, password)
        answer = await self._asked(job.questions.put("verify_old_password", checking, self._clock))
        if not (answer.right and self._policy.pin_of(case.route) is PinPolicy.TAKE_OVER):
            self._prompts.take(case.id, Purpose.OLD_CARD_PASSWORD)
        return facts.PasswordChecked(answer)

    async def _read_social(self, job: Job) -> facts.Outcome:
        case = job.case
        reading = await self._counter.read_social(_present(job), timeout_s=self._policy.deadlines.card_s)
        refusal = refused_here(reading.card, case.document, self._policy, self._clock.now())
        if refusal is not None:
            prospect: Prospect | None = Prospect(standing=Standing.REFUSED, reason=refusal)
        else:
            prospect = await self._prospect(job, reading.card)
        tries = await self._pins.tries_before_asking(case, _present(job))
        return facts.SocialCardRead(reading.card, reading.challenge, reading.answer, prospect, tries)

    async def _prospect(self, job: Job, card: SocialCard) -> Prospect | None:
        """Ask the authority about a card; None where it does not answer, for the card's own word is known already."""
        case = job.case
        looking = self._authority.look_up_social_card(card, case.old_card, case.document)
        try:
            return await self._asked(job.questions.put("look_up_social_card", looking, self._clock))
        except CarddError as error:
            if error.reason is not Reason.AUTHORITY_UNAVAILABLE:
                raise
            log.warning("activation.unanswered", activation=case.id, reason=str(error.reason))
            return None

    async def _verify_pin(self, job: Job) -> facts.Outcome:
        return await self._pins.verify(job.case, _present(job))

    async def _change_pin(self, job: Job) -> facts.Outcome:
        return await self._pins.change(job.case, _present(job))

    async def _activate(self, job: Job) -> facts.Outcome:
        try:
            asking = self._authority.activate(self._request(job.case))
            return facts.VerdictCame(await job.questions.put("activate", asking, self._clock))
        except CarddError as error:
            log.warning("activation.unanswered", activation=job.case.id, reason=str(error.reason))
            return facts.AuthoritySilent()

    async def _ask_outcome(self, job: Job) -> facts.Outcome:
        async def ask() -> facts.Outcome:
            asking = job.questions.put("outcome", self._authority.outcome(job.case.id), self._clock)
            return facts.VerdictCame(await self._asked(asking))

        # a centre that takes questions and no requests must not be asked in a tight circle
        await sleep(self._clock, self._policy.backoff.after(job.case.attempts - 1))
        return await self._until_heard(job.case, ask)

    async def _update_card(self, job: Job) -> facts.Outcome:
        insertion = self._card_that_was_read(job.case)
        if job.case.pin in {PinStep.TRIED, PinStep.TORN}:
            return await self._pins.finish(job.case, insertion)
        if job.case.updates:
            await self._counter.write(insertion, job.case.updates, timeout_s=self._policy.deadlines.card_s)
        return facts.CardWritten()

    def _card_that_was_read(self, case: Case) -> str:
        """Return the insertion of the activation's own card, in whatever reader of the station it lies."""
        social = _social(case)
        for card in self._counter.cards(case.station):
            if card.kind is Kind.SOCIAL_SECURITY and card.identification_code == social.identification_code:
                return card.insertion
        raise CarddError(Reason.CARD_REMOVED, "the card that was read is not in", sent=False)

    async def _confirm(self, job: Job) -> facts.Outcome:
        async def tell() -> facts.Outcome:
            written = job.case.outcome is Outcome.ACTIVATED
            reporting = self._authority.report_update(job.case.id, written=written)
            await self._asked(job.questions.put("report_update", reporting, self._clock))
            return facts.Confirmed()

        return await self._until_heard(job.case, tell)

    async def _until_heard(self, case: Case, ask: Callable[[], Awaitable[facts.Outcome]]) -> facts.Outcome:
        """Ask again and again, each time after a longer wait."""
        tries = 0
        while True:
            try:
                return await ask()
            except CarddError as error:
                log.info("activation.unheard", activation=case.id, reason=str(error.reason), tries=tries)
            except Exception as error:  # noqa: BLE001 - whatever it was, only asking again leads out of doubt
                log.error("activation.asking_failed", activation=case.id, error=type(error).__name__, tries=tries)  # noqa: TRY400
            await sleep(self._clock, self._policy.backoff.after(tries))
            tries += 1

    async def _asked(self, question: Awaitable[T]) -> T:
        """Wait for one answer of the authority; none in time is none at all."""
        try:
            return await within(self._clock, self._policy.deadlines.authority_s, question)
        except CarddError as error:
            if error.reason is not Reason.TIMEOUT:
                raise
            raise CarddError(Reason.AUTHORITY_UNAVAILABLE, error.detail) from None

    def _typed(self, case: Case, purpose: Purpose) -> Secret:
        typed = self._prompts.look(case.id, purpose)
        if typed is None:
            raise CarddError(Reason.PIN_CANCELLED, "nothing was typed")
        return typed

    def _request(self, case: Case) -> ActivationRequest:
        return ActivationRequest(
            key=case.id,
            route=str(case.route),
            card=_social(case),
            old_card=case.old_card,
            document=case.document,
            visit=case.visit,
            operator=case.operator,
            terminal=f"{self._terminal}/{case.station}",
            time=case.requested or case.started,
            challenge=case.challenge,
            answer=case.answer,
            journal_head=case.journal_head or "",
            journal_signature=case.journal_signature,
        )


def _present(job: Job) -> str:
    if job.insertion is None:
        raise CarddError(Reason.NO_CARD, "no card is being worked with")
    return job.insertion


def _known(number: str | None) -> str:
    if number is None:
        raise CarddError(Reason.INTERNAL, "the old card's number is not known")
    return number


def _social(case: Case) -> SocialCard:
    if case.social is None:
        raise CarddError(Reason.INTERNAL, "the social security card was not read")
    return case.social
