"""GET CHALLENGE, INTERNAL AUTHENTICATION, EXTERNAL AUTHENTICATION (LD/T 32.5; computation: LD/T 32.4 9.3)."""

import hmac
from typing import Final

from cardd.crypto.authentication import authentication_data
from cardsim.card.command import Command, Direction
from cardsim.card.keyring import Key, set_tries
from cardsim.card.machine import Machine, Reply
from cardsim.card.messaging import process_factor
from cardsim.card.status import Refusal, Status, tries_left
from cardsim.card.system import Row, exactly

CHALLENGE_LENGTHS: Final = frozenset({4, 8, 16})
_AUTHENTICATION_LENGTHS: Final = frozenset({16, 17})
_EIGHT: Final = 8
_SIXTEEN: Final = 16
_IRK: Final = 0x00
_LOCAL: Final = 0x80
_NUMBER: Final = 0x7F
_FIRST_VERSION: Final = 1


def get_challenge(machine: Machine, command: Command) -> Reply:
    """Answer a random number and keep it, in place of the one before, for the next authentication or MAC."""
    machine.session.challenge = machine.challenges.take(command.le or 0)
    return Reply(machine.session.challenge)


def internal_authentication(machine: Machine, command: Command) -> Reply:
    """Prove the card with the environment's IRK: factor 8, original 8, key version if given; answer 8 bytes."""
    if command.p2 & _LOCAL:
        raise Refusal(Status.KEY_ABSENT, "LD/T 32.5 INTERNAL AUTHENTICATION: no application has such a key of its own")
    toggles = machine.toggles
    if toggles.internal_authentication_below == "refused" and not machine.session.application.is_environment:
        raise Refusal(Status.KEY_ABSENT, "LD/T 32.5 INTERNAL AUTHENTICATION: the application has no such key")
    key = _version(machine, machine.key(_IRK), command.data)
    if toggles.challenge_after_internal_authentication == "used":
        machine.take_challenge()
    factor, original = command.data[:_EIGHT], command.data[_EIGHT:_SIXTEEN]
    return Reply(authentication_data(machine.algorithm, key, factor, original))


def external_authentication(machine: Machine, command: Command) -> Reply:
    """Check that the terminal has a key: authentication data 8, original 8, key version if given."""
    challenge = machine.take_challenge()
    key = machine.key(command.p2)
    if not key.authenticates:
        raise Refusal(Status.KEY_ABSENT, f"LD/T 32.5 table 14: key {command.p2:02X} is not for this command")
    value = _version(machine, key, command.data)
    if key.locked:
        raise Refusal(Status.LOCKED, f"LD/T 32.5 EXTERNAL AUTHENTICATION: {key.name} has no tries left")
    if challenge is None:
        raise Refusal(Status.NO_CHALLENGE, "LD/T 32.5 EXTERNAL AUTHENTICATION: no challenge is there to be used")
    # one try is gone before the comparison, so that cutting the power gains none
    _count_down(machine, key)
    answer, original = command.data[:_EIGHT], command.data[_EIGHT:_SIXTEEN]
    expected = authentication_data(machine.algorithm, value, process_factor(machine, challenge), original)
    if not hmac.compare_digest(answer, expected):
        machine.revoke(key)
        raise tries_left(key.tries, f"LD/T 32.5 EXTERNAL AUTHENTICATION: not the data of {key.name}")
    if key.counted:
        machine.memory.write(1, lambda: set_tries(key, key.limit))
    machine.grant(key)
    return Reply()


def _count_down(machine: Machine, key: Key) -> None:
    if key.counted:
        machine.memory.write(1, lambda: set_tries(key, key.tries - 1))


def _version(machine: Machine, key: Key, data: bytes) -> bytes:
    unsaid = max(key.versions) if machine.toggles.key_version == "newest" else _FIRST_VERSION
    number = data[_SIXTEEN] if len(data) > _SIXTEEN else unsaid
    value = key.versions.get(number)
    if value is None:
        raise Refusal(Status.KEY_ABSENT, f"LD/T 32.5: {key.name} has no version {number:02X}")
    return value


ROWS: Final = (
    Row("GET CHALLENGE", 0x00, 0x84, Direction.OUT, exactly(0, 0), CHALLENGE_LENGTHS, get_challenge),
    Row(
        name="INTERNAL AUTHENTICATION",
        cla=0x00,
        ins=0x88,
        direction=Direction.IN,
        parameters=lambda p1, p2: p1 == 0 and (p2 == _IRK or bool(p2 & _LOCAL)),
        lengths=_AUTHENTICATION_LENGTHS,
        handler=internal_authentication,
    ),
    Row(
        name="EXTERNAL AUTHENTICATION",
        cla=0x00,
        ins=0x82,
        direction=Direction.IN,
        # number 00 is reserved, whatever the level
        parameters=lambda p1, p2: p1 == 0 and bool(p2 & _NUMBER),
        lengths=_AUTHENTICATION_LENGTHS,
        handler=external_authentication,
    ),
)
