"""A headless Chromium that is shown a page, and what the page reports; the page's server, of any origin."""

import base64
import json
import queue
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

POLICIES: Final = Path("/etc/chromium/policies/managed")
_NO_POLICY: Final[Mapping[str, object]] = MappingProxyType({})
_REPORT: Final = """
<!doctype html><meta charset="utf-8"><title>card</title><script>
function report(what) { fetch('/report', {method: 'POST', body: JSON.stringify(what)}); }
window.onerror = message => report({error: String(message)});
</script><script>"""


class Site:
    """Serves one page, under whatever name it is asked for, and keeps what that reports."""

    def __init__(self, server: ThreadingHTTPServer, reports: "queue.Queue[Any]", scheme: str) -> None:
        self.port: Final[int] = server.server_port
        self._server = server
        self._reports = reports
        self._scheme = scheme
        self.script = ""

    def origin(self, host: str) -> str:
        return f"{self._scheme}://{host}:{self.port}"

    def reported(self, within_s: float) -> Any:
        """Return what the page reports next."""
        return self._reports.get(timeout=within_s)


@contextmanager
def site(tls: ssl.SSLContext | None = None) -> Iterator[Site]:
    """Run a site on the loopback network."""
    reports: queue.Queue[Any] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f"{_REPORT}{opened.script}</script>".encode() if self.path == "/" else b""
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            reports.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    opened = Site(server, reports, "http" if tls is None else "https")
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        yield opened
    finally:
        server.shutdown()
        server.server_close()
        serving.join()


class Browser:
    """Shows pages, each in a browser with a profile of its own."""

    def __init__(self, *, trusts: Path | None = None, policy: Mapping[str, object] = _NO_POLICY) -> None:
        """`trusts` is a certificate that is taken for good; `policy` is what the machine's administrator has said."""
        self._flags = [] if trusts is None else [f"--ignore-certificate-errors-spki-list={_key_of(trusts)}"]
        self._policy = policy

    def show(self, site: Site, host: str, *flags: str, within_s: float = 30.0) -> Any:
        """Show a site's page under a host's name and return what it reports."""
        with tempfile.TemporaryDirectory(prefix="cardd-browser-", ignore_cleanup_errors=True) as directory:
            command = [
                "chromium",
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--disable-background-networking",
                f"--user-data-dir={directory}/profile",
                "--host-resolver-rules=MAP *.example 127.0.0.1, EXCLUDE 127.0.0.1, EXCLUDE localhost",
                *self._flags,
                *flags,
                f"{site.origin(host)}/",
            ]
            if self._policy:
                managed = Path(directory) / "managed"
                managed.mkdir()
                managed.joinpath("cardd.json").write_text(json.dumps(dict(self._policy)), encoding="utf-8")
                command = _with_policies(managed, command)
            with (Path(directory) / "log").open("wb") as log:
                running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            try:
                return site.reported(within_s)
            except queue.Empty:
                raise AssertionError((Path(directory) / "log").read_text(encoding="utf-8", errors="replace")) from None
            finally:
                running.terminate()
                running.wait(10)


def _with_policies(managed: Path, command: list[str]) -> list[str]:
    """Have a browser find other policies than the machine's, without touching those: in a name space of its own."""
    POLICIES.mkdir(parents=True, exist_ok=True)
    script = 'mount --bind "$0" "$1" && shift && exec "$@"'
    return ["unshare", "-m", "sh", "-c", script, str(managed), str(POLICIES), *command]


def _key_of(certificate: Path) -> str:
    """Return the key of a certificate as the browser's option wants it: the digest of its public half."""
    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    digest = hashes.Hash(hashes.SHA256())
    digest.update(key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))
    return base64.b64encode(digest.finalize()).decode()
