"""Every file and key of the transcription on a card of its generation: what opens it, what writes it, what it holds."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, combinations

import pytest
from support.transcription import rows

from cardd.crypto.authentication import authentication_data
from cardd.crypto.block import Algorithm
from cardd.crypto.derive import diversify_all, factors
from cardsim.card.base import VirtualCard
from cardsim.card.chip import Chip
from cardsim.card.filesystem import ElementaryFile, RecordFile

SSSE = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"
ROOTS = ("00112233445566778899AABBCCDDEEFF", "0F" * 16, "F0" * 16)
STK_ROOT = "0123456789ABCDEF"
MORE = """
toggles: {cyclic_files: filled}
applications: [DF05, DF06]
"""
CARDS = {"1.0": "des", "2.0": "des", "3.0": "sm4"}
FILES = [row for row in rows("card_files") if row["fid"]]
KEYS = {row["key"]: row for row in rows("card_keys") if row["key"] and row["kid_hex"]}
NO_DIRECTORY = [row for row in FILES if row["file"] != "EF1E"]
UNPUBLISHED = {"RK1DF06", "UK1DF06", "UK2DF06", "RK3DF03", "RK4DF03", "RK5DF03", "UK3DF04"}


@dataclass
class Holder:
    """Who has a card, its PIN and its keys."""

    chip: Chip
    card: VirtualCard
    algorithm: Algorithm

    def send(self, command: str) -> str:
        return self.card.transmit(bytes.fromhex(command)).hex().upper()

    def prove(self, key: str, version: int = 1) -> str:
        row = KEYS[key]
        short = row["bytes_des"] == "8" and self.algorithm is Algorithm.DES
        root = bytes.fromhex(STK_ROOT if short else ROOTS[version - 1])
        value = diversify_all(self.algorithm, root, factors("510100", self.chip.answers.historical).chain)
        challenge = bytes.fromhex(self.send("0084000008"))[:8]
        proof = authentication_data(self.algorithm, value, challenge, bytes(8))
        return self.send(f"008200{row['kid_hex']}11{proof.hex()}{bytes(8).hex()}{version:02X}")

    def afresh(self, application: str) -> None:
        self.card.power_on()
        self.send(SSSE)
        if application != "SSSE":
            self.send(f"00A4000002{application}")

    def gain(self, right: str) -> None:
        assert (self.send("0020000003123456") if right == "PIN" else self.prove(right)) == "9000", right


@pytest.fixture(params=CARDS)
def generation(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def holder(chip: Callable[..., Chip], generation: str) -> Holder:
    versions = ", ".join(f"{number}: '{root}'" for number, root in enumerate(ROOTS, 1))
    made = chip(MORE, profile=generation, algorithm=CARDS[generation], roots=f"{{{versions}}}")
    algorithm = Algorithm.SM4 if CARDS[generation] == "sm4" else Algorithm.DES
    return Holder(made, made.on("contactless"), algorithm)


def files(generation: str) -> Iterator[dict[str, str]]:
    """Yield the rows of the files that a card of a generation has."""
    column = f"read_{generation.replace('.', '_')}"
    yield from (row | {"read": row[column]} for row in NO_DIRECTORY if row[column])


def short_identifier(row: dict[str, str]) -> int:
    return int(row["fid"], 16) & 0x1F


def ways(condition: str) -> list[set[str]]:
    """Return the alternatives of a condition as the rule writes it."""
    if condition == "free":
        return [set()]
    return [set(part.strip("() ").split(" & ")) for part in condition.replace("its UK", "UK").split(" or ")]


def rights(condition: str) -> list[set[str]]:
    """Return every set of the rights that a condition names and that have an identifier."""
    named = sorted(set().union(*ways(condition)) - UNPUBLISHED - {"UK"})
    return [set(some) for some in chain.from_iterable(combinations(named, count) for count in range(len(named) + 1))]


def reading(row: dict[str, str]) -> str:
    sfi = short_identifier(row)
    return f"00B0{0x80 | sfi:02X}0001" if row["structure"] == "TR" else f"00B201{sfi << 3 | 4:02X}00"


def test_every_file_opens_with_what_the_rule_says_and_with_nothing_less(holder: Holder, generation: str) -> None:
    checked = 0
    for row in files(generation):
        for some in rights(row["read"]):
            holder.afresh(row["application"])
            for right in sorted(some):
                holder.gain(right)
            answer = holder.send(reading(row))[-4:]
            opened = any(way <= some for way in ways(row["read"]))
            # what the drafts' own files held is not public
            there = "6A83" if not row["structure"] and generation == "1.0" else "6C"
            expected = "9000" if row["structure"] == "TR" else there
            wanted = expected if opened or there == "6A83" else "6982"
            assert answer.startswith(wanted), (row["application"], row["file"], some)
            checked += 1
    assert checked > (40 if generation == "1.0" else 80)


def test_every_file_is_written_with_its_own_key_only(holder: Holder, generation: str) -> None:
    for row in files(generation):
        if row["write"] in {"", "never", *UNPUBLISHED} or row["structure"] not in {"LV", "LF", "CY", "TR"}:
            continue
        others = {other["write"] for other in files(generation) if other["application"] == row["application"]}
        wrong = sorted(others - {row["write"], "", "never"} - UNPUBLISHED)[:1]
        for key, expected in [(row["write"], "9000"), *((key, "6982") for key in wrong)]:
            holder.afresh(row["application"])
            holder.gain(key)
            assert holder.send(writing(holder, row)) == expected, (row["application"], row["file"], key)


def writing(holder: Holder, row: dict[str, str]) -> str:
    sfi = short_identifier(row)
    if row["structure"] == "TR":
        return f"00D6{0x80 | sfi:02X}000131"
    if row["structure"] == "CY":
        length = int(row["record_length_hex"], 16)
        return f"00DC00{sfi << 3 | 3:02X}{length:02X}{'31' * length}"
    (file,) = (
        found.files[int(row["fid"], 16)]
        for found in holder.chip.machine.root.walk()
        if found.label == row["application"]
    )
    record = records_in(file)[0]
    return f"00DC01{sfi << 3 | 4:02X}{len(record):02X}{record.hex()}"


def test_nobody_writes_the_medical_transactions(holder: Holder) -> None:
    holder.afresh("DF04")
    for key in ("UK1DF04", "UK2DF04", "RK1DF04", "LKDF04"):
        holder.gain(key)
    assert holder.send("00DC00431C" + "00" * 0x1C) == "6982"


@pytest.mark.parametrize(
    ("generation", "key"),
    [
        (generation, key)
        for generation in CARDS
        for key in sorted(set(KEYS) - {"IRK"})
        if (generation, KEYS[key]["application"]) != ("1.0", "DF07")
    ],
)
def test_every_key_is_there_in_its_versions_and_in_no_other(holder: Holder, key: str) -> None:
    row = KEYS[key]
    holder.afresh(row["application"])
    versions = 0 if key.startswith("STK") else int(row["versions"] or 3)
    answers = [holder.prove(key, version) for version in range(1, versions + 1)]
    assert answers == ["9000"] * versions
    kid, data = row["kid_hex"], bytes(16).hex()
    for version in {versions + 1, 4}:
        holder.send("0084000008")
        assert holder.send(f"008200{kid}11{data}{version:02X}") == "6A88"


def test_cyclic_files_have_the_records_of_the_rule(holder: Holder, generation: str) -> None:
    cyclic = [row for row in files(generation) if row["structure"] == "CY"]
    assert cyclic
    for row in cyclic:
        holder.afresh(row["application"])
        holder.gain("PIN")
        sfi, count = short_identifier(row) << 3 | 4, int(row["records_min"])
        answers = [holder.send(f"00B2{number:02X}{sfi:02X}00") for number in (1, count, count + 1)]
        assert answers == [f"6C{row['record_length_hex']}"] * 2 + ["6A83"]


def test_transparent_files_have_the_size_of_the_rule(holder: Holder, generation: str) -> None:
    for row in files(generation):
        if row["structure"] != "TR":
            continue
        holder.afresh(row["application"])
        if row["read"] != "free":
            holder.gain(row["read"])
        assert holder.send(f"00A4020002{row['fid']}") == "9000"
        size = int(row["size_hex"], 16)
        assert holder.send(f"00B0{size - 1:04X}01") == "009000"
        assert holder.send(f"00B0{size:04X}01") == "6B00"


@pytest.mark.parametrize("generation", ["2.0", "3.0"])
def test_records_stand_in_the_order_and_length_of_the_rule(holder: Holder, generation: str) -> None:
    for row in files(generation):
        expected = list(records_of(row["application"], row["file"]))
        if row["structure"] not in {"LV", "LF"} or not expected:
            continue
        (application,) = (found for found in holder.chip.machine.root.walk() if found.label == row["application"])
        records = records_in(application.files[int(row["fid"], 16)])
        assert [(record[0], record[1], len(record) - 2) for record in records] == expected, row


def records_in(file: ElementaryFile) -> list[bytes]:
    assert isinstance(file, RecordFile)
    return file.records


def records_of(application: str, file: str) -> Iterator[tuple[int, int, int]]:
    for item in rows("items"):
        here = item["application"] == application and item["file"] == file
        moved = (application, item["tag"]) == ("DF03", "60")
        if not here or item["parent_tag"] or not item["tag"] or not item["length_hex"] or moved:
            continue
        length = int(item["length_hex"], 16)
        yield from [(int(item["tag"], 16), length, length)] * int(item["occurrences"])
