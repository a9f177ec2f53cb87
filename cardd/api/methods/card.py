"""The card that is in a reader: read, written, its PIN asked for."""

from collections.abc import Awaitable, Callable, Coroutine

import msgspec

from cardd.api.audit import Disclosure, leaves
from cardd.api.leasing import check_choice, check_lease, leases
from cardd.api.method import Call, Method
from cardd.api.rights import Right
from cardd.api.services import CardService
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.wire.cards import CardChoice, CardReadParams, CardReadResult
from cardd.wire.deeds import (
    CardBlockParams,
    CardBlockResult,
    CardPinParams,
    CardPinQueryResult,
    CardPinResult,
    CardWriteParams,
    CardWriteResult,
)
from cardd.wire.leases import CardTransmitParams, CardTransmitResult
from cardd.wire.methods import (
    CARD_BLOCK,
    CARD_PIN_CHANGE,
    CARD_PIN_QUERY,
    CARD_PIN_RELOAD,
    CARD_PIN_UNBLOCK,
    CARD_PIN_VERIFY,
    CARD_READ,
    CARD_TRANSMIT,
    CARD_WRITE,
)

_NOT_PERSONAL = frozenset(
    {
        "insertion",
        "kind",
        "generation",
        "authentic",
        "via",
        "issuer.card_class",
        "issuer.specification_version",
        "issuer.initialising_organisation",
        "issuer.region",
        "holder.token",
    }
)
"""What says nothing about a person; whatever a result may tell besides is a disclosure."""


async def _read(call: Call, params: CardReadParams) -> CardReadResult:
    check_choice(call, params)
    personal = await call.personal_for(params.purpose)
    result = await call.office.services.read_card(params, personal=personal)
    if personal and params.purpose is not None:
        await call.office.audit.disclosed([_disclosure(call, params.purpose, result)])
    return result


def _disclosure(call: Call, purpose: str, result: CardReadResult) -> Disclosure:
    fields = [path for path, _ in leaves(msgspec.to_builtins(result)) if not _says_nothing(path)]
    return Disclosure(
        client=call.session.client,
        purpose=purpose,
        method=call.method,
        fields=fields,
        subject=_reader_of(call, result.insertion),
        insertion=result.insertion,
    )


def _says_nothing(path: str) -> bool:
    return path in _NOT_PERSONAL or path.startswith("old_meanings.")


def _reader_of(call: Call, insertion: str) -> str:
    views = call.office.services.readers()
    names = (view.reader for view in views if view.card is not None and view.card.insertion == insertion)
    return next(names, "card")


async def _write(call: Call, params: CardWriteParams) -> CardWriteResult:
    check_choice(call, params)
    return await call.office.deeds.carry_out(cards(call).write(params, client=call.session.client))


async def _block(call: Call, params: CardBlockParams) -> CardBlockResult:
    check_choice(call, params)
    return await call.office.deeds.carry_out(cards(call).block(params, client=call.session.client))


async def _query_pin(call: Call, params: CardChoice) -> CardPinQueryResult:
    check_choice(call, params)
    return await cards(call).query_pin(params)


async def _transmit(call: Call, params: CardTransmitParams) -> CardTransmitResult:
    if params.spends:
        # whoever may lift a stop may also ask for none
        await call.require(Right.OPERATE)
    check_lease(call, params.lease)
    return await leases(call).transmit(params, client=call.session.client)


def cards(call: Call) -> CardService:
    """Return who works on cards. Raises CarddError(NOT_FOUND) where they are only read."""
    if call.office.services.cards is None:
        raise CarddError(Reason.NOT_FOUND, "cards are only read here")
    return call.office.services.cards


_PinDeed = Callable[[CardService], Callable[..., Coroutine[object, object, CardPinResult]]]


def _pin(deed: _PinDeed) -> Callable[[Call, CardPinParams], Awaitable[CardPinResult]]:
    """Return the handler of a deed with the PIN: it goes on to its end when the client has gone."""

    async def handler(call: Call, params: CardPinParams) -> CardPinResult:
        check_choice(call, params)
        return await call.office.deeds.carry_out(deed(cards(call))(params, client=call.session.client))

    return handler


METHODS = (
    Method(CARD_READ, Right.READ_CARD, _read),
    Method(CARD_WRITE, Right.WRITE_CARD, _write),
    Method(CARD_PIN_QUERY, Right.PIN, _query_pin),
    Method(CARD_PIN_VERIFY, Right.PIN, _pin(lambda service: service.verify_pin)),
    Method(CARD_PIN_CHANGE, Right.PIN, _pin(lambda service: service.change_pin)),
    Method(CARD_PIN_RELOAD, Right.PIN, _pin(lambda service: service.reload_pin)),
    Method(CARD_PIN_UNBLOCK, Right.PIN, _pin(lambda service: service.unblock_pin)),
    Method(CARD_BLOCK, Right.BLOCK_CARD, _block),
    Method(CARD_TRANSMIT, Right.RAW_APDU, _transmit),
)
