from pathlib import Path

import pytest

from cardd.activation.options import PinPolicies
from cardd.activation.policy import Deadlines, Policy
from cardd.base.document import DocumentError
from cardd.config import BackendName, load_config
from cardd.readers.config import Role
from cardd.readers.options import Access, stations_of
from cardd.rules.keys import KeyName
from cardd.wire.activation import State

EXAMPLES = sorted((Path(__file__).parents[3] / "config").glob("*.yaml"))


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "cardd.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def problem(tmp_path: Path, text: str) -> str:
    with pytest.raises(DocumentError) as caught:
        load_config(written(tmp_path, text))
    return str(caught.value).removeprefix(f"{tmp_path}/")


def test_an_empty_file_serves_a_first_run(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, ""))
    assert config.backend is BackendName.PCSC
    assert config.socket.path == "/run/cardd/cardd.sock"
    assert config.stations == []
    assert config.activation.routes == ["pharmacy", "hospital", "bank"]


def test_cards_are_opened_for_us_alone_unless_they_are_to_be_shared(tmp_path: Path) -> None:
    assert load_config(written(tmp_path, "")).access is Access.EXCLUSIVE
    assert load_config(written(tmp_path, "access: shared")).access is Access.SHARED


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, "state_dir: state\nsocket: {path: a.sock}\nauthority: {register: r.yaml}\n"))
    assert config.state_dir == str(tmp_path / "state")
    assert config.socket.path == str(tmp_path / "a.sock")
    assert config.authority.register == str(tmp_path / "r.yaml")


def test_stations_and_roles_are_read(tmp_path: Path) -> None:
    text = """
stations:
  - name: counter-1
    auto: true
    readers:
      - match: {name: "*01 00"}
        role: sam
"""
    station = load_config(written(tmp_path, text)).stations[0]
    assert (station.name, station.auto, station.readers[0].role) == ("counter-1", True, Role.SAM)


def test_how_long_a_keypad_waits_is_said_for_each_reader(tmp_path: Path) -> None:
    text = "stations: [{{name: a, readers: [{{match: {{name: K*}}, keypad_s: {0}}}, {{match: {{}}}}]}}]"
    config = load_config(written(tmp_path, text.format(90)))
    assert [reader.keypad_s for station in stations_of(config.stations) for reader in station.readers] == [90, 30]
    for beyond in (0, 256, 1.5):
        assert "keypad_s" in problem(tmp_path, text.format(beyond))


def test_identifiers_of_keys_that_are_guessed_can_be_said(tmp_path: Path) -> None:
    text = "keys: {guesses: {UK1DF05: '84', RK2DF07: '8a', UK7DF01: '9F'}}"
    kids = load_config(written(tmp_path, text)).keys.kids()
    assert kids == {KeyName.UK1DF05: 0x84, KeyName.RK2DF07: 0x8A, KeyName.UK7DF01: 0x9F}


@pytest.mark.parametrize(
    ("guesses", "told"),
    [
        ("UK1DF01: '84'", "no identifier is guessed of `UK1DF01`"),
        ("NONE: '84'", "no identifier is guessed of `NONE`"),
        ("UK1DF05: 84", "write it in quotes"),
        ("UK1DF05: '04'", "two hex digits"),
        ("UK1DF05: '840'", "two hex digits"),
        ("UK1DF07: '85'", "DF07 has `RK2DF07` under 85 too"),
        ("UK7DF01: '83'", "DF01 has `UK1DF01` under 83 too"),
    ],
)
def test_identifiers_that_cannot_be_are_refused_where_they_stand(tmp_path: Path, guesses: str, told: str) -> None:
    text = problem(tmp_path, f"keys:\n  guesses:\n    {guesses}\n")
    assert text.startswith("cardd.yaml:3:")
    assert told in text


def test_an_unknown_key_is_told_where_it_stands_and_what_was_meant(tmp_path: Path) -> None:
    text = problem(tmp_path, "state_dir: a\nbackendd: pcsc\n")
    assert text == "cardd.yaml:2:1: unknown key `backendd`: did you mean `backend`?"


def test_an_unknown_role_is_told_where_it_stands_with_what_would_be_right(tmp_path: Path) -> None:
    text = problem(tmp_path, "stations:\n  - name: a\n    readers:\n      - match: {name: x}\n        role: cashier\n")
    assert text.startswith("cardd.yaml:5:15: ")
    assert "cashier" in text
    assert "counter, ignored, sam" in text


@pytest.mark.parametrize("mode", ["0660", '"0660"', "'660'", "0o660"])
def test_a_mode_is_read_as_it_is_written(tmp_path: Path, mode: str) -> None:
    config = load_config(written(tmp_path, f"socket:\n  mode: {mode}\n"))
    assert int(str(config.socket.mode), 8) == 0o660


@pytest.mark.parametrize("mode", ["660", "432", '"0668"', "rw-rw----", "07777"])
def test_what_may_be_no_octal_mode_is_refused_with_what_to_write(tmp_path: Path, mode: str) -> None:
    text = problem(tmp_path, f"socket:\n  mode: {mode}\n")
    assert text.startswith("cardd.yaml:2:9: ")
    assert 'such as "0660"' in text


def test_two_stations_of_one_name_are_refused(tmp_path: Path) -> None:
    text = problem(tmp_path, "stations:\n  - {name: a, readers: []}\n  - {name: a, readers: []}\n")
    assert text.startswith("cardd.yaml:3:")
    assert "two stations are called `a`" in text


