from collections.abc import Iterable
from itertools import product

import pytest
from msgspec.structs import replace

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.iso7816.device import Observation, Presence, ServiceDown, ServiceUp, Slot, Slots
from cardd.readers.config import Role
from cardd.readers.facts import (
    CardInserted,
    CardRemoved,
    CardTrouble,
    Cause,
    Fact,
    ReaderAttached,
    ReaderDetached,
    ReaderState,
    ReaderUnavailable,
    ServiceCameUp,
    ServiceWentDown,
)
from cardd.readers.insertion import Insertion
from cardd.readers.matching import Place
from cardd.readers.reconcile import (
    FORGIVEN,
    SETTLE_S,
    Change,
    State,
    hang,
    lose,
    note_answer,
    reconcile,
    recount,
    revive,
    settle,
    view,
)

A, B = b"\x3b\x0a", b"\x3b\x0b"
DOWN = ServiceDown(Reason.PCSC_UNAVAILABLE, "gone")
STUCK = CarddError(Reason.READER_UNAVAILABLE, "stuck")
HELD = CarddError(Reason.READER_IN_USE, "held", programs="till (7)")
DENIED = ServiceDown(Reason.PCSC_DENIED, "no")
PRESENT, EMPTY, MUTE = Presence.PRESENT, Presence.EMPTY, Presence.MUTE
UNPOWERED, UNAVAILABLE = Presence.UNPOWERED, Presence.UNAVAILABLE


def place(look: Slot, _taken: Iterable[str]) -> Place:
    """Ignore X, and give readers whose serial number is known a station of that name."""
    role = Role.IGNORED if look.name == "X" else Role.COUNTER
    return Place(look.name.lower(), look.serial or "desk", role, look.name)


def slot(presence: Presence = PRESENT, counter: int = 1, atr: bytes | None = None, name: str = "R") -> Slot:
    return Slot(name, presence, counter, (A if presence is PRESENT else b"") if atr is None else atr)


def after(*observations: Observation, state: State | None = None) -> Change:
    """Return what the last observation meant."""
    change = Change(state or State(boot=3))
    for observation in observations:
        change = reconcile(change.state, observation, place)
    return change


def looks(*slots: Slot) -> list[Slots]:
    return [Slots((one,)) for one in slots]


def told(change: Change) -> list[str]:
    """Return facts in short."""
    words = []
    for fact in change.facts:
        match fact:
            case CardInserted(insertion=i):
                words.append(f"in {i.id}{' found' if i.at_start else ''}")
            case CardRemoved(insertion=i, cause=cause):
                words.append(f"{cause} {i.id}")
            case CardTrouble(reason=reason):
                words.append(str(reason))
            case other:
                words.append(type(other).__name__)
    return words


# -- every pair of looks -------------------------------------------------------------------------------------------

ENDS = {EMPTY: "removed", UNAVAILABLE: "reader_detached", MUTE: "reset", UNPOWERED: "reset"}
SAYS = {MUTE: ["CARD_MUTE"], UNPOWERED: ["CARD_UNPOWERED"], UNAVAILABLE: ["ReaderUnavailable"]}
STEPS = (0, 1, 2, 3, 4, 0xFFFF, 0x10000)


@pytest.mark.parametrize(("presence", "step", "atr"), [*product(Presence, STEPS, (A, B))])
def test_what_a_look_means_where_a_card_lasted(presence: Presence, step: int, atr: bytes) -> None:
    seen = slot(presence, 1 + step, atr if presence is PRESENT else b"")
    moved = step not in {0, 0x10000}
    expected: list[str] = []
    if presence in {EMPTY, UNAVAILABLE}:
        expected = [f"{ENDS[presence]} 3-1"]
    elif moved or (presence is PRESENT and atr == B):
        expected = ["exchanged 3-1"]
    elif presence is not PRESENT:
        expected = ["reset 3-1"]
    if expected and presence is PRESENT:
        expected.append("in 3-2")
    assert told(after(*looks(slot(EMPTY, 0), slot(), seen))) == expected + SAYS.get(presence, [])


@pytest.mark.parametrize(
    ("before", "presence", "step"), [*product([p for p in Presence if p is not PRESENT], Presence, STEPS)]
)
def test_what_a_look_means_where_no_card_lasted(before: Presence, presence: Presence, step: int) -> None:
    expected: list[str] = []
    if presence is PRESENT:
        expected = ["in 3-1 found" if before is UNAVAILABLE else "in 3-1"]
    elif presence in SAYS:
        again = before is presence and (presence is UNAVAILABLE or step in {0, 0x10000})
        expected = [] if again else SAYS[presence]
    assert told(after(*looks(slot(EMPTY, 0), slot(before), slot(presence, 1 + step)))) == expected


