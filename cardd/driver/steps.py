"""The functions in steps, for terminals without keys: between them a back office has its machine compute."""

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.desk import hsm, two_steps
from cardd.desk.at_card import Inside
from cardd.desk.files import FileReading, parse_wanted, rule_of
from cardd.desk.hsm import Challenge
from cardd.desk.intending import preparing
from cardd.desk.prompts import Purpose
from cardd.desk.reading import CardReading, Identity
from cardd.desk.requests import Chosen
from cardd.desk.two_steps import BasicBegun, KeyBegun
from cardd.desk.updates import prepare
from cardd.driver.arguments import CardInfo, Order
from cardd.driver.calls import METHOD, Job, Told, not_social
from cardd.driver.holding import go_on, held
from cardd.driver.numbers import data_illegal, unknown_before
from cardd.driver.on_record import RELOAD, UNBLOCK, Act, on_record
from cardd.driver.pending import (
    BasicPending,
    KeyPending,
    MaintenancePending,
    NewPinPending,
    ReadPending,
    ReloadPending,
    TriesPending,
    UnblockPending,
    WritePending,
)
from cardd.driver.reading import access_of, terminal_number, told_basic, told_files
from cardd.driver.writing import check_written, to_be_written
from cardd.iso7816.atr import parse_atr
from cardd.iso7816.channel import Channel
from cardd.journal.events import Json
from cardd.readers.insertion import Insertion
from cardd.rules.access import Access
from cardd.rules.address import FileAddress
from cardd.rules.generations import Generation
from cardd.rules.keys import KeyName

T = TypeVar("T")

Operation = Callable[[Channel, Insertion], T]

_HEADER: Final = 4

# -- the basic information


async def basic_1(job: Job, order: Order) -> Told:
    """Ask the card to prove itself, and write what a machine has to compute for that."""
    chosen = await job.choose(order)
    async with held(job, chosen) as kept:
        begun = await job.run(kept, two_steps.begin_basic)
        if not isinstance(begun, BasicBegun):
            raise not_social(begun.kind)
        out = _basic_request(begun, kept.insertion)
    return Told(out, ("issuer.identification_code",), kept.insertion, BasicPending(kept, begun))


def _basic_request(begun: BasicBegun, inside: Insertion) -> str:
    identity = begun.card.identity
    return hsm.basic_step1(
        str(begun.card.issuer.region),
        parse_atr(inside.atr).historical,
        begun.card.algorithm,
        bytes.fromhex(identity.identification_code or ""),
        begun.internal,
        begun.external,
    )


async def basic_2(job: Job, pending: BasicPending, key: str) -> Told:
    """Hold the card's proof against what the machine has computed, show it the machine's own, and read the holder.

    Raises CarddError: INVALID for text that is no answer of a machine's, CARD_NOT_GENUINE; as `finish_basic` does.
    """
    internal, external = hsm.parse_basic_answer(key)
    stopped, deadline = job.tools.stopped, job.tools.at.deadline()

    def operation(channel: Channel, inside: Insertion) -> tuple[CardReading, str]:
        reading = two_steps.finish_basic(channel, inside, pending.begun, internal, external, deadline, stopped=stopped)
        return reading, terminal_number(job.tools.money, reading.identity, inside, deadline)

    reading, terminal = await go_on(job, pending, operation)
    return told_basic(reading, pending.chosen.insertion, terminal)


# -- files


async def read_1(job: Job, order: Order, info: CardInfo, address: tuple[FileAddress, ...]) -> Told:
    """Write what a machine has to compute so that the first file of an address can be read.

    Raises CarddError: HSM_NOT_NEEDED for a file that is free, or that the PIN alone opens.
    """
    file = address[0]
    parse_wanted(str(file))
    inside = await job.expect(order, info)
    access = access_of(file, inside.expected.generation or Generation.V3)
    key = _key_to_read(access)
    pin = None
    if not any(way == {key} for way in access.ways):
        pin = await job.tools.at.pin_of(inside, METHOD, job.params.request)
    async with held(job, inside.chosen) as kept:
        begun = await _begin(job, kept, inside.expected, file, pin)
        out = _key_request(begun, key)
    return Told(out, (), kept.insertion, ReadPending(kept, inside.expected, begun, file, key))


async def read_2(job: Job, pending: ReadPending, key: str) -> Told:
    """Show the card what the machine has computed, and read the file."""
    answer = hsm.parse_key_answer(key)
    begun, stopped, deadline = pending.begun, job.tools.stopped, job.tools.at.deadline()

    def operation(channel: Channel, inside: Insertion) -> FileReading:
        two_steps.show_key(channel, inside, begun, pending.key, answer, deadline, stopped=stopped)
        return two_steps.read_shown(channel, begun, stopped, pending.file)

    reading = await go_on(job, pending, operation)
    name, absent = pending.file.name, reading.missing if reading.there else None
    return told_files((pending.file,), {name: reading.values}, {name: absent}, pending.chosen.insertion)


async def write_1(job: Job, order: Order, info: CardInfo, address: tuple[FileAddress, ...]) -> Told:
    """Write what a machine has to compute so that the first file of an address can be written."""
    file = address[0]
    key = check_written(file)
    inside = await job.expect(order, info)
    async with held(job, inside.chosen) as kept:
        begun = await _begin(job, kept, inside.expected, file, None)
        out = _key_request(begun, key)
    return Told(out, (), kept.insertion, WritePending(kept, inside.expected, begun, file, key))


