"""The library, built once for a run, and a daemon by its side."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.sscard import VARIABLES, Library, Reply, Teller, build, said


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("built"))


@pytest.fixture
def teller(tmp_path: Path) -> Iterator[Teller]:
    reply: Reply = lambda request: said(request, 0, "510100|测试甲|")  # noqa: E731 - a test puts its own in its place
    with Teller(tmp_path / "s", reply) as teller:
        yield teller


@pytest.fixture
def load(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Library]:
    """Give the library as a process has it whose environment says so; settings are looked up at the first call."""

    def loaded(**variables: str) -> Library:
        for name in VARIABLES:
            monkeypatch.delenv(name, raising=False)
        for name, value in {"SSCARD_SOCKET": str(tmp_path / "s"), **variables}.items():
            monkeypatch.setenv(name, value)
        directory = tmp_path / "copies"
        directory.mkdir(exist_ok=True)
        return Library(built, directory)

    return loaded
