"""What each function of the driver says in each situation at a counter: provoked, and noted."""

import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Final, NoReturn

from msgspec.structs import replace

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.driver.functions import FUNCTIONS
from cardsim.card.base import VirtualCard
from cardsim.card.make import make_card
from cardsim.fault_list import Answer as Said
from cardsim.fault_list import AnyFault, Flip, Mute, Tear
from cardsim.persona import SocialSecurityPersona, load_persona
from support.back_office import BackOffice
from support.counter import Message, line
from support.driver_calls import INFO, OFFLINE, Program, program
from support.exchanges import FRONT, SAM

KEYED: Final = "DF04EF05|84|$"
WRITTEN: Final = "DF04EF05|510700|$"
WITH_PIN: Final = "DF04EF06|90|$"
BILL: Final = "12.50|3.00|20240102030405|"
GOOD, ACCOUNT = "p3-3.0-sm4", "p5-offline"
OFFICES: Final = {
    GOOD: BackOffice("510100", "0081544C9686845101C0FFEE08"),
    ACCOUNT: BackOffice("510100", "0081544C9686845101C0FFEE13"),
}
NO_MACHINE: Final = "keys: {provider: remote, url: 'http://127.0.0.1:9'}\n"
FROM_ACCOUNT: Final = "driver: {amounts: {account: total, self_paid: settled, pool: nothing}}\n"
IMPATIENT: Final = "activation: {deadlines: {person_s: 0.2}}\n"
WAIT_S: Final = 0.05
WRONG: Final = "00" * 8

Arguments = tuple[int | str, ...]
Calls = Mapping[str, Arguments]

FIRST: Final[Calls] = {
    "iReadCardBas": (1,),
    "iReadCard": (1, 2, INFO, KEYED),
    "iWriteCard": (1, INFO, KEYED, WRITTEN),
    "iVerifyPIN": (1,),
    "iChangePIN": (1,),
    "iReloadPIN": (1, INFO),
    "iUnblockPIN": (1, INFO),
    "iDoDebit": (1, OFFLINE, BILL),
    "iReadDebitRecord": (1,),
    "iReadCardBas_HSM_Step1": (1,),
    "iReadCard_HSM_Step1": (1, INFO, KEYED),
    "iWriteCard_HSM_Step1": (1, INFO, KEYED),
    "iReloadPIN_HSM_Step1": (1, INFO),
    "iUnblockPIN_HSM_Step1": (1, INFO),
    "iDoDebit_HSM_Step1": (1, OFFLINE, BILL),
    "iReadCardNo": (1,),
    "iReadICCardNum": (),
    "iReadBankNumber": (1,),
}
"""Functions that begin with a card, as they are called where all is well."""

TYPED: Final[Calls] = {
    **FIRST,
    "iReadCard": (1, 1, INFO, WITH_PIN),
    "iReadCard_HSM_Step1": (1, INFO, WITH_PIN),
}
"""Those, of files that want the PIN."""

LATER: Final[Mapping[str, tuple[str, ...]]] = {
    "iReadCardBas_HSM_Step2": ("iReadCardBas_HSM_Step1",),
    "iReadCard_HSM_Step2": ("iReadCard_HSM_Step1",),
    "iWriteCard_HSM_Step2": ("iWriteCard_HSM_Step1",),
    "iDoDebit_HSM_Step2": ("iDoDebit_HSM_Step1",),
    "iReloadPIN_HSM_Step2": ("iReloadPIN_HSM_Step1",),
    "iReloadPIN_HSM_Step3": ("iReloadPIN_HSM_Step1", "iReloadPIN_HSM_Step2"),
    "iUnblockPIN_HSM_Step2": ("iUnblockPIN_HSM_Step1",),
    "iUnblockPIN_HSM_Step3": ("iUnblockPIN_HSM_Step1", "iUnblockPIN_HSM_Step2"),
}
"""Later steps, and those before them."""

_SILENT_AT: Final = {
    "iDoDebit_HSM_Step2": "DEBIT FOR PURCHASE",
    "iReloadPIN_HSM_Step3": "PIN CHANGE/UNBLOCK",
    "iUnblockPIN_HSM_Step3": "PIN CHANGE/UNBLOCK",
}