@pytest.mark.parametrize("presence", Presence)
def test_what_the_first_look_at_a_reader_means(presence: Presence) -> None:
    inside = ["in 3-1 found"] if presence is PRESENT else SAYS.get(presence, [])
    assert told(after(*looks(slot(presence)))) == ["ReaderAttached", *inside]


@pytest.mark.parametrize(("before", "presence"), [*product(Presence, Presence)])
def test_after_the_service_came_back_everything_is_looked_at_as_if_for_the_first_time(
    before: Presence, presence: Presence
) -> None:
    first = after(*looks(slot(before)), DOWN, ServiceUp())
    assert told(first) == ["ServiceCameUp"]
    number = 2 if before is PRESENT else 1
    inside = [f"in 3-{number} found"] if presence is PRESENT else SAYS.get(presence, [])
    assert told(after(*looks(slot(presence)), state=first.state)) == inside


@pytest.mark.parametrize("presence", Presence)
def test_the_same_look_twice_tells_nothing_more(presence: Presence) -> None:
    assert told(after(*looks(slot(presence), slot(presence)))) == []


@pytest.mark.parametrize(("presence", "step", "atr"), [*product(Presence, STEPS, (A, B))])
def test_what_a_look_means_while_a_lost_card_settles(presence: Presence, step: int, atr: bytes) -> None:
    lost = lose(after(*looks(slot(EMPTY, 0), slot())).state, "3-1", Cause.TRANSPORT_ERROR)
    change = after(*looks(slot(presence, 1 + step, atr if presence is PRESENT else b"")), state=lost.state)
    more = step not in {0, 0x10000} or atr == B
    expected = ["in 3-2"] if presence is PRESENT and more else SAYS.get(presence, [])
    assert told(change) == expected
    # whatever was seen, the settling time opens an insertion only for the very card that was lost
    late = settle(change.state, "R", lost.settling[0].ticket)
    assert told(late) == (["in 3-2"] if presence is PRESENT and not more else [])


# -- single rules --------------------------------------------------------------------------------------------------


def test_a_counter_that_wraps_is_no_exchange_of_cards() -> None:
    change = after(*looks(slot(EMPTY, 0xFFFF), slot(PRESENT, 0)))
    assert told(change) == ["in 3-1"]
    assert told(after(*looks(slot(PRESENT, 0)), state=change.state)) == []


def test_an_answer_to_reset_that_is_hidden_for_a_moment_ends_nothing() -> None:
    assert told(after(*looks(slot(), slot(atr=b"")))) == []
    assert told(after(*looks(slot(), slot(atr=b""), slot()))) == []


def test_another_answer_to_reset_ends_the_insertion_also_after_one_that_was_hidden() -> None:
    assert told(after(*looks(slot(EMPTY, 0), slot(), slot(atr=b""), slot(atr=B)))) == ["exchanged 3-1", "in 3-2"]


def test_a_card_that_has_not_answered_yet_is_no_insertion_until_it_does() -> None:
    assert told(after(*looks(slot(EMPTY, 0), slot(atr=b"")))) == []
    assert told(after(*looks(slot(EMPTY, 0), slot(atr=b""), slot()))) == ["in 3-1"]


def test_a_card_found_mute_was_not_seen_going_in_when_it_answers_later() -> None:
    assert told(after(*looks(slot(MUTE), slot(PRESENT)))) == ["in 3-1 found"]


def test_a_card_put_in_later_was_not_inside_at_the_start() -> None:
    assert told(after(*looks(slot(), slot(PRESENT, 3)))) == ["exchanged 3-1", "in 3-2"]


def test_a_reader_that_goes_takes_its_insertion_with_it_first() -> None:
    assert told(after(*looks(slot()), Slots(()))) == ["reader_detached 3-1", "ReaderDetached"]


def test_a_reader_that_comes_back_is_attached_anew_and_its_card_was_found() -> None:
    change = after(*looks(slot()), Slots(()), *looks(slot()))
    assert told(change) == ["ReaderAttached", "in 3-2 found"]


def test_unplugging_one_reader_leaves_the_others_alone() -> None:
    two = Slots((slot(), slot(name="Q")))
    assert told(after(two, Slots((slot(name="Q"),)))) == ["reader_detached 3-1", "ReaderDetached"]


