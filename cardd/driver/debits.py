"""Debits that are made once, though the driver's functions have no name for them.

A bill is known by what it says (amounts and time), the card and the user: asked for again, it is the same debit, also
after a restart. And a debit whose end the caller was not told is asked for before anything else is debited: a program
that tries again takes a new time, and means the same bill if the amounts are the same. That nobody was told is on
record with the debit itself, from its intent on.
"""

from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.crypto.money import Amounts
from cardd.crypto.tokens import KeyedTokens
from cardd.desk import account_rows
from cardd.desk.account_desk import AccountDesk
from cardd.desk.reading import Identity
from cardd.journal.events import DeedRow
from cardd.wire.accounts import AccountChoice, AccountMoved

NOT_DONE: Final = "not_done"
IN_DOUBT: Final = account_rows.IN_DOUBT

_Whose = tuple[str, str | None, str | None]


class Debits:
    """Knows the debits of which callers have not been told what became of them. Event loop's thread only."""

    def __init__(self, accounts: AccountDesk, tokens: KeyedTokens) -> None:
        """Begin with those that an earlier daemon has left open, or had come to its end and told to nobody."""
        self._accounts = accounts
        self._tokens = tokens
        self._untold: dict[_Whose, dict[str, Amounts]] = {}
        for row in (*accounts.open(), *accounts.untold()):
            self._take_over(row)

    def begin(self, client: str, card: Identity, request: str, amounts: Amounts) -> None:
        """Note a debit before it is done."""
        self._untold.setdefault(_whose(client, card), {})[request] = amounts

    def told(self, client: str, card: Identity, request: str) -> None:
        """Forget a debit whose end the caller was told, or which was not done, also beyond a restart."""
        self._accounts.told(client, request)
        whose = _whose(client, card)
        left = self._untold.get(whose, {})
        left.pop(request, None)
        if not left:
            self._untold.pop(whose, None)

    async def former(
        self, client: str, card: Identity, amounts: Amounts, choice: AccountChoice, asked: str | None
    ) -> AccountMoved | None:
        """Have the card say what became of the debits on it, and return one of these amounts that was done.

        Raises CarddError where the card does not say: nothing may be debited then.
        """
        found: AccountMoved | None = None
        for request, before in list(self._untold.get(_whose(client, card), {}).items()):
            moved = await self._settled(client, request, choice, asked)
            if moved is None or moved.outcome == NOT_DONE:
                self.told(client, card, request)
            elif before == amounts and found is None:
                found = moved
        return found

    async def next_of(
        self, client: str, card: Identity, amounts: Amounts, time: str
    ) -> tuple[str, AccountMoved | None]:
        """Return the request of a bill, and how it stands where it was begun: what was not done is begun anew.

        Requests go on record in the open: this one tells nothing of card and bill without this machine's key.
        """
        said = "|".join(map(str, (*_whose(client, card), amounts.account, amounts.self_paid, amounts.pool, time)))
        bill, attempt = self._tokens.bill(said), 1
        while True:
            request = f"iDoDebit {bill} {attempt}"
            known = await self._accounts.known(client, request)
            if known is None or known.outcome != NOT_DONE:
                return request, known
            attempt += 1

    def is_open(self, client: str, request: str) -> bool:
        """Tell whether only the card knows what became of a request."""
        return any((row.client, row.request) == (client, request) for row in self._accounts.open())

    async def _settled(
        self, client: str, request: str, choice: AccountChoice, asked: str | None
    ) -> AccountMoved | None:
        try:
            return await self._accounts.settled(choice, request, client=client, asked=asked)
        except CarddError as error:
            if error.reason is not Reason.NOT_FOUND:
                raise
            # it was never begun, or what was sealed of it has been erased
            return None

    def _take_over(self, row: DeedRow) -> None:
        if row.method != account_rows.DEBIT or row.personal_lost is not None:
            return
        intent = account_rows.intent_of(row)
        self.begin(row.client, intent.identity, row.request, intent.order.amounts)


def _whose(client: str, card: Identity) -> _Whose:
    return client, card.identification_code, None if card.number is None else card.number.disclose()