def persona_of(function: str) -> str:
    return ACCOUNT if "Debit" in function else GOOD


def card(persona: str, *faults: AnyFault, **changed: object) -> VirtualCard:
    found = load_persona(persona)
    return make_card(replace(found, card=replace(found.card, faults=faults, **changed)), interface="contact")


class Numbers:
    """Puts functions into situations, and keeps the negative numbers that they give."""

    def __init__(self, directory: Path) -> None:
        self.seen: dict[str, set[int]] = defaultdict(set)
        self._directory = directory
        self._counters = 0

    @contextlib.asynccontextmanager
    async def counter(self, inside: VirtualCard | None = None, *, more: str = "") -> AsyncIterator[Program]:
        """Open a counter of its own, with that card in."""
        self._counters += 1
        directory = self._directory / str(self._counters)
        directory.mkdir()
        async with program(directory, None, more=more) as call:
            if inside is not None:
                call.desk._backend.insert(FRONT, inside)
                await call.desk.until("card.inserted")
            yield call

    async def note(self, call: Program, function: str, *args: int | str) -> str:
        """Call a function, and note its number."""
        code, out = await call(function, *args, wait_s=WAIT_S)
        if code < 0:
            self.seen[function].add(code)
        return out

    async def every(self, call: Program, calls: Calls = FIRST) -> None:
        """Call them all at one counter."""
        for function, args in calls.items():
            await self.note(call, function, *args)

    # -- what is in the reader

    async def no_card(self) -> None:
        async with self.counter() as call:
            await self.every(call)
            await call.desk.unplug()
            await self.note(call, "iGetReaderInfo")

    async def another_kind(self) -> None:
        """Have an old card in, before it is known what it is as well as after."""
        for function, args in FIRST.items():
            async with self.counter(card("old-jia")) as call:
                await self.note(call, function, *args)
                await self.note(call, function, *args)

    async def forged(self) -> None:
        async with self.counter(card("p4-bad-irk")) as call:
            await self.every(call)

    async def damaged(self) -> None:
        code = "510100D256000005C0FFEE08FFFFFFFF"
        async with self.counter(card(GOOD, identification_code=code)) as call:
            await self.every(call)

    async def another_card(self) -> None:
        async with self.counter(card("social-jia-3.0")) as call:
            await self.every(call, {name: args for name, args in FIRST.items() if {INFO, OFFLINE} & {*args}})

    async def trouble(self, reason: Reason) -> None:
        """Have a card in that cannot be connected to."""

        def refuse(_: str, *, exclusive: bool) -> NoReturn:  # noqa: ARG001 - as it is called
            raise CarddError(reason)

        async with self.counter() as call:
            call.desk._backend.connect = refuse  # type: ignore[method-assign,assignment]
            call.desk._backend.insert(FRONT, card(GOOD))
            await call.desk.until("card.rejected")
            await self.every(call)

    async def held_by_another(self) -> None:
        async with self.counter(card(GOOD)) as call, line(call.path) as other:
            await call.desk.until("card.identified")
            await other.result("lease.acquire", ttl_s=60)
            await self.every(call)

    # -- how it is called

    async def wrong_arguments(self) -> None:
        async with self.counter(card(GOOD)) as call:
            for function in FUNCTIONS:
                if function not in LATER:
                    await self.note(call, function, "x", "y", "z", "u", "v")

    async def no_step_before(self) -> None:
        async with self.counter(card(GOOD)) as call:
            for function in LATER:
                await self.note(call, function, *("00", WRITTEN)[: 1 + ("iWrite" in function)])

    async def wrong_data(self) -> None:
        async with self.counter(card(GOOD)) as call:
            await self.note(call, "iWriteCard", 1, INFO, KEYED, "DF04EF05|x|y|$")
            key = await self.begun(call, "iWriteCard_HSM_Step2")
            await self.note(call, "iWriteCard_HSM_Step2", key, "DF04EF05|x|y|$")

    async def absent(self) -> None:
        """Name what is not on the card, or cannot be written."""
        async with self.counter(card(GOOD)) as call:
            for address, data in (("DF01EF7A|37|$", "DF01EF7A|1|$"), ("DF01EF0A|99|$", "DF01EF0A|1|$")):
                await self.note(call, "iReadCard", 1, 2, INFO, address)
                await self.note(call, "iReadCard_HSM_Step1", 1, INFO, address)
                await self.note(call, "iWriteCard", 1, INFO, address, data)
                await self.note(call, "iWriteCard_HSM_Step1", 1, INFO, address)
            await self.note(call, "iWriteCard", 1, INFO, "DF04EF08|$", "DF04EF08|x|$")
            await self.note(call, "iWriteCard_HSM_Step1", 1, INFO, "DF04EF08|$")
            await self.note(call, "iReadCard_HSM_Step1", 1, INFO, "SSSEEF05|07|$")
            await self.note(call, "iReadCard", 1, 2, INFO, "SSSEEF08|$" * 3)
            await self.note(call, "iReadCard", 1, 2, INFO, "ACSEEF01|$")
            await self.note(call, "iReadCard_HSM_Step1", 1, INFO, "ACSEEF01|$")
            await self.note(call, "iWriteCard", 1, INFO, "ACSEEF01|$", "ACSEEF01|00|$")
            await self.note(call, "iWriteCard_HSM_Step1", 1, INFO, "ACSEEF01|$")
            for function in ("iDoDebit", "iDoDebit_HSM_Step1"):
                await self.note(call, function, 1, INFO, BILL)
            await self.note(call, "iReadDebitRecord", 1)
        async with self.counter(card("p1-1.0-des")) as call:
            await self.note(call, "iReadBankNumber", 1)
            await self.note(call, "iReadICCardNum")

    async def separators(self) -> None:
        found = load_persona(GOOD).card
        assert isinstance(found, SocialSecurityPersona)
        async with self.counter(card(GOOD, holder=replace(found.holder, name="测试|辛"))) as call:
            await self.note(call, "iReadCardBas", 1)
            key = await self.begun(call, "iReadCardBas_HSM_Step2")
            await self.note(call, "iReadCardBas_HSM_Step2", key)
            await self.note(call, "iReadCard", 1, 2, INFO, "SSSEEF06|09|$")
            request = await self.note(call, "iReadCard_HSM_Step1", 1, INFO, "SSSEEF06|09|$")
            await self.note(call, "iReadCard_HSM_Step2", OFFICES[GOOD].key(request))

    # -- who has the keys

    async def no_module(self) -> None:
        for function, args in FIRST.items():
            async with self.counter() as call:
                call.desk._backend.remove(SAM)
                await call.desk.until("card.removed")
                await call.insert(persona_of(function))
                await self.note(call, function, *args)

    async def no_machine(self) -> None:
        for function, args in FIRST.items():
            async with self.counter(card(persona_of(function)), more=NO_MACHINE) as call:
                await self.note(call, function, *args)

    async def module(self, *faults: AnyFault, **changed: object) -> None:
        """Have another module in."""
        for function, args in FIRST.items():
            async with self.counter() as call:
                call.desk._backend.remove(SAM)
                await call.desk.until("card.removed")
                call.desk._backend.insert(SAM, card("psam", *faults, **changed))
                await call.desk.until("card.inserted")
                await call.insert(persona_of(function))
                await self.note(call, function, *args)

    async def wrong_keys(self, key: str) -> None:
        """Have a card with another key, from the first refusal to the last, the station cleared after each but one."""
        for function in ("iReadCard", "iWriteCard", "iReloadPIN", "iUnblockPIN", "iReadCardBas"):
            async with self.counter(card(GOOD, keys={**_keys(GOOD), key: "0F" * 16})) as call:
                for _ in range(4):
                    await self.note(call, function, *FIRST[function])
                    await self.note(call, function, *FIRST[function])
                    await call.desk.call("station.clear", station="counter-0")

    # -- the PIN

    async def wrong_pin(self) -> None:
        for function, args in TYPED.items():
            async with self.counter(card(persona_of(function))) as call:
                call.desk.pin = "000000"
                for _ in range(7):
                    await self.note(call, function, *args)

    async def cancelled(self) -> None:
        for function, args in TYPED.items():
            async with self.counter(card(persona_of(function))) as call:
                call.desk._answering = _cancelling  # type: ignore[method-assign]
                await self.note(call, function, *args)
        async with self.counter(card(GOOD)) as call:
            key = await self.begun(call, "iReloadPIN_HSM_Step2")
            call.desk._answering = _cancelling  # type: ignore[method-assign]
            await self.note(call, "iReloadPIN_HSM_Step2", key)

    async def nobody_types(self) -> None:
        for function, args in (*TYPED.items(), ("iReloadPIN_HSM_Step2", ())):
            async with self.counter(card(persona_of(function)), more=IMPATIENT) as call, line(call.path) as other:
                given = args
                if function in LATER:
                    request = await other.result("driver.call", function="iReloadPIN_HSM_Step1", args=[1, INFO])
                    given = (OFFICES[GOOD].key(request["out"]),)
                answer = await other.result("driver.call", function=function, args=list(given), wait_s=WAIT_S)
                if answer["code"] < 0:
                    self.seen[function].add(answer["code"])

    # -- later steps

    async def begun(self, call: Program, function: str) -> str:
        """Take the steps before one, and return what its back office says."""
        office, said = OFFICES[persona_of(function)], ""
        for before in LATER[function]:
            out = await self.note(call, before, *(FIRST.get(before) or (said,)))
            if before.startswith("iReadCardBas"):
                said = office.basic(out)
            elif before.startswith("iDoDebit"):
                said = office.debit(out)
            else:
                said = office.maintenance(out) if before.endswith("Step2") else office.key(out)
        return said

    def _given(self, function: str, key: str) -> Arguments:
        return (key, WRITTEN) if function == "iWriteCard_HSM_Step2" else (key,)

    async def card_left(self) -> None:
        for function in LATER:
            async with self.counter(card(persona_of(function))) as call:
                key = await self.begun(call, function)
                await call.desk.remove()
                await self.note(call, function, *self._given(function, key))

    async def no_answer_of_a_machine(self) -> None:
        for function in LATER:
            async with self.counter(card(persona_of(function))) as call:
                await self.begun(call, function)
                await self.note(call, function, *self._given(function, "nonsense"))

    async def wrong_answer_of_a_machine(self) -> None:
        """Have what the machine says refused by the card, or found wrong here, as often as the key has tries."""
        for function in LATER:
            if function.endswith("Step3"):
                continue
            async with self.counter(card(persona_of(function))) as call:
                for _ in range(3):
                    key = await self.begun(call, function)
                    await self.note(call, function, *self._given(function, _spoilt(function, key)))
                    await call.desk.call("station.clear", station="counter-0")
        async with self.counter(card(GOOD)) as call:
            key = await self.begun(call, "iReadCardBas_HSM_Step2")
            await self.note(call, "iReadCardBas_HSM_Step2", WRONG + key[16:])

    async def card_falls_silent(self) -> None:
        for function in LATER:
            at = _SILENT_AT.get(function, "EXTERNAL AUTHENTICATION")
            async with self.counter(card(persona_of(function), Mute(at=at, nth=1))) as call:
                key = await self.begun(call, function)
                await self.note(call, function, *self._given(function, key))

    async def kept_otherwise(self) -> None:
        """Have a card say that it has written, and keep what it had."""
        async with self.counter(card(GOOD, Said(at="UPDATE RECORD", word="9000"))) as call:
            key = await self.begun(call, "iWriteCard_HSM_Step2")
            await self.note(call, "iWriteCard_HSM_Step2", key, WRITTEN)

    # -- money, and what nobody can read

    async def money(self) -> None:
        flip = Flip(at="DEBIT FOR PURCHASE", bits="FF" * 8)
        for fault, functions in (
            (Said(at="DEBIT FOR PURCHASE", nth=1, word="6985"), ("iDoDebit", "iDoDebit_HSM_Step2")),
            (flip, ("iDoDebit",)),
        ):
            for function in functions:
                async with self.counter(card(ACCOUNT, fault)) as call:
                    args = (await self.begun(call, function),) if function in LATER else FIRST[function]
                    await self.note(call, function, *args)

    async def too_little_money(self) -> None:
        async with self.counter(card(ACCOUNT), more=FROM_ACCOUNT) as call:
            for function in ("iDoDebit", "iDoDebit_HSM_Step1"):
                await self.note(call, function, 1, OFFLINE, BILL.replace("12.50", "99999.00"))

    async def debited_before(self) -> None:
        torn = card(ACCOUNT, Tear(at="DEBIT FOR PURCHASE", nth=1, when="after"))
        async with self.counter(torn) as call:
            key = await self.begun(call, "iDoDebit_HSM_Step2")
            await self.note(call, "iDoDebit_HSM_Step2", key)
            call.desk._backend.remove(FRONT)
            call.desk._backend.insert(FRONT, torn)
            await call.desk.until("account.debited")
            await self.note(call, "iDoDebit_HSM_Step1", *FIRST["iDoDebit_HSM_Step1"])

    async def unreadable(self) -> None:
        async with self.counter() as call:
            call.desk._backend.remove(SAM)
            await call.desk.until("card.removed")
            await call.insert(GOOD)
            request = await self.note(call, "iWriteCard_HSM_Step1", 1, INFO, "DF01EF15|40:2|$")
            await self.note(call, "iWriteCard_HSM_Step2", OFFICES[GOOD].key(request), "DF01EF15|1^02^乙^|$")

    async def certificates(self) -> None:
        async with self.counter() as call:
            for function in ("PKI_SignData", "PKI_VerifySign"):
                await self.note(call, function)


