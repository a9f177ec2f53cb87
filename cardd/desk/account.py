"""Money on the medical account is moved at the desk: load and debit (LD/T 32.7 12).

It moves in one command of the card, which is sent once. Before it, the intent is handed out to be made durable; if no
answer comes back, only the card knows, and is asked (`account_reading`). Nothing is ever repeated.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Final, TypeVar

from msgspec.structs import replace

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.base.structs import Hidden, Struct
from cardd.cards.account import Account, Certificate, Deed, PurchaseStarted, Started, Sum
from cardd.crypto.money import Amounts
from cardd.desk.pin_block import pin_block
from cardd.desk.reading import Identity
from cardd.desk.refusals import refusal, refusals
from cardd.desk.social import SocialCard, open_social, prove
from cardd.iso7816.channel import Channel
from cardd.iso7816.status import SW, StatusError
from cardd.keys.money import CardKeys, Load, MoneyService, Purchase, Signature
from cardd.keys.service import KeyService
from cardd.readers.insertion import Insertion


class Outcome(StrEnum):
    """What became of an intent."""

    DONE = "done"
    NOT_DONE = "not_done"
    UNPROVEN = "unproven"
    """The card says that it was done, and what it gave for that is wrong: no settlement may rest on it."""


class Services(Struct, frozen=True):
    """Who computes for the desk. Without `money` an account can be looked at and not moved."""

    keys: KeyService | None
    money: MoneyService | None


class Order(Struct, frozen=True):
    """What is to be done: money in fen, at a time (YYYYMMDDHHMMSS), with the key of an index.

    One that is `untold` stays on record as such until somebody was told of its end (`AccountDesk.told`).
    """

    deed: Deed
    amounts: Hidden[Amounts]
    time: str
    key_index: int = 1
    untold: bool = False


class Intent(Struct, frozen=True):
    """All that is needed to ask the card and judge its answer later. `terminal_sequence` is 0 for a load.

    `balance` is the one before it; `identification_code` and `number` tell which card it was.
    """

    order: Order
    sequence: int
    version: int
    cipher: int
    random: bytes
    balance: Hidden[int]
    terminal: bytes
    terminal_sequence: int
    identity: Hidden[Identity]

    @property
    def time(self) -> bytes:
        """Return the time as the card takes it."""
        return bytes.fromhex(self.order.time)

    @property
    def purchase(self) -> Purchase:
        """Return it as a purchase."""
        return Purchase(self.order.amounts, self.random, self.sequence, self.version, self.cipher, self.time)

    @property
    def load(self) -> Load:
        """Return it as a load."""
        amount = self.order.amounts.account
        return Load(self.balance, amount, self.random, self.sequence, self.version, self.terminal, self.time)


class Settled(Struct, frozen=True):
    """What became of an intent, and what the card gave for it: certificate and MAC, each with its judgement.

    None is a judgement that nobody here could make. `by_proof`: the card was asked afterwards.
    """

    intent: Intent
    outcome: Outcome
    certificate: Certificate | None = None
    tac_right: bool | None = None
    mac_right: bool | None = None
    by_proof: bool = False


class UnsettledError(Exception):
    """The card was told to move money and did not answer. Only its proof tells whether it did."""

    def __init__(self, intent: Intent, cause: CarddError) -> None:
        super().__init__(f"no answer to a money command: {cause}")
        self.intent = intent
        self.cause = cause


Intend = Callable[[Intent], None]
"""Makes an intent durable before it returns. What it raises keeps the money from being moved."""

Moved = TypeVar("Moved")

_ABSENT: Final = "the card has no medical account"


def debit(
    channel: Channel,
    insertion: Insertion,
    expected: Identity | None,
    services: Services,
    order: Order,
    pin: Secret | None,
    intend: Intend,
    deadline: float,
) -> Settled:
    """Take money from the account with the terminal's signature (LD/T 32.7 12).

    The card proves itself first, the PIN is compared if one is given. The module counts its sequence before the intent
    and checks the card's MAC2 after it.

    Raises CarddError: CARD_DATA_DIFFERS, CARD_NOT_GENUINE, PIN_*, ACCESS_DENIED where a PIN is set and none was given,
    BALANCE_TOO_SMALL, FILE_ABSENT, ACCOUNT_NOT_IN_USE, STATUS_WORD, reasons of the key service: nothing was moved.
    UnsettledError.
    """
    money = _money(services)
    with refusals():
        card, account = _unlock(channel, insertion, expected, services, pin, deadline)
        keys = card_keys(card)
        with money.purchase(keys, deadline=deadline) as till:
            started = account.begin_purchase(order.key_index, order.amounts, till.terminal)
            purchase = Purchase(
                order.amounts,
                started.random,
                started.sequence,
                started.version,
                started.cipher,
                bytes.fromhex(order.time),
            )
            signature = till.sign(purchase)
            intent = _intent(order, started, till.terminal, signature.sequence, card.identity)
            intend(intent)
            certificate = _move(intent, lambda: account.debit(signature.sequence, intent.time, signature.mac1))
            # the money has moved: a module that fails now takes nothing of that back
            mac_right = judged(lambda: till.confirms(certificate.mac))
        return judge_settled(money, keys, intent, certificate, deadline, mac_right=mac_right)


class PurchaseBegun(Struct, frozen=True):
    """A purchase that waits for a signature made elsewhere; nothing has moved."""

    order: Order
    account: Account
    started: PurchaseStarted
    terminal: bytes
    identity: Hidden[Identity]


def begin_debit(
    channel: Channel, insertion: Insertion, expected: Identity, order: Order, terminal: bytes, pin: Secret | None
) -> PurchaseBegun:
    """Begin a purchase that a machine elsewhere signs; the card stays as it is until `finish_debit`.

    Raises CarddError as `debit` does before it moves anything.
    """
    with refusals():
        card = social_card(channel, insertion, expected)
        if pin is not None:
            card.environment.verify(pin_block(pin))
        account = select(channel)
        started = account.begin_purchase(order.key_index, order.amounts, terminal)
    return PurchaseBegun(order, account, started, terminal, card.identity)


def finish_debit(begun: PurchaseBegun, time: bytes, signature: Signature, intend: Intend) -> Settled:
    """Take the money with a signature that was made elsewhere, and is judged there too.

    Raises CarddError: nothing was moved, or UnsettledError, as `debit` does.
    """
    order = replace(begun.order, time=time.hex())
    intent = _intent(order, begun.started, begun.terminal, signature.sequence, begun.identity)
    with refusals():
        intend(intent)
        certificate = _move(intent, lambda: begun.account.debit(signature.sequence, time, signature.mac1))
    return Settled(intent, Outcome.DONE, certificate)


def load(
    channel: Channel,
    insertion: Insertion,
    expected: Identity | None,
    services: Services,
    order: Order,
    pin: Secret | None,
    intend: Intend,
    deadline: float,
) -> Settled:
    """Put money on the account with the host's consent; as `debit`, and CARD_NOT_GENUINE for a wrong MAC1."""
    money = _money(services)
    with refusals():
        card, account = _unlock(channel, insertion, expected, services, pin, deadline)
        keys = card_keys(card)
        terminal = money.terminal(keys, deadline=deadline)
        started = account.begin_load(order.key_index, order.amounts.account, terminal)
        intent = _intent(order, started, terminal, 0, card.identity)
        mac2 = money.load_mac2(keys, intent.load, started.mac1, deadline=deadline)
        if mac2 is None:
            raise CarddError(Reason.CARD_NOT_GENUINE, "the card's MAC of the load is wrong")
        intend(intent)
        tac = _move(intent, lambda: account.credit(intent.time, mac2))
        return judge_settled(money, keys, intent, Certificate(tac, mac2), deadline)


