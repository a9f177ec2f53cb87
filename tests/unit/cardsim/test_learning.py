"""Personas made of traces."""

import contextlib
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml
from support.cards import altered, on_channel, software_keys
from support.private import shapes

from cardd.base.errors import CarddError
from cardd.base.secret import Secret
from cardd.desk.read import read_card
from cardd.desk.stopped import StoppedKeys
from cardd.iso7816.device import Transport
from cardd.rules.files import FILES, Structure
from cardd.rules.masking import Masker
from cardsim.card.make import make_card
from cardsim.cli import main
from cardsim.comparison import compare
from cardsim.learning.learn import Learned, learn
from cardsim.learning.rehearsal import rehearse
from cardsim.persona import SocialSecurityPersona, load_persona, shipped
from cardsim.trace import Exchange, RecordingCard, Trace, load_trace

SOCIAL = [name for name in shipped() if isinstance(load_persona(name).card, SocialSecurityPersona)]
PIN = b"123456"
ATR = "3B6D00000081544C9686845101C0FFEE01"
SELECT = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"
FORGED = {"p4-bad-irk", "social-fake-3.0", "p4-bad-code"}
"""Cards that cannot prove themselves are not read; the learned ones have right keys, and are."""


def wishes() -> Iterator[str | None]:
    """Yield what to ask a card for: what everybody asks, then each file of the rule by itself."""
    yield None
    for rule in FILES.values():
        if rule.address == "SSSEEF1E":
            continue
        tags = "".join(f"{tag:02X}|" for tag in dict.fromkeys(item.tag for item in rule.items))
        listed = rule.structure not in {Structure.CYCLIC, Structure.TRANSPARENT}
        yield f"{rule.address}|{tags if listed else ''}$"


def recorded(
    persona: str | Path, path: Path, *, interface: str | None = None, pin: bytes = PIN, masked: bool = True
) -> Trace:
    """Record a whole reading: everything that can be asked for is asked for, one after the other."""
    card = RecordingCard(make_card(load_persona(persona), interface=interface), path, masked=masked)
    transport = Transport.T1 if interface == "contactless" else Transport.T0
    for wish in wishes():
        place = on_channel(card, transport)
        keys, stopped, secret = software_keys(), StoppedKeys(), Secret(pin)
        with contextlib.suppress(CarddError):
            read_card(place.channel, place.insertion, keys, None, 1e12, wish, stopped=stopped, pin=secret)
        card.power_off()
    return load_trace(path)


@cache
def of_shipped(name: str, directory: Path) -> tuple[Trace, Learned]:
    trace = recorded(name, directory / f"{name}.jsonl")
    return trace, learn(trace)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("learning")


def text_of(learned: Learned) -> str:
    return yaml.safe_dump(learned.document, allow_unicode=True)


@pytest.mark.parametrize("name", SOCIAL)
def test_a_learned_persona_answers_what_was_recorded_with_the_same_words_and_lengths(
    name: str, directory: Path
) -> None:
    trace, learned = of_shipped(name, directory)
    assert len(trace.exchanges) > 200
    assert learned.unlike == ()
    assert compare(trace, rehearse(learned.document, trace, learned.interface), values=False).differences == ()
    # no word had to be put there for one command alone
    assert "faults" not in learned.document


@pytest.mark.parametrize("name", [name for name in SOCIAL if name not in FORGED])
def test_read_anew_it_is_the_same_card_but_for_the_values(name: str, directory: Path, tmp_path: Path) -> None:
    trace, learned = of_shipped(name, directory)
    path = tmp_path / "learned.yaml"
    path.write_text(text_of(learned), encoding="utf-8")
    again = recorded(path, tmp_path / "again.jsonl", pin=b"000000")
    assert compare(trace, again, values=False).differences == ()