async def provoke(directory: Path) -> Mapping[str, set[int]]:
    """Put every function into every situation, and return the numbers that it gave."""
    numbers = Numbers(directory)
    await numbers.no_card()
    await numbers.another_kind()
    await numbers.forged()
    await numbers.damaged()
    await numbers.another_card()
    for reason in (Reason.CARD_MUTE, Reason.CARD_UNPOWERED):
        await numbers.trouble(reason)
    await numbers.held_by_another()
    await numbers.wrong_arguments()
    await numbers.no_step_before()
    await numbers.wrong_data()
    await numbers.absent()
    await numbers.separators()
    await numbers.no_module()
    await numbers.no_machine()
    await numbers.module(algorithms=["des"])
    await numbers.module(algorithms=["sm4"])
    await numbers.module(level="provincial", region="440100")
    await numbers.module(Said(at="BF DE", word="6A88"))
    await numbers.module(keys={"RKSSSE": "00112233445566778899AABBCCDDEEFF"})
    for key in ("RKSSSE", "RK1DF04", "UK1DF04", "PUK"):
        await numbers.wrong_keys(key)
    await numbers.wrong_pin()
    await numbers.cancelled()
    await numbers.nobody_types()
    await numbers.card_left()
    await numbers.no_answer_of_a_machine()
    await numbers.wrong_answer_of_a_machine()
    await numbers.card_falls_silent()
    await numbers.kept_otherwise()
    await numbers.money()
    await numbers.too_little_money()
    await numbers.debited_before()
    await numbers.unreadable()
    await numbers.certificates()
    return numbers.seen


def _keys(persona: str) -> Mapping[str, object]:
    found = load_persona(persona).card
    assert isinstance(found, SocialSecurityPersona)
    return dict(found.keys)


def _spoilt(function: str, key: str) -> str:
    if function == "iDoDebit_HSM_Step2":
        sequence, time, _, end = key.split("|")
        return f"{sequence}|{time}|00000000|{end}"
    # of the basic information the card's own proof stands before the machine's
    return key[:33] + WRONG + key[49:] if function == "iReadCardBas_HSM_Step2" else WRONG + key[16:]


def _cancelling(opened: Message) -> Message:
    return {"prompt": opened["params"]["event"]["data"]["prompt"], "cancel": True}