def _intent(order: Order, started: Started, terminal: bytes, terminal_sequence: int, identity: Identity) -> Intent:
    return Intent(
        order,
        started.sequence,
        started.version,
        started.cipher,
        started.random,
        started.balance,
        terminal,
        terminal_sequence,
        identity,
    )


def find(channel: Channel) -> Account:
    """Select the account of a card. Raises CarddError: FILE_ABSENT, ACCOUNT_NOT_IN_USE, CARD_BLOCKED."""
    with refusals():
        account = select(channel)
    refuse_unused_account(account)
    return account


def find_on(channel: Channel, insertion: Insertion, expected: Identity) -> Account:
    """Select the account of the card that is expected. Raises CarddError: CARD_DATA_DIFFERS, and as `find` does."""
    with refusals():
        social_card(channel, insertion, expected)
    return find(channel)


def refuse_unused_account(account: Account) -> None:
    """Have the card say that its account is not in use, before anything is shown to it.

    Asking for the balance counts and changes nothing. Raises CarddError(ACCOUNT_NOT_IN_USE).
    """
    try:
        account.balance(Sum.ACCOUNT)
    except StatusError as error:
        # whatever else it says, to this command only: the one that follows has a word of its own
        refused = refusal(error)
        if refused.reason is Reason.ACCOUNT_NOT_IN_USE:
            raise refused from None


