"""Whom the gateway lets in, as the configuration says it."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

import cardd.web
from cardd.api.rights import Rights
from cardd.base.document import DocumentError
from cardd.base.errors import CarddError
from cardd.config import load_config
from cardd.pages import Pages, rights_of_pages
from cardd.reloading import Part, Reloading
from cardd.web.admission import peer_of

REST = "origins: ['https://his.example'], token_file: t, grant: [till]"


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "cardd.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def of(tmp_path: Path, listen: str = "['127.0.0.1:8910']", rest: str = REST) -> Path:
    return written(tmp_path, f"state_dir: state\nweb: {{listen: {listen}, {rest}}}")


def with_token(tmp_path: Path, token: str = "t" * 32) -> Path:
    file = tmp_path / "t"
    file.touch(mode=0o600)
    file.write_text(token, encoding="ascii")
    return file


def test_there_is_no_gateway_unless_the_section_is_there(tmp_path: Path) -> None:
    assert load_config(written(tmp_path, "state_dir: state")).web is None


def test_files_are_relative_to_the_configuration(tmp_path: Path) -> None:
    web = load_config(of(tmp_path, rest=f"{REST}, certificate_file: c, key_file: k")).web
    assert web is not None
    assert [web.token_file, web.certificate_file, web.key_file] == [str(tmp_path / name) for name in "tck"]


def test_addresses_of_this_machine_itself_may_be_listened_on(tmp_path: Path) -> None:
    web = load_config(of(tmp_path, "['127.0.0.1:8910', '127.8.0.1:1', '[::1]:65535']")).web
    assert web is not None
    assert web.addresses() == [("127.0.0.1", 8910), ("127.8.0.1", 1), ("::1", 65535)]


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0:8910",
        "192.168.1.5:8910",
        "[::]:8910",
        "[fe80::1]:8910",
        "[::ffff:127.0.0.1]:8910",
        "localhost:8910",
        "his.example:8910",
        "::1:8910",
        "[127.0.0.1]:8910",
        "127.1:8910",
        "127.0.0.1",
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "127.0.0.1:x",
        ":8910",
        "",
    ],
)
def test_what_others_could_reach_is_a_mistake_with_its_place(tmp_path: Path, address: str) -> None:
    with pytest.raises(DocumentError) as caught:
        load_config(of(tmp_path, f"['127.0.0.1:1', '{address}']"))
    problem = str(caught.value).removeprefix(f"{tmp_path}/cardd.yaml:")
    assert problem.startswith("2:31: `web.listen[1]`: write an address of this machine itself")


@pytest.mark.parametrize(
    ("rest", "place", "said"),
    [
        ("token_file: t, grant: [till]", "2:6", "origins"),
        ("origins: ['https://his.example'], grant: [till]", "2:6", "token_file"),
        ("origins: ['https://his.example'], token_file: t", "2:6", "grant"),
        ("origins: [], token_file: t, grant: [till]", "2:44", "length >= 1"),
        ("origins: ['*'], token_file: t, grant: [till]", "2:45", "is no origin"),
        ("origins: ['null'], token_file: t, grant: [till]", "2:45", "is no origin"),
        ("origins: ['https://his.example/'], token_file: t, grant: [till]", "2:45", "is no origin"),
        ("origins: ['https://his.example:443'], token_file: t, grant: [till]", "2:45", "is no origin"),
        ("origins: ['https://HIS.example'], token_file: t, grant: [till]", "2:45", "is no origin"),
        ("origins: ['https://*.example'], token_file: t, grant: [till]", "2:45", "is no origin"),
        ("origins: ['file://'], token_file: t, grant: [till]", "2:45", "is no origin"),
        (f"{REST}, hosts: ['localhost:8910']", "2:107", "is no host"),
        (f"{REST}, hosts: ['Localhost']", "2:107", "is no host"),
        (f"{REST}, key_file: k", "2:6", "belong together"),
        ("origins: ['https://h.example'], token_file: t, grant: [everything]", "2:90", "neither a right nor a preset"),
        ("origins: ['https://h.example'], token_file: t, grant: [driver]", "2:89", "needs `personal`"),
        (f"{REST}, without_token: ['https://other.example']", "2:115", "none of `origins`"),
        (f"{REST}, keypad_digits: 3", "2:114", ">= 4"),
        (f"{REST}, token: secret", "2:99", "unknown"),
    ],
)
def test_a_gateway_that_cannot_be_is_a_mistake_with_its_place(tmp_path: Path, rest: str, place: str, said: str) -> None:
    with pytest.raises(DocumentError) as caught:
        load_config(of(tmp_path, rest=rest))
    problem = str(caught.value).removeprefix(f"{tmp_path}/cardd.yaml:")
    assert said in problem
    assert problem.startswith(f"{place}:"), problem


def test_origins_are_taken_as_browsers_write_them(tmp_path: Path) -> None:
    origins = ["https://his.example", "http://10.0.0.7:8080", "http://[fd00::1]", "https://his.example:8443"]
    web = load_config(of(tmp_path, rest=REST.replace("['https://his.example']", str(origins)))).web
    assert web is not None
    assert web.origins == origins


def test_pages_are_one_user_more_with_the_rights_of_their_row(tmp_path: Path) -> None:
    config = load_config(of(tmp_path))
    rights = rights_of_pages(config, Rights.own_user())
    page = peer_of("https://his.example")
    assert {str(one) for one in rights.granted(page)} == {"observe", "read_card", "activate", "pin", "settle"}
    assert Rights.own_user().granted(page) == frozenset()


def test_what_pages_may_do_is_taken_up_while_the_daemon_runs_and_where_they_come_is_not(tmp_path: Path) -> None:
    config = load_config(of(tmp_path))
    reloading = Reloading(config, {Part.RIGHTS: lambda _: None})
    taken = reloading.take(load_config(of(tmp_path, "['127.0.0.1:8911']", REST.replace("till", "desk"))))
    assert (taken.taken, taken.refused) == (("web.grant",), ("web.listen",))


@pytest.mark.parametrize("token", ["short", "t" * 30 + "\n" + "t" * 30, "t,t" * 20])
def test_a_token_that_is_none_keeps_the_daemon_from_starting(tmp_path: Path, token: str) -> None:
    with_token(tmp_path, token)
    with pytest.raises(CarddError) as caught:
        Pages(load_config(of(tmp_path)))
    assert "token" in caught.value.detail
    assert token not in caught.value.detail


def test_a_token_that_others_can_read_keeps_the_daemon_from_starting(tmp_path: Path) -> None:
    with_token(tmp_path).chmod(0o644)
    with pytest.raises(CarddError, match="can be read by others"):
        Pages(load_config(of(tmp_path)))


def test_a_certificate_that_is_none_keeps_the_daemon_from_starting(tmp_path: Path) -> None:
    with_token(tmp_path)
    for name in "ck":
        tmp_path.joinpath(name).write_text("nothing", encoding="ascii")
    with pytest.raises(CarddError, match="no certificate and its key"):
        Pages(load_config(of(tmp_path, rest=f"{REST}, certificate_file: c, key_file: k")))


def test_an_address_that_is_taken_keeps_the_daemon_from_starting_and_the_others_are_let_go_of(tmp_path: Path) -> None:
    with_token(tmp_path)
    with socket.socket() as taken, socket.socket() as probe:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
        probe.close()
        listen = f"['127.0.0.1:{free}', '127.0.0.1:{taken.getsockname()[1]}']"
        with pytest.raises(CarddError, match="cannot be listened on"):
            Pages(load_config(of(tmp_path, listen)))
    with socket.socket() as again:
        again.bind(("127.0.0.1", free))


def test_the_library_is_asked_for_by_name_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_token(tmp_path)
    monkeypatch.delattr(cardd.web, "gateway", raising=False)
    monkeypatch.setitem(sys.modules, "cardd.web.gateway", None)
    with pytest.raises(CarddError, match=r"cardd\[web\]"):
        Pages(load_config(of(tmp_path)))


def test_without_pages_nothing_of_websockets_is_imported() -> None:
    code = "import sys, cardd.process, cardd.daemon; print([name for name in sys.modules if 'websockets' in name])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
