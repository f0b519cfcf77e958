"""Answers of OAuth: `error` and `error_description`, where REST has `message` (contract, trap 15)."""

from watchword.domain.errors import Invalid, TooMany, Unavailable, WatchwordError
from watchword.domain.oauth import OAuthError
from watchword.edge.http import Response

# RFC 6749 §5.1 asks for this one of HTTP/1.0 besides `no-store`, which every answer of ours has.
PRAGMA = (b"pragma", b"no-cache")
_SERVER_ERROR = 500


def answer(content: object) -> Response:
    """A good answer (RFC 6749 §5.1)."""
    response = Response.json(content)
    response.headers.append(PRAGMA)
    return response


def refuse(error: WatchwordError) -> Response:
    """An error in the shape of RFC 6749 §5.2, whatever it was."""
    code, status = _word(error)
    response = Response.json({"error": code, "error_description": _plain(error.message)}, status)
    response.headers.append(PRAGMA)
    if isinstance(error, OAuthError) and error.challenge:
        response.headers.append((b"www-authenticate", b'Basic realm="watchword", charset="UTF-8"'))
    if error.retry_after:
        response.headers.append((b"retry-after", str(error.retry_after).encode()))
    return response


def _word(error: WatchwordError) -> tuple[str, int]:
    """The word of RFC 6749 §5.2 and the status of an error of any kind."""
    if isinstance(error, OAuthError):
        return error.code, error.status
    if isinstance(error, TooMany | Unavailable):
        return "temporarily_unavailable", error.status
    if error.status >= _SERVER_ERROR:
        return "server_error", error.status
    return "invalid_request", 400 if isinstance(error, Invalid) else error.status


def _plain(text: str) -> str:
    """A description in the characters that RFC 6749 §5.2 allows."""
    shown = text.replace('"', "'").replace("\\", "/")
    return "".join(each if " " <= each <= "~" else "?" for each in shown)
