"""The holder's PIN: typed at a keypad or into a prompt, never an argument."""

from cardd.driver.arguments import CardInfo, Order
from cardd.driver.calls import Job, Told
from cardd.readers.insertion import Insertion
from cardd.wire.deeds import CardPinParams


async def verify(job: Job, order: Order) -> Told:
    """Have the PIN compared on the card. Raises CarddError as `PinDesk.verify` does."""
    await job.tools.cards.verify_pin(_params(job, (await job.look(order)).insertion), client=job.client)
    return Told()


async def change(job: Job, order: Order) -> Told:
    """Have the holder set a new PIN with the old one. Raises CarddError as `PinDesk.change` does."""
    await job.tools.cards.change_pin(_params(job, (await job.look(order)).insertion), client=job.client)
    return Told()


async def reload(job: Job, order: Order, info: CardInfo) -> Told:
    """Have the holder set a new PIN with the issuer's key. Raises CarddError as `PinDesk.reload` does."""
    await job.tools.cards.reload_pin(_issuer(job, (await job.expect(order, info)).insertion), client=job.client)
    return Told()


async def unblock(job: Job, order: Order, info: CardInfo) -> Told:
    """Give all tries back with the issuer's key. Raises CarddError as `PinDesk.unblock` does."""
    await job.tools.cards.unblock_pin(_issuer(job, (await job.expect(order, info)).insertion), client=job.client)
    return Told()


def _params(job: Job, inside: Insertion) -> CardPinParams:
    return CardPinParams(
        insertion=inside.id,
        wait_s=job.patience,
        request=job.params.request,
        keypad_digits=job.params.keypad_digits,
    )


def _issuer(job: Job, inside: Insertion) -> CardPinParams:
    """Return the choice of a deed that no keypad can do: what is typed for it has to be enciphered."""
    return CardPinParams(insertion=inside.id, wait_s=job.patience, request=job.params.request)
