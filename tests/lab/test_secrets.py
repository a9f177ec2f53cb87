"""A whole day at the counter with the log at its most talkative: nothing of a person or a key may be in it."""

from pathlib import Path

from support.clerk import Clerk, counter
from support.private import PIN, patterns

from cardd.wire.cards import CardReadParams
from cardd.wire.methods import CARD_READ
from cardsim.rig import REGISTER

PEOPLE = ("jia-3.0", "bing-2.0", "yi-3.0")
PASSWORDS = {"old-bing": "123456"}


def test_no_log_line_holds_a_pin_a_key_a_name_or_a_number(tmp_path: Path) -> None:
    settings = {"logs": {"level": "debug", "format": "json"}, "activation": {"pin_policy": "verify"}}
    with counter(tmp_path / "c", settings=settings) as clerk:
        for who in PEOPLE:
            _hand_off(clerk, who)
        _get_it_wrong(clerk)
        log = clerk.rig.log.read_bytes()
    assert log.count(b'"event":"apdu"') > 100
    for what, pattern in patterns():
        assert pattern not in log, what


def test_the_journal_holds_no_person_in_the_open(tmp_path: Path) -> None:
    with counter(tmp_path / "c") as clerk:
        _hand_off(clerk, "jia-3.0")
        clerk.rig.stop_daemon()
        stored = b"".join(file.read_bytes() for file in (clerk.rig.directory / "state").glob("journal*"))
    assert b"activation.completed" in stored
    for what, pattern in patterns():
        assert pattern not in stored, what


def test_what_would_give_a_person_away_is_what_the_personas_hold() -> None:
    """The search above looks for the right things: each of them is found where it does stand."""
    sought = dict(patterns())
    register = REGISTER.read_bytes()
    assert sought["测试甲 in utf-8"] in register
    assert sought["510101190001010012 in utf-8"] in register
    assert sought["510101190001010012 in bcd"] == bytes.fromhex("510101190001010012")
    assert sought["测试甲 in gbk as hex"] == b"b2e2cad4bcd7"


def _hand_off(clerk: Clerk, who: str) -> None:
    name = who.split("-", maxsplit=1)[0]
    clerk.insert(f"old-{name}")
    if f"old-{name}" in PASSWORDS:
        clerk.type(PASSWORDS[f"old-{name}"])
    clerk.step("waiting_social_card")
    clerk.remove()
    clerk.insert(f"social-{who}")
    if "verify" in clerk.rig.config.read_text(encoding="utf-8"):
        clerk.type(PIN)
    clerk.wait("activation.completed")
    clerk.client.call(CARD_READ, CardReadParams(purpose="test"))
    clerk.remove()
    clerk.wait("card.removed")


def _get_it_wrong(clerk: Clerk) -> None:
    """Send what a careless client may send: secrets in the wrong places, half lines, another purpose."""
    sock = clerk.rig.client()
    with sock:
        for line in (
            b'{"jsonrpc":"2.0","id":1,"method":"prompt.answer","params":{"prompt":"x","pin":"123456"}}\n',
            b'{"jsonrpc":"2.0","id":2,"method":"prompt.answer","params":{"prompt":7,"pin":"123456"}}\n',
            b'{"jsonrpc":"2.0","id":3,"method":"prompt.answer","params":{"prompt":"x","pin":123456}}\n',
            b'{"jsonrpc":"2.0","id":4,"method":"activation.start","params":{"route":"510101190001010012"}}\n',
            '{"jsonrpc":"2.0","id":5,"method":"测试甲","params":{}}\n'.encode(),
            '{"method":"测试甲", 510101190001010012 123456\n'.encode(),
        ):
            sock._sock.sendall(line)
            assert sock._line(None)
