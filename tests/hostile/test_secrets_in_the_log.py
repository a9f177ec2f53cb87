"""A handoff with PINs at the most talkative level: nothing of a person, of a card's keys or of the daemon's own."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.private import PIN, found_in
from support.siege import Siege
from support.waiting import until

from cardd.wire.activation import ActivationListParams, PromptAnswerParams, State
from cardd.wire.cards import CardReadParams
from cardd.wire.methods import ACTIVATION_LIST, CARD_READ, PROMPT_ANSWER


@pytest.mark.parametrize("form", ["json", "text"])
def test_nothing_secret_is_logged_at_any_level(tmp_path: Path, form: str) -> None:
    settings = {"logs": {"level": "debug", "format": form}, "activation": {"pin_policy": "verify"}}
    with Siege(tmp_path, settings) as siege:
        siege.insert("old-bing")
        # the old card's password, and then the new card's PIN
        _type_until(siege, State.WAITING_SOCIAL_CARD)
        siege.swap("social-bing-2.0")
        _type_until(siege, State.COMPLETED)
        siege.read()
        siege.client.call(CARD_READ, CardReadParams(purpose="a look", files="SSSEEF05|$SSSEEF06|$DF01EF05|$"))
        own = list(_own_keys(tmp_path / "state"))
    log = siege.log.read_bytes()
    assert log.count(b"apdu") > 50
    assert found_in(log) == []
    assert len(own) >= 2
    assert [shape for shape in own if shape in log] == []


def _type_until(siege: Siege, state: State) -> None:
    """Type the PIN as often as it is asked for."""

    def is_there() -> bool:
        for one in siege.client.call(ACTIVATION_LIST, ActivationListParams()).activations:
            if one.prompt is not None and one.prompt.prompt is not None:
                siege.client.call(PROMPT_ANSWER, PromptAnswerParams(prompt=one.prompt.prompt, pin=PIN))
            return one.state is state
        return False

    until(is_there, f"the activation is {state}", 15.0)


def _own_keys(state: Path) -> Iterator[bytes]:
    """Yield every shape of the keys that the daemon has made for itself."""
    for file in sorted(state.iterdir()):
        if file.name in {"journal.key", "journal.signing"}:
            raw = file.read_bytes().strip()
            yield from {raw, raw.hex().encode(), base64.b64encode(raw), repr(raw).encode()}
