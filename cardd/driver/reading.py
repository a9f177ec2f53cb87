"""Reading: the basic information, files by their addresses, and the numbers that vendors read besides."""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from msgspec.structs import replace

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Personal, Secret
from cardd.crypto.block import Algorithm
from cardd.crypto.derive import HISTORICAL, factors
from cardd.desk.files import parse_wanted, rule_of
from cardd.desk.identify import bank_number, identify
from cardd.desk.read import read_card, read_person
from cardd.desk.reading import Absent, CardReading, CardValue, Identity, IssuerData, Records, Unreadable
from cardd.desk.refusals import refusals
from cardd.desk.requests import Chosen
from cardd.desk.social import refuse_forged
from cardd.desk.values import typed
from cardd.driver.arguments import ANY_WAY, AuthType, CardInfo, Order
from cardd.driver.calls import METHOD, Job, Told, line, not_social
from cardd.driver.numbers import data_characters
from cardd.iso7816.atr import parse_atr
from cardd.iso7816.channel import Channel
from cardd.keys.money import CardKeys, MoneyService
from cardd.readers.insertion import Insertion
from cardd.rules.access import PIN, Access
from cardd.rules.address import FileAddress, ItemAddress
from cardd.rules.content import read_fields
from cardd.rules.exchange import FileData, print_data
from cardd.rules.generations import Generation
from cardd.rules.items import Form
from cardd.rules.keys import KeyName
from cardd.rules.layout import FileRule, Structure
from cardd.rules.values import SEPARATOR
from cardd.wire.cards import CardChoice, Kind

NO_TERMINAL: Final = "0" * 12

_BASIC: Final = (
    "issuer.region",
    "holder.social_security_number",
    "issuer.card_number",
    "issuer.identification_code",
    "holder.name",
)
_DATES: Final = ("issuer.issue_date", "issuer.valid_until")
_NOBODYS: Final = factors("0" * 6, bytes(HISTORICAL))
"""Factors for what is the same for every card."""
_NOTHING: Final = frozenset[str]()
_SEPARATORS: Final = frozenset("|$")


async def basic(job: Job, order: Order) -> Told:
    """Read the eleven items by which a business system knows card and holder.

    Raises CarddError: CARD_UNKNOWN, CARD_NOT_GENUINE; why nobody could judge the card; as `read_person` does.
    """
    chosen = await job.choose(order)
    at, stopped = job.tools.at, job.tools.stopped
    deadline = at.deadline()

    def operation(channel: Channel, inside: Insertion) -> tuple[CardReading, str]:
        reading = read_person(channel, inside, at.keys, None, deadline, stopped=stopped)
        check_proven(reading.identity)
        return reading, terminal_number(job.tools.money, reading.identity, inside, deadline)

    reading, terminal = await job.run(chosen, operation)
    return told_basic(reading, chosen.insertion, terminal)


def check_proven(identity: Identity) -> None:
    """Raise CarddError unless it is a social security card that has proved itself, and the proof was judged."""
    if identity.kind is not Kind.SOCIAL_SECURITY:
        raise not_social(identity.kind)
    refuse_forged(identity)
    if identity.authentic is None:
        reason = identity.unproven or Reason.PSAM_ABSENT
        raise CarddError(reason, "nobody could judge the card's proof", key=str(KeyName.IRK))


def terminal_number(money: MoneyService | None, identity: Identity, inside: Insertion, deadline: float) -> str:
    """Return the security module's number, twelve digits, zeros where none tells it."""
    region = None if identity.issuer is None else identity.issuer.region
    if money is None or identity.algorithm is None or not isinstance(region, str):
        return NO_TERMINAL
    try:
        keys = CardKeys(identity.algorithm, factors(region, parse_atr(inside.atr).historical))
        return money.terminal(keys, deadline=deadline).hex()
    except CarddError:
        # the module is not needed for what was read
        return NO_TERMINAL