@pytest.mark.parametrize("name", SOCIAL)
def test_nothing_of_the_holder_is_in_a_learned_persona(name: str, directory: Path) -> None:
    trace, learned = of_shipped(name, directory)
    # the keys are those of all shipped cards
    text = yaml.safe_dump({**learned.document, "keys": {}}, allow_unicode=True).encode()
    sought = [value for value in private(name) if len(value) > 1]
    for value in sought:
        for what, pattern in shapes(value):
            assert pattern not in text, what
            assert pattern not in bytes.fromhex("".join(re.findall(r"\b(?:[0-9A-F]{2})+\b", text.decode()))), what
    told = b"".join(exchange.response for exchange in trace.exchanges)
    if name in {"social-jia-3.0", "p3-3.0-sm4", "social-ding-1.0"}:
        # what is looked for was in the recording
        card = load_persona(name).card
        assert isinstance(card, SocialSecurityPersona)
        assert card.holder.name.encode("gbk") in told


def private(name: str) -> set[str]:
    card = load_persona(name).card
    assert isinstance(card, SocialSecurityPersona)
    holder = card.holder
    found = {holder.social_security_number, holder.name, holder.birthplace, card.card_number, card.pin or ""}
    for content in card.files.values():
        values = content.values() if isinstance(content, dict) else [content] if isinstance(content, str) else content
        found |= {value for value in values if len(value) > 4}
    # sums of nothing are on every card
    return {value for value in found if value.strip("0")}


def test_what_is_learned_hangs_on_lengths_alone(tmp_path: Path) -> None:
    other = {
        "social_security_number": "440101195512310017",
        "name": "王小明",
        "sex": "2",
        "ethnic_group": "56",
        "birthplace": "440101",
        "birth_date": "1955-12-31",
    }
    files = {"DF01EF05": {"20": "99", "21": "另外市另外区另外路8号", "0E": "440101"}}
    changed = altered(tmp_path, "p1-1.0-des", holder=other, files=files, card_number="Q99999992", pin="987654")
    one = learn(recorded("p1-1.0-des", tmp_path / "one.jsonl"))
    another = learn(recorded(changed, tmp_path / "another.jsonl", pin=b"987654"))
    assert one.document == another.document


def masked(trace: Trace) -> Trace:
    """Return a trace as a daemon writes it."""
    masker = Masker()
    shown = (masker.shown(exchange.command, exchange.response) for exchange in trace.exchanges)
    exchanges = (Exchange(one.command, one.answer, one.command_masked, one.answer_masked) for one in shown)
    return Trace(trace.atr, tuple(exchanges))


def test_a_masked_trace_is_learned_too(directory: Path) -> None:
    trace, _ = of_shipped("social-jia-3.0", directory)
    learned = learn(masked(trace))
    assert learned.unlike == ()
    assert learned.document["profile"] == "3.0"
    holder = learned.document["holder"]
    assert isinstance(holder, dict)
    assert (len(holder["name"].encode("gbk")), len(holder["social_security_number"])) == (6, 18)


@pytest.mark.parametrize("name", ["p1-1.0-des", "p5-offline", "p4-bad-lengths", "p4-bad-records"])
def test_a_masked_trace_tells_as_much_of_a_cards_quirks(name: str, directory: Path) -> None:
    trace, _ = of_shipped(name, directory)
    learned = learn(masked(trace))
    assert learned.unlike == ()
    assert "faults" not in learned.document


def test_a_pin_that_was_recorded_is_not_learned(tmp_path: Path) -> None:
    trace = recorded("social-jia-3.0", tmp_path / "trace.jsonl", masked=False)
    assert any(b"\x12\x34\x56" in exchange.command for exchange in trace.exchanges)
    learned = learn(trace)
    assert learned.unlike == ()
    assert learned.document["pin"] == "000000"


