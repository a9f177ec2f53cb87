"""The two amounts of a bill on the card's three: which of them goes where is for the configuration to say.

The notice gives a bill a total and what account and pool pay of it together, the card three amounts; that the terminal
sends on "the last two amounts" is all that it says of how they meet (人社信息函[2016]38号).
"""

from enum import StrEnum

from cardd.base.structs import Struct
from cardd.crypto.money import Amounts


class Source(StrEnum):
    """What one of the card's amounts is made of: `settled` is what account and pool pay, `rest` the total less that."""

    NOTHING = "nothing"
    TOTAL = "total"
    SETTLED = "settled"
    REST = "rest"


class AmountRule(Struct, frozen=True):
    """Of what the card's three amounts are made."""

    account: Source = Source.NOTHING
    self_paid: Source = Source.TOTAL
    pool: Source = Source.SETTLED

    def on_card(self, total: int, settled: int) -> Amounts:
        """Return the card's amounts of a bill, in fen."""
        made = {Source.NOTHING: 0, Source.TOTAL: total, Source.SETTLED: settled, Source.REST: total - settled}
        return Amounts(made[self.account], made[self.self_paid], made[self.pool])

    @property
    def takes_rest(self) -> bool:
        """Tell whether a bill of which more is settled than its total has no place on the card."""
        return Source.REST in {self.account, self.self_paid, self.pool}

    def of_record(self, account: int | None, self_paid: int | None, pool: int | None) -> tuple[int | None, int | None]:
        """Return the total and what was settled, of a record's three amounts; None where that is not on the card."""
        found = {self.account: account, self.self_paid: self_paid, self.pool: pool}
        total, settled, rest = (found.get(source) for source in (Source.TOTAL, Source.SETTLED, Source.REST))
        if total is None and settled is not None and rest is not None:
            total = settled + rest
        if settled is None and total is not None and rest is not None:
            settled = total - rest
        return total, settled
