import os

import pytest

from cardd.cli import main


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["check", "--nothing"], ["register"], ["register", "hide"]])
def test_a_command_that_is_not_understood_is_a_mistake_in_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == os.EX_USAGE
    assert "usage: cardd" in capsys.readouterr().err