def test_an_ignored_reader_is_listed_and_its_cards_are_nobodys_business() -> None:
    change = after(*looks(slot(name="X"), slot(MUTE, name="X"), slot(UNAVAILABLE, name="X")))
    assert change.facts == ()
    assert after(*looks(slot(name="X"))).facts == (ReaderAttached("x", "desk", Role.IGNORED, "X"),)


def test_all_insertions_are_over_before_the_service_is_told_as_gone() -> None:
    both = Slots((slot(), slot(name="Q")))
    assert told(after(both, DOWN)) == ["service_down 3-1", "service_down 3-2", "ServiceWentDown"]


def test_a_service_that_stays_away_is_told_once_and_again_for_another_reason() -> None:
    assert after(DOWN).facts == (ServiceWentDown(Reason.PCSC_UNAVAILABLE, "gone"),)
    assert after(DOWN, DOWN).facts == ()
    assert after(DOWN, DENIED).facts == (ServiceWentDown(Reason.PCSC_DENIED, "no"),)


def test_a_service_that_was_never_away_does_not_come_back() -> None:
    assert after(ServiceUp()).facts == ()
    assert after(DOWN, ServiceUp(), ServiceUp()).facts == ()


def test_slots_that_are_seen_prove_that_the_service_is_back() -> None:
    assert told(after(*looks(slot()), DOWN, *looks(slot()))) == ["ServiceCameUp", "in 3-2 found"]


def test_a_reader_that_is_missing_when_the_service_returns_has_gone() -> None:
    assert told(after(*looks(slot()), DOWN, ServiceUp(), Slots(()))) == ["ReaderDetached"]


# -- lost, settled, hung -------------------------------------------------------------------------------------------


def inserted() -> State:
    return after(*looks(slot(EMPTY, 0), slot())).state


def test_a_lost_card_that_is_still_there_becomes_a_new_insertion_when_it_has_settled() -> None:
    lost = lose(inserted(), "3-1", Cause.TRANSPORT_ERROR)
    assert told(lost) == ["transport_error 3-1"]
    (wish,) = lost.settling
    assert wish.seconds == SETTLE_S
    assert told(settle(lost.state, wish.slot, wish.ticket)) == ["in 3-2"]


def stays(state: State) -> list[str]:
    return [one.insertion.stay for one in state.slots.values() if one.insertion is not None]


def test_a_card_that_is_lost_and_not_seen_to_leave_goes_on_with_its_stay() -> None:
    lost = lose(inserted(), "3-1", Cause.TRANSPORT_ERROR)
    again = settle(lost.state, "R", lost.settling[0].ticket).state
    assert stays(again) == ["3-1"]
    twice = lose(again, "3-2", Cause.TRANSPORT_ERROR)
    assert stays(settle(twice.state, "R", twice.settling[0].ticket).state) == ["3-1"]
    put_in_anew = after(*looks(slot(EMPTY, 2), slot(PRESENT, 3)), state=twice.state).state
    assert stays(put_in_anew) == ["3-3"]


def test_a_card_that_falls_mute_and_answers_again_goes_on_with_its_stay() -> None:
    mute = after(*looks(slot(MUTE, 1), slot(PRESENT, 1)), state=inserted()).state
    assert stays(mute) == ["3-1"]


def test_an_insertion_is_lost_once() -> None:
    lost = lose(inserted(), "3-1", Cause.TRANSPORT_ERROR)
    again = lose(lost.state, "3-1", Cause.TRANSPORT_ERROR)
    assert (again.facts, again.settling) == ((), ())


def test_an_old_settling_time_does_not_cut_a_later_one_short() -> None:
    first = lose(inserted(), "3-1", Cause.TRANSPORT_ERROR)
    back = after(*looks(slot(EMPTY, 2), slot(PRESENT, 3)), state=first.state)
    second = lose(back.state, "3-2", Cause.TRANSPORT_ERROR)
    assert told(settle(second.state, "R", first.settling[0].ticket)) == []
    assert told(settle(second.state, "R", second.settling[0].ticket)) == ["in 3-3"]


def test_a_card_that_is_lost_again_and_again_is_tried_less_and_less_often() -> None:
    state, waits = inserted(), []
    for number in range(1, 12):
        lost = lose(state, f"3-{number}", Cause.TRANSPORT_ERROR)
        waits.append(lost.settling[0].seconds / SETTLE_S)
        state = settle(lost.state, "R", lost.settling[0].ticket).state
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 128, 128, 128]
    well = note_answer(state, "3-12", None).state
    assert lose(well, "3-12", Cause.TRANSPORT_ERROR).settling[0].seconds == SETTLE_S