def test_software_keys_refuse_to_start_unless_they_are_said_to_be_for_tests(tmp_path: Path) -> None:
    text = problem(tmp_path, "keys:\n  provider: software\n  root_file: k\n")
    assert text.startswith("cardd.yaml:2:13: ")
    assert "tests_only: true" in text
    keys = "{provider: software, tests_only: true, root_file: k, stk_root_file: s}"
    tested = load_config(written(tmp_path, f"keys: {keys}"))
    assert tested.keys.provider == "software"
    assert (tested.keys.root_file, tested.keys.stk_root_file) == (str(tmp_path / "k"), str(tmp_path / "s"))


def test_keys_on_the_network_need_an_address_that_may_carry_a_new_pin(tmp_path: Path) -> None:
    assert "`url` is missing" in problem(tmp_path, "keys: {provider: remote}\n")
    for url in ("http://hsm.example/", "hsm.example", "ftp://127.0.0.1"):
        text = problem(tmp_path, f"keys: {{provider: remote, url: '{url}'}}\n")
        assert text.startswith("cardd.yaml:1:31: ")
        assert "https://host" in text
    keys = load_config(
        written(tmp_path, "keys: {provider: remote, url: 'http://127.0.0.1:8443', timeout_s: 2, token_file: t}")
    ).keys
    assert (keys.timeout_s, keys.token_file) == (2.0, str(tmp_path / "t"))
    load_config(written(tmp_path, "keys: {provider: remote, url: 'https://hsm.example/keys'}"))


def test_a_row_of_rights_names_one_of_user_and_group(tmp_path: Path) -> None:
    assert "either a `user` or a `group`" in problem(tmp_path, "socket:\n  rights:\n    - grant: [till]\n")


ROW = "socket:\n  rights:\n    - {who}\n      grant: {grant}\n"


@pytest.mark.parametrize(
    ("who", "grant", "said"),
    [
        ("user: root", "[till, fly]", "4:21: `socket.rights[0].grant[1]`: `fly` is neither a right nor a preset"),
        ("user: root", "[driver]", "4:14: `socket.rights[0].grant`: `driver` needs `personal`"),
        ("user: nobody-here", "[till]", "3:13: `socket.rights[0].user`: this machine has no user `nobody-here`"),
        ("group: nobody-here", "[till]", "3:14: `socket.rights[0].group`: this machine has no group `nobody-here`"),
    ],
)
def test_rights_that_cannot_be_granted_are_told_where_they_stand(
    tmp_path: Path, who: str, grant: str, said: str
) -> None:
    assert problem(tmp_path, ROW.format(who=who, grant=grant)).startswith(f"cardd.yaml:{said}")


def test_rights_and_presets_may_stand_beside_each_other(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, ROW.format(who="user: root", grant="[watch, driver, personal, raw_apdu]")))
    assert config.socket.rights is not None


def test_a_group_of_the_socket_that_is_not_there_is_told(tmp_path: Path) -> None:
    text = problem(tmp_path, "socket: {group: nobody-here}\n")
    assert text.startswith("cardd.yaml:1:17: `socket.group`: this machine has no group `nobody-here`")


def test_every_state_that_has_a_deadline_may_have_one_of_its_own(tmp_path: Path) -> None:
    timed = [state for state in State if Policy().deadline_s(state) is not None]
    for state in timed:
        deadlines = load_config(written(tmp_path, f"activation: {{deadlines: {{{state}: 7}}}}")).activation.deadlines
        assert getattr(deadlines, state) == 7
        assert Policy(deadlines=Deadlines(states={state: 7})).deadline_s(state) == 7
    others = set(State) - set(timed)
    for state in others:
        assert f"unknown key `{state}`" in problem(tmp_path, f"activation: {{deadlines: {{{state}: 7}}}}")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: str(path.name))
def test_every_example_is_in_order(example: Path) -> None:
    load_config(example)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 2


def test_a_pin_policy_is_one_for_all_routes_or_each_routes_own(tmp_path: Path) -> None:
    text = "activation: {pin_policy: {pharmacy: take_over, bank: change}}"
    pins = load_config(written(tmp_path, text)).activation.pin_policy
    assert pins == PinPolicies(pharmacy="take_over", hospital="none", bank="change")
    assert load_config(written(tmp_path, "activation: {pin_policy: change}")).activation.pin_policy == "change"


def test_taking_over_a_password_where_no_old_card_is_handed_in_is_refused_in_its_place(tmp_path: Path) -> None:
    text = problem(tmp_path, "activation:\n  pin_policy:\n    hospital: take_over\n")
    assert text.startswith("cardd.yaml:3:15: ")
    assert "pharmacy only" in text


def test_refusing_other_regions_needs_ones_own(tmp_path: Path) -> None:
    text = problem(tmp_path, "activation:\n  other_regions: refuse\n")
    assert text.startswith("cardd.yaml:2:18: ")
    assert "`region` is missing" in text
    text = 'activation: {other_regions: refuse, region: "510100"}'
    assert load_config(written(tmp_path, text)).activation.region == "510100"


def test_the_drivers_amounts_have_to_tell_the_whole_bill(tmp_path: Path) -> None:
    text = problem(tmp_path, "driver:\n  amounts: {self_paid: nothing}\n")
    assert text.startswith("cardd.yaml:2:12: ")
    text = "driver: {amounts: {account: settled, self_paid: rest, pool: nothing}}"
    assert load_config(written(tmp_path, text)).driver.amounts.self_paid == "rest"
