"""Cases of how long PIN, keys and challenge hold: S-STATE, one for every event that may end them (LD/T 32.5 6.11)."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from cardd.base.structs import Struct
from cardd.conformance.card import DONE, FILE_ABSENT, KEY_ABSENT, NO_CHALLENGE, NO_RIGHT, ORIGINAL, Card, set_pin
from cardd.conformance.case import Case, Cost
from cardd.conformance.checks import NotApplicableError, holds, same, tries
from cardd.conformance.rights import local_file, only_key
from cardd.rules.access import PIN
from cardd.rules.applications import APPLICATIONS
from cardd.rules.files import FileRule, Generation
from cardd.rules.keys import KEYS, KeyName
from cardd.rules.names import PBOC_CONTACT

_LOCAL, _OTHER, _GLOBAL = "DF01", "DF02", "SSSE"
_MF: Final = 0x3F00
_UNBLOCK: Final = (0x84, 0x24, 0x00, 0x00)
_FACTOR: Final = bytes(range(0x10, 0x18))


class Event(Struct, frozen=True):
    """Something that happens to a card, and what holds through it.

    `happen` is given the application that is the current one before, and returns the one that is after it; empty where
    it is none of the social environment's.
    """

    name: str
    title: str
    happen: Callable[[Card, str], str]
    keeps_pin: bool = True
    keeps_global: bool = False
    keeps_local: bool = False
    keeps_challenge: bool = False


def _warm_reset(card: Card, _: str) -> str:
    card.link.warm_reset()
    return ""


def _power_off(card: Card, _: str) -> str:
    card.restart()
    return ""


def _select_file(card: Card, home: str) -> str:
    file = next(iter(APPLICATIONS[home].files))
    same(f"SELECT {file.address}", card.select_fid(file.fid, 0x02).sw, DONE)
    if home != _GLOBAL:
        # the environment selected again is an event of its own
        same(f"SELECT of the same {home}", card.select_fid(APPLICATIONS[home].fid, 0x00).sw, DONE)
    return home


def _select_other(card: Card, home: str) -> str:
    other = _OTHER if home == _LOCAL else _LOCAL
    same(f"SELECT {other}", card.select(other), DONE)
    return other


def _select_environment(card: Card, _: str) -> str:
    same("SELECT SSSE", card.select(_GLOBAL), DONE)
    return _GLOBAL


def _select_bank(card: Card, _: str) -> str:
    status = card.select_name(PBOC_CONTACT).sw
    if status == FILE_ABSENT:
        raise NotApplicableError("no bank environment")
    same("SELECT of the bank's environment", status, DONE)
    return ""


def _select_root(card: Card, _: str) -> str:
    same("SELECT of the MF", card.select_fid(_MF, 0x00).sw, DONE)
    return ""


EVENTS: Final = (
    Event("RESET", "a warm reset", _warm_reset, keeps_pin=False),
    Event("POWER", "power off and on", _power_off, keeps_pin=False),
    Event(
        "EF",
        "SELECT of a file, and of the same application",
        _select_file,
        keeps_global=True,
        keeps_local=True,
        keeps_challenge=True,
    ),
    Event("DF", "SELECT of another application", _select_other, keeps_global=True),
    Event("SSSE", "SELECT of the environment again", _select_environment),
    Event("BANK", "SELECT of the bank's environment", _select_bank),
    Event("MF", "SELECT of the MF", _select_root),
)


def states(event: Event, card: Card) -> None:
    """Hold what an event leaves of the PIN's, a global and a local key's right, and of a challenge, to the rule."""
    for observe in (_local_right, _pin_right, _global_right, _challenge):
        card.restart()
        observe(event, card)


def _local_right(event: Event, card: Card) -> None:
    file = _at_home(card)
    key = only_key(file.read[card.subject.generation])
    same(f"EXTERNAL AUTHENTICATION {key}", card.prove(key), DONE)
    _return(card, event.happen(card, _LOCAL), _LOCAL)
    wanted = DONE if event.keeps_local else NO_RIGHT
    same(f"READ {file.address} by {key} after {event.title}", card.read_some(file).sw, wanted)


def _pin_right(event: Event, card: Card) -> None:
    file = _at_home(card)
    if frozenset({PIN}) not in file.read[card.subject.generation].ways or not _has_usable_pin(card):
        return
    card.gain_pin()
    _return(card, event.happen(card, _LOCAL), _LOCAL)
    wanted = DONE if event.keeps_pin else NO_RIGHT
    same(f"READ {file.address} by the PIN after {event.title}", card.read_some(file).sw, wanted)


def _global_right(event: Event, card: Card) -> None:
    """Observe the environment's key by a file that it opens. Where one goes to another application, that shows nothing.

    A card of the first generation has no such file: its global rights are seen by PIN UNBLOCK only.
    """
    file = next(_opened_by_global_key(card), None)
    if file is None or event.name == "DF":
        return
    card.go(_GLOBAL)
    same(f"EXTERNAL AUTHENTICATION {KeyName.RKSSSE}", card.prove(KeyName.RKSSSE), DONE)
    same(f"READ {file.address} with the right", card.read_some(file).sw, DONE)
    _return(card, event.happen(card, _GLOBAL), _GLOBAL)
    wanted = DONE if event.keeps_global else NO_RIGHT
    same(f"READ {file.address} by {KeyName.RKSSSE} after {event.title}", card.read_some(file).sw, wanted)


def _challenge(event: Event, card: Card) -> None:
    file = _at_home(card)
    own = only_key(file.read[card.subject.generation])
    same(f"EXTERNAL AUTHENTICATION {own}", card.prove(own), DONE)
    challenge = card.challenge()
    at = event.happen(card, _LOCAL) or _GLOBAL
    if at == _GLOBAL and event.name != "SSSE":
        same("SELECT SSSE", card.select(_GLOBAL), DONE)
    key = own if at == _LOCAL else _some_key(card, at)
    wanted = DONE if event.keeps_challenge else NO_CHALLENGE
    proof = card.answer(card.key(key), challenge)
    same(
        f"EXTERNAL AUTHENTICATION {key} with the challenge before {event.title}", card.authenticate(key, proof), wanted
    )


def global_rights(card: Card) -> None:
    """Hold what events leave of the PUK's right to the rule, as PIN UNBLOCK shows it, in any application."""
    card.go(_GLOBAL)
    set_pin(card)
    for event in EVENTS:
        card.restart()
        card.go(_GLOBAL)
        same("EXTERNAL AUTHENTICATION PUK", card.prove(KeyName.PUK), DONE)
        try:
            at = event.happen(card, _GLOBAL)
        except NotApplicableError:
            continue
        _return(card, at, at or _GLOBAL)
        wanted = DONE if event.keeps_global else NO_RIGHT
        same(f"PIN UNBLOCK after {event.title}", card.maintenance(KeyName.STKSSSE, _UNBLOCK), wanted)


