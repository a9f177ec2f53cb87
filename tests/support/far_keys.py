"""A security machine on the network, without the network."""

from typing import Any

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.keys.software import SoftwareKeys
from support.cards import ROOT, STK_ROOT


class FarKeys(SoftwareKeys):
    """A security machine on the network: away until it is told to come back, or after so many answers."""

    def __init__(self) -> None:
        super().__init__(Secret(ROOT), tests_only=True, stk_root=Secret(STK_ROOT))
        self.away = True
        self.answers: int | None = None
        self.asked = 0
        """How often it was asked whether it is there."""
        self.refused = 0
        """How often it was away when a card was at work."""

    def authentication_data(self, *args: Any, **further: Any) -> bytes:
        if self.answers is not None:
            self.away = self.away or self.answers <= 0
            self.answers -= 1
        if self.away:
            self.refused += 1
            raise CarddError(Reason.HSM_UNAVAILABLE)
        return super().authentication_data(*args, **further)

    def reachable(self, *, deadline: float) -> bool:  # noqa: ARG002 - the protocol's
        self.asked += 1
        return not self.away
