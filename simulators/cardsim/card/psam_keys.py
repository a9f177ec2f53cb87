"""Loading and replacing a key of the security module, 84 D4 (LD/T 32.9).

The rule gives the command and that its MAC starts from the challenge; the layout of a key record is nowhere public.
Here it is usage, identifier, algorithm, key, enciphered and under a MAC like a maintenance command, with the session
key of the module's own master key.
"""

from typing import Final

from cardd.crypto.block import Algorithm, block_size, cbc_last_block
from cardd.crypto.derive import session_key
from cardd.crypto.messaging import MAC, decipher, mac_blocks, mac_input, shortened
from cardd.rules.keys import Level, Usage
from cardd.rules.psam import KEY_FILES
from cardsim.card.command import Command
from cardsim.card.keyring import HeldKey
from cardsim.card.machine import Machine, Reply
from cardsim.card.psam_environment import Environment
from cardsim.card.status import Refusal, Status

LOAD: Final = 0x00
REPLACE: Final = 0x01
LENGTHS: Final = range(MAC + 8, 0x40)
_HEAD: Final = 3
_LEVEL_SHIFT: Final = 5
_TYPE: Final = 0x1F
_KEY_LENGTHS: Final = frozenset({8, 16})
_MASTER: Final = 0x00


def key_parameters(p1: int, p2: int) -> bool:
    """Say whether P1 is load or replace and P2 one of the key files."""
    return p1 in {LOAD, REPLACE} and p2 in {fid & 0xFF for fid in KEY_FILES}


def put_key(environment: Environment, machine: Machine, command: Command) -> Reply:
    """Put a key into the environment: cipher of its record, MAC 4."""
    cipher, given = command.data[:-MAC], command.data[-MAC:]
    algorithm = environment.algorithm
    if len(cipher) % block_size(algorithm):
        raise Refusal(Status.WRONG_LENGTH, "LD/T 32.9 84 D4: Lc is not that of blocks and a MAC")
    challenge = machine.take_challenge()
    if environment.master_key is None:
        raise Refusal(Status.KEY_ABSENT, "LD/T 32.9 84 D4: this module has no master key")
    if challenge is None:
        raise Refusal(Status.NO_CHALLENGE, "LD/T 32.9 84 D4: no challenge of this application is there to be used")
    session = session_key(algorithm, environment.master_key, challenge[: block_size(algorithm)])
    if given != mac_from(algorithm, session, challenge, mac_input(command.header, cipher)):
        raise Refusal(Status.WRONG_MAC, "LD/T 32.9 84 D4: the MAC is not that of this command")
    identifier, key = _record(decipher_record(algorithm, session, cipher))
    present = identifier in environment.keys
    if present and command.p1 == LOAD:
        raise Refusal(Status.CONDITIONS, f"LD/T 32.9 84 D4: key {identifier:02X} is there already")
    if not present and command.p1 == REPLACE:
        raise Refusal(Status.KEY_ABSENT, f"LD/T 32.9 84 D4: there is no key {identifier:02X} to replace")

    def change() -> None:
        environment.keys[identifier] = key

    machine.memory.write(_HEAD + len(key.value), change)
    return Reply()


def mac_from(algorithm: Algorithm, session: bytes, challenge: bytes, data: bytes) -> bytes:
    """Compute a MAC whose chain starts from a challenge, padded with 00 to a block or cut to one."""
    size = block_size(algorithm)
    blocks = bytearray(mac_blocks(algorithm, data))
    for index, byte in enumerate(challenge[:size]):
        blocks[index] ^= byte
    return shortened(algorithm, cbc_last_block(algorithm, session, bytes(blocks)))


def decipher_record(algorithm: Algorithm, session: bytes, cipher: bytes) -> bytes:
    """Return the key record in a cipher. Refuses one without length and padding."""
    try:
        return decipher(algorithm, session, cipher)
    except ValueError:
        raise Refusal(Status.WRONG_MAC, "LD/T 32.9 84 D4: the cipher holds no length and padding") from None


def _record(record: bytes) -> tuple[int, HeldKey]:
    if len(record) - _HEAD not in _KEY_LENGTHS:
        raise Refusal(Status.WRONG_DATA, "LD/T 32.9 84 D4: the record is not usage, identifier, algorithm, key")
    usage, identifier, value = record[0], record[1], record[_HEAD:]
    levels, kind = usage >> _LEVEL_SHIFT, usage & _TYPE
    if levels not in set(Level) or kind not in set(Usage) or identifier == _MASTER:
        raise Refusal(Status.WRONG_DATA, f"LD/T 32.9 84 D4: no module has a key of usage {usage:02X}")
    return identifier, HeldKey(value, Level(levels), frozenset({Usage(kind)}))
