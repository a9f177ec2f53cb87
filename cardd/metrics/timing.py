"""An authority whose answers are timed."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from cardd.activation.authority import (
    ActivationRequest,
    Centre,
    IdentityDocument,
    OldCardStanding,
    PasswordAnswer,
    Prospect,
    SocialCard,
    Verdict,
)
from cardd.base.secret import Secret
from cardd.wire.base import Json


class TimedCentre:
    """Asks another authority; `asking` is entered, with the question's name, for as long as each answer takes."""

    def __init__(self, centre: Centre, asking: Callable[[str], AbstractContextManager[None]]) -> None:
        self._centre = centre
        self._asking = asking

    async def look_up_old_card(self, number: str) -> OldCardStanding:
        """Ask as `Authority` says."""
        with self._asking("look_up_old_card"):
            return await self._centre.look_up_old_card(number)

    async def verify_old_password(self, key: str, number: str, password: Secret) -> PasswordAnswer:
        """Ask as `Authority` says."""
        with self._asking("verify_old_password"):
            return await self._centre.verify_old_password(key, number, password)

    async def look_up_social_card(
        self, card: SocialCard, old_card: str | None, document: IdentityDocument | None
    ) -> Prospect:
        """Ask as `Authority` says."""
        with self._asking("look_up_social_card"):
            return await self._centre.look_up_social_card(card, old_card, document)

    async def activate(self, request: ActivationRequest) -> Verdict:
        """Ask as `Authority` says."""
        with self._asking("activate"):
            return await self._centre.activate(request)

    async def outcome(self, key: str) -> Verdict | None:
        """Ask as `Authority` says."""
        with self._asking("outcome"):
            return await self._centre.outcome(key)

    async def report_update(self, key: str, *, written: bool) -> None:
        """Ask as `Authority` says."""
        with self._asking("report_update"):
            await self._centre.report_update(key, written=written)

    def status(self) -> Mapping[str, Json]:
        """Tell as `Centre` says."""
        return self._centre.status()
