"""Operations in two steps: a card is asked, somebody else computes with the issuer's keys, and the card is told.

Between the steps the card stays open as it is: nothing else may ask it for a challenge. So whoever takes the second
step holds the card from the first one on.
"""

import hmac
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from msgspec.structs import replace

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.base.structs import Hidden, Struct
from cardd.cards.files import CardFiles
from cardd.cards.ssse import BLOCK
from cardd.desk.files import FileReading, OpenFiles, read_file
from cardd.desk.hsm import Answer, Challenge
from cardd.desk.identify import other_card
from cardd.desk.pin_block import pin_block
from cardd.desk.reading import CardReading, Identity, Proof
from cardd.desk.refusals import refusals
from cardd.desk.rights import Rights
from cardd.desk.social import SocialCard, open_social, reopen
from cardd.desk.stopped import StoppedKeys
from cardd.desk.updates import Update
from cardd.desk.values import holder_of
from cardd.desk.write import write_file
from cardd.iso7816.channel import Channel
from cardd.iso7816.status import StatusError
from cardd.keys.service import UNASKED, KeyService
from cardd.keys.versions import KeyVersions
from cardd.readers.insertion import Insertion
from cardd.rules.address import FileAddress
from cardd.rules.files import EF05, EF06, FileRule
from cardd.rules.keys import KeyName

T = TypeVar("T")

_NOT_TO_BE_HAD: Final = UNASKED | {Reason.ACCESS_DENIED, Reason.KEY_STOPPED, Reason.CARD_ID_MALFORMED}


class BasicBegun(Struct, frozen=True):
    """A card that was asked to prove itself, and what it has answered; `external` is None where it asks for nothing."""

    card: Hidden[SocialCard]
    internal: Hidden[Challenge]
    answer: Hidden[bytes]
    external: Hidden[Challenge | None]


class KeyBegun(Struct, frozen=True):
    """A card that waits for a key to be shown to it, with the file selected that the key is for."""

    card: Hidden[SocialCard]
    files: CardFiles
    challenge: Hidden[Challenge]


class Obtained(Rights):
    """Rights that the card has been shown already.

    What was shown to write a file may not open it to be read, and nothing else may be shown before it is written. Once
    it is, what the station has itself is tried.
    """

    def to_look(self, file: FileRule, work: Callable[[], T]) -> T | None:
        """Do it, and nothing where the card does not give the file for what it was shown."""
        try:
            return self.to_read(file, work)
        except CarddError as error:
            if error.reason is not Reason.ACCESS_DENIED:
                raise
            return None

    def to_check(self, file: FileRule, work: Callable[[], None]) -> bool:
        """Do it with what the card was shown, else with what the station has.

        A right that is not to be had is no fault of what was written.
        """
        for attempt in (self.to_read, super().to_read):
            try:
                attempt(file, work)
            except CarddError as error:
                if error.reason not in _NOT_TO_BE_HAD and "status_word" not in error.facts:
                    raise
            except StatusError:
                # the card refuses a key of the station's
                pass
            else:
                return True
        return False

    def to_read(self, file: FileRule, work: Callable[[], T]) -> T:
        """Do it: what is missing the card says."""
        del file
        return work()

    def to_write(self, key: KeyName) -> None:
        """Do nothing: it was shown."""


class Repeated(Obtained):
    """The same for what may be written already: not to know what the card has is not to write."""

    def to_look(self, file: FileRule, work: Callable[[], T]) -> T | None:
        """Do it. Raises CarddError(ACCESS_DENIED)."""
        return self.to_read(file, work)


def begin_basic(channel: Channel, insertion: Insertion) -> BasicBegun | Identity:
    """Have a card prove itself, and ask it for a challenge where its holder is guarded; another card is recognised.

    Raises CarddError as `identify` does.
    """
    with refusals():
        card = open_social(channel, insertion)
        if card is None:
            return other_card(channel, insertion)
        internal = Challenge(secrets.token_bytes(BLOCK), secrets.token_bytes(BLOCK))
        answer = card.environment.internal_authentication(internal.process_factor, internal.original)
        guarded = EF06.read[card.generation].key is not None
        # last of all: a challenge is good for what follows it
        external = Challenge(card.environment.challenge(), secrets.token_bytes(BLOCK)) if guarded else None
    return BasicBegun(card, internal, answer, external)


