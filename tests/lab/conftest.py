"""A laboratory for the tests of a module."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.chaos import Stages
from support.notebook import Notebook

from cardd.pcsc.backend import PcscBackend
from cardd.pcsc.scard import Scard
from cardd.pcsc.watcher import Watcher
from cardsim.lab import Lab


@pytest.fixture(scope="session")
def lab_directory() -> Iterator[Path]:
    """One place for all: libpcsclite asks once in a process where pcscd is, and a socket's path has to be short."""
    with tempfile.TemporaryDirectory(prefix="cardd-lab-") as directory:
        yield Path(directory) / "lab"


@pytest.fixture(scope="module")
def lab(lab_directory: Path) -> Iterator[Lab]:
    with Lab.start(lab_directory, 2) as lab:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PCSCLITE_CSOCK_NAME", str(lab.pcscd_socket))
            scard = Scard()
            scard.release_context(scard.establish_context())
        # programs that other tests start must not find this laboratory
        assert os.environ.get("PCSCLITE_CSOCK_NAME") != str(lab.pcscd_socket)
        yield lab


@pytest.fixture
def readers(lab: Lab) -> Iterator[tuple[str, ...]]:
    """The names of the laboratory's readers, which are emptied after the test."""
    yield lab.readers
    lab.empty()


@pytest.fixture
def backend(lab: Lab) -> PcscBackend:
    with pytest.MonkeyPatch.context() as patch:
        # for the question who else is at this pcscd
        patch.setenv("PCSCLITE_CSOCK_NAME", str(lab.pcscd_socket))
        return PcscBackend()


@pytest.fixture
def notebook() -> Notebook:
    return Notebook()


@pytest.fixture
def watch(backend: PcscBackend, notebook: Notebook) -> Iterator[Watcher]:
    watcher = backend.watch(notebook)
    notebook.until(bool)
    yield watcher
    watcher.close()
    watcher.thread.join(3)


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stages]:
    """Counters to be disturbed, one for each way of opening cards."""
    stages = Stages(tmp_path_factory.mktemp("s"))
    yield stages
    stages.close()