def test_a_card_that_is_lost_at_the_same_command_each_time_is_tried_less_often_too() -> None:
    state, waits = inserted(), []
    for number in range(1, 12):
        # it is recognised, and then lost
        well = note_answer(state, f"3-{number}", None).state
        lost = lose(well, f"3-{number}", Cause.TRANSPORT_ERROR)
        waits.append(lost.settling[0].seconds / SETTLE_S)
        state = settle(lost.state, "R", lost.settling[0].ticket).state
    assert waits == [1, 1, 2, 4, 8, 16, 32, 64, 128, 128, 128]
    for _ in range(FORGIVEN):
        state = note_answer(state, "3-12", None).state
    assert lose(state, "3-12", Cause.TRANSPORT_ERROR).settling[0].seconds == SETTLE_S
    again = lose(note_answer(state, "3-12", None).state, "3-12", Cause.TRANSPORT_ERROR).state
    fresh = after(*looks(slot(EMPTY, 2), slot(PRESENT, 3)), state=again).state
    assert lose(fresh, "3-13", Cause.TRANSPORT_ERROR).settling[0].seconds == SETTLE_S


@pytest.mark.parametrize("cause", [Cause.RESET, Cause.EXCHANGED])
def test_a_card_that_other_programs_reset_again_and_again_is_looked_at_as_soon_each_time(cause: Cause) -> None:
    state = inserted()
    for number in range(1, 12):
        lost = lose(note_answer(state, f"3-{number}", None).state, f"3-{number}", cause)
        assert lost.settling[0].seconds == SETTLE_S
        state = settle(lost.state, "R", lost.settling[0].ticket).state


def test_another_card_does_not_inherit_the_patience_that_the_last_one_used_up() -> None:
    state = inserted()
    for number in range(1, 4):
        lost = lose(state, f"3-{number}", Cause.TRANSPORT_ERROR)
        state = settle(lost.state, "R", lost.settling[0].ticket).state
    fresh = after(*looks(slot(PRESENT, 3)), state=state).state
    assert lose(fresh, "3-5", Cause.TRANSPORT_ERROR).settling[0].seconds == SETTLE_S


def test_the_answer_to_reset_that_a_connection_gave_is_the_new_insertions() -> None:
    lost = lose(inserted(), "3-1", Cause.EXCHANGED, answered=B)
    (fact,) = settle(lost.state, "R", lost.settling[0].ticket).facts
    assert isinstance(fact, CardInserted)
    assert fact.insertion.atr == B


def test_a_hung_reader_loses_its_insertion_and_opens_none_until_the_call_returns() -> None:
    hung = hang(inserted(), "R", STUCK)
    assert told(hung) == ["transport_error 3-1", "ReaderUnavailable"]
    assert told(hang(hung.state, "R", STUCK)) == []
    exchanged = after(*looks(slot(PRESENT, 3)), state=hung.state)
    assert told(exchanged) == []
    back = revive(exchanged.state, "R")
    assert told(settle(back.state, "R", back.settling[0].ticket)) == ["in 3-2"]
    assert revive(back.state, "R").settling == ()


def test_a_lost_reader_that_goes_before_it_settled_is_forgotten() -> None:
    lost = lose(inserted(), "3-1", Cause.TRANSPORT_ERROR)
    gone = after(Slots(()), state=lost.state)
    assert told(settle(gone.state, "R", lost.settling[0].ticket)) == []


# -- views ---------------------------------------------------------------------------------------------------------


def state_of(state: State, *, ours: bool = False) -> ReaderState:
    return view(state, state.slots["R"], ours=ours)


@pytest.mark.parametrize(
    ("presence", "expected"),
    [
        (EMPTY, ReaderState.EMPTY),
        (PRESENT, ReaderState.PRESENT),
        (MUTE, ReaderState.MUTE),
        (UNPOWERED, ReaderState.UNPOWERED),
        (UNAVAILABLE, ReaderState.UNAVAILABLE),
    ],
)
def test_a_reader_is_shown_as_it_was_seen(presence: Presence, expected: ReaderState) -> None:
    assert state_of(after(*looks(slot(presence))).state) is expected


def test_a_reader_in_use_is_shown_so_unless_it_is_we_who_use_it() -> None:
    state = after(*looks(replace(slot(), in_use=True))).state
    assert state_of(state) is ReaderState.IN_USE
    assert state_of(state, ours=True) is ReaderState.PRESENT


