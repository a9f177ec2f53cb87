import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from support.cards import ROOT, altered
from support.modules import Desk, virtual
from support.readers import Card, Gate

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.crypto.sealing import Sm4GcmSealer
from cardd.desk.away import PAUSE_S
from cardd.desk.reception import CardGone, CardIdentified, CardRejected, ModuleCame, Notice, Reception
from cardd.iso7816.device import Presence, ServiceDown, ServiceUp
from cardd.journal.delivery import Delivery
from cardd.journal.events import StoredEvent
from cardd.journal.store import Journal
from cardd.keys.service import KeyService
from cardd.keys.software import SoftwareKeys
from cardd.wire.cards import Kind

pytestmark = pytest.mark.asyncio

SEALER = Sm4GcmSealer(Secret(b"0123456789abcdef"))


class Front:
    """A reception at a desk, with what it told and what the journal holds."""

    def __init__(self, desk: Desk, journal: Journal, keys: KeyService | None = None) -> None:
        self.desk = desk
        self.journal = journal
        self.reception = Reception(desk.readers, journal, keys or desk.keys, clock=desk.clock)
        self.told: list[Notice] = []
        self.durable_at_notice: list[int] = []
        self.reception.subscribe(self._take)

    def _take(self, notice: Notice) -> None:
        self.told.append(notice)
        self.durable_at_notice.append(self.journal.last)

    async def events(self) -> list[StoredEvent]:
        return await self.journal.read(0, 1000)

    async def until(self, *types: str) -> list[StoredEvent]:
        """Wait until the journal holds events of these types, in this order among others, and return them all."""
        for _ in range(2000):
            events = await self.events()
            rest = iter(event.type for event in events)
            if all(wanted in rest for wanted in types):
                await asyncio.sleep(0)
                return events
            await asyncio.sleep(0.001)
        raise AssertionError(f"{types} not among {[event.type for event in await self.events()]}")

    async def data(self, kind: str) -> dict[str, Any]:
        """Wait for the first event of a type and return its data."""
        events = await self.until(kind)
        found: dict[str, Any] = json.loads(next(event.data for event in events if event.type == kind))
        return found

    async def notice(self, kind: type[Notice]) -> Notice:
        await self.desk.until(lambda: any(isinstance(notice, kind) for notice in self.told), kind.__name__)
        return next(notice for notice in self.told if isinstance(notice, kind))


@asynccontextmanager
async def front(directory: Path, *modules: str, keys: KeyService | None = None) -> AsyncIterator[Front]:
    async with Desk() as desk:
        await desk.with_modules(modules)
        journal = Journal.open(directory / "journal", sealer=SEALER, clock=desk.clock, source="/cardd/test")
        opened = Front(desk, journal, keys)
        opened.reception.start()
        try:
            yield opened
        finally:
            opened.reception.close()
            await journal.close()


async def test_readers_and_cards_that_are_there_already_are_recorded(tmp_path: Path) -> None:
    async with front(tmp_path, "psam") as f:
        events = await f.until("card.inserted")
        assert [event.type for event in events].count("reader.attached") == 3
        inserted = next(event for event in events if event.type == "card.inserted")
        assert json.loads(inserted.data)["kind"] == "psam"
        assert (inserted.subject, inserted.insertion) == ("sam", "7-1")
        assert isinstance(await f.notice(ModuleCame), ModuleCame)


async def test_a_card_put_in_is_identified_and_then_told(tmp_path: Path) -> None:
    async with front(tmp_path, "psam") as f:
        insertion = await f.desk.insert("front", virtual("social-jia-3.0"))
        notice = await f.notice(CardIdentified)
        assert isinstance(notice, CardIdentified)
        assert notice.insertion == insertion
        assert notice.identity.authentic is True
        assert await f.data("card.identified") == {
            "station": "desk",
            "kind": "social_security",
            "generation": "3.0",
            "authentic": True,
            "unproven": None,
            "via": "contact",
            "number": "*****001X",
        }
        assert f.reception.identity_of(insertion.id) == notice.identity


async def test_a_card_is_asked_what_it_is_once_its_coming_is_on_record_and_told(tmp_path: Path) -> None:
    async with front(tmp_path) as f:
        bay, gate = f.desk.backend.bays["front"], Gate()
        connections_when_told: list[int] = []
        f.journal.subscribe(lambda _: connections_when_told.append(bay.connections))
        disk = asyncio.create_task(f.journal.ask(lambda _: gate()))
        await asyncio.to_thread(gate.reached.wait, 5)
        await f.desk.insert("front", virtual("social-jia-3.0"))
        await f.desk.drained()
        assert bay.connections == 0
        gate.open()
        await disk
        await f.notice(CardIdentified)
        assert connections_when_told[0] == 0