def told_basic(reading: CardReading, inside: Insertion, terminal: str) -> Told:
    """Return the eleven items, and which of them are a person's."""
    issuer, holder = reading.issuer, reading.holder
    if issuer is None or holder is None:
        raise CarddError(Reason.FILE_ABSENT, "the card tells no holder")
    found: Mapping[str, str] = {
        "issuer.region": plain(issuer.region),
        "holder.social_security_number": plain(holder.social_security_number),
        "issuer.card_number": plain(issuer.card_number),
        "issuer.identification_code": plain(issuer.identification_code),
        "holder.name": plain(holder.name),
    }
    dates = {"issuer.issue_date": _day(issuer.issue_date), "issuer.valid_until": _day(issuer.valid_until)}
    items = (
        *(found[name] for name in _BASIC),
        parse_atr(inside.atr).historical.hex().upper(),
        _version(issuer),
        *(dates[name] for name in _DATES),
        terminal,
        "",
    )
    _check_separators(items)
    told = tuple(name for name, text in {**found, **dates}.items() if text and name != "issuer.region")
    return Told(line(items), told, inside)


async def card_number(job: Job, order: Order) -> Told:
    """Read the card number. Raises CarddError: CARD_UNKNOWN, CARD_NOT_GENUINE."""
    chosen = await job.choose(order)
    at = job.tools.at
    deadline = at.deadline()
    identity = await job.run(chosen, lambda channel, inside: identify(channel, inside, at.keys, deadline))
    if identity.kind is not Kind.SOCIAL_SECURITY:
        raise not_social(identity.kind)
    refuse_forged(identity)
    return Told(line([plain(identity.number)]), ("issuer.card_number",), chosen.insertion)


async def bank_account(job: Job, order: Order) -> Told:
    """Read the number of the account beside the social application. Raises CarddError(FILE_ABSENT)."""
    chosen = await job.choose(order)

    def operation(channel: Channel, _: Insertion) -> Personal | None:
        with refusals():
            return bank_number(channel)

    number = await job.run(chosen, operation)
    if number is None:
        raise CarddError(Reason.FILE_ABSENT, "the card has no bank application")
    return Told(line([number.disclose()]), ("bank_number",), chosen.insertion)


async def bank_account_any_way(job: Job) -> Told:
    """Read the number of the account, however the card lies. Raises as `bank_account` does."""
    return await bank_account(job, ANY_WAY)


async def reader_info(job: Job) -> Told:
    """Tell the reader's serial number, its name where it has none, and the security module's number.

    Raises CarddError: NOT_FOUND where there is no reader, PCSC_*.
    """
    views = job.counters()
    if not views:
        # whoever knows why there is no reader says so
        await job.tools.requests.choose(CardChoice(reader=job.params.reader))
        raise CarddError(Reason.NOT_FOUND, "there is no counter reader")
    named = [view for view in views if job.params.reader in {view.reader, view.pcsc_name}]
    view = next((one for one in named or views if one.insertion is not None), (named or views)[0])
    terminal = await asyncio.to_thread(_terminal_of_module, job.tools.money, job.tools.at.deadline())
    return Told(line([view.serial or view.pcsc_name, terminal]))


def _terminal_of_module(money: MoneyService | None, deadline: float) -> str:
    """Return the security module's number, zeros where none tells it; no card has to be in."""
    if money is None:
        return NO_TERMINAL
    for algorithm in Algorithm:
        with contextlib.suppress(CarddError):
            return money.terminal(CardKeys(algorithm, _NOBODYS), deadline=deadline).hex()
    return NO_TERMINAL


# -- files


async def files(job: Job, order: Order, auth: AuthType, info: CardInfo, address: tuple[FileAddress, ...]) -> Told:
    """Read files by their address, of the card that was read before.

    The holder is asked for the PIN where a file wants it, and where `auth` prefers it to a key. Raises CarddError as
    `read_card` does.
    """
    text = "".join(map(str, address))
    parse_wanted(text)
    inside = await job.expect(order, info)
    generation = inside.expected.generation or Generation.V3
    pin: Secret | None = None
    if any(_wants_pin(file, generation, auth) for file in address):
        pin = await job.tools.at.pin_of(inside, METHOD, job.params.request)
    reading = await _read(job, inside.chosen, inside.expected, text, pin)
    return told_files(address, reading.records, reading.absent, inside.insertion)


async def _read(job: Job, chosen: Chosen, expected: Identity, text: str, pin: Secret | None) -> CardReading:
    at, stopped = job.tools.at, job.tools.stopped
    deadline = at.deadline()
    return await job.run(
        chosen,
        lambda channel, inside: read_card(channel, inside, at.keys, expected, deadline, text, stopped=stopped, pin=pin),
    )


