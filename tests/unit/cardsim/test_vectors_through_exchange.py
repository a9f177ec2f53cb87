"""The vectors of the invented card V0, through the command that outside tests use."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from cardd.crypto.authentication import authentication_data
from cardd.crypto.block import Algorithm

SELECT = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"
FCI = {
    "des": "6F1C840F7378312E73682EC9E7BBE1B1A3D5CFA50988011E9F0C03860101",
    "sm4": "6F1C840F7378312E73682EC9E7BBE1B1A3D5CFA50988011E9F0C03860103",
}
FACTOR, ORIGINAL = "1122334455667788", "0102030405060708"
PROOF = {"des": "98B77B8088D60DA0", "sm4": "8135B4D81B42EA5F"}
UNBLOCK = {"des": "8424000004C47024C0", "sm4": "8424000004744DC8F2"}
RELOAD = {
    "des": "842400010C03CF044A21BAF43F03FB91DE",
    "sm4": "8424000114863593C25B5241CEAD20DAA4961FFF60B7079258",
}
EF05 = (
    "0110510100D156000005C0FFEE01FFFFFFFF0201330304332E3030040C915600000251010051010001050420240102"
    "0604203401020709543030303030303158"
)
EF06 = (
    "0812353130313031313930303031303130303132091EB2E2CAD4BCD7" + "00" * 24 + "4E14" + "00" * 20
    + "0A01310B01010C035101000D0419000101"
)  # fmt: skip
PERSONA = """
card: social-security
profile: "3.0"
algorithm: {algorithm}
interface: dual
atr: "3B6D00000081544C9686845101C0FFEE01"
keys: {{root: "00112233445566778899AABBCCDDEEFF", stk_root: "0123456789ABCDEF"}}
identification_code: "510100D156000005C0FFEE01FFFFFFFF"
card_number: "T0000001X"
holder: {{social_security_number: "510101190001010012", name: 测试甲, sex: "1", ethnic_group: "01",
  birthplace: "510100", birth_date: "1900-01-01"}}
