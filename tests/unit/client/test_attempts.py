from cardd.client.errors import UnreachableError
from cardd.client.resume import Attempts, Reconnect

GONE = UnreachableError("gone")


def pauses(attempts: Attempts, many: int) -> list[float]:
    return [attempts.pause_s() for _ in range(many)]


def test_pauses_double_up_to_the_longest() -> None:
    attempts = Attempts(Reconnect(first_s=1, most_s=5))
    assert pauses(attempts, 5) == [1, 2, 4, 5, 5]


def test_a_connection_that_lived_begins_the_pauses_anew() -> None:
    attempts = Attempts(Reconnect(first_s=1, most_s=5))
    pauses(attempts, 3)
    attempts.connected(100)
    attempts.failed(GONE, 105)
    assert pauses(attempts, 2) == [1, 2]


def test_a_connection_that_is_lost_at_once_does_not() -> None:
    attempts = Attempts(Reconnect(first_s=1, most_s=5))
    pauses(attempts, 3)
    attempts.connected(100)
    attempts.failed(GONE, 101)
    assert pauses(attempts, 1) == [5]


def test_a_loss_is_told_once_for_each_connection() -> None:
    lost: list[Exception] = []
    attempts = Attempts(Reconnect(lost=lost.append))
    for _ in range(2):
        attempts.connected(0)
        attempts.failed(GONE, 1)
        attempts.failed(GONE, 2)
    assert len(lost) == 2
