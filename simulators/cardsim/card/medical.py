"""The old medical insurance card with a processor, as seen in the field: one file with the number."""

from typing import Final

from cardd.crypto.block import Algorithm
from cardd.rules.names import PBOC_CONTACT
from cardsim.card import authentication, binary, selection
from cardsim.card.build import answers, challenges
from cardsim.card.chip import Chip
from cardsim.card.filesystem import FREE, NEVER, Application, TransparentFile
from cardsim.card.machine import Machine
from cardsim.card.system import OperatingSystem
from cardsim.persona import MedicalInsurancePersona, Persona

_MF: Final = 0x3F00
_NUMBER_FILE: Final = 0x0003
_NUMBER_BYTES: Final = 20
_DIRECTORY: Final = bytes.fromhex("A503880101")
_HISTORICAL: Final = bytes.fromhex("8038004D4544")
_CLASSES: Final = (0x00,)


def make_medical(persona: Persona, card: MedicalInsurancePersona, seed: int | None) -> Chip:
    """Make the card: an MF with the name of the bank environment, EF 0003 with digits and then blanks, free to read."""
    root = Application("MF", _MF, PBOC_CONTACT, _DIRECTORY)
    content = bytearray(card.number.encode().ljust(_NUMBER_BYTES, b" "))
    root.files[_NUMBER_FILE] = TransparentFile(_NUMBER_FILE, FREE, NEVER, content)
    machine = Machine(root, Algorithm.DES, challenges(persona, seed))
    # these have no keys: a challenge is all that there is of authentication
    rows = (*selection.ROWS, *binary.ROWS, authentication.ROWS[0])
    return Chip(OperatingSystem(machine, _CLASSES, rows), answers(persona, _HISTORICAL, "contact"))
