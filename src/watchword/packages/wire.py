"""What installers and uploaders send and read: credentials, content types, refusals in plain words."""

import base64
import binascii

from watchword.domain.errors import Refused, WatchwordError
from watchword.edge.http import TEXT, Request, Response
from watchword.services.packagedoor import Knock

HTML = "text/html"
SIMPLE_HTML = "application/vnd.pypi.simple.v1+html"
SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
# What a client may ask for (PEP 691), the first where it asks for nothing in particular.
OFFERED = {
    HTML: HTML,
    SIMPLE_HTML: SIMPLE_HTML,
    SIMPLE_JSON: SIMPLE_JSON,
    "application/vnd.pypi.simple.latest+html": SIMPLE_HTML,
    "application/vnd.pypi.simple.latest+json": SIMPLE_JSON,
    "text/*": HTML,
    "*/*": HTML,
}
_MAX_ASKED = 32
_UNAUTHORIZED = 401


def credential(request: Request) -> str | None:
    """The value that a request shows: the password of Basic (RFC 7617), whoever's name stands before it.

    Else the value of Bearer or Token. Something that cannot be read is shown as it is, so that it is refused.
    """
    header = request.headers.get(b"authorization")
    if header is None:
        return None
    scheme, _, value = header.partition(b" ")
    if scheme.lower() != b"basic":
        return request.credential() or ""
    try:
        text = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return text.partition(":")[2].strip()


def knock(request: Request, org: str, registry: str) -> Knock:
    """Who asks, for which registry."""
    return Knock(credential(request), org, registry, request.address, request.agent, request.id)


def asked_type(request: Request) -> str | None:
    """The content type that fits the `Accept` header best (RFC 9110 §12.5.1); None where none does."""
    header = request.headers.get(b"accept", b"").decode("latin-1").strip()
    if not header:
        return HTML
    best, found = 0.0, None
    for one in header.split(",")[:_MAX_ASKED]:
        name, *parameters = (part.strip() for part in one.split(";"))
        offered = OFFERED.get(name.lower())
        weight = _weight(parameters)
        if offered is not None and weight > best:
            best, found = weight, offered
    return found


def _weight(parameters: list[str]) -> float:
    for one in parameters:
        name, _, value = one.partition("=")
        if name.strip().lower() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0


def refuse(error: WatchwordError) -> Response:
    """An error as people read it in the output of pip and twine: one sentence."""
    response = Response(error.status, f"{error.message}\n".encode(), [TEXT])
    if isinstance(error, Refused) and error.status == _UNAUTHORIZED:  # RFC 9110 §15.5.2
        response.headers.append((b"www-authenticate", b'Basic realm="watchword packages", charset="UTF-8"'))
    if error.retry_after:
        response.headers.append((b"retry-after", str(error.retry_after).encode()))
    return response
