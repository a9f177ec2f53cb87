from pathlib import Path

import pytest

from cardd.base.clock import SystemClock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.config import load_config
from cardd.providers import security_machine


def test_the_daemon_takes_no_token_from_a_file_that_others_can_read(tmp_path: Path) -> None:
    (tmp_path / "cardd.yaml").write_text("keys: {provider: remote, url: 'https://hsm.example', token_file: token}\n")
    (tmp_path / "token").write_text("s3cr3t-t0ken\n")
    (tmp_path / "token").chmod(0o644)
    config = load_config(tmp_path / "cardd.yaml")
    with pytest.raises(CarddError) as caught:
        security_machine(config.keys, SystemClock())
    assert caught.value.reason is Reason.INVALID
    assert "chmod 600" in caught.value.detail
    (tmp_path / "token").chmod(0o600)
    assert security_machine(config.keys, SystemClock())[0] is not None