def finish_basic(
    channel: Channel,
    insertion: Insertion,
    begun: BasicBegun,
    internal: Answer,
    external: Answer | None,
    deadline: float,
    *,
    stopped: StoppedKeys,
) -> CardReading:
    """Judge the card's proof by what a machine has computed, show it the machine's, and read its holder.

    Raises CarddError: CARD_NOT_GENUINE before the card is shown anything; INVALID where the machine has not computed
    what the card asks for; CARD_DATA_DIFFERS for another card than the one that was asked; KEY_STOPPED.
    """
    if not hmac.compare_digest(begun.answer, internal.authentication):
        raise CarddError(Reason.CARD_NOT_GENUINE, "the card's proof is not what the machine has computed")
    card = begun.card
    with refusals():
        if begun.external is not None:
            if external is None:
                raise CarddError(Reason.INVALID, "the card asks for an external authentication too")
            _show(channel, insertion, card, KeyName.RKSSSE, external, deadline, stopped)
        with _same_card(channel, insertion, card.identity):
            stored = {item.tag: card.environment.read(EF05, item.tag) for item in EF05.items}
        if stored != dict(card.stored):
            raise CarddError(Reason.CARD_DATA_DIFFERS, "another card than the one that was asked")
        holder = {item.tag: card.environment.read(EF06, item.tag) for item in EF06.items_of(card.generation)}
    proof = Proof(begun.internal.process_factor, begun.internal.original, begun.answer)
    identity = replace(card.identity, authentic=True, proof=proof)
    return CardReading(identity, card.issuer, holder_of(holder))


def begin_key(
    channel: Channel, insertion: Insertion, expected: Identity, rule: FileRule | None = None, pin: Secret | None = None
) -> KeyBegun:
    """Ask a card for a challenge, its file selected, and the PIN shown where the file wants that too.

    Raises CarddError: CARD_DATA_DIFFERS, FILE_ABSENT, PIN_WRONG, PIN_LOCKED.
    """
    with refusals():
        card = reopen(channel, insertion, expected)
        files = CardFiles(channel, card.environment.directory)
        if rule is not None and not (files.select_application(rule.application) and files.select_file(rule)):
            raise CarddError(Reason.FILE_ABSENT, "the card has no such file", file=rule.address)
        if pin is not None:
            card.environment.verify(pin_block(pin))
        return KeyBegun(card, files, Challenge(card.environment.challenge(), secrets.token_bytes(BLOCK)))


def show_key(
    channel: Channel,
    insertion: Insertion,
    begun: KeyBegun,
    key: KeyName,
    answer: Answer,
    deadline: float,
    *,
    stopped: StoppedKeys,
) -> None:
    """Show a card what a machine has computed over its challenge. A refusal stops the key on this station.

    Raises CarddError: KEY_STOPPED, CARD_DATA_DIFFERS for another card than the one that was asked, STATUS_WORD.
    """
    with refusals():
        _show(channel, insertion, begun.card, key, answer, deadline, stopped)


def read_shown(channel: Channel, begun: KeyBegun, stopped: StoppedKeys, address: FileAddress) -> FileReading:
    """Read a file whose key the card was shown. Raises CarddError as `read_file` does."""
    with refusals():
        return read_file(_opened(channel, begun, stopped), address)


def write_shown(
    channel: Channel,
    begun: KeyBegun,
    stopped: StoppedKeys,
    update: Update,
    keys: KeyService | None,
    deadline: float,
    *,
    again: bool = False,
) -> bool:
    """Write a file whose key the card was shown; tell whether it could be read back. Raises as `write_records`.

    `keys` are those that the station has itself, until the deadline: they are good for reading back, and for an
    update's MAC where the card wants one. `again` is for what may be written already: ACCESS_DENIED where that would
    have to be read and cannot be.
    """
    with refusals():
        return write_file(_opened(channel, begun, stopped, keys, deadline, again=again), update)


def ask_again(begun: KeyBegun) -> bytes:
    """Ask a card for another challenge, for the maintenance command that its key was shown for."""
    with refusals():
        return begun.card.environment.challenge()


def maintain_shown(begun: KeyBegun, header: bytes, data: bytes) -> int | None:
    """Send a maintenance command as a machine has made it, and return the tries that the PIN has then.

    `header` is CLA INS P1 P2. Raises CarddError(STATUS_WORD), 6988 where the card does not take the MAC.
    """
    with refusals():
        begun.card.environment.maintain(header, data)
        return begun.card.environment.pin_tries()


def _show(
    channel: Channel,
    insertion: Insertion,
    card: SocialCard,
    key: KeyName,
    answer: Answer,
    deadline: float,
    stopped: StoppedKeys,
) -> None:
    with _same_card(channel, insertion, card.identity), stopped.trial(card.station, key, deadline):
        kid = KeyVersions().kid(key)
        with stopped.shown(card.stay, key):
            card.environment.external_authentication(kid, answer.authentication, answer.original)


@contextmanager
def _same_card(channel: Channel, insertion: Insertion, expected: Identity) -> Iterator[None]:
    """Find out what a refusal means: a card that was exchanged unnoticed has given no challenge."""
    try:
        yield
    except StatusError:
        reopen(channel, insertion, expected)
        raise


def _opened(
    channel: Channel,
    begun: KeyBegun,
    stopped: StoppedKeys,
    keys: KeyService | None = None,
    deadline: float = 0.0,
    *,
    again: bool = False,
) -> OpenFiles:
    kind = Repeated if again else Obtained
    rights = kind(begun.card, keys, stopped, deadline, forged=False)
    return OpenFiles(channel, begun.files, begun.card.generation, rights)
