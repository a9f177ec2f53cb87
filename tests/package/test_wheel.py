"""The project as it is installed: a wheel in an environment of its own, away from the sources."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)], cwd=ROOT, check=True)
    (built,) = out.glob("*.whl")
    return built


def test_a_wheel_holds_both_packages_with_their_data_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"cardd", "cardsim"}
    for wanted in ("cardd/py.typed", "cardsim/register.yaml", "cardsim/personas/social-jia-3.0.yaml"):
        assert wanted in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_an_installed_wheel_answers_a_card_and_checks_a_configuration(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--system-site-packages", str(home)], check=True)
    site = next((home / "lib").glob("python*/site-packages"))
    # what the wheel depends on is taken from here, so that nothing is fetched
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    installed = subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(home / "bin" / "python"), "install", "--no-deps", "--no-index",
         "--quiet", str(wheel)],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert installed.returncode == 0, installed.stderr
    (site / "dependencies.pth").write_text(packages + "\n", encoding="utf-8")
    # compiled once, where it was installed, and not at each start
    assert {path.name.split(".")[0] for path in (site / "cardd" / "__pycache__").iterdir()} >= {"cli", "daemon"}
    config = tmp_path / "cardd.yaml"
    config.write_text("logs: {level: debug}\n", encoding="utf-8")
    checked = subprocess.run(
        [home / "bin" / "cardd", "check", "--config", config], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert checked.stdout == f"{config}: in order\n"
    answered = subprocess.run(
        [home / "bin" / "cardsim", "exchange", "social-jia-3.0"],
        input="reset cold\n00A404000F7378312E73682EC9E7BBE1B1A3D5CF\n00C000001E\n",
        capture_output=True, text=True, cwd=tmp_path, check=True,
    )  # fmt: skip
    atr, selected, fci = answered.stdout.splitlines()
    assert atr == "3B6D00000081544C9686845101C0FFEE01"
    assert selected == "611E"
    assert fci.startswith("6F1C840F7378312E73682EC9E7BBE1B1A3D5CF")
    assert fci.endswith("9000")
