"""What docs/install.md promises, held to what is built."""

import re
from pathlib import Path

from cardd import __version__

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")


def test_the_page_names_the_version_that_is_built() -> None:
    assert set(re.findall(r"cardd[-_](\d[\d.]+)-", PAGE)) == {__version__}


def test_the_page_names_files_that_are_there() -> None:
    named = set(re.findall(r"(?:requirements|tools|systemd)/[a-z.]*", PAGE))
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
    assert [name for name in re.findall(r"\]\(([a-z./]+)\)", PAGE) if not (ROOT / "docs" / name).exists()] == []


def test_the_question_of_a_purge_is_called_as_the_page_and_the_script_call_it() -> None:
    (name,) = re.findall(r"^Template: (.*)$", (ROOT / "packaging/debian/templates").read_text("utf-8"), re.MULTILINE)
    assert f"'cardd {name} boolean true'" in PAGE
    script = (ROOT / "packaging/debian/postrm").read_text("utf-8")
    assert set(re.findall(r"cardd/\w[\w-]*", script)) - {"cardd/journal"} == {name}