def test_every_reader_is_unavailable_while_the_service_is_away_or_a_call_hangs() -> None:
    assert state_of(after(*looks(slot()), DOWN).state) is ReaderState.UNAVAILABLE
    assert state_of(after(*looks(slot()), DOWN, ServiceUp()).state) is ReaderState.UNAVAILABLE
    assert state_of(hang(inserted(), "R", STUCK).state) is ReaderState.UNAVAILABLE
    assert state_of(hang(inserted(), "R", HELD).state) is ReaderState.IN_USE


def test_a_card_that_did_not_answer_its_power_up_is_shown_so_until_it_does() -> None:
    silent = note_answer(inserted(), "3-1", Reason.CARD_UNPOWERED)
    assert silent.facts == ()
    assert state_of(silent.state) is ReaderState.UNPOWERED
    assert state_of(note_answer(silent.state, "3-1", None).state) is ReaderState.PRESENT
    assert state_of(after(*looks(slot(PRESENT, 3)), state=silent.state).state) is ReaderState.PRESENT


def test_a_newcomer_is_told_what_leads_to_the_present_state() -> None:
    insertion = Insertion("3-1", "r", "desk", A, pcsc_name="R")
    attached = ReaderAttached("r", "desk", Role.COUNTER, "R")
    expected: tuple[Fact, ...] = (attached, CardInserted(insertion))
    assert recount(inserted()) == expected
    assert recount(after(DOWN, state=inserted()).state) == (ServiceWentDown(DOWN.reason, DOWN.detail), attached)


def test_facts_name_readers_as_people_do() -> None:
    assert after(*looks(slot()), Slots(())).facts[-1] == ReaderDetached("r", "desk")
    assert after(*looks(slot(MUTE))).facts[-1] == CardTrouble("r", Reason.CARD_MUTE)
    unavailable = after(*looks(slot(UNAVAILABLE))).facts[-1]
    assert isinstance(unavailable, ReaderUnavailable)
    assert unavailable.reader == "r"
    assert isinstance(after(DOWN, ServiceUp()).facts[-1], ServiceCameUp)


# -- who a reader is ------------------------------------------------------------------------------------------------


def test_a_reader_that_says_late_who_it_is_finds_another_place_and_its_card_is_new() -> None:
    late = replace(slot(), serial="till")
    change = after(*looks(slot(), late))
    assert told(change) == ["reader_detached 3-1", "ReaderDetached", "ReaderAttached", "in 3-2 found"]
    assert change.state.slots["R"].place.station == "till"


def test_a_reader_that_says_late_who_it_is_and_belongs_where_it_is_goes_on() -> None:
    change = after(*looks(slot(), replace(slot(), usb="1-2")))
    assert told(change) == []
    assert change.state.holding("3-1") is not None


@pytest.mark.parametrize("first", [None, "other"])
def test_a_reader_that_hangs_hangs_in_its_other_place_too_until_the_call_returns(first: str | None) -> None:
    hung = hang(after(*looks(replace(slot(), serial=first))).state, "R", STUCK)
    change = after(*looks(replace(slot(), serial="till")), state=hung.state)
    assert told(change) == ["ReaderDetached", "ReaderAttached", "ReaderUnavailable"]
    assert change.state.slots["R"].place.station == "till"
    assert state_of(change.state) is ReaderState.UNAVAILABLE
    back = revive(change.state, "R")
    assert told(settle(back.state, "R", back.settling[0].ticket)) == ["in 3-2 found"]


def test_a_reader_that_hangs_and_is_of_no_use_any_more_is_ignored_like_any_other() -> None:
    def nowhere(look: Slot, _taken: Iterable[str]) -> Place:
        return Place("r", "", Role.IGNORED, look.name)

    hung = hang(inserted(), "R", STUCK)
    (seen,) = looks(replace(slot(), serial="till"))
    change = reconcile(hung.state, seen, nowhere)
    assert told(change) == ["ReaderDetached", "ReaderAttached"]
    assert state_of(change.state) is ReaderState.PRESENT


def test_another_device_under_the_same_name_is_another_reader() -> None:
    change = after(*looks(replace(slot(), usb="1-2"), replace(slot(), usb="1-3")))
    assert told(change) == ["reader_detached 3-1", "ReaderDetached", "ReaderAttached", "in 3-2 found"]


def test_after_the_service_came_back_a_name_may_be_another_device() -> None:
    before, behind = replace(slot(), serial="left"), replace(slot(), serial="right")
    change = after(*looks(before), DOWN, ServiceUp(), *looks(behind))
    assert told(change) == ["ReaderDetached", "ReaderAttached", "in 3-2 found"]
    assert change.state.slots["R"].place.station == "right"
