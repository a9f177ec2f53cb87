"""Failures at a counter, told without a person, and made to happen again with invented people."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from support.incidents import AT_HOSPITAL, END, FAILURES, account, provoked, torn
from support.scenarios import told

from cardd.ctl.incident import written
from cardd.ctl.main import main
from cardd.wire.incident import Incident, Late
from cardsim.scenario.grounds.house import SOCKET
from cardsim.scenario.grounds.inprocess import InProcessGround
from cardsim.scenario.incidents.chapters import position, stays
from cardsim.scenario.incidents.people import company
from cardsim.scenario.incidents.reading import end_of, read_incident
from cardsim.scenario.outcome import Came, Result
from cardsim.scenario.runner import Job, run

SECRETS = (
    *("测试甲", "测试乙", "测试丙", "510101190001010012", "510101190002020024", "51010119000303003X"),
    *("T0000001X", "T00000028", "T00000036", "1900000001", "1900000003", "A19000103", "123456", "V4711"),
    *("510100D156000005C0FFEE01FFFFFFFF", "C0FFEE01", "00112233445566778899AABBCCDDEEFF", "0123456789ABCDEF"),
)
"""Persons, numbers, PINs and keys of the cards that were there, and what clients said."""


def written_in_any_way(secret: str) -> Iterator[bytes]:
    """Yield a secret as it may stand somewhere: in letters of two alphabets, packed, in hexadecimal."""
    for letters in (secret.encode(), secret.encode("gbk")):
        yield from (letters, letters.hex().encode(), letters.hex().upper().encode())
    if all(one in "0123456789ABCDEF" for one in secret):
        for even in (secret + "F" * (len(secret) % 2), "0" * (len(secret) % 2) + secret):
            yield bytes.fromhex(even)


@pytest.mark.parametrize(("head", "timeline"), FAILURES.values(), ids=FAILURES)
def test_a_failure_is_told_without_a_person_and_happens_again(tmp_path: Path, head: str, timeline: str) -> None:
    field, path = provoked(tmp_path, head, timeline)
    content = path.read_bytes()
    assert [one for one in SECRETS if any(way in content for way in written_in_any_way(one))] == []
    assert read_incident(path) == field
    again = run(Job(path))
    assert again.came is Came.PASSED, again.failures[0].came


def test_there_are_twenty_of_them_with_different_courses(tmp_path: Path) -> None:
    courses = set()
    for number, failure in enumerate(FAILURES.values()):
        folder = tmp_path / str(number)
        folder.mkdir()
        field, _ = provoked(folder, *failure)
        courses.add(
            (
                field.outcome,
                field.reason,
                *((turn.state, turn.fact, turn.reason, bool(turn.work)) for turn in field.turns),
            )
        )
    assert len(courses) >= 20


GENUINE = FAILURES["a card that is not genuine"]


def altered(folder: Path, **changes: object) -> Result:
    """Return what comes of an incident of which something else is said."""
    field, path = provoked(folder, *GENUINE)
    path.write_text(written(msgspec.convert(msgspec.to_builtins(field) | changes, Incident)), encoding="utf-8")
    return run(Job(path))


def test_another_end_is_told_with_both_courses_side_by_side(tmp_path: Path) -> None:
    result = altered(tmp_path, reason="CARD_LOST")
    (failure,) = result.failures
    assert (result.came, failure.place) == (Came.FAILED, str(tmp_path / "incident.yaml"))
    assert failure.expected == "the end that it had in the field: refused CARD_LOST"
    assert failure.came.startswith("refused CARD_NOT_GENUINE")
    rows = failure.came.splitlines()
    assert [row.split() for row in rows if "social_card_in" in row] == [
        ["waiting_social_card", "social_card_in", "|", "waiting_social_card", "social_card_in"]
    ]
    assert rows[-1].split() == ["!", "=", "refused", "CARD_LOST", "|", "=", "refused", "CARD_NOT_GENUINE"]


def test_a_course_that_parts_is_told_from_where_it_parts(tmp_path: Path) -> None:
    field, path = provoked(tmp_path, *GENUINE)
    # what the card was refused for is not told: another one comes, which nothing is wrong with
    turns = [msgspec.structs.replace(turn, reason=None) for turn in field.turns]
    path.write_text(written(msgspec.structs.replace(field, turns=turns)), encoding="utf-8")
    result = run(Job(path))
    assert result.came is Came.FAILED
    parted = next(row for row in result.failures[0].came.splitlines() if row.startswith("! "))
    assert parted.split()[1:3] == ["reading_social_card", "refused"]


@pytest.mark.parametrize(
    ("said", "place", "problem"),
    [
        ("incident: 2\n", "1:1", "incident"),
        ("incident: 1\nactivation: a\nroute: shop\nstate: refused\ncardd: x\nturns: []\n", "3:8", "route"),
        ("incident: 1\nactivation: a\nroute: bank\nstate: refused\ncardd: x\nturns: []\n", "1:1", "no turns"),
    ],
)
def test_an_account_that_is_none_is_told_with_its_place(tmp_path: Path, said: str, place: str, problem: str) -> None:
    path = tmp_path / "incident.yaml"
    path.write_text(said, encoding="utf-8")
    result = run(Job(path))
    assert result.came is Came.BROKEN
    assert result.failures[0].place.startswith(f"{path}:{place.split(':', maxsplit=1)[0]}:")
    assert problem in result.failures[0].came


def test_what_other_clients_did_with_a_card_does_not_shift_its_commands(tmp_path: Path) -> None:
    timeline = (
        "- insert: social-jia-3.0\n  faults: "
        + torn("CHANGE PIN", 1, "after")
        + "\n- read:\n- read:\n"
        + AT_HOSPITAL
        + "- answer: right\n  to: social_pin\n- answer: right\n  to: new_pin\n"
        "- wait: activation.step\n  where: {prompt.code: card_pulled}\n- remove:\n"
        "- insert: social-jia-3.0\n- answer: right\n  to: new_pin\n" + END.format(end="completed")
    )
    head = "settings: {activation: {pin_policy: {hospital: change_is_activation}}}"
    field, path = provoked(tmp_path, head, timeline)
    stay = stays(field)[0]
    torn_at = stay.worked[-1]
    work = field.turns[torn_at].work
    assert work is not None
    assert position(stay, field.turns, torn_at) < work.last
    assert run(Job(path)).failures == []


def test_an_activation_that_has_not_ended_is_told_as_far_as_it_has_come(tmp_path: Path) -> None:
    head = "centre: true"
    timeline = (
        '- centre: ["silent_after@activate", "silent_after@outcome"]\n' + AT_HOSPITAL + "- insert: social-jia-3.0\n"
        "- wait: activation.in_doubt\n  within_s: 60\n"
    )
    field, path = provoked(tmp_path, head, timeline)
    assert field.state == "in_doubt"
    assert run(Job(path)).failures == []


@pytest.mark.parametrize("reason", ["PCSC_UNAVAILABLE", "READER_UNAVAILABLE"])
def test_a_service_that_went_away_happens_again_as_a_card_torn_out_there(tmp_path: Path, reason: str) -> None:
    field, path = provoked(tmp_path, *FAILURES["torn out while it is read, and put in again"])
    turns = [
        msgspec.structs.replace(turn, fact="reading_failed", reason=reason) if turn.fact == "card_gone" else turn
        for turn in field.turns
    ]
    assert turns != field.turns
    path.write_text(written(msgspec.structs.replace(field, turns=turns)), encoding="utf-8")
    assert run(Job(path)).failures == []


def test_one_that_was_told_in_the_middle_of_work_is_gone_by_on_the_way(tmp_path: Path) -> None:
    timeline = AT_HOSPITAL + (
        "- insert: social-jia-3.0\n  faults: [{do: slow, at: READ RECORD, ms: 500}]\n"
        "- wait: activation.step\n  where: {state: reading_social_card}\n- pass: 1\n"
    )
    field, path = provoked(tmp_path, "", timeline)
    assert field.state == "reading_social_card"
    assert run(Job(path)).failures == []
    # and not where it never comes by
    other = [msgspec.structs.replace(turn, fact="same_social_card_in") for turn in field.turns]
    path.write_text(written(msgspec.structs.replace(field, turns=other)), encoding="utf-8")
    assert run(Job(path)).came is Came.FAILED


def test_a_step_that_was_stored_late_for_want_of_room_happens_again_without(tmp_path: Path) -> None:
    field, path = provoked(tmp_path, *GENUINE)
    late = [msgspec.structs.replace(turn, late=Late(reason="JOURNAL_FULL", ms=8000)) for turn in field.turns]
    path.write_text(written(msgspec.structs.replace(field, turns=late)), encoding="utf-8")
    assert read_incident(path).turns == late
    assert run(Job(path)).failures == []


def test_one_that_waits_for_room_in_its_journal_is_refused_with_what_to_do(tmp_path: Path) -> None:
    field, path = provoked(tmp_path, *GENUINE)
    *before, newest = field.turns
    waiting = msgspec.structs.replace(newest, late=Late(reason="JOURNAL_FULL", ms=8000))
    path.write_text(written(msgspec.structs.replace(field, turns=before, waiting=waiting)), encoding="utf-8")
    result = run(Job(path))
    assert result.came is Came.BROKEN
    assert "no room (JOURNAL_FULL)" in result.failures[0].came


def test_cardctl_prints_what_cardsim_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head, timeline = FAILURES["cards of two persons"]
    with told(tmp_path, timeline, head) as story:
        assert isinstance(story.ground, InProcessGround)
        with story.ground.client() as client:
            field = account(client)
        socket = str(story.ground.directory / SOCKET)
        assert main(["--socket", socket, "incident", field.activation]) == 0
        yaml = capsys.readouterr().out
        assert main(["--socket", socket, "--json", "incident", field.activation]) == 0
        json = capsys.readouterr().out
        assert main(["--socket", socket, "incident", "0" * 32]) != 0
    for suffix, said in (("yaml", yaml), ("json", json)):
        path = tmp_path / f"printed.{suffix}"
        path.write_text(said, encoding="utf-8")
        assert read_incident(path) == field
        assert run(Job(path)).came is Came.PASSED


def test_invented_people_have_cards_of_the_same_kinds_and_nothing_else_in_common(tmp_path: Path) -> None:
    field, _ = provoked(tmp_path, *FAILURES["a memory card torn out while it is read"])
    card = company(field, 7).holder.cards["old"]
    assert (getattr(card, "layout", None), getattr(card, "number", "") != "A19000103") == ("jinan", True)


def test_the_page_names_each_failure_and_its_end(tmp_path: Path) -> None:
    page = (
        (Path(__file__).parents[3] / "docs" / "simulator.md").read_text(encoding="utf-8").partition("## Incidents")[2]
    )
    rows = [line.split(" | ")[1:] for line in page.splitlines() if line.startswith("| ") and line[2].isdigit()]
    told_of = {name: end.removesuffix(" |").replace("`", "") for name, end in rows}
    assert set(told_of) == set(FAILURES)
    field, _ = provoked(tmp_path, *FAILURES["cards of two persons"])
    assert told_of["cards of two persons"] == " ".join(end_of(field))
