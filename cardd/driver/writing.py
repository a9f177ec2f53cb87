"""Writing: files by their address, with data in the same shape."""

from collections.abc import Mapping

from msgspec.structs import replace

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.desk.files import rule_of
from cardd.desk.reading import WHOLE
from cardd.driver.arguments import CardInfo, Order
from cardd.driver.calls import Job, Told
from cardd.driver.numbers import DriverFault, data_illegal
from cardd.driver.writes import Files
from cardd.rules.address import FileAddress, ItemAddress
from cardd.rules.exchange import FileData, parse_data
from cardd.rules.keys import KeyName
from cardd.rules.layout import FileRule, Structure
from cardd.wire.deeds import CardWriteParams


async def write(job: Job, order: Order, info: CardInfo, address: tuple[FileAddress, ...], data: str) -> Told:
    """Write files of the card that was read before.

    A call whose end nobody knew is taken up by the same call on the same card.

    Raises CarddError as `to_be_written` and `WriteDesk.write` do.
    """
    files = to_be_written(address, data)
    inside = await job.expect(order, info)
    writes = job.tools.writes
    try:
        with writes.noted(job.client, inside.expected, files, job.params.request) as request:
            params = CardWriteParams(insertion=inside.insertion.id, wait_s=job.patience, files=files, request=request)
            await job.tools.cards.write(params, client=job.client)
    except CarddError as error:
        if error.reason is Reason.INVALID and not isinstance(error, DriverFault) and "file" in error.facts:
            raise data_illegal(error.detail) from error
        raise
    if job.heard():
        writes.told(job.client, inside.expected, files)
    return Told()


def to_be_written(address: tuple[FileAddress, ...], data: str) -> Files:
    """Return what is to be written, by file and item.

    Raises CarddError: FILE_ABSENT and RECORD_ABSENT for what no card has, ACCESS_DENIED for a file that nothing opens
    to be written, INVALID for an address that cannot be written to; DriverFault for data that do not fit the address.
    """
    for file in address:
        check_written(file)
    try:
        parsed = parse_data(address, data)
    except CarddError as error:
        raise data_illegal(error.detail) from error
    files: Files = {}
    for one in parsed:
        files.setdefault(one.file.name, {}).update(_texts(rule_of(one.file.name), one))
    return files


def check_written(file: FileAddress) -> KeyName:
    """Return the key that opens a file to be written. Raises CarddError as `to_be_written` does for an address."""
    rule = rule_of(file.name)
    if rule.write is None:
        raise CarddError(Reason.ACCESS_DENIED, "is written by no key", file=file.name)
    if bool(file.items) != bool(rule.items):
        raise CarddError(Reason.INVALID, "a file with items is written by them, any other as a whole", file=file.name)
    if file.record is not None:
        raise CarddError(Reason.INVALID, "a record is added, never written over", file=file.name)
    for item in file.items:
        if rule.item(item.tag) is None:
            raise CarddError(Reason.RECORD_ABSENT, "there is no such item", file=file.name, item=str(item))
    return rule.write


def _texts(rule: FileRule, data: FileData) -> Mapping[str, str]:
    if rule.structure is Structure.TRANSPARENT:
        return {WHOLE: "".join(data.texts)}
    if not data.file.items:
        return {str(number): text for number, text in enumerate(data.texts, 1)}
    return {_name(rule, item): text for item, text in zip(data.file.items, data.texts, strict=True)}


def _name(rule: FileRule, item: ItemAddress) -> str:
    """Return an item's name: one that repeats and is named without a number is the first."""
    known = rule.item(item.tag)
    repeats = known is not None and known.count > 1
    return str(replace(item, occurrence=item.occurrence or 1) if repeats else item)