pin: "654321"
challenges: ["1122334455667788", "1122334455667788", "1122334455667788", "1122334455667788"]
"""


def exchange(arguments: Iterable[str], *lines: str) -> tuple[int, list[str], str]:
    run = subprocess.run(
        [sys.executable, "-c", "from cardsim.cli import main; raise SystemExit(main())", "exchange", *arguments],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        check=False,
    )
    return run.returncode, run.stdout.splitlines(), run.stderr


@pytest.fixture(params=["des", "sm4"])
def algorithm(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def persona(algorithm: str, tmp_path: Path) -> str:
    path = tmp_path / "card.yaml"
    path.write_text(PERSONA.format(algorithm=algorithm), encoding="utf-8")
    return str(path)


def test_a_contact_card_gives_the_vectors_byte_for_byte(persona: str, algorithm: str) -> None:
    external = "0082000A10" + PROOF[algorithm] + ORIGINAL
    puk = "0082000610" + PROOF[algorithm] + ORIGINAL
    session = [
        ("reset cold", "3B6D00000081544C9686845101C0FFEE01"),
        (SELECT + "00", "611E"),
        ("00C000001E", FCI[algorithm] + "9000"),
        ("00B2012D40", EF05 + "9000"),
        ("00B2012800", "6C12"),
        ("00B2082814", "6A83"),
        ("00B2083014", "6982"),
        ("0088000010" + FACTOR + ORIGINAL, "6108"),
        ("00C0000008", PROOF[algorithm] + "9000"),
        ("0084000008", FACTOR + "9000"),
        (external, "9000"),
        ("00B201355B", EF06 + "9000"),
        (external, "6984"),
        ("0084000008", FACTOR + "9000"),
        (puk, "9000"),
        ("0020000003123456", "63C5"),
        ("0084000008", FACTOR + "9000"),
        (UNBLOCK[algorithm], "9000"),
        ("0020000000", "63C6"),
        ("0084000008", FACTOR + "9000"),
        (RELOAD[algorithm], "9000"),
        ("0020000003123456", "9000"),
    ]
    code, answers, errors = exchange([persona], *(command for command, _ in session))
    assert answers == [answer for _, answer in session]
    assert (code, errors) == (0, "")


def test_the_antenna_gives_data_and_status_together(persona: str, algorithm: str) -> None:
    session = [
        ("reset cold", "3B8D80010081544C9686845101C0FFEE0181"),
        (SELECT, FCI[algorithm] + "9000"),
        (SELECT + "00", FCI[algorithm] + "9000"),
        ("0088000010" + FACTOR + ORIGINAL, PROOF[algorithm] + "9000"),
        ("00200000", "63C6"),
        ("0084000008", FACTOR + "9000"),
        ("0082000A10" + PROOF[algorithm] + ORIGINAL, "9000"),
        ("00B201355B", EF06 + "9000"),
        ("00C0000008", "6F00"),
    ]
    _, answers, _ = exchange([persona, "--interface", "contactless"], *(command for command, _ in session))
    assert answers == [answer for _, answer in session]


def test_a_reset_keeps_the_place_among_the_challenges_and_the_state_file_too(persona: str, tmp_path: Path) -> None:
    Path(persona).write_text(
        PERSONA.format(algorithm="sm4").replace('"1122334455667788", "1122334455667788"', '"0A0A0A0A", "0B0B0B0B"', 1),
        encoding="utf-8",
    )
    state = ["--state", str(tmp_path / "memory")]
    _, first, _ = exchange([persona, *state], "0084000004", "reset warm", "0084000004")
    assert [first[0], first[2]] == ["0A0A0A0A9000", "0B0B0B0B9000"]
    _, second, _ = exchange([persona, *state], "0084000008")
    assert second == [FACTOR + "9000"]
    _, afresh, _ = exchange([persona], "0084000004")
    assert afresh == ["0A0A0A0A9000"]


def test_explaining_tells_state_and_clause_on_standard_error_only(persona: str) -> None:
    code, answers, errors = exchange([persona, "--explain"], SELECT, "00B2083014", "0020000003112233")
    assert (code, answers) == (0, ["611E", "6982", "63C5"])
    selected, refused, wrong = errors.splitlines()
    assert selected.endswith("[MF file - record - rights - challenge no]")
    assert refused.startswith("6982 ")
    assert "RKSSSE" in refused
    assert wrong.startswith("63C5 ")
    assert "[SSSE file EF06" in wrong
    assert "112233" not in errors


def test_a_torn_update_leaves_the_record_as_it_was(persona: str) -> None:
    proof = authentication_data(
        Algorithm.SM4,
        bytes.fromhex("3AAD5CFF3AB9492C4FFB7AE22E027F1C"),
        bytes.fromhex(FACTOR),
        bytes.fromhex(ORIGINAL),
    )
    Path(persona).write_text(PERSONA.format(algorithm="sm4"), encoding="utf-8")
    gain = [SELECT, "0084000008", f"0082000410{proof.hex()}{ORIGINAL}"]
    _, answers, _ = exchange(
        [persona],
        *gain,
        "tear 2",
        "00DC022C03020131",
        "00B2022C03",
        "reset cold",
        *gain,
        "00B2022C03",
        "tear 3",
        "00DC022C03020131",
        "reset cold",
        SELECT,
        "00B2022C03",
    )
    assert answers[2:5] == ["9000", "", ""]
    assert answers[9] == "0201339000"
    assert answers[10] == ""
    assert answers[-1] == "0201319000"


def test_a_line_that_is_no_command_ends_with_its_place(persona: str) -> None:
    code, answers, errors = exchange([persona], SELECT, "hello")
    assert (code, answers) == (65, ["611E"])
    assert errors.startswith("<stdin>:2:1: ")


def test_an_interface_that_the_card_lacks_is_a_wrong_call() -> None:
    code, answers, errors = exchange(["old-jia", "--interface", "contactless"])
    assert (code, answers) == (64, [])
    assert "contactless" in errors
