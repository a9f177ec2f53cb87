"""Issuers' own applications, from DF0A on, and own files, from EF0C on: what a persona gives byte for byte."""

from collections.abc import Iterator
from typing import Final

from cardd.base.errors import CarddError
from cardd.rules.address import FileAddress, parse_file
from cardd.rules.applications import FIRST_LOCAL_APPLICATION, FIRST_LOCAL_FILE
from cardd.rules.files import FILES
from cardd.rules.identity import APPLICATION_ID
from cardsim.card.contents import Contents
from cardsim.card.filesystem import Application
from cardsim.persona import Persona, SocialSecurityPersona

_BYTE: Final = 0xFF


def local_files(persona: Persona, card: SocialSecurityPersona, application: str) -> Iterator[tuple[int, str]]:
    """Yield (identifier, address) of the files of an application that are not the rule's. Raises DocumentError."""
    for address in card.raw:
        file = _parsed(persona, address)
        if file.application == application and address not in FILES:
            fid = int(file.file, 16)
            if fid < FIRST_LOCAL_FILE:
                raise persona.fault(f"$.raw.{address}", f"no such file; issuers' own begin with {FIRST_LOCAL_FILE:04X}")
            yield fid, address


def local_applications(persona: Persona, card: SocialSecurityPersona, contents: Contents) -> Iterator[Application]:
    """Yield the applications that are not the rule's. Raises DocumentError."""
    names = {_parsed(persona, address).application for address in card.raw}
    for name in sorted(names):
        fid = int(name, 16) if name.startswith("DF") else 0
        if fid >= FIRST_LOCAL_APPLICATION:
            application = Application(name, fid, APPLICATION_ID + bytes((fid & _BYTE,)))
            for file, address in local_files(persona, card, name):
                application.files[file] = contents.local_file(address, file)
            yield application


def _parsed(persona: Persona, address: str) -> FileAddress:
    try:
        return parse_file(address)
    except CarddError:
        raise persona.fault(f"$.raw.{address}", "is no application and file such as DF0AEF0C") from None