async def test_a_card_that_went_before_its_coming_was_on_record_is_asked_nothing(tmp_path: Path) -> None:
    async with front(tmp_path) as f:
        gate = Gate()
        disk = asyncio.create_task(f.journal.ask(lambda _: gate()))
        await asyncio.to_thread(gate.reached.wait, 5)
        await f.desk.insert("front", virtual("social-jia-3.0"))
        await f.desk.remove("front")
        await f.desk.drained()
        gate.open()
        await disk
        await f.until("card.inserted", "card.removed")
        await f.desk.drained()
        assert f.desk.backend.bays["front"].connections == 0


async def test_a_notice_comes_after_its_event_is_durable(tmp_path: Path) -> None:
    async with front(tmp_path, "psam") as f:
        await f.desk.insert("front", virtual("social-jia-3.0"))
        await f.notice(CardIdentified)
        events = await f.until("card.identified")
        identified = next(event.sequence for event in events if event.type == "card.identified")
        place = next(index for index, notice in enumerate(f.told) if isinstance(notice, CardIdentified))
        assert f.durable_at_notice[place] >= identified


async def test_the_whole_number_is_sealed_and_opens_for_those_who_may_see_it(tmp_path: Path) -> None:
    async with front(tmp_path, "psam") as f:
        await f.desk.insert("front", virtual("social-jia-3.0"))
        events = await f.until("card.identified")
        event = next(event for event in events if event.type == "card.identified")
        assert b"T0000001X" not in event.data
        delivery = Delivery(SEALER, "/cardd/test")
        assert json.loads(delivery.event(event, personal=False))["data"]["number"] == "*****001X"
        assert json.loads(delivery.event(event, personal=True))["data"]["number"] == "T0000001X"


async def test_a_forged_card_is_identified_as_not_authentic(tmp_path: Path) -> None:
    async with front(tmp_path, "psam") as f:
        await f.desk.insert("front", virtual("social-fake-3.0"))
        data = await f.data("card.identified")
        assert (data["authentic"], data["kind"]) == (False, "social_security")


async def test_without_a_module_a_card_is_identified_and_the_reason_told(tmp_path: Path) -> None:
    async with front(tmp_path) as f:
        await f.desk.insert("front", virtual("social-jia-3.0"))
        data = await f.data("card.identified")
        assert (data["authentic"], data["unproven"]) == (None, "PSAM_ABSENT")


@pytest.mark.parametrize(("persona", "kind"), [("old-jia", "medical_insurance"), ("psam", "psam")])
async def test_other_cards_are_identified_by_their_kind(tmp_path: Path, persona: str, kind: str) -> None:
    async with front(tmp_path) as f:
        await f.desk.insert("front", virtual(persona))
        data = await f.data("card.identified")
        assert (data["kind"], data["authentic"]) == (kind, None)


