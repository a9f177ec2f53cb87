"""What of a changed configuration is taken up at once, and what is refused in words."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.config import Config, load_config
from cardd.reloading import Part, Reloading, differing

BASE = """
state_dir: state
stations:
  - {name: left, readers: [{match: {name: "* 00 00"}}]}
  - {name: right, auto: true, readers: [{match: {name: "* 01 00"}}]}
"""


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str], Config]:
    def read(text: str) -> Config:
        file = tmp_path / "cardd.yaml"
        file.write_text(text, encoding="utf-8")
        return load_config(file)

    return read


class Takers:
    """Parts that note what they are told."""

    def __init__(self) -> None:
        self.told: list[tuple[Part, Config]] = []
        self.table = {part: self._taker(part) for part in Part}

    def _taker(self, part: Part) -> Callable[[Config], None]:
        return lambda config: self.told.append((part, config))

    @property
    def parts(self) -> list[Part]:
        return [part for part, _ in self.told]


def test_what_is_the_same_tells_nobody_anything(read: Callable[[str], Config]) -> None:
    takers = Takers()
    taken = Reloading(read(BASE), takers.table).take(read(BASE))
    assert (taken.taken, taken.refused, taken.remedy) == ((), (), "")
    assert takers.told == []


@pytest.mark.parametrize(
    ("line", "key", "part"),
    [
        ("socket: {rights: [{user: root, grant: [till]}]}", "socket.rights", Part.RIGHTS),
        ("logs: {level: debug}", "logs.level", Part.LOGS),
        ("activation: {routes: [bank]}", "activation.routes", Part.RULES),
        ("activation: {deadlines: {person_s: 3}}", "activation.deadlines.person_s", Part.RULES),
        ("activation: {pin_policy: {pharmacy: verify}}", "activation.pin_policy", Part.RULES),
        ("journal: {keep_days: 700}", "journal.keep_days", Part.RETENTION),
        ("journal: {floor_days: 200}", "journal.floor_days", Part.RETENTION),
        ("journal: {most_mb: 7}", "journal.most_mb", Part.RETENTION),
    ],
)
def test_a_key_that_can_be_is_taken_up_by_its_part(
    read: Callable[[str], Config], line: str, key: str, part: Part
) -> None:
    takers = Takers()
    reloading = Reloading(read(BASE), takers.table)
    new = read(BASE + line)
    assert reloading.take(new).taken == (key,)
    assert takers.parts == [part]
    assert takers.told[0][1] == new
    # it is in force now
    assert reloading.take(new).taken == ()


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("socket: {path: other.sock}", "socket.path"),
        ("socket: {mode: '0600'}", "socket.mode"),
        ("access: shared", "access"),
        ("logs: {format: json}", "logs.format"),
        ("leases: {longest_s: 5}", "leases.longest_s"),
        ("keys: {provider: none}", "keys.provider"),
        ("journal: {sealing: aes-256-gcm}", "journal.sealing"),
        ("authority: {timeout_s: 3}", "authority.timeout_s"),
    ],
)
def test_a_key_that_cannot_be_is_named_each_time_until_it_is_as_it_was(
    read: Callable[[str], Config], line: str, key: str
) -> None:
    takers = Takers()
    reloading = Reloading(read(BASE), takers.table)
    for _ in range(2):
        taken = reloading.take(read(BASE + line))
        assert taken.refused == (key,)
        assert key in taken.remedy
        assert "restart" in taken.remedy
    assert reloading.take(read(BASE)).refused == ()
    assert takers.told == []


def test_one_part_is_told_once_and_of_nothing_that_was_refused(read: Callable[[str], Config]) -> None:
    takers = Takers()
    more = "access: shared\nactivation: {routes: [bank], expired_cards: ask}\nlogs: {level: error}\n"
    taken = Reloading(read(BASE), takers.table).take(read(BASE + more))
    assert set(taken.taken) == {"activation.routes", "activation.expired_cards", "logs.level"}
    assert taken.refused == ("access",)
    assert sorted(takers.parts, key=str) == [Part.LOGS, Part.RULES]
    assert all(config.access == read(BASE).access for _, config in takers.told)


def test_a_station_is_known_by_its_name_wherever_it_stands(read: Callable[[str], Config]) -> None:
    takers = Takers()
    turned = """
state_dir: state
stations:
  - {name: right, auto: true, readers: [{match: {name: "* 01 00"}}]}
  - {name: left, auto: true, readers: [{match: {name: "* 00 00"}}]}
"""
    reloading = Reloading(read(BASE), takers.table)
    assert reloading.take(read(turned)).taken == ("stations.left.auto",)
    (told,) = takers.told
    assert [station.auto for station in told[1].stations] == [True, True]


def test_readers_and_new_stations_wait_for_a_restart(read: Callable[[str], Config]) -> None:
    reloading = Reloading(read(BASE), Takers().table)
    third = BASE + '  - {name: third, readers: [{match: {name: "* 02 00"}}]}\n'
    assert reloading.take(read(third)).refused == ("stations",)
    other = BASE.replace("* 01 00", "* 09 00")
    assert reloading.take(read(other)).refused == ("stations.right.readers",)


def test_a_part_that_cannot_take_it_up_leaves_the_old_settings_in_force(read: Callable[[str], Config]) -> None:
    def refuse(_: Config) -> None:
        raise CarddError(Reason.INVALID, "no such user")

    takers = Takers()
    reloading = Reloading(read(BASE), {**takers.table, Part.RIGHTS: refuse})
    new = read(BASE + "socket: {rights: [{user: root, grant: [till]}]}")
    for _ in range(2):
        with pytest.raises(CarddError):
            reloading.take(new)


def test_differences_are_told_as_deep_as_both_have_the_same_shape(read: Callable[[str], Config]) -> None:
    old, new = read(BASE), read(BASE + "activation: {pin_policy: {pharmacy: verify}, deadlines: {card_s: 9}}")
    assert list(differing(old, new)) == [("activation", "pin_policy"), ("activation", "deadlines", "card_s")]
