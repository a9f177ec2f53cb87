"""What the configuration says of the national terminal driver."""

from typing import Final, Literal

import msgspec

from cardd.base.options import Place, Strict

_AMOUNTS_OF_A_BILL: Final = 2


class AmountOptions(Strict):
    """Of what the card's three amounts are made where a program of the national driver has a bill paid.

    `total` is that of the bill, `settled` what account and pool pay of it, `rest` the one less the other.
    """

    account: Literal["nothing", "total", "settled", "rest"] = "nothing"
    self_paid: Literal["nothing", "total", "settled", "rest"] = "total"
    pool: Literal["nothing", "total", "settled", "rest"] = "settled"


class DriverOptions(Strict):
    """The national terminal driver, where its text leaves a choice."""

    amounts: AmountOptions = msgspec.field(default_factory=AmountOptions)

    def check(self, place: Place) -> None:
        """Find amounts from which a bill could not be told again. Raises DocumentError."""
        named = {self.amounts.account, self.amounts.self_paid, self.amounts.pool} - {"nothing"}
        if len(named) < _AMOUNTS_OF_A_BILL:
            problem = "the card has to have two of `total`, `settled` and `rest`: its records could not be read else"
            raise place.wrong(".amounts", problem)
