"""The bank's side of the card: an environment of its own, behind the firewall (JR/T 0025, LD/T 32.4 5)."""

from typing import Final

from cardd.iso7816.tlv import encode
from cardd.rules.names import PBOC_CONTACT, PBOC_CONTACTLESS, PBOC_DEBIT
from cardsim.card.filesystem import FREE, NEVER, Application, RecordFile, Structure

_DDF: Final = 0xDDF2
_DDF_ANTENNA: Final = 0xDDF3
_ADF: Final = 0xDFB1
_DIRECTORY_SFI: Final = 0x01
_NUMBER_SFI: Final = 0x01
_LABEL: Final = b"PBOC DEBIT"
_EXPIRY: Final = "4912"
_SERVICE: Final = "220"
_INVENTED: Final = "6200000000000000000"
"""No bank's number: nobody issues 620000, and the check digit is right."""


def bank_environments(number: str | None) -> tuple[Application, Application]:
    """Return the environment for contacts with the debit application in it, and what the antenna shows of it."""
    environment = Application("PBOC", _DDF, PBOC_CONTACT, bytes.fromhex("A5038801") + bytes((_DIRECTORY_SFI,)))
    environment.is_environment = True
    entry = encode(0x61, encode(0x4F, PBOC_DEBIT) + encode(0x50, _LABEL))
    _record_file(environment, _DIRECTORY_SFI, encode(0x70, entry))
    environment.add(_debit(number or _INVENTED))
    contactless = Application(
        label="PPSE",
        fid=_DDF_ANTENNA,
        name=PBOC_CONTACTLESS,
        directory=encode(0xA5, encode(0xBF0C, encode(0x61, encode(0x4F, PBOC_DEBIT) + encode(0x50, _LABEL)))),
        is_environment=True,
        on_antenna=True,
    )
    return environment, contactless


def _debit(number: str) -> Application:
    application = Application("PBOC debit", _ADF, PBOC_DEBIT, encode(0xA5, encode(0x50, _LABEL)))
    track = _packed(f"{number}D{_EXPIRY}{_SERVICE}0000000")
    _record_file(
        application, _NUMBER_SFI, encode(0x70, encode(0x57, track)), encode(0x70, encode(0x5A, _packed(number)))
    )
    return application


def _packed(digits: str) -> bytes:
    return bytes.fromhex(digits + "F" * (len(digits) % 2))


def _record_file(application: Application, sfi: int, *records: bytes) -> None:
    size = sum(map(len, records))
    application.files[sfi] = RecordFile(sfi, Structure.VARIABLE, size, FREE, NEVER, list(records))
