"""What clients send to the OAuth endpoints: a form whose fields come once, and a name with HTTP Basic."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from authlib.oauth2.rfc6749.util import extract_basic_authorization

from watchword.crypto.values import Secret
from watchword.domain.oauth import OAuthError
from watchword.domain.texts import refuse_nul
from watchword.edge.http import Request
from watchword.services.oauthclients import Credentials

_MAX_FIELDS = 40
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class OAuthCall:
    """One request of a client.

    Attributes:
        fields: the form; empty fields count as left out (RFC 6749 §3.2).
        credentials: who the client says that it is; the id is empty where it does not.
    """

    request: Request
    fields: Mapping[str, str] = field(repr=False)
    credentials: Credentials

    @classmethod
    async def read(cls, request: Request) -> "OAuthCall":
        """Read a request.

        Raises:
            OAuthError: it is no form, a field comes twice, or the client names itself in two ways.
            Invalid: a field holds a NUL character.
        """
        fields = _fields(request, await request.body())
        return cls(request, fields, _credentials(request, fields))

    def get(self, name: str) -> str:
        """A field; "" where it is left out."""
        return self.fields.get(name, "")

    def need(self, name: str) -> str:
        """A field that has to be there.

        Raises:
            OAuthError: it is not.
        """
        found = self.get(name)
        if not found:
            raise OAuthError("invalid_request", f"The parameter {name} is missing.")
        return found


def _fields(request: Request, body: bytes) -> dict[str, str]:
    kind = request.headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
    if kind != _FORM:
        raise OAuthError("invalid_request", f"The body is a form, sent as {_FORM}.")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise OAuthError("invalid_request", "The body cannot be read as a form.") from None
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name in fields:
            raise OAuthError("invalid_request", "A parameter comes twice.")
        refuse_nul(value)
        fields[name] = value
    return {name: value for name, value in fields.items() if value}


def _credentials(request: Request, fields: Mapping[str, str]) -> Credentials:
    """Who the client says that it is: HTTP Basic, or fields of the form, never both (RFC 6749 §2.3.1)."""
    named, secret = fields.get("client_id", ""), fields.get("client_secret", "")
    header = request.headers.get(b"authorization", b"")
    if header[:6].lower() != b"basic ":
        return Credentials(named, Secret(secret) if secret else None, basic=False)
    by_header: tuple[str | None, str | None] = extract_basic_authorization(
        {"Authorization": header.decode("latin-1")}
    )
    client_id, password = by_header
    if not client_id or password is None:
        raise OAuthError("invalid_client", "The Authorization header cannot be read.", challenge=True)
    if secret or named not in ("", client_id):
        raise OAuthError("invalid_request", "Name the client in one way: by HTTP Basic or in the form.")
    return Credentials(client_id, Secret(password), basic=True)
