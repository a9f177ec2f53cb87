"""Every way in which cards may differ: what the card does by default, and what it does otherwise."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from cardd.base.document import DocumentError
from cardd.crypto.authentication import authentication_data
from cardd.crypto.block import Algorithm
from cardd.crypto.derive import diversify_all, factors, session_key
from cardd.crypto.messaging import mac
from cardsim.card.chip import Chip
from cardsim.cli import main
from cardsim.toggles import Toggles, rows

SSSE = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"
NAME = "7378312E73682EC9E7BBE1B1A3D5CF"
BANK = "00A404000E315041592E5359532E4444463031"
DF01, DF02, DF03, DF04 = (f"00A4040006D1560000050{number}" for number in range(4))
ASK, PIN, ORIGINAL = "0084000008", "0020000003123456", "0102030405060708"
PROOF = {"sm4": "8135B4D81B42EA5F", "des": "98B77B8088D60DA0"}
SEVERAL = "challenges: [" + ", ".join(["'1122334455667788'"] * 12) + "]\n"
FIRST = {"profile": "1.0", "algorithm": "des"}
MAC = "00000000"

Answers = list[str]
VERSIONS = {"roots": "{1: 00112233445566778899AABBCCDDEEFF, 2: " + "0F" * 16 + ", 3: " + "F0" * 16 + "}"}
APART = {
    ("identification_seal", "random"),
    ("key_version", "newest"),
    ("card_factor", "padded"),
    ("reload_by_unblock", "accepted"),
}
ACCOUNT = list(Toggles.__struct_fields__[Toggles.__struct_fields__.index("balance_asked") :])
"""Of the account and of the security module, which are tried where those are."""


def proof(kid: str, algorithm: str = "sm4") -> str:
    return f"008200{kid}10{PROOF[algorithm]}{ORIGINAL}"


@dataclass
class Case:
    """Commands behind SELECT of the environment, and the ends of the last answers: by default, and otherwise."""

    name: str
    value: str
    commands: Answers
    usual: Answers
    other: Answers
    more: str = ""
    basis: dict[str, str] = field(default_factory=dict)
    also: dict[str, str] = field(default_factory=dict)


CASES = [
    Case("environment_place", "is_mf", ["00A40000023F00"], ["6F0284009000"], [f"{NAME}A50988011E9F0C038601039000"]),
    Case("fci_algorithm", "absent", [SSSE], ["A50988011E9F0C038601039000"], [f"6F16840F{NAME}A50388011E9000"]),
    Case("fci_algorithm", "present", [SSSE], ["A50388011E9000"], ["A50988011E9F0C038601019000"], basis=FIRST),
    Case("fci_algorithm", "ssf33", [SSSE], ["8601039000"], ["8601029000"]),
    Case("directory", "absent", ["00B201F41C"], ["9000"], ["6A82"]),
    Case("directory_sfi", "0F", [SSSE, "00B2017C00", "00B201F400"], ["6A82", "6C1C"], ["6C1C", "6A82"]),
    Case("directory_sfi", "0F", [SSSE], ["88011E9F0C038601039000"], ["88010F9F0C038601039000"]),
    Case(
        "directory_entries", "plain", ["00B201F403", "00B270F003"], ["701A619000", "701A619000"], ["61184F9000", "6A83"]
    ),
    Case("directory_environments", "listed", ["00B201F400"], ["6C1C"], ["6C15"]),
    Case(
        "partial_names",
        "matched",
        ["00A4040005D156000005", *["00A4040205D156000005"] * 5],
        ["6A82"] * 6,
        [f"6F088406D1560000050{number}9000" for number in (0, 1, 2, 3, 4)] + ["6A82"],
    ),
    Case("file_by_p1_00", "refused", ["00A4000002EF05"], ["9000"], ["6A82"]),
    Case("firewall", "open", [ASK, proof("0A"), BANK, SSSE, "00B2013400"], ["6982"], ["6C14"]),
    Case("cyclic_files", "filled", [DF02, PIN, "00B2043C00"], ["6A83"], ["6C55"]),
    Case(
        "transaction_record",
        "account_only",
        [DF04, PIN, "00B2014400"],
        ["6C1C"],
        ["6C14"],
        also={"cyclic_files": "filled"},
    ),
    Case(
        "unemployment_registration",
        "DF03EF05",
        [PIN, DF02, "00B2603000", DF03, "00B2602800"],
        ["6C06", "9000", "6A83"],
        ["6A83", "9000", "6C06"],
    ),
    Case(
        "first_generation_items",
        "rewritten",
        [DF01, PIN, "00B2324805"],
        ["32033131009000"],
        ["32033131EE9000"],
        more='files: {DF01EF09: {"32": "11"}}\n',
        basis=FIRST,
    ),
    Case("certificate_number", "cn08", [DF02, PIN, "00B2014C00"], ["6C12"], ["6C0A"]),
    Case("first_generation_drafts", "absent", ["00A4000002DF03", "00A4020002EF08"], ["9000"], ["6A82"], basis=FIRST),
    Case(
        "first_generation_insurance",
        "observed",
        [DF03, PIN, ASK, proof("84", "des"), "00B2012C00"],
        ["6982"],
        ["6C06"],
        basis=FIRST,
    ),
    Case("third_generation_conditions", "keys_only", [PIN, DF04, "00B2012C00"], ["6C0A"], ["6982"]),
    Case("third_generation_conditions", "keys_only", [PIN, DF04, "00B2014400"], ["6A83"], ["6A83"]),
    Case("third_generation_conditions", "keys_only", [DF04, ASK, proof("84"), "00B2012C00"], ["6C0A"], ["6C0A"]),
    Case("reserved_keys", "absent", [DF01, ASK, proof("8A")], ["9000"], ["6A88"]),
    Case("df05_keys", "84", ["00A4000002DF05", ASK, proof("84")], ["6A88"], ["9000"], more="applications: [DF05]\n"),
    Case("df07_keys", "reads_first", ["00A4000002DF07", ASK, proof("84"), "00B2013400"], ["6982"], ["6C05"]),
    Case(
        "unpublished_keys",
        "continued",
        ["00A4000002DF06", ASK, proof("83"), "00B2012C00"],
        ["6A88", "6982"],
        ["9000", "6C48"],
        more="applications: [DF06]\n",
    ),
    Case("pin_limit", "3", ["0020000000"], ["63C6"], ["63C3"]),
    Case("pin_limit", "8", ["0020000003112233", PIN, "0020000000"], ["63C5", "9000", "63C6"], ["63C7", "9000", "63C8"]),
    Case("key_limit", "15", [ASK, proof("0A")[:-2] + "09"], ["63C2"], ["63CE"]),
    Case("lock_key_tries", "counted", [*[ASK, proof("05")[:-2] + "09"] * 4], ["63C3"], ["6983"]),
    Case("puk_tries", "uncounted", [*[ASK, proof("06")[:-2] + "09"] * 4], ["6983"], ["63C3"]),
    Case(
        "pointer_by_number",
        "moved",
        ["00A4020002EF05", "00B2010403", "00B2030403", "00B2000203"],
        ["0110519000"],
        ["040C919000"],
    ),
    Case(
        "pointer_by_sfi",
        "kept",
        ["00A4020002EF05", "00B2002A03", "00B2002A03"],
        ["0110519000", "0110519000"],
        ["0110519000", "0201339000"],
    ),
    Case("step_without_record", "absent", ["00B2002A03", "00B2002B03"], ["0110519000", "0709549000"], ["6A83", "6A83"]),
    Case(
        "identifier_zero", "absent", ["00B2002803", "00B2012803"], ["0110519000", "0110519000"], ["6A83", "0110519000"]
    ),
    Case("short_le", "refused", ["00B2022C02"], ["02019000"], ["6C03"]),
    Case("le_beyond_several", "refused", ["00B2072D20"], ["589000"], ["6C0B"]),
    Case("updates", "with_mac", [ASK, proof("04"), "00DC022C03020131"], ["9000"], ["6987"]),
    Case("updates", "with_mac", [ASK, proof("04"), "00D687000131"], ["9000"], ["6987"]),
    Case("updates", "with_mac", ["00DC022C03020131"], ["6982"], ["6982"]),
    Case(
        "application_blocked",
        "after_lengths",
        [DF04, "00B2FF2C00", ASK],
        ["9303", "9303"],
        ["6A86", "9303"],
        more="blocked: [DF04]\n",
    ),
    Case("parameters_or_length", "length_first", ["0084010003"], ["6A86"], ["6700"]),
    Case("missing_or_right", "right_first", ["00B2203000", "00DC202C03200131"], ["6A83", "6A83"], ["6982", "6982"]),
    Case(
        "structure_or_right",
        "right_first",
        ["00B2013C00", "00B0860000", "00DC013C03200131"],
        ["6981"] * 3,
        ["6982"] * 3,
    ),
    Case("right_or_challenge", "challenge_first", ["8424000004" + MAC, "841E000104" + MAC], ["6982"] * 2, ["6984"] * 2),
    Case(
        "right_or_challenge",
        "challenge_first",
        ["04DC022C07020131" + MAC, "04D687000531" + MAC],
        ["6982"] * 2,
        ["6984"] * 2,
    ),
    Case(
        "global_rights_below",
        "cleared",
        [ASK, proof("0A"), DF01, SSSE, "00B2013400"],
        ["6C14"],
        ["6982"],
        also={"environment_again": "keeps"},
    ),
    Case("environment_again", "keeps", [ASK, proof("0A"), SSSE, "00B2013400"], ["6982"], ["6C14"]),
    Case(
        "internal_authentication_below", "refused", [DF01, "00880000101122334455667788" + ORIGINAL], ["9000"], ["6A88"]
    ),
    Case(
        "challenge_after_internal_authentication",
        "used",
        [ASK, "00880000101122334455667788" + ORIGINAL, proof("0A")],
        ["9000"],
        ["6984"],
    ),
    Case("challenge_after_reading", "used", [ASK, "00B2022C03", proof("0A")], ["9000"], ["6984"]),
    Case(
        "challenge_after_reading", "used", [ASK, "00A4000002DF01", ASK, "00B0960001", proof("8A")], ["9000"], ["6984"]
    ),
]


def answers(chip: Callable[..., Chip], case: Case, toggles: dict[str, str]) -> Answers:
    chosen = ", ".join(f"{name}: {value}" for name, value in toggles.items())
    card = chip(f"{SEVERAL}{case.more}toggles: {{{chosen}}}\n", **case.basis).on("contactless")
    card.power_on()
    return [card.transmit(bytes.fromhex(command)).hex().upper() for command in (SSSE, *case.commands)]


def ending_like(expected: Answers, told: Answers) -> Answers:
    """Return the last answers, cut to what is expected of each."""
    return [answer[-len(end) :] for end, answer in zip(expected, told[-len(expected) :], strict=True)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name} {case.value} {case.commands[-1]}")
def test_a_card_does_what_is_usual_until_it_is_told_otherwise(chip: Callable[..., Chip], case: Case) -> None:
    assert ending_like(case.usual, answers(chip, case, case.also)) == case.usual
    assert ending_like(case.other, answers(chip, case, case.also | {case.name: case.value})) == case.other


def test_an_identification_code_that_is_not_given_may_have_any_end(chip: Callable[..., Chip]) -> None:
    def code(value: str) -> str:
        case = Case("", "", ["00B2012C12"], [], [], basis={"code": ""})
        return answers(chip, case, {"identification_seal": value})[1]

    assert code("unset").startswith("0110510100D156000005C0FFEE01FFFFFFFF")
    assert code("random").startswith("0110510100D156000005C0FFEE01")
    assert "FFFFFFFF" not in code("random")


def test_without_a_version_the_first_or_the_newest_key_is_meant(chip: Callable[..., Chip]) -> None:
    commands = [f"0088000011{'1122334455667788'}{ORIGINAL}{version:02X}" for version in (1, 2, 3)]
    case = Case("", "", [f"00880000101122334455667788{ORIGINAL}", *commands], [], [], basis=VERSIONS)
    for value, meant in (("first", 1), ("newest", 3)):
        told = answers(chip, case, {"key_version": value})[1:]
        assert len(set(told[1:])) == len(commands)
        assert told[0] == told[meant]


def test_the_third_factor_may_be_the_older_one(chip: Callable[..., Chip]) -> None:
    older = diversify_all(
        Algorithm.SM4,
        bytes.fromhex("00112233445566778899AABBCCDDEEFF"),
        [*factors("510100", bytes(13)).chain[:2], bytes.fromhex("5101C0FFEE010000")],
    )
    expected = authentication_data(Algorithm.SM4, older, bytes.fromhex("1122334455667788"), bytes.fromhex(ORIGINAL))
    case = Case("", "", [f"00880000101122334455667788{ORIGINAL}"], [], [])
    assert answers(chip, case, {})[1] == "8135B4D81B42EA5F9000"
    assert answers(chip, case, {"card_factor": "padded"})[1] == f"{expected.hex().upper()}9000"


def test_a_reload_may_come_as_an_unblock(chip: Callable[..., Chip]) -> None:
    # the MAC covers P2, so this is not the vector for P2 01
    session = session_key(
        Algorithm.SM4, bytes.fromhex("3AAD5CFF3AB9492C4FFB7AE22E027F1C"), bytes.fromhex("1122334455667788")
    )
    body = bytes.fromhex("8424000014863593C25B5241CEAD20DAA4961FFF60")
    reload = (body + mac(Algorithm.SM4, session, body)).hex()
    case = Case("", "", [ASK, proof("06"), ASK, reload, "0020000003654321", PIN], [], [], basis={"name": "测试乙"})
    assert answers(chip, case, {})[4:] == ["6700", "63C5", "9000"]
    case.commands[4] = "0020000003112233"
    assert answers(chip, case, {"reload_by_unblock": "accepted"})[4:] == ["9000", "63C5", "9000"]


def test_every_toggle_is_tried_with_every_value() -> None:
    tried = {(case.name, case.value) for case in CASES} | APART
    assert tried == {(row.name, value) for row in rows() if row.name not in ACCOUNT for value in row.values[1:]}


def test_every_toggle_has_its_clause_and_one_line() -> None:
    for row in rows():
        assert row.values[0] == getattr(Toggles(), row.name)
        assert row.clause.startswith(("LD/T 32.", "LB002"))
        assert row.decides
        assert "\n" not in row.decides


def test_the_toggles_are_listed_one_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["personas", "--toggles"]) == os.EX_OK
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(Toggles.__struct_fields__)
    assert all("LD/T 32." in line or "LB002" in line for line in lines)


@pytest.mark.parametrize(
    ("text", "hint"), [("{moon: full}", "unknown key `moon`"), ("{firewall: shut}", "closed, open")]
)
def test_a_toggle_that_is_none_is_told(chip: Callable[..., Chip], text: str, hint: str) -> None:
    with pytest.raises(DocumentError, match=hint):
        chip(f"toggles: {text}\n")
