"""The medical account of the card that is in a reader."""

from cardd.api.leasing import check_choice
from cardd.api.method import Call, Method
from cardd.api.methods.card import cards
from cardd.api.rights import Right
from cardd.api.services import AccountService
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.wire.accounts import (
    AccountBalanceParams,
    AccountBalanceResult,
    AccountDebitParams,
    AccountLoadParams,
    AccountMoved,
    AccountProofParams,
    AccountProofResult,
    AccountRecordsParams,
    AccountRecordsResult,
    AccountStartingDayParams,
    AccountStartingDayResult,
)
from cardd.wire.methods import (
    ACCOUNT_BALANCE,
    ACCOUNT_DEBIT,
    ACCOUNT_LOAD,
    ACCOUNT_PROOF,
    ACCOUNT_RECORDS,
    ACCOUNT_SET_STARTING_DAY,
)


async def _balance(call: Call, params: AccountBalanceParams) -> AccountBalanceResult:
    check_choice(call, params)
    return await _accounts(call).balance(params)


async def _records(call: Call, params: AccountRecordsParams) -> AccountRecordsResult:
    check_choice(call, params)
    return await _accounts(call).records(params)


async def _debit(call: Call, params: AccountDebitParams) -> AccountMoved:
    check_choice(call, params)
    return await call.office.deeds.carry_out(_accounts(call).debit(params, client=call.session.client))


async def _load(call: Call, params: AccountLoadParams) -> AccountMoved:
    check_choice(call, params)
    return await call.office.deeds.carry_out(_accounts(call).load(params, client=call.session.client))


async def _proof(call: Call, params: AccountProofParams) -> AccountProofResult:
    check_choice(call, params)
    return await call.office.deeds.carry_out(_accounts(call).proof(params, client=call.session.client))


async def _set_starting_day(call: Call, params: AccountStartingDayParams) -> AccountStartingDayResult:
    check_choice(call, params)
    return await call.office.deeds.carry_out(cards(call).set_starting_day(params, client=call.session.client))


def _accounts(call: Call) -> AccountService:
    accounts = call.office.services.accounts
    if accounts is None:
        raise CarddError(Reason.NOT_FOUND, "medical accounts are not served here")
    return accounts


METHODS = (
    Method(ACCOUNT_BALANCE, Right.SETTLE, _balance),
    Method(ACCOUNT_DEBIT, Right.SETTLE, _debit),
    Method(ACCOUNT_LOAD, Right.SETTLE, _load),
    Method(ACCOUNT_PROOF, Right.SETTLE, _proof),
    Method(ACCOUNT_RECORDS, Right.SETTLE, _records),
    # the issuer's affair, with the issuer's key: a till only settles
    Method(ACCOUNT_SET_STARTING_DAY, Right.WRITE_CARD, _set_starting_day),
)
