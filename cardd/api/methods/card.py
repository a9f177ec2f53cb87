"""Reading the card that is in a reader."""

import msgspec

from cardd.api.audit import Disclosure, leaves
from cardd.api.method import Call, Method, seconds
from cardd.api.rights import Right
from cardd.wire.cards import CardReadParams, CardReadResult
from cardd.wire.methods import CARD_READ

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
    seconds(params.wait_s, "$.wait_s")
    personal = await call.personal_for(params.purpose)
    result = await call.office.services.read_card(params, personal=personal)
    if personal and params.purpose is not None:
        await call.office.audit.disclosed([_disclosure(call, params.purpose, result)])
    return result


def _disclosure(call: Call, purpose: str, result: CardReadResult) -> Disclosure:
    fields = [path for path, _ in leaves(msgspec.to_builtins(result)) if path not in _NOT_PERSONAL]
    return Disclosure(
        client=call.session.client,
        purpose=purpose,
        method=call.method,
        fields=fields,
        subject=_reader_of(call, result.insertion),
        insertion=result.insertion,
    )


def _reader_of(call: Call, insertion: str) -> str:
    views = call.office.services.readers()
    names = (view.reader for view in views if view.card is not None and view.card.insertion == insertion)
    return next(names, "card")


METHODS = (Method(CARD_READ, Right.READ_CARD, _read),)
