"""Personas are read strictly, every mistake is told with its place; the shipped ones are all cards."""

import re
from pathlib import Path

import pytest

from cardd.base.document import DocumentError
from cardsim.card.base import VirtualCard
from cardsim.card.make import make_card, make_chip
from cardsim.persona import load_persona, shipped

SOCIAL = 'card: social-security\nprofile: "3.0"\n'


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ("card: bank\n", "1:7", "bank"),
        (SOCIAL + "pim: x\n", "3:1", "did you mean `pin`"),
        (SOCIAL + "pin: [123456]\n", "3:6", "text"),
        (SOCIAL + "pin_tries: six\n", "3:12", "a whole number"),
        (SOCIAL + 'pin: "123"\n', "3:6", "4 to 16 digits"),
        (SOCIAL + 'pin: "1234"\npin: "12345"\n', "4:1", "twice"),
        (SOCIAL + "pin_tries: 16\n", "3:12", "15"),
        (SOCIAL + 'challenges: ["0G"]\n', "3:14", "regex"),
        (SOCIAL + 'identification_code: "51"\n', "3:22", "16 bytes"),
        (SOCIAL + 'keys: {root: "00"}\n', "3:14", "16 bytes"),
        (SOCIAL + 'keys: {KEY: "00"}\n', "3:13", "no such key"),
        (SOCIAL + f'keys: {{PUK: {{2: "{"00" * 16}"}}}}\n', "3:13", "no version 2"),
        (SOCIAL + 'holder: {name: 甲, birth_date: "1900-02-30"}\n', "3:31", "calendar"),
        (SOCIAL + f"holder: {{name: {'测' * 26}}}\n", "3:16", "room for 50"),
        (SOCIAL + 'files: {SSSEEF09: "00"}\n', "3:19", "no such file"),
        (SOCIAL + 'files: {SSSEEF05: {"99": x}}\n', "3:26", "no such item"),
        (SOCIAL + "files: {SSSEEF07: zz}\n", "3:19", "hexadecimal"),
        (SOCIAL + "blocked: [DF99]\n", "3:11", "no such application"),
        (SOCIAL + 'ats: "0578"\n', "3:6", "own length"),
        (SOCIAL + f'atr: "3B00"\nkeys: {{root: "{"00" * 16}"}}\n', "4:14", "historical"),
        ("card: medical-insurance\nkind: cpu\nnumber: 12a\n", "3:9", "regex"),
        ("card: psam\nlevel: galaxy\n", "2:8", "galaxy"),
    ],
)
def test_a_mistake_is_told_with_line_and_column(tmp_path: Path, text: str, place: str, hint: str) -> None:
    path = tmp_path / "card.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DocumentError) as caught:
        make_chip(load_persona(path))
    assert str(caught.value).startswith(f"{path}:{place}: ")
    assert hint in str(caught.value)


def test_no_text_needs_quotes(tmp_path: Path) -> None:
    bare = """
profile: 3.0
pin: 012345
pin_tries: 3
challenges: [0122334455667788, 12E4]
keys: {root: 00112233445566778899001122334455, IRK: {1: 00000000000000000000000000000011}}
holder: {ethnic_group: 01, birthplace: 510100, birth_date: 1900-01-01}
files: {SSSEEF05: {05: 20200101}}
"""
    quoted = re.sub(r"([ \[])([0-9][0-9A-FE.-]+)(?=[\n,}\]])", r'\1"\2"', bare).replace("{05:", '{"05":')
    cards: list[object] = []
    for text in (bare, quoted):
        path = tmp_path / f"{len(cards)}.yaml"
        path.write_text("card: social-security\n" + text, encoding="utf-8")
        cards.append(load_persona(path).card)
    assert quoted.count('"') == 22
    assert cards[0] == cards[1]