def access_of(file: FileAddress, generation: Generation) -> Access:
    """Return what opens a file on a card of a generation; of one that it should not have, what opens any other."""
    read = rule_of(file.name).read
    return read.get(generation) or next(iter(read.values()))


def _wants_pin(file: FileAddress, generation: Generation, auth: AuthType) -> bool:
    access = access_of(file, generation)
    if access.free or (auth is AuthType.KEY and access.key is not None):
        return False
    return any(PIN in way for way in access.ways)


def told_files(address: tuple[FileAddress, ...], records: Records, absent: Absent, inside: Insertion) -> Told:
    """Return the data in the shape of their address, and which they are.

    Raises CarddError: FILE_ABSENT and RECORD_ABSENT for what was named and is not on this card: a text that is empty
    says that the item is there and not set.
    """
    for file in address:
        _check_there(file, records[file.name], absent.get(file.name, _NOTHING))
    data = [_data(file, records[file.name]) for file in address]
    for one in data:
        _check_separators(one.texts)
    fields = dict.fromkeys(name for file in address for name in _fields(file, records[file.name]))
    return Told(print_data(tuple(data)), tuple(fields), inside)


def _check_there(file: FileAddress, values: Mapping[str, CardValue], missing: frozenset[str] | None) -> None:
    if missing is None:
        raise CarddError(Reason.FILE_ABSENT, "the card has no such file", file=file.name)
    named = _names(file, values) if file.items or file.record is not None else ()
    for name in named:
        if name in missing:
            raise CarddError(Reason.RECORD_ABSENT, "the card has no such record", file=file.name, item=name)


def _data(file: FileAddress, values: Mapping[str, CardValue]) -> FileData:
    return FileData(file, tuple(_text(file, name, values[name]) for name in _names(file, values)))


def _fields(file: FileAddress, values: Mapping[str, CardValue]) -> Iterator[str]:
    return (f"records.{file.name}.{name}" for name in _names(file, values) if values[name] is not None)


def _names(file: FileAddress, values: Mapping[str, CardValue]) -> Iterable[str]:
    """Give the names under which a file's values stand, in the order of its address."""
    if file.record is not None:
        return (str(file.record),)
    if not file.items:
        return tuple(values)
    # of an item that repeats and is named without a number, the first
    return tuple(next(name for name in _spellings(item) if name in values) for item in file.items)


def _spellings(item: ItemAddress) -> tuple[str, ...]:
    return (str(item), str(replace(item, occurrence=item.occurrence or 1)), f"{item.tag:02X}")


def _text(file: FileAddress, name: str, value: CardValue) -> str:
    rule = rule_of(file.name)
    if isinstance(value, Unreadable) and rule.structure is Structure.CYCLIC:
        return _record(rule, value.raw)
    item = rule.item(int(name[:2], 16)) if rule.items else None
    return _day(value) if item is not None and item.form is Form.DATE else plain(value)


def _record(rule: FileRule, raw: bytes) -> str:
    """Return a record of which something breaks its rule: that as its bytes, the fields beside it as ever.

    One that cannot be cut into fields is its bytes as a whole.
    """
    fields = read_fields(rule, raw)
    texts = [plain(typed(value, None)) for value in fields.values]
    if sum(value.item.length for value in fields.values) != len(raw) or any(SEPARATOR in text for text in texts):
        return raw.hex().upper()
    return "".join(f"{text}{SEPARATOR}" for text in texts)


def plain(value: CardValue) -> str:
    """Return a value as it is on the card; what does not follow its rule as the bytes that it is."""
    if isinstance(value, Personal):
        return value.disclose()
    if isinstance(value, Unreadable):
        return value.raw.hex().upper()
    return value or ""


def _day(value: CardValue) -> str:
    if isinstance(value, Unreadable) and value.raw.isdigit():
        # some cards have dates as characters, where packed digits should be
        return value.raw.decode("ascii")
    return plain(value).replace("-", "")


def _version(issuer: IssuerData) -> str:
    return plain(issuer.specification_version)


def _check_separators(texts: Iterable[str]) -> None:
    if any(_SEPARATORS & set(text) for text in texts):
        raise data_characters("a text on the card has a character that separates texts")
