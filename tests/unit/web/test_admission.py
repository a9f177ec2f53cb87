"""Who is let in."""

from typing import Any

import pytest
from msgspec.structs import replace

from cardd.base.errors import CarddError
from cardd.base.secret import Secret
from cardd.web.admission import Missing, Request, Terms, check_token, judge, peer_of

TOKEN = "t" * 22
OTHER = "u" * 22
ORIGIN = "https://his.example"
TERMS = Terms(
    hosts=frozenset({"127.0.0.1", "localhost", "[::1]"}),
    origins=frozenset({ORIGIN, "http://his.example:8080"}),
    token=Secret(TOKEN.encode()),
    secure=False,
)


class Headers:
    def __init__(self, *lines: tuple[str, str]) -> None:
        self._lines = lines

    def get_all(self, key: str, /) -> list[str]:
        return [value for name, value in self._lines if name.lower() == key.lower()]


def request(
    *more: tuple[str, str], host: str = "127.0.0.1:8910", origin: str = ORIGIN, address: str = "/", port: int = 8910
) -> Request:
    return Request(port, address, Headers(("Host", host), ("Origin", origin), *more))


def shown(*tokens: str) -> tuple[str, str]:
    return ("Sec-WebSocket-Protocol", ", ".join(["cardd", *(f"cardd.token.{token}" for token in tokens)]))


def missing(one: Request, terms: Terms = TERMS) -> Missing | None:
    refusal = judge(terms, one)
    return None if refusal is None else refusal.missing


def test_a_page_of_a_known_origin_that_shows_the_token_is_let_in() -> None:
    assert judge(TERMS, request(shown(TOKEN))) is None
    assert judge(TERMS, request(address=f"/?token={TOKEN}")) is None
    assert judge(TERMS, request(address=f"/rpc?a=b&token={TOKEN}&c=d")) is None


@pytest.mark.parametrize("host", ["127.0.0.1:8910", "localhost:8910", "LOCALHOST:8910", "[::1]:8910"])
def test_this_machine_may_be_called_what_the_configuration_says(host: str) -> None:
    assert missing(request(shown(TOKEN), host=host)) is None


@pytest.mark.parametrize(
    "host",
    ["rebound.example:8910", "127.0.0.1", "127.0.0.1:8911", "127.0.0.1:08910", "", "[::1]", "localhost:8910:8910", "x"],
)
def test_a_name_that_was_bent_to_this_machine_is_refused_whatever_else_is_right(host: str) -> None:
    assert missing(request(shown(TOKEN), host=host)) is Missing.HOST


def test_the_schemes_own_port_may_be_left_out() -> None:
    assert missing(request(shown(TOKEN), host="localhost", port=80)) is None
    assert missing(request(shown(TOKEN), host="[::1]", port=80)) is None
    secure = Terms(hosts=TERMS.hosts, origins=TERMS.origins, token=TERMS.token, secure=True)
    assert missing(request(shown(TOKEN), host="localhost", port=443), secure) is None
    assert missing(request(shown(TOKEN), host="localhost", port=443)) is Missing.HOST


def test_two_hosts_or_origins_are_none() -> None:
    assert missing(request(("Host", "127.0.0.1:8910"), shown(TOKEN))) is Missing.HOST
    assert missing(request(("Origin", ORIGIN), shown(TOKEN))) is Missing.ORIGIN


@pytest.mark.parametrize(
    "origin",
    [
        "https://foreign.example",
        "http://his.example",
        "https://his.example:444",
        "https://his.example.foreign.example",
        "https://HIS.example",
        "null",
        "",
        "*",
    ],
)
def test_pages_of_other_origins_are_refused_with_the_right_token_too(origin: str) -> None:
    assert missing(request(shown(TOKEN), origin=origin)) is Missing.ORIGIN


def test_a_program_that_tells_no_origin_is_refused() -> None:
    assert missing(Request(8910, "/", Headers(("Host", "127.0.0.1:8910"), shown(TOKEN)))) is Missing.ORIGIN


@pytest.mark.parametrize(
    "one",
    [
        request(),
        request(shown()),
        request(shown("")),
        request(shown(OTHER)),
        request(shown(TOKEN[:-1])),
        request(shown(TOKEN + "t")),
        request(("Sec-WebSocket-Protocol", TOKEN)),
        request(("Authorization", f"Bearer {TOKEN}")),
        request(("Cookie", f"token={TOKEN}")),
        request(address=f"/?token={OTHER}"),
        request(address=f"/?xtoken={TOKEN}"),
        request(address=f"/token={TOKEN}"),
        request(address="/?" + "a=b&" * 20 + f"token={TOKEN}"),
        request(address="/?token=%ff%fe"),
    ],
)
def test_without_the_token_nobody_is_let_in(one: Request) -> None:
    assert missing(one) is Missing.TOKEN


def test_an_origin_that_needs_no_token_needs_none_there_and_nowhere_else_and_all_others_do() -> None:
    terms = replace(TERMS, without_token=frozenset({(ORIGIN, "/")}))
    assert judge(terms, request()) is None
    assert judge(terms, request(address="/?token=old")) is None
    assert missing(request(address="/rpc"), terms) is Missing.TOKEN
    assert missing(request(address="//"), terms) is Missing.TOKEN
    assert missing(request(origin="http://his.example:8080"), terms) is Missing.TOKEN
    assert missing(request(origin="https://foreign.example"), terms) is Missing.ORIGIN
    assert missing(request(host="rebound.example:8910"), terms) is Missing.HOST


def test_a_page_is_on_record_by_its_origin_and_no_user_of_the_machine_has_its_number() -> None:
    peer = peer_of(ORIGIN)
    assert peer.user == f"web {ORIGIN}"
    assert peer.uid > 0xFFFFFFFF


@pytest.mark.parametrize("token", ["", "short", "t" * 21, "t" * 257, "t" * 30 + ",", "t" * 30 + "%"])
def test_a_token_that_pages_cannot_show_or_others_could_guess_is_refused_without_being_quoted(token: str) -> None:
    with pytest.raises(CarddError) as caught:
        check_token(Secret(token.encode()))
    assert not token or token not in caught.value.detail


def test_neither_token_nor_address_is_shown_by_what_holds_them() -> None:
    held: list[Any] = [TERMS, request(shown(TOKEN), address=f"/?token={TOKEN}")]
    assert TOKEN not in repr(held)
