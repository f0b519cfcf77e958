"""A small real OpenID Connect provider on loopback, which signs what a test tells it to."""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwk, jwt

CLIENT_ID = "watchword"
CLIENT_SECRET = "a client's secret"


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


@cache
def make_key(kid: str) -> jwk.RSAKey:
    """A key of the provider; the same for every test, because it takes long to make."""
    return jwk.RSAKey.generate_key(2048, {"kid": kid, "use": "sig"})


class Provider:
    """One provider with one person, who agrees to everything.

    Attributes:
        person: claims about them; `sub` names them.
        claims: claims that replace those of the next ID tokens; None leaves one out.
        header: replaces fields of the next tokens' headers.
        sign: signs instead of the provider's key; takes header and claims.
        about: replaces fields of the discovery document.
        keys: what is published besides the signing key.
        requests: paths that were asked, in order.
        now: seconds since the epoch.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.key = make_key("one")
        self.alg = "RS256"
        self.now = now
        self.person: dict[str, Any] = {
            "sub": "subject-1",
            "email": "admin@example.com",
            "email_verified": True,
            "name": "Ada Admin",
        }
        self.claims: dict[str, Any] = {}
        self.header: dict[str, Any] = {}
        self.about: dict[str, Any] = {}
        self.keys: list[dict[str, Any]] = []
        self.sign: Callable[[dict[str, Any], dict[str, Any]], str] | None = None
        self.in_token = True
        self.requests: list[str] = []
        self.codes: dict[str, dict[str, str]] = {}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.issuer = f"http://127.0.0.1:{self.server.server_address[1]}"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()

    def table(self, **changes: Any) -> dict[str, Any]:
        """The provider as settings name it."""
        made = {
            "key": "corp",
            "label": "Corp",
            "issuer": self.issuer,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
        }
        return made | changes

    # -- what a browser does ---------------------------------------------------------------------

    def agree(self, url: str) -> dict[str, str]:
        """The person signs in at an address of ours; the query with which the browser is sent back."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        code = secrets.token_urlsafe(8)
        self.codes[code] = asked
        return {"code": code, "state": asked["state"], "iss": self.issuer}

    # -- what the server asks --------------------------------------------------------------------

    def _discovery(self) -> dict[str, Any]:
        made = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/person",
            "id_token_signing_alg_values_supported": [self.alg],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        }
        return made | self.about

    def _published(self) -> dict[str, Any]:
        return {"keys": [*self.keys, self.key.as_dict(private=False)]}

    def _exchange(self, authorization: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        expected = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET.replace(' ', '+')}".encode()).decode()
        plain = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if authorization.removeprefix("Basic ") not in (expected, plain):
            return 401, {"error": "invalid_client"}
        asked = self.codes.pop(form.get("code", ""), None)
        fits = (
            asked is not None
            and form.get("redirect_uri") == asked["redirect_uri"]
            and asked.get("code_challenge_method") == "S256"
            and _challenge(form.get("code_verifier", "")) == asked["code_challenge"]
        )
        if asked is None or not fits:
            return 400, {"error": "invalid_grant"}
        return 200, {"access_token": "access", "token_type": "Bearer", "id_token": self.id_token(asked)}

    def id_token(self, asked: dict[str, str]) -> str:
        """A token for a request, as the test wants it."""
        at = int(self.now())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": asked["client_id"],
            "iat": at,
            "exp": at + 300,
            "nonce": asked["nonce"],
        }
        if "max_age" in asked:
            claims["auth_time"] = at
        claims |= self.person if self.in_token else {"sub": self.person["sub"]}
        claims = {name: value for name, value in (claims | self.claims).items() if value is not None}
        header = {"alg": self.alg, "kid": "one", **self.header}
        header = {name: value for name, value in header.items() if value is not None}
        if self.sign is not None:
            return self.sign(header, claims)
        return jwt.encode(header, claims, self.key, algorithms=[header["alg"]])

    def _page(self, url: str) -> str:
        """The page on which the person agrees."""
        target = f"{parse_qs(urlsplit(url).query)['redirect_uri'][0]}?{urlencode(self.agree(url))}"
        quoted = target.replace("&", "&amp;")
        head = "<!DOCTYPE html><html lang=en><title>Corp</title><link rel=icon href='data:,'>"
        return f"{head}<a href='{quoted}'>Go on as Ada</a></html>"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = urlsplit(self.path).path
                provider.requests.append(path)
                if path == "/authorize":
                    self._send(200, provider._page(self.path).encode(), "text/html")
                    return
                document = {
                    "/.well-known/openid-configuration": provider._discovery,
                    "/keys": provider._published,
                    "/person": lambda: provider.person,
                }.get(path)
                self._json(200 if document else 404, document() if document else {})  # type: ignore[no-untyped-call]

            def do_POST(self) -> None:
                provider.requests.append(self.path)
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                form = {name: values[0] for name, values in parse_qs(body).items()}
                self._json(*provider._exchange(self.headers.get("authorization", ""), form))

            def _json(self, status: int, document: Any) -> None:
                self._send(status, json.dumps(document).encode(), "application/json")

            def _send(self, status: int, body: bytes, kind: str) -> None:
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_words: object) -> None:
                return

        return Handler
