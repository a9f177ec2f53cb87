"""What the configuration says of browser pages: where they come to, which are let in, what they may do."""

import re
import socket
from typing import Annotated, ClassVar, Final

import msgspec

from cardd.api.options import understand_grant
from cardd.base.options import Place, Strict


class WebOptions(Strict):
    """The gateway for browser pages (docs/web.md), which is not there unless this section is.

    `listen` are addresses of the loopback network with a port, `hosts` what the pages' addresses may call this machine,
    `origins` whose pages are let in. `token_file` holds what they have to show; those of `without_token`, which are
    among `origins`, show none where other drivers' shapes are spoken. With `certificate_file` and `key_file` pages come
    by wss:// alone. `grant` are the rights of all pages; `reader` and `keypad_digits` say for pages of other
    drivers which reader is meant, and how many digits are typed at its own keypad.
    """

    listen: Annotated[list[str], msgspec.Meta(min_length=1)]
    origins: Annotated[list[str], msgspec.Meta(min_length=1)]
    token_file: str
    grant: list[str]
    without_token: list[str] = msgspec.field(default_factory=list)
    hosts: list[str] = msgspec.field(default_factory=lambda: ["localhost", "127.0.0.1", "[::1]"])
    certificate_file: str | None = None
    key_file: str | None = None
    reader: str | None = None
    keypad_digits: Annotated[int, msgspec.Meta(ge=4, le=16)] | None = None

    FILES: ClassVar = ("token_file", "certificate_file", "key_file")

    def addresses(self) -> list[tuple[str, int]]:
        """Return where to listen. Raises ValueError for what is no address of the loopback network with a port."""
        return [loopback_address(one) for one in self.listen]

    def check(self, place: Place) -> None:
        """Find an address that others could reach, and pages that could never come. Raises DocumentError."""
        _listen_on_this_machine_only(self, place)
        _know_the_pages(self, place)
        if (self.certificate_file is None) != (self.key_file is None):
            raise place.wrong("", "`certificate_file` and `key_file` belong together")
        understand_grant(self.grant, place, ".grant")


def loopback_address(text: str) -> tuple[str, int]:
    """Read `127.0.0.1:8910` or `[::1]:8910`. Raises ValueError for anything that others could reach."""
    host, _, port = text.rpartition(":")
    is_v6 = host.startswith("[") and host.endswith("]")
    bare = host[1:-1] if is_v6 else host
    try:
        packed = socket.inet_pton(socket.AF_INET6 if is_v6 else socket.AF_INET, bare)
    except OSError:
        raise ValueError(text) from None
    own = packed == _OWN_V6 if is_v6 else packed[0] == _OWN_V4
    if not own or _PORT.fullmatch(port) is None or int(port) > _LAST_PORT:
        raise ValueError(text)
    return bare, int(port)


_OWN_V4: Final = 127
_OWN_V6: Final = b"\0" * 15 + b"\1"
_LAST_PORT: Final = 0xFFFF
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)


def _listen_on_this_machine_only(web: WebOptions, place: Place) -> None:
    for number, one in enumerate(web.listen):
        try:
            loopback_address(one)
        except ValueError:
            problem = f"write an address of this machine itself with a port, 127.0.0.1:8910 or [::1]:8910, not `{one}`"
            raise place.wrong(f".listen[{number}]", problem) from None


_HOST: Final = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\]", re.ASCII)
_ORIGIN: Final = re.compile(rf"https?://(?:{_HOST.pattern})(?::[1-9][0-9]{{0,4}})?", re.ASCII)
_PLAIN_PORTS: Final = {"http": ":80", "https": ":443"}
"""What a browser leaves out."""


def _know_the_pages(web: WebOptions, place: Place) -> None:
    for number, host in enumerate(web.hosts):
        if _HOST.fullmatch(host) is None:
            problem = f"`{host}` is no host: write it in small letters as it stands in an address, without the port"
            raise place.wrong(f".hosts[{number}]", problem)
    for number, origin in enumerate(web.origins):
        if _ORIGIN.fullmatch(origin) is None or origin.endswith(_PLAIN_PORTS[origin.partition(":")[0]]):
            problem = f"`{origin}` is no origin: write scheme, host and port as a browser does, https://his.example"
            raise place.wrong(f".origins[{number}]", problem)
    for number, origin in enumerate(web.without_token):
        if origin not in web.origins:
            raise place.wrong(f".without_token[{number}]", f"`{origin}` is none of `origins`: write it there too")
