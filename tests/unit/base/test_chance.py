import os
import threading

import pytest

from cardd.base.chance import Chance


def test_every_byte_is_handed_out_once_whatever_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[bytes] = []

    def urandom(count: int) -> bytes:
        drawn.append(bytes([len(drawn)]) * (count // 2) + bytes([len(drawn) + 100]) * (count - count // 2))
        return drawn[-1]

    monkeypatch.setattr(os, "urandom", urandom)
    chance = Chance()
    taken = b"".join(chance.take(2048) for _ in range(4))
    assert taken == drawn[0] + drawn[1]


def test_no_two_threads_get_the_same_bytes() -> None:
    chance, found = Chance(), []

    def take() -> None:
        found.extend([chance.take(12) for _ in range(3000)])

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 12_000
    assert {len(one) for one in found} == {12}


@pytest.mark.parametrize("count", [-1, 4097])
def test_more_than_a_block_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="at once"):
        Chance().take(count)
