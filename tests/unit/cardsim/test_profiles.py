"""The shipped profiles: each shows what it was made to show."""

from collections.abc import Callable

import pytest

from cardd.iso7816.tlv import parse_records
from cardd.rules.content import read_fields, read_records
from cardd.rules.files import FILES, Generation
from cardd.rules.identity import card_number_check, citizen_number_ok
from cardsim.card.filesystem import RecordFile
from cardsim.card.make import make_chip
from cardsim.persona import SocialSecurityPersona, load_persona, shipped

Exchange = Callable[..., list[str]]

SSSE = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"
PIN = "0020000003123456"
SOCIAL = [name for name in shipped() if isinstance(load_persona(name).card, SocialSecurityPersona)]
SOUND = {"p1-1.0-des": "1.0", "p2-2.0-des": "2.0", "p3-3.0-sm4": "3.0", "p5-offline": "2.0"}


def test_the_people_are_invented() -> None:
    for name in SOCIAL:
        card = load_persona(name).card
        assert isinstance(card, SocialSecurityPersona)
        assert card.holder.name.startswith("测试")
        assert card.holder.social_security_number[6:10] == "1900"
        assert citizen_number_ok(card.holder.social_security_number) or not name.startswith("p")
        assert card_number_check(card.card_number[:8]) == card.card_number[8]


def test_no_two_cards_of_the_profiles_have_one_number_or_one_answer_to_reset() -> None:
    profiles = [name for name in SOCIAL if name.startswith("p")]
    assert len(profiles) == 14
    cards = [load_persona(name).card for name in profiles]
    assert len({getattr(card, "card_number", "") for card in cards}) == len(profiles)
    assert len({card.atr for card in cards}) == len(profiles)


@pytest.mark.parametrize(("name", "generation"), SOUND.items())
def test_a_sound_profile_holds_nothing_that_breaks_the_rule(name: str, generation: str) -> None:
    checked = 0
    for application in make_chip(load_persona(name)).machine.root.walk():
        for fid, file in application.files.items():
            rule = FILES.get(f"{application.label}{fid:04X}")
            if rule is None or not isinstance(file, RecordFile):
                continue
            values = [value for record in file.records if rule.fields for value in read_fields(rule, record).values]
            if not rule.fields and fid != 0xEF1E:
                values = list(read_records(rule, Generation(generation), parse_records(b"".join(file.records))))
            assert [value.fault for value in values if value.fault] == []
            assert not [value for value in values if value.item.key.startswith("tag_")]
            checked += len(values)
    assert checked > 50


@pytest.mark.parametrize(
    ("name", "commands", "answers"),
    [
        ("p1-1.0-des", [SSSE, "00B2063406", "00B2073400"], ["A50388011E9000", "0D04190001019000", "6A83"]),
        ("p1-1.0-des", [SSSE, "00A4000002DF01", PIN, "00B2375006"], ["3704001234009000"]),
        ("p2-2.0-des", [SSSE, "00B2013414"], ["8601019000", "303738" + "9000"]),
        ("p2-2.0-des", [SSSE, "00A4000002DF02", PIN, "00B2013C07"], ["323032303030309000"]),
        ("p3-3.0-sm4", [SSSE, "00B2013414"], ["8601039000", "6982"]),
        ("p3-3.0-sm4", [SSSE, "00A4000002DF05", "00B2A02803"], ["A001319000"]),
        ("p4-bad-missing-files", [SSSE, "00A4020002EF08", "00A4000002DF07"], ["6A82", "6A82"]),
        ("p4-bad-lengths", [SSSE, "00B2072800", "00B2032800", "00B24E3000"], ["6C0E", "6C05", "6A83"]),
        ("p4-bad-code", [SSSE, "00B2012C12"], ["0BADC0DEFFFFFFFF9000"]),
        ("p4-bad-locked-pin", [SSSE, "0020000000", PIN], ["63C0", "6983"]),
        ("p4-bad-blocked-application", [SSSE, "00A4000002DF04", "00B2012C00"], ["9303", "9303"]),
        ("p4-bad-blocked-card", [SSSE, "0084000008"], ["6A81", "6A81"]),
        ("p4-bad-dates", [SSSE, "00B205280A"], ["050832303234303130329000"]),
        ("p4-bad-records", [SSSE, "00B2043400", "00B2093006"], ["6C01", "091EB2E2CAD49000"]),
        ("p4-bad-locked-key", [SSSE, "0084000008", "0082000A10" + "00" * 16], ["6983"]),
        ("p5-offline", [SSSE, "00A4000002DF04", PIN, "00B28F2803", "00B2014403"], ["8F01329000", "0004329000"]),
    ],
)  # fmt: skip
def test_a_profile_shows_what_it_is_for(
    shipped_card: Callable[..., Exchange], name: str, commands: list[str], answers: list[str]
) -> None:
    told = shipped_card(name)(*commands)[-len(answers) :]
    assert [answer[-len(end) :] for answer, end in zip(told, answers, strict=True)] == answers


def test_the_profile_with_a_wrong_key_answers_otherwise_than_the_others(shipped_card: Callable[..., Exchange]) -> None:
    ask = "0088000010" + "1122334455667788" + "0102030405060708"
    forged = shipped_card("p4-bad-irk")(SSSE, ask)[1]
    make = load_persona("p4-bad-irk")
    assert forged.endswith("9000")
    assert make_chip(make).machine.root.children[0].keys[0].versions[1] == bytes.fromhex("DEADBEEF" * 4)
    assert forged != shipped_card("social-jia-3.0")(SSSE, ask)[1]
