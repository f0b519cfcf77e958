"""The fake partner's half that is asked: its list of keys, on loopback, as GitHub publishes its own."""

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from watchword.crypto.keys import write_private
from watchword.crypto.reports import ReportKey, UnfitKey, key_list
from watchword.domain.errors import Invalid

PATH = "/meta/public_keys/secret_scanning"
_MAX_FILE = 16 * 1024


def partner_key(path: Path) -> ReportKey:
    """The key of a file, which is made (mode 0600) where there is none.

    Raises:
        Invalid: the file holds no such key, or others may read it.
    """
    if not path.exists():
        key = ReportKey.generate()
        write_private(path, key.pem())
        return key
    if path.stat().st_mode & 0o077:
        raise Invalid(f"{path} is readable by others; run: chmod 600 {path}", code="partner_key")
    try:
        with path.open(encoding="utf-8") as file:
            return ReportKey.read(file.read(_MAX_FILE))
    except (UnfitKey, ValueError):
        raise Invalid(f"{path} holds no key that signs reports", code="partner_key") from None


@dataclass(slots=True)
class PartnerStand:
    """Serves a list of keys in a thread until it is closed.

    Attributes:
        keys: what is published, with each key whether it is current; may be replaced at any time.
        status: what is answered instead of 200, for trying out what happens then.
        asked: the ETag that came with each request, in order; empty where there was none.
    """

    keys: Sequence[tuple[ReportKey, bool]]
    port: int = 0
    status: int = 200
    asked: list[str] = field(default_factory=list)
    _server: ThreadingHTTPServer = field(init=False)

    def __post_init__(self) -> None:
        """Start."""
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        """Where the list is: a reporter's `keys` in the settings."""
        return f"http://127.0.0.1:{self.port}{PATH}"

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stand = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                known = self.headers.get("If-None-Match", "")
                stand.asked.append(known)
                status, etag, body = stand.answer(self.path, known)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("ETag", etag)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler

    def answer(self, path: str, known: str) -> tuple[int, str, bytes]:
        """Status, ETag and body for a request that knows a version already."""
        body = key_list(self.keys)
        etag = f'"{hashlib.sha256(body).hexdigest()}"'
        if path != PATH:
            return 404, etag, b"{}"
        if self.status != 200:  # noqa: PLR2004 - the usual answer
            return self.status, etag, b"{}"
        return (304, etag, b"") if known == etag else (200, etag, body)
