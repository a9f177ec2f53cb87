"""The driver's functions by name: what goes in, how long the output buffer is, who does it (人社信息函[2016]38号)."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Struct
from cardd.driver import money, pins, reading, steps, writing
from cardd.driver.arguments import Argument
from cardd.driver.calls import Job, Told
from cardd.driver.pending import (
    BasicPending,
    DebitPending,
    NewPinPending,
    Pending,
    ReadPending,
    ReloadPending,
    TriesPending,
    UnblockPending,
    WritePending,
)

Handler = Callable[..., Awaitable[Told]]
"""Is given the call, and then its arguments as they were read."""

INFO: Final = 1024
DATA: Final = 20480
SHORT: Final = 512
RECORDS: Final = 2048
EXTRA: Final = 64


class Function(Struct, frozen=True):
    """One function: its arguments without the output buffer, that buffer's length in bytes of GBK, who does it.

    `arguments` is None where nobody looks at them.
    """

    name: str
    arguments: tuple[Argument, ...] | None
    buffer: int
    handler: Handler
    continues: type[Pending] | None = None
    """What must have been begun by the function before; the handler is given it."""


async def _no_certificates(_: Job, *_arguments: object) -> Told:
    """Say that what would sign is not publicly specified."""
    raise CarddError(Reason.NO_CERTIFICATE_APPLICATION, "only the titles of these functions are public")


CERTIFICATES: Final = "PKI_"
"""How the names of the functions begin of which only titles are public."""

SIGN: Final = f"{CERTIFICATES}SignData"

_TYPE, _INFO, _ADDRESS, _KEY = Argument.TYPE, Argument.CARD_INFO, Argument.FILE_ADDRESS, Argument.KEY

_ROWS: Final = (
    Function("iReadCardBas", (_TYPE,), INFO, reading.basic),
    Function("iReadCard", (_TYPE, Argument.AUTH_TYPE, _INFO, _ADDRESS), DATA, reading.files),
    Function("iWriteCard", (_TYPE, _INFO, _ADDRESS, Argument.WRITE_DATA), INFO, writing.write),
    Function("iVerifyPIN", (_TYPE,), SHORT, pins.verify),
    Function("iChangePIN", (_TYPE,), SHORT, pins.change),
    Function("iReloadPIN", (_TYPE, _INFO), SHORT, pins.reload),
    Function("iUnblockPIN", (_TYPE, _INFO), SHORT, pins.unblock),
    Function("iDoDebit", (_TYPE, _INFO, Argument.PAY_INFO), SHORT, money.debit),
    Function("iReadDebitRecord", (_TYPE,), RECORDS, money.records),
    # for terminals without keys
    Function("iReadCardBas_HSM_Step1", (_TYPE,), INFO, steps.basic_1),
    Function("iReadCardBas_HSM_Step2", (_KEY,), INFO, steps.basic_2, BasicPending),
    Function("iReadCard_HSM_Step1", (_TYPE, _INFO, _ADDRESS), INFO, steps.read_1),
    Function("iReadCard_HSM_Step2", (_KEY,), DATA, steps.read_2, ReadPending),
    Function("iWriteCard_HSM_Step1", (_TYPE, _INFO, _ADDRESS), INFO, steps.write_1),
    Function("iWriteCard_HSM_Step2", (_KEY, Argument.WRITE_DATA), INFO, steps.write_2, WritePending),
    Function("iDoDebit_HSM_Step1", (_TYPE, _INFO, Argument.PAY_INFO), SHORT, money.debit_1),
    Function("iDoDebit_HSM_Step2", (_KEY,), SHORT, money.debit_2, DebitPending),
    Function("iReloadPIN_HSM_Step1", (_TYPE, _INFO), SHORT, steps.reload_1),
    Function("iReloadPIN_HSM_Step2", (_KEY,), SHORT, steps.reload_2, ReloadPending),
    Function("iReloadPIN_HSM_Step3", (_KEY,), SHORT, steps.reload_3, NewPinPending),
    Function("iUnblockPIN_HSM_Step1", (_TYPE, _INFO), SHORT, steps.unblock_1),
    Function("iUnblockPIN_HSM_Step2", (_KEY,), SHORT, steps.unblock_2, UnblockPending),
    Function("iUnblockPIN_HSM_Step3", (_KEY,), SHORT, steps.unblock_3, TriesPending),
    # of these only names and arguments are public
    Function(SIGN, None, INFO, _no_certificates),
    Function("PKI_VerifySign", None, INFO, _no_certificates),
    # of vendors, in no standard
    Function("iReadCardNo", (_TYPE,), EXTRA, reading.card_number),
    Function("iReadICCardNum", (), EXTRA, reading.bank_account_any_way),
    Function("iReadBankNumber", (_TYPE,), EXTRA, reading.bank_account),
    # two buffers, one for each item
    Function("iGetReaderInfo", (), 2 * EXTRA, reading.reader_info),
)

FUNCTIONS: Final[Mapping[str, Function]] = MappingProxyType({row.name: row for row in _ROWS})