@pytest.mark.parametrize("nothing", ["", " null", ' ""'])
def test_a_card_may_have_no_pin(tmp_path: Path, nothing: str) -> None:
    path = tmp_path / "card.yaml"
    path.write_text(f"{SOCIAL}pin:{nothing}\n", encoding="utf-8")
    card = make_card(load_persona(path), interface="contactless")
    card.power_on()
    card.transmit(bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF"))
    assert card.transmit(bytes.fromhex("00200000")) == b"\x90\x00"


def test_an_unknown_name_lists_the_shipped_ones() -> None:
    with pytest.raises(DocumentError, match="old-jia"):
        load_persona("nobody")


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_persona_is_a_card(name: str) -> None:
    card: VirtualCard = make_card(load_persona(name))
    assert card.power_on()[0] == 0x3B


def test_the_fake_card_differs_from_the_real_one_in_its_proof_only() -> None:
    real, fake = (make_card(load_persona(name)) for name in ("social-jia-3.0", "social-fake-3.0"))
    assert real.power_on() == fake.power_on()
    commands = ["00A404000F7378312E73682EC9E7BBE1B1A3D5CF", "00B2012D40", "0088000010" + "00" * 16, "00C0000008"]
    answers = [[card.transmit(bytes.fromhex(command)) for command in commands] for card in (real, fake)]
    assert answers[0][:3] == answers[1][:3]
    assert answers[0][3] != answers[1][3]


def test_atr_and_ats_of_the_persona_are_given_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "card.yaml"
    path.write_text(SOCIAL + 'atr: "3B6D010081544C9686845101C0FFEE0102"\nats: "067880A002AB"\n', encoding="utf-8")
    chip = make_chip(load_persona(path))
    assert chip.on("contact").power_on().hex() == "3b6d010081544c9686845101c0ffee0102"
    assert chip.on("contactless").power_on().hex() == "3b818001abab"


def test_an_ats_gives_a_card_its_antenna_beside_the_contacts(tmp_path: Path) -> None:
    path = tmp_path / "card.yaml"
    second_generation = 'card: social-security\nprofile: "2.0"\n'
    path.write_text(f'{second_generation}ats: "127880A0020081544C9686845101C0FFEE01"\n', encoding="utf-8")
    chip = make_chip(load_persona(path))
    assert chip.on("contactless").power_on().hex() == "3b8d80010081544c9686845101c0ffee0181"
    assert chip.on().power_on().hex() == "3b6d00000081544c9686845101c0ffee01"
    path.write_text(second_generation, encoding="utf-8")
    with pytest.raises(ValueError, match="contactless"):
        make_chip(load_persona(path)).on("contactless")


def test_without_code_and_atr_both_follow_from_each_other(tmp_path: Path) -> None:
    path = tmp_path / "card.yaml"
    path.write_text(SOCIAL + 'identification_code: "330106D1560000050102030455667788"\n', encoding="utf-8")
    assert make_card(load_persona(path)).power_on().hex() == "3b6d00000081544c968684330101020304"


def test_a_card_without_power_answers_nothing() -> None:
    assert make_card(load_persona("old-jia")).transmit(b"\x00\xa4\x00\x00") == b""


def test_both_interfaces_share_one_memory() -> None:
    chip = make_chip(load_persona("social-jia-3.0"))
    contact, antenna = chip.on("contact"), chip.on("contactless")
    select = bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF")
    contact.power_on()
    contact.transmit(select)
    assert contact.transmit(bytes.fromhex("0020000003000000")) == b"\x63\xc5"
    antenna.power_on()
    antenna.transmit(select)
    assert antenna.transmit(bytes.fromhex("00200000")) == b"\x63\xc5"


def test_only_a_des_card_of_the_first_generation_tells_no_algorithm(tmp_path: Path) -> None:
    endings = {}
    for algorithm in ("des", "sm4"):
        path = tmp_path / f"{algorithm}.yaml"
        path.write_text(f'card: social-security\nprofile: "1.0"\nalgorithm: {algorithm}\n', encoding="utf-8")
        card = make_card(load_persona(path))
        card.power_on()
        endings[algorithm] = card.transmit(bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF")).hex()
    assert endings == {"des": "6118", "sm4": "611e"}


def test_a_root_of_several_versions_gives_each_key_as_many_as_it_has(tmp_path: Path) -> None:
    path = tmp_path / "card.yaml"
    roots = ", ".join(f'{version}: "{version:02d}{"00" * 15}"' for version in (1, 2, 3))
    path.write_text(f"{SOCIAL}keys: {{root: {{{roots}}}}}\n", encoding="utf-8")
    card = make_card(load_persona(path), interface="contactless")
    card.power_on()
    card.transmit(bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF"))
    proofs = [card.transmit(bytes.fromhex(f"0088000011{'00' * 16}{version:02X}")) for version in (1, 2, 3)]
    assert len({*proofs}) == 3
    assert all(proof[-2:] == b"\x90\x00" for proof in proofs)
    assert [card.transmit(bytes.fromhex(f"0082000611{'00' * 16}{version:02X}")).hex() for version in (1, 2)] == [
        "6984",
        "6a88",
    ]


def test_keys_of_applications_that_the_card_does_not_have_are_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "card.yaml"
    path.write_text(f'{SOCIAL}keys: {{UK1DF04: "{"00" * 16}", DPK: {{1: "{"00" * 16}"}}}}\n', encoding="utf-8")
    assert make_card(load_persona(path)).power_on()


@pytest.mark.parametrize(("name", "other", "kid"), [("UKSSSE", "UKMF", "04"), ("STKSSSE", "STK", "02")])
def test_a_key_may_be_called_by_its_other_name(tmp_path: Path, name: str, other: str, kid: str) -> None:
    path = tmp_path / "card.yaml"
    found = []
    for word in (name, other):
        path.write_text(f'{SOCIAL}keys: {{{word}: "{"11" * 16}"}}\n', encoding="utf-8")
        environment = make_chip(load_persona(path)).machine.root.children[0]
        key = environment.key(int(kid, 16))
        found.append(None if key is None else key.versions[1])
    assert found == [b"\x11" * 16] * 2