def used_challenge(card: Card) -> None:
    """Take a challenge once: EXTERNAL AUTHENTICATION and a command with MAC use it up, right or wrong."""
    if card.subject.key_limit < 2:  # noqa: PLR2004 # one wrong and one right
        raise NotApplicableError("one try only")
    file = _at_home(card)
    key = only_key(file.read[card.subject.generation])
    value = card.key(key)
    same(f"EXTERNAL AUTHENTICATION {key}", card.prove(key), DONE)
    for right in (True, False):
        challenge = card.challenge()
        status = card.authenticate(key, card.answer(value, challenge, right=right))
        if right:
            same(f"EXTERNAL AUTHENTICATION {key}", status, DONE)
        else:
            tries(f"EXTERNAL AUTHENTICATION {key}, wrong", status, range(card.subject.key_limit + 1))
        again = card.authenticate(key, card.answer(value, challenge))
        same(f"EXTERNAL AUTHENTICATION {key} with a challenge that was used", again, NO_CHALLENGE)
    same(f"EXTERNAL AUTHENTICATION {key}", card.prove(key), DONE)
    same("EXTERNAL AUTHENTICATION PUK with the challenge of a wrong MAC", _spent_by_mac(card), NO_CHALLENGE)


def _spent_by_mac(card: Card) -> int:
    """Send a command with a wrong MAC, and prove a key by its challenge; return the status word of that."""
    card.go(_GLOBAL)
    same("EXTERNAL AUTHENTICATION PUK", card.prove(KeyName.PUK), DONE)
    challenge = card.challenge()
    holds(card.send(*_UNBLOCK, bytes(4)).sw != DONE, "PIN UNBLOCK with a wrong MAC: done")
    return card.authenticate(KeyName.PUK, card.answer(card.key(KeyName.PUK), challenge))


def kept_challenge(card: Card) -> None:
    """Keep a challenge through INTERNAL AUTHENTICATION and reading."""
    file = _at_home(card)
    key = only_key(file.read[card.subject.generation])
    value = card.key(key)
    same(f"EXTERNAL AUTHENTICATION {key}", card.prove(key), DONE)
    for what, between in (("INTERNAL AUTHENTICATION", _internal), ("READ RECORD", partial(Card.read_some, rule=file))):
        challenge = card.challenge()
        between(card)
        status = card.authenticate(key, card.answer(value, challenge))
        same(f"EXTERNAL AUTHENTICATION {key} after {what}", status, DONE)


def _internal(card: Card) -> None:
    status = card.send(0x00, 0x88, 0x00, 0x00, _FACTOR + ORIGINAL, 8).sw
    same("INTERNAL AUTHENTICATION", status, DONE, KEY_ABSENT)


def _at_home(card: Card) -> FileRule:
    card.go(_LOCAL)
    return local_file(card)


def _return(card: Card, at: str, home: str) -> None:
    """Go back by names, the environment first where it was left."""
    if not at:
        same("SELECT SSSE", card.select(_GLOBAL), DONE)
        at = _GLOBAL
    if at != home:
        same(f"SELECT {home}", card.select(home), DONE)


def _has_usable_pin(card: Card) -> bool:
    return bool(card.subject.pin) and not card.subject.pin_locked


def _opened_by_global_key(card: Card) -> Iterator[FileRule]:
    """Yield the environment's files that are there and need its key."""
    generation = card.subject.generation
    if generation is Generation.V1:
        return
    card.go(_GLOBAL)
    for file in APPLICATIONS[_GLOBAL].files:
        needs_it = file.exists_in(generation) and file.read[generation].key is KeyName.RKSSSE
        if needs_it and card.read_some(file).sw == NO_RIGHT:
            yield file


def _some_key(card: Card, application: str) -> KeyName:
    """Return a key by which a terminal proves itself in an application."""
    names = (name for name, key in KEYS.items() if key.application == application and name.startswith(("RK", "UK")))
    name = next(names, None)
    if name is None:
        raise NotApplicableError(f"no key of {application} known")
    card.key(name)
    return name


CASES: Final = (
    *(
        Case(f"S-STATE-{event.name}", f"what is left after {event.title}", Cost.PROOFS, partial(states, event))
        for event in EVENTS
    ),
    Case("S-STATE-GLOBAL", "how long a global key's right lasts", Cost.TRIES, global_rights),
    Case("S-STATE-USED", "what uses a challenge up", Cost.TRIES, used_challenge),
    Case("S-STATE-KEPT", "what leaves a challenge as it is", Cost.PROOFS, kept_challenge),
)
