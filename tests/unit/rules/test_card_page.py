import subprocess
import sys
from pathlib import Path

from cardd.rules.files import FILES
from cardd.rules.keys import KEYS, MONEY_KEYS
from cardd.rules.psam import PSAM_FILES

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "card.md").read_text(encoding="utf-8")


def test_the_page_of_the_card_is_what_the_tables_say() -> None:
    check = subprocess.run(
        [sys.executable, ROOT / "tools" / "card_doc.py", "--check"], capture_output=True, text=True, check=False
    )
    assert check.returncode == 0, check.stderr


def test_the_page_names_every_file_item_and_key() -> None:
    lines = PAGE.splitlines()
    for rule in FILES.values():
        assert any(line.startswith(f"| {rule.address} |") for line in lines)
        assert all(f"| {item.en} | {item.zh} |" in PAGE for item in (*rule.items, *rule.fields))
        assert all(f"| └ {inner.tag:02X} | {inner.en} |" in PAGE for item in rule.items for inner in item.inner)
    assert all(f"| {name} |" in PAGE for name in (*KEYS, *MONEY_KEYS))


def test_files_of_the_psam_have_their_sizes() -> None:
    assert {f"{file.fid:04X}": (file.size, file.in_application) for file in PSAM_FILES} == {
        "0015": (15, False),
        "0016": (6, False),
        "0019": (4, True),
        "001A": (10, True),
        "001B": (10, True),
        "001C": (10, True),
    }