def test_names_keep_their_length_in_bytes(tmp_path: Path) -> None:
    for number, name in enumerate(("测试", "阿卜杜热合曼艾买提", "A测试")):
        persona = altered(tmp_path, "social-jia-3.0", holder={"name": name})
        holder = learn(recorded(persona, tmp_path / f"{number}.jsonl")).document["holder"]
        assert isinstance(holder, dict)
        assert len(holder["name"].encode("gbk")) == len(name.encode("gbk"))
        assert name not in holder["name"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"toggles": {"fci_algorithm": "absent"}, "algorithm": "des"}, {"toggles": {"fci_algorithm": "absent"}}),
        ({"toggles": {"directory": "absent"}}, {"absent": ["SSSEEF1E"]}),
        ({"absent": ["DF07", "DF01EF06"]}, {"absent": ["DF01EF06", "DF07"]}),
        ({"blocked": ["DF04"]}, {"blocked": ["DF04"]}),
        ({"pin_tries": 0}, {"pin_tries": 0}),
        ({"raw": {"DF01EF05": {"21": "B2E2"}}}, {}),
        (
            {"faults": [{"do": "answer", "at": "INTERNAL AUTHENTICATION", "word": "6D00"}]},
            {"faults": [{"do": "answer", "at": "INTERNAL AUTHENTICATION", "word": "6D00"}]},
        ),
    ],
)
def test_quirks_are_learned_by_their_names(
    changes: dict[str, object], expected: dict[str, object], tmp_path: Path
) -> None:
    learned = learn(recorded(altered(tmp_path, "social-jia-3.0", **changes), tmp_path / "trace.jsonl"))
    assert learned.unlike == ()
    for key in ("toggles", "absent", "blocked", "pin_tries", "faults"):
        assert learned.document.get(key) == expected.get(key), key


def test_a_card_on_the_antenna_is_learned_as_one(tmp_path: Path) -> None:
    trace = recorded("social-jia-3.0", tmp_path / "trace.jsonl", interface="contactless")
    learned = learn(trace)
    assert (learned.interface, learned.document["interface"], learned.unlike) == ("contactless", "contactless", ())
    assert rehearse(learned.document, trace, "contactless").atr == trace.atr


def test_a_single_unusual_word_is_one_fault_at_its_command() -> None:
    answers = [(SELECT, "611E"), ("0084000008", "0102030405060708" + "9000"), ("0084000008", "6F42")]
    exchanges = tuple(Exchange(bytes.fromhex(c), bytes.fromhex(r)) for c, r in answers)
    learned = learn(Trace(bytes.fromhex(ATR), exchanges))
    assert learned.unlike == ()
    assert learned.document["faults"] == [{"do": "answer", "at": "3", "word": "6F42"}]


def test_the_command_prints_a_persona_that_can_be_inserted(
    directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace, _ = of_shipped("social-jia-3.0", directory)
    assert main(["learn", str(directory / "social-jia-3.0.jsonl")]) == os.EX_OK
    told = capsys.readouterr()
    assert told.err == f"cardsim: {len(trace.exchanges)} of {len(trace.exchanges)} exchanges are as recorded\n"
    path = tmp_path / "learned.yaml"
    path.write_text(told.out, encoding="utf-8")
    assert make_card(load_persona(path)).power_on() == trace.atr


def test_what_cannot_be_learned_is_told_with_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = tmp_path / "trace.jsonl"
    trace.write_text(f'{{"atr":"{ATR}"}}\n{{"c":"{SELECT}","r":"01029000"}}\n')
    assert main(["learn", str(trace)]) == 1
    assert "exchange 1: 00A404000F: 2 bytes and 9000 was recorded" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("atr", "word", "problem"),
    [(ATR, "6A82", "no social security environment"), ("3B00", "9000", "has not the 13 historical bytes")],
)
def test_another_card_than_a_social_security_card_is_refused(
    atr: str, word: str, problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = tmp_path / "trace.jsonl"
    trace.write_text(f'{{"atr":"{atr}"}}\n{{"c":"{SELECT}","r":"{word}"}}\n')
    assert main(["learn", str(trace)]) == os.EX_DATAERR
    told = capsys.readouterr().err
    assert told.startswith(f"{trace}:1:1: ")
    assert problem in told
