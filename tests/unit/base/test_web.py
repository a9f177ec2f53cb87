"""Whom persons' data may be sent to."""

import pytest

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.web import host_of


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://centre.example/v1", "centre.example"),
        ("https://[2001:db8::1]:8443", "2001:db8::1"),
        ("http://localhost:8000", "localhost"),
        ("http://127.0.0.1:8000", "127.0.0.1"),
        ("http://[::1]:8000", "::1"),
    ],
)
def test_an_address_under_tls_or_on_this_machine_has_a_host(url: str, host: str) -> None:
    assert host_of(url) == host


@pytest.mark.parametrize(
    "url",
    [
        "http://centre.example",
        "http://localhost.example",
        "ftp://localhost",
        "centre.example",
        "https://",
        "http://[::1",
    ],
)
def test_any_other_address_is_refused(url: str) -> None:
    with pytest.raises(CarddError) as refused:
        host_of(url)
    assert refused.value.reason is Reason.INVALID