def _money(services: Services) -> MoneyService:
    if services.money is None:
        raise CarddError(Reason.PSAM_ABSENT, "no key service that computes for the medical account is configured")
    return services.money


def social_card(channel: Channel, insertion: Insertion, expected: Identity | None) -> SocialCard:
    """Open the card that is expected. Raises CarddError: FILE_ABSENT for another kind, CARD_DATA_DIFFERS."""
    card = open_social(channel, insertion)
    if card is None:
        raise CarddError(Reason.FILE_ABSENT, _ABSENT)
    if expected is not None and not card.identity.same_card(expected):
        raise CarddError(Reason.CARD_DATA_DIFFERS, "another card than the one that was read before")
    return card


def select(channel: Channel) -> Account:
    """Select the account of an open card. Raises CarddError(FILE_ABSENT), StatusError."""
    account = Account.select(channel)
    if account is None:
        raise CarddError(Reason.FILE_ABSENT, _ABSENT)
    return account


def _unlock(
    channel: Channel,
    insertion: Insertion,
    expected: Identity | None,
    services: Services,
    pin: Secret | None,
    deadline: float,
) -> tuple[SocialCard, Account]:
    """Open a card that may be asked to move money: it has proved itself, and the holder has shown the PIN."""
    block = None if pin is None else pin_block(pin)
    card = social_card(channel, insertion, expected)
    if prove(card, services.keys, deadline).authentic is False:
        raise CarddError(Reason.CARD_NOT_GENUINE, "no money is moved on a card that failed to prove itself")
    if block is not None:
        card.environment.verify(block)
    return card, select(channel)


def card_keys(card: SocialCard) -> CardKeys:
    """Return how a card's keys are derived. Raises CarddError(CARD_ID_MALFORMED)."""
    if card.factors is None:
        raise CarddError(Reason.CARD_ID_MALFORMED, "the answer to reset has no 13 historical bytes")
    return CardKeys(card.algorithm, card.factors)


def _move(intent: Intent, command: Callable[[], Moved]) -> Moved:
    """Have the card move money. A refusal is the card's word that it did not; anything else leaves it open."""
    try:
        return command()
    except StatusError as error:
        if error.sw == SW.MEMORY_FAILURE:
            raise UnsettledError(intent, refusal(error)) from error
        raise
    except CarddError as error:
        raise UnsettledError(intent, error) from error


def judged(judge: Callable[[], bool | None]) -> bool | None:
    """Return a judgement; a key service that cannot make one takes nothing back of what the card has done."""
    try:
        return judge()
    except CarddError:
        return None


def judge_settled(
    money: MoneyService,
    keys: CardKeys,
    intent: Intent,
    certificate: Certificate,
    deadline: float,
    *,
    mac_right: bool | None = None,
    by_proof: bool = False,
) -> Settled:
    """Return what the card gave for an intent that it carried out, with what the key service makes of it."""

    def judge() -> bool | None:
        if intent.order.deed is Deed.LOAD:
            return money.load_tac_right(keys, intent.load, certificate.tac, deadline=deadline)
        return money.purchase_tac_right(
            keys, intent.purchase, intent.terminal, intent.terminal_sequence, certificate.tac, deadline=deadline
        )

    tac_right = judged(judge)
    outcome = Outcome.UNPROVEN if False in {tac_right, mac_right} else Outcome.DONE
    return Settled(intent, outcome, certificate, tac_right, mac_right, by_proof)