async def write_2(job: Job, pending: WritePending, key: str, data: str) -> Told:
    """Show the card what the machine has computed, and write the file. Raises as `write` does."""
    answer = hsm.parse_key_answer(key)
    files = to_be_written((pending.file,), data)
    try:
        (update,) = prepare(files)
    except CarddError as error:
        raise data_illegal(error.detail) from error
    begun, stopped, deadline = pending.begun, job.tools.stopped, job.tools.at.deadline()

    async def work(intend: Callable[[], None]) -> tuple[str, ...]:
        def operation(channel: Channel, inside: Insertion) -> bool:
            intend()
            with preparing():
                two_steps.show_key(channel, inside, begun, pending.key, answer, deadline, stopped=stopped)
            return two_steps.write_shown(channel, begun, stopped, update, job.tools.at.keys, deadline, again=again)

        return () if await go_on(job, pending, operation) else (pending.file.name,)

    inside, writes = Inside(pending.chosen, pending.expected, None), job.tools.writes
    again = writes.former(job.client, pending.expected, files) is not None
    with writes.noted(job.client, pending.expected, files, job.params.request) as request:
        try:
            await job.tools.cards.write_shown(inside, files, work, request=request, client=job.client)
        except CarddError as error:
            if not (again and error.reason is Reason.ACCESS_DENIED):
                raise
            writes.warn(request)
            raise unknown_before("nobody can read here what the call before this one came to") from error
    if job.heard():
        writes.told(job.client, pending.expected, files)
    return Told()


def _key_to_read(access: Access) -> KeyName:
    """Return the key that opens a file, alone where one does, with the PIN else."""
    ways = sorted(access.ways, key=len)
    keys = [right for way in ways for right in way if isinstance(right, KeyName)]
    if access.free or not keys:
        raise CarddError(Reason.HSM_NOT_NEEDED, "the file is free, or the PIN opens it")
    return keys[0]


# -- the PIN


async def reload_1(job: Job, order: Order, info: CardInfo) -> Told:
    """Write what a machine has to compute for the right to set a new PIN."""
    return await _puk(job, order, info, ReloadPending)


async def reload_2(job: Job, pending: ReloadPending, key: str) -> Told:
    """Show the card the right, have the holder choose a PIN, and write what a machine has to make of it."""
    await _show_puk(job, pending, key)
    pin = await job.tools.at.ask(
        Inside(pending.chosen, pending.expected, None), Purpose.NEW_PIN, METHOD, job.params.request
    )
    challenge = await go_on(job, pending, lambda _channel, _inside: two_steps.ask_again(pending.begun))
    algorithm = pending.begun.card.algorithm
    header = hsm.reload_header(algorithm, pin)
    out = hsm.reload_step2(algorithm, challenge, pin)
    return Told(
        out,
        ("new_pin",),
        pending.chosen.insertion,
        NewPinPending(pending.chosen, pending.expected, pending.begun, header),
    )


async def reload_3(job: Job, pending: NewPinPending, key: str) -> Told:
    """Send the card the command that sets the new PIN."""
    return await _maintain(job, pending, key, RELOAD, "reloaded")


async def unblock_1(job: Job, order: Order, info: CardInfo) -> Told:
    """Write what a machine has to compute for the right to give all tries back."""
    return await _puk(job, order, info, UnblockPending)


async def unblock_2(job: Job, pending: UnblockPending, key: str) -> Told:
    """Show the card the right, and write what a machine has to make the command of."""
    await _show_puk(job, pending, key)
    challenge = await go_on(job, pending, lambda _channel, _inside: two_steps.ask_again(pending.begun))
    out = hsm.unblock_step2(pending.begun.card.algorithm, challenge)
    following = TriesPending(pending.chosen, pending.expected, pending.begun, hsm.UNBLOCK_HEADER)
    return Told(out, (), None, following)


async def unblock_3(job: Job, pending: TriesPending, key: str) -> Told:
    """Send the card the command that gives all tries back."""
    return await _maintain(job, pending, key, UNBLOCK, "unblocked")


async def _puk(job: Job, order: Order, info: CardInfo, following: type[KeyPending]) -> Told:
    inside = await job.expect(order, info)
    async with held(job, inside.chosen) as kept:
        begun = await _begin(job, kept, inside.expected, None, None)
        out = _key_request(begun, KeyName.PUK)
    return Told(out, (), kept.insertion, following(kept, inside.expected, begun))


async def _show_puk(job: Job, pending: KeyPending, key: str) -> None:
    answer = hsm.parse_key_answer(key)
    stopped, deadline = job.tools.stopped, job.tools.at.deadline()
    await go_on(
        job,
        pending,
        lambda channel, inside: two_steps.show_key(
            channel, inside, pending.begun, KeyName.PUK, answer, deadline, stopped=stopped
        ),
    )


async def _maintain(job: Job, pending: MaintenancePending, key: str, act: Act, done: str) -> Told:
    data = hsm.parse_maintenance_answer(key, pending.header)
    header = pending.header[:_HEADER]

    async def work() -> tuple[Told, Mapping[str, Json]]:
        await go_on(job, pending, lambda _channel, _inside: two_steps.maintain_shown(pending.begun, header, data))
        return Told(), {"done": done}

    return await on_record(job, act, (pending.chosen.insertion, pending.expected), {}, work)


# -- what steps have in common


async def _begin(job: Job, kept: Chosen, expected: Identity, file: FileAddress | None, pin: Secret | None) -> KeyBegun:
    rule = None if file is None else rule_of(file.name)
    return await job.run(kept, lambda channel, inside: two_steps.begin_key(channel, inside, expected, rule, pin))


def _key_request(begun: KeyBegun, key: KeyName) -> str:
    challenge: Challenge = begun.challenge
    return hsm.key_step1(begun.card.algorithm, key, challenge)
