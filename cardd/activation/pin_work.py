"""What is done with the PINs that were typed: each presented once, and only where the case says that it is due.

A command whose answer was lost is never repeated from here: what was typed for it is dropped, and the holder types it
again.
"""

from typing import Final

from cardd.activation import facts
from cardd.activation.case import Case
from cardd.activation.effects import Purpose
from cardd.activation.pins import PIN_RULES, PinPolicy, PinStep, Setter
from cardd.activation.policy import Policy
from cardd.activation.ports import Counter
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.desk.prompts import Prompts

_REFUSED: Final = frozenset({Reason.PIN_WRONG, Reason.PIN_LOCKED})


class PinWork:
    """Does to the card's PIN what the case asks for. Every method raises what the card's desk raises."""

    def __init__(self, counter: Counter, prompts: Prompts, policy: Policy) -> None:
        self._counter = counter
        self._prompts = prompts
        self._policy = policy

    def follow(self, policy: Policy) -> None:
        """Go by another policy from now on."""
        self._policy = policy

    async def tries_before_asking(self, case: Case, insertion: str) -> int | None:
        """Return how many tries the PIN has left; None where it has none, or where the policy has none presented."""
        if self._policy.pin_of(case.route) is PinPolicy.NONE or self._setter(case) is Setter.ISSUER:
            return None
        return await self._counter.pin_tries(insertion, timeout_s=self._policy.deadlines.card_s)

    async def verify(self, case: Case, insertion: str) -> facts.Outcome:
        """Present what was typed: the PIN that the card has, or after a torn change the new one."""
        torn = case.pin is PinStep.TORN
        purpose = Purpose.NEW_PIN if torn else Purpose.SOCIAL_PIN
        pin = self._typed(case, purpose)
        right = False
        try:
            await self._counter.verify_pin(insertion, pin, timeout_s=self._policy.deadlines.card_s)
            right = True
        finally:
            # the holder changes the PIN with it later: nobody is asked for the same twice
            if torn or not right or self._setter(case) is not Setter.HOLDER:
                self._prompts.take(case.id, purpose)
        return facts.PinVerified()

    async def change(self, case: Case, insertion: str) -> facts.Outcome:
        """Have the card replace the PIN that it has by the new one (CHANGE PIN)."""
        old = self._prompts.look(case.id, Purpose.SOCIAL_PIN)
        new = self._prompts.look(case.id, Purpose.NEW_PIN)
        if old is None:
            return facts.Missing(Purpose.SOCIAL_PIN)
        if new is None:
            return facts.Missing(Purpose.NEW_PIN)
        # the new one is presented once; the old one stays here, so that it is not taken for the new one after a tear
        self._prompts.take(case.id, Purpose.NEW_PIN)
        try:
            await self._counter.change_pin(insertion, old, new, timeout_s=self._policy.deadlines.card_s)
        except CarddError as error:
            if error.reason in _REFUSED:
                self._drop(case)
            raise
        self._drop(case)
        return facts.PinChanged()

    async def finish(self, case: Case, insertion: str) -> facts.Outcome:
        """Do what is left of the PIN after the authority's word, or find out what a torn change has done."""
        if case.pin is PinStep.TORN:
            if self._prompts.look(case.id, Purpose.NEW_PIN) is not None:
                return await self.verify(case, insertion)
            return facts.PinUnsure(await self._counter.pin_tries(insertion, timeout_s=self._policy.deadlines.card_s))
        if self._setter(case) is Setter.ISSUER:
            return await self._reload(case, insertion)
        return await self.change(case, insertion)

    async def _reload(self, case: Case, insertion: str) -> facts.Outcome:
        """Set the PIN by the issuer's right; doing it again comes to the same, so what was typed is kept until then."""
        typed = (self._prompts.look(case.id, purpose) for purpose in (Purpose.NEW_PIN, Purpose.OLD_CARD_PASSWORD))
        new = next((pin for pin in typed if pin is not None), None)
        if new is None:
            return facts.Missing(Purpose.NEW_PIN)
        await self._counter.reload_pin(insertion, new, timeout_s=self._policy.deadlines.card_s)
        self._drop(case)
        return facts.PinChanged()

    def _setter(self, case: Case) -> Setter | None:
        return PIN_RULES[self._policy.pin_of(case.route)].setter

    def _typed(self, case: Case, purpose: Purpose) -> Secret:
        typed = self._prompts.look(case.id, purpose)
        if typed is None:
            raise CarddError(Reason.PIN_CANCELLED, "nothing was typed")
        return typed

    def _drop(self, case: Case) -> None:
        for purpose in Purpose:
            self._prompts.take(case.id, purpose)
