"""The medical account as a persona gives it: balance, counters, yearly sums, keys (LD/T 32.6 8.5)."""

from typing import Final

from cardd.rules.account import KEY_INDEXES, OFFLINE
from cardd.rules.keys import KeyName
from cardsim.card.filesystem import Application, RecordFile
from cardsim.card.keyset import KeySet
from cardsim.card.money_file import Cell, MoneyFile
from cardsim.persona import SocialSecurityPersona

ACCOUNT: Final = "DF04"
_BASIC_DATA: Final = 0xEF05
_ADDRESS: Final = "DF04EF05"
_CARD_USAGE: Final = 0x8F


def open_account(card: SocialSecurityPersona, keys: KeySet, application: Application) -> None:
    """Give the medical application its money file and the key of the starting day. Raises DocumentError for keys."""
    debit, load, certificate = (
        keys.versions(name, len(KEY_INDEXES)) for name in (KeyName.DPK, KeyName.DLK, KeyName.DTK)
    )
    money = MoneyFile(debit, load, certificate)
    money.set_number(Cell.ONLINE, card.counters.online)
    money.set_number(Cell.OFFLINE, card.counters.offline)
    money.set_number(Cell.BALANCE, card.balance or 0)
    money.set_number(Cell.SELF_PAID, card.yearly.self_paid)
    money.set_number(Cell.POOL, card.yearly.pool)
    money[Cell.YEAR] = bytes.fromhex(card.yearly.year)
    money[Cell.START_DAY] = bytes.fromhex(card.yearly.starting_day)
    application.money = money
    for key in keys.under(KeyName.DSK, int(card.toggles.starting_day_key, 16)):
        application.keys[key.kid] = key
    if card.balance is not None and not _says_its_use(card):
        _use_offline(application)


def _says_its_use(card: SocialSecurityPersona) -> bool:
    tag, raw = f"{_CARD_USAGE:02X}", card.raw.get(_ADDRESS, {})
    return tag in card.files.get(_ADDRESS, ()) or not isinstance(raw, dict) or tag in raw


def _use_offline(application: Application) -> None:
    file = application.files.get(_BASIC_DATA)
    if isinstance(file, RecordFile):
        file.records[:] = [_offline(record) for record in file.records]


def _offline(record: bytes) -> bytes:
    return record[:2] + OFFLINE.encode() if record[:1] == bytes((_CARD_USAGE,)) else record