async def test_a_card_that_is_none_of_ours_is_rejected(tmp_path: Path) -> None:
    async with front(tmp_path) as f:
        insertion = await f.desk.insert("front", Card(b"\x3b\x00", lambda _: b"\x6d\x00"))
        data = await f.data("card.rejected")
        assert (data["reason"], data["text"]) == ("CARD_UNKNOWN", {"code": "CARD_UNKNOWN", "args": {}})
        assert await f.notice(CardRejected) == CardRejected("front", "desk", Reason.CARD_UNKNOWN, insertion)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"blocked": "card"}, "CARD_BLOCKED"),
        ({"files": {"SSSEEF05": {"01": "510100D156000006C0FFEE01FFFFFFFF"}}}, "CARD_ID_MALFORMED"),
    ],
)
async def test_a_card_that_cannot_be_identified_is_rejected(
    tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    async with front(tmp_path, "psam") as f:
        await f.desk.insert("front", virtual(altered(tmp_path, "social-jia-3.0", **change)))
        assert (await f.data("card.rejected"))["reason"] == reason


async def test_a_removal_is_recorded_with_its_cause_and_ends_the_identity(tmp_path: Path) -> None:
    async with front(tmp_path, "psam") as f:
        insertion = await f.desk.insert("front", virtual("social-jia-3.0"))
        await f.notice(CardIdentified)
        await f.desk.remove("front")
        gone = await f.notice(CardGone)
        assert gone == CardGone(insertion, "removed")  # type: ignore[arg-type]
        assert (await f.data("card.removed"))["cause"] == "removed"
        assert f.reception.identity_of(insertion.id) is None


async def test_a_card_pulled_during_identification_is_removed_and_nothing_else(tmp_path: Path) -> None:
    async with front(tmp_path, "psam") as f:
        f.desk.backend.bays["front"].on_transmit.append(CarddError(Reason.CARD_REMOVED))
        f.desk.backend.put("front", virtual("social-jia-3.0"))
        f.desk.backend.look()
        events = await f.until("card.inserted", "card.removed")
        first = next(event.insertion for event in events if event.type == "card.removed")
        types = [event.type for event in events if event.insertion == first]
        assert types == ["card.inserted", "card.removed"]


async def test_a_failure_that_may_pass_is_asked_once_more(tmp_path: Path) -> None:
    async with front(tmp_path, "psam") as f:
        # opening a card tries its power twice, so these two are the first of the reception's attempts
        f.desk.backend.bays["front"].on_connect.extend([CarddError(Reason.CARD_UNPOWERED)] * 2)
        await f.desk.insert("front", virtual("social-jia-3.0"))
        events = await f.until("card.identified")
        assert "card.rejected" not in [event.type for event in events]


async def test_a_failure_that_does_not_pass_is_not_asked_a_third_time(tmp_path: Path) -> None:
    async with front(tmp_path, "psam") as f:
        bay = f.desk.backend.bays["front"]
        bay.on_connect.extend([CarddError(Reason.CARD_UNPOWERED)] * 4)
        await f.desk.insert("front", virtual("social-jia-3.0"))
        await f.until("card.rejected")
        assert (await f.data("card.rejected"))["reason"] == "CARD_UNPOWERED"
        assert bay.connections == 0


async def test_a_card_that_does_not_answer_is_rejected_without_an_insertion(tmp_path: Path) -> None:
    async with front(tmp_path) as f:
        bay = f.desk.backend.bays["front"]
        bay.card, bay.presence, bay.counter = Card(b""), Presence.MUTE, 1
        f.desk.backend.look()
        events = await f.until("card.rejected")
        rejected = next(event for event in events if event.type == "card.rejected")
        assert (rejected.subject, rejected.insertion) == ("front", None)
        assert json.loads(rejected.data)["reason"] == "CARD_MUTE"
        assert await f.notice(CardRejected) == CardRejected("front", "desk", Reason.CARD_MUTE)


async def test_the_service_going_and_coming_is_recorded(tmp_path: Path) -> None:
    async with front(tmp_path) as f:
        f.desk.backend.tell(ServiceDown(Reason.PCSC_UNAVAILABLE, "no socket"))
        f.desk.backend.tell(ServiceUp())
        await f.until("pcsc.down", "pcsc.up")
        down = await f.data("pcsc.down")
        assert (down["reason"], down["detail"]) == ("PCSC_UNAVAILABLE", "no socket")


async def test_another_word_for_the_same_reason_is_recorded_too(tmp_path: Path) -> None:
    async with front(tmp_path) as f:
        for code in ("", "", "pcsc_other_version"):
            f.desk.backend.tell(ServiceDown(Reason.PCSC_UNAVAILABLE, "away", code))
        events = await f.until("pcsc.down", "pcsc.down")
        texts = [json.loads(event.data)["text"]["code"] for event in events if event.type == "pcsc.down"]
        assert texts == ["PCSC_UNAVAILABLE", "pcsc_other_version"]


async def test_readers_are_listed_with_the_cards_in_them(tmp_path: Path) -> None:
    async with front(tmp_path, "psam") as f:
        insertion = await f.desk.insert("front", virtual("old-jia"))
        await f.notice(CardIdentified)
        views = {view.reader: view for view in f.reception.readers()}
        assert (views["front"].role, views["front"].station) == ("counter", "desk")
        card, module = views["front"].card, views["sam"].card
        assert card is not None
        assert (card.insertion, card.kind, card.number) == (insertion.id, Kind.MEDICAL_INSURANCE, "******0001")
        assert module is not None
        assert module.kind is Kind.PSAM
        assert views["sam 2"].card is None


async def test_a_card_that_hangs_is_asked_twice_and_then_rejected(tmp_path: Path) -> None:
    async with front(tmp_path) as f:
        gates = [Gate(), Gate()]
        card = virtual("social-jia-3.0")
        f.desk.backend.bays["front"].on_transmit.extend(gates)
        await f.desk.insert("front", card)
        for gate in gates:
            await asyncio.to_thread(gate.reached.wait, 5)
            f.desk.clock.advance(10.5)
            gate.open()
            await asyncio.sleep(0.01)
        assert (await f.data("card.rejected"))["reason"] == "TIMEOUT"


async def test_a_module_that_hangs_costs_no_card_its_identification(tmp_path: Path) -> None:
    async with front(tmp_path, "psam") as f:
        gate = Gate()
        f.desk.backend.bays["sam"].on_transmit.append(gate)
        await f.desk.insert("front", virtual("social-jia-3.0"))
        await asyncio.to_thread(gate.reached.wait, 5)
        f.desk.clock.advance(6.5)
        gate.open()
        data = await f.data("card.identified")
        assert (data["kind"], data["authentic"], data["unproven"]) == ("social_security", None, "TIMEOUT")


async def test_a_card_that_nobody_could_judge_is_judged_when_a_module_comes(tmp_path: Path) -> None:
    async with front(tmp_path) as f:
        card = virtual("social-jia-3.0")
        insertion = await f.desk.insert("front", card)
        await f.notice(CardIdentified)
        before = len(card.commands)
        await f.desk.insert("sam", virtual("psam"))
        events = await f.until("card.identified", "card.identified")
        told = [json.loads(event.data) for event in events if event.type == "card.identified"]
        assert [(data["authentic"], data["unproven"]) for data in told] == [(None, "PSAM_ABSENT"), (True, None)]
        assert {event.insertion for event in events if event.type == "card.identified"} == {insertion.id}
        await f.desk.until(lambda: getattr(f.reception.identity_of(insertion.id), "authentic", None) is True)
        # external authentication counts failures, and has no place here
        assert 0x82 not in {command[1] for command in card.commands[before:]}
        assert 0x88 in {command[1] for command in card.commands[before:]}


async def test_a_module_that_comes_while_a_card_is_asked_is_not_missed(tmp_path: Path) -> None:
    async with front(tmp_path) as f:
        gate = Gate()
        f.desk.backend.bays["front"].on_disconnect.append(gate)
        await f.desk.insert("front", virtual("social-jia-3.0"))
        await asyncio.to_thread(gate.reached.wait, 5)
        await f.desk.insert("sam", virtual("psam"))
        gate.open()
        events = await f.until("card.identified", "card.identified")
        assert json.loads(events[-1].data)["authentic"] is True


async def test_a_module_that_comes_disturbs_no_lease_and_no_held_station(tmp_path: Path) -> None:
    async with front(tmp_path) as f:
        card = virtual("social-jia-3.0")
        insertion = await f.desk.insert("front", card)
        await f.notice(CardIdentified)
        before = len(card.commands)
        lease = f.desk.readers.lease(insertion.id, "connection 1", ttl_s=30)
        await f.desk.insert("sam", virtual("psam"))
        await f.until("card.inserted", "card.inserted")
        await f.desk.drained()
        f.desk.readers.reserve("desk", "a deed", lease=lease.id)
        f.desk.readers.end_lease(lease.id, "connection 1")
        await f.desk.drained()
        assert len(card.commands) == before
        f.desk.readers.release("desk", "a deed")
        events = await f.until("card.identified", "card.identified")
        assert json.loads(events[-1].data)["authentic"] is True


async def test_a_module_that_cannot_judge_either_is_told_once_and_the_next_one_is_tried(tmp_path: Path) -> None:
    async with front(tmp_path) as f:
        await f.desk.insert("front", virtual("social-jia-3.0"))
        await f.notice(CardIdentified)
        await f.desk.insert("sam", virtual("old-jia"))
        await f.desk.insert("sam 2", virtual("psam"))
        events = await f.until("card.identified", "card.identified")
        told = [json.loads(event.data)["authentic"] for event in events if event.type == "card.identified"]
        assert told == [None, True]


async def test_a_card_that_cannot_be_asked_again_stays_what_it_is(tmp_path: Path) -> None:
    async with front(tmp_path) as f:
        insertion = await f.desk.insert("front", virtual("social-jia-3.0"))
        await f.notice(CardIdentified)
        bay = f.desk.backend.bays["front"]
        bay.on_connect.extend([CarddError(Reason.CARD_UNPOWERED)] * 4)
        await f.desk.insert("sam", virtual("psam"))
        await f.desk.until(lambda: not bay.on_connect)
        await f.desk.drained()
        known = f.reception.identity_of(insertion.id)
        assert known is not None
        assert known.unproven is Reason.PSAM_ABSENT
        assert "card.rejected" not in [event.type for event in await f.events()]


async def test_a_listener_that_fails_keeps_nobody_else_from_hearing(tmp_path: Path) -> None:
    async with front(tmp_path) as f:

        def fail(_notice: Notice) -> None:
            raise LookupError

        late: list[Notice] = []
        f.reception.subscribe(fail)
        f.reception.subscribe(late.append)
        await f.desk.insert("front", virtual("old-jia"))
        await f.desk.until(lambda: any(isinstance(notice, CardIdentified) for notice in late))


class FarKeys(SoftwareKeys):
    """A security machine on the network that is away until it is told to come back."""

    def __init__(self) -> None:
        super().__init__(Secret(ROOT), tests_only=True)
        self.away = True
        self.asked = 0

    def authentication_data(self, *args: Any, **further: Any) -> bytes:
        if self.away:
            raise CarddError(Reason.HSM_UNAVAILABLE)
        return super().authentication_data(*args, **further)

    def reachable(self, *, deadline: float) -> bool:  # noqa: ARG002 - the protocol's
        self.asked += 1
        return not self.away


async def test_a_card_that_nobody_could_judge_is_judged_when_the_security_machine_is_back(tmp_path: Path) -> None:
    machine = FarKeys()
    async with front(tmp_path, keys=machine) as f:
        card = virtual("social-jia-3.0")
        insertion = await f.desk.insert("front", card)
        await f.notice(CardIdentified)
        before = len(card.commands)
        f.desk.clock.advance(PAUSE_S)
        await f.desk.until(lambda: machine.asked == 1)
        await asyncio.sleep(0.02)
        # the machine is asked, and not the card
        assert len(card.commands) == before
        machine.away = False
        for _ in range(3):
            f.desk.clock.advance(PAUSE_S)
            await asyncio.sleep(0.02)
        events = await f.until("card.identified", "card.identified")
        told = [json.loads(event.data) for event in events if event.type == "card.identified"]
        assert [(data["authentic"], data["unproven"]) for data in told] == [(None, "HSM_UNAVAILABLE"), (True, None)]
        assert {event.insertion for event in events if event.type == "card.identified"} == {insertion.id}
        asked = machine.asked
        f.desk.clock.advance(10 * PAUSE_S)
        assert machine.asked == asked


async def test_a_machine_that_is_away_is_asked_for_no_card_that_has_gone(tmp_path: Path) -> None:
    machine = FarKeys()
    async with front(tmp_path, keys=machine) as f:
        await f.desk.insert("front", virtual("social-jia-3.0"))
        await f.notice(CardIdentified)
        await f.desk.remove("front")
        await f.notice(CardGone)
        f.desk.clock.advance(10 * PAUSE_S)
        assert machine.asked == 0


async def test_a_card_that_was_written_is_forgotten_at_once_and_identified_once_it_is_free(tmp_path: Path) -> None:
    async with front(tmp_path, "psam") as f:
        card = virtual("social-jia-3.0")
        insertion = await f.desk.insert("front", card)
        await f.notice(CardIdentified)
        known = f.reception.identity_of(insertion.id)
        lease = f.desk.readers.lease(insertion.id, "connection 1", ttl_s=30)
        before = len(card.commands)
        f.reception.identify_anew(insertion)
        await f.desk.drained()
        assert f.reception.identity_of(insertion.id) is None
        assert len(card.commands) == before
        f.desk.readers.end_lease(lease.id, "connection 1")
        events = await f.until("card.identified", "card.identified")
        await f.desk.until(lambda: f.reception.identity_of(insertion.id) is not None, "known again")
        again = f.reception.identity_of(insertion.id)
        assert known is not None
        assert again is not None
        assert again.same_card(known)
        assert {event.insertion for event in events if event.type == "card.identified"} == {insertion.id}


async def test_a_card_that_waits_for_a_module_and_is_written_meanwhile_is_judged_once(tmp_path: Path) -> None:
    async with front(tmp_path) as f:
        insertion = await f.desk.insert("front", virtual("social-jia-3.0"))
        await f.notice(CardIdentified)
        f.reception.identify_anew(insertion)
        await f.until("card.identified", "card.identified")
        await f.desk.insert("sam", virtual("psam"))
        events = await f.until("card.identified", "card.identified", "card.identified")
        await f.desk.drained()
        told = [json.loads(event.data)["authentic"] for event in events if event.type == "card.identified"]
        assert told == [None, None, True]
