"""Asking the introspection endpoint (RFC 7662 §2.1): what both clients send, and make of the answer."""

from collections.abc import Collection
from urllib.parse import urlsplit

import httpx

from watchword.client.answers import ActiveToken, TokenRefused, Unavailable, read_answer
from watchword.client.keeping import MAX_VALUE
from watchword.crypto.values import Secret

FRESHNESS_SECONDS = 5.0
TIMEOUT_SECONDS = 5.0
KEPT_ANSWERS = 10_000
_MAX_ANSWER = 64 * 1024
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def endpoint(url: str, *, insecure: bool) -> str:
    """The address to ask.

    Raises:
        ValueError: tokens would cross a network in the clear.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" and not insecure and parts.hostname not in _LOOPBACK:
        raise ValueError("give an https:// address: tokens are sent to it")
    return f"{url.rstrip('/')}/oauth/introspect"


def headers(credential: Secret | str) -> dict[str, str]:
    """Headers of a question; the credential is an API access token with the scope `introspect_tokens`."""
    value = credential.reveal() if isinstance(credential, Secret) else credential
    return {"Authorization": f"Bearer {value}", "Accept": "application/json"}


def form(value: str, client_address: str | None) -> dict[str, str]:
    """Fields of a question."""
    return {"token": value} if client_address is None else {"token": value, "client_address": client_address}


def text_of(value: Secret | str | None) -> str:
    """The value that was presented.

    Raises:
        TokenRefused: there is none, or it cannot be one.
    """
    text = value.reveal() if isinstance(value, Secret) else value
    if not text:
        raise TokenRefused("missing", "Send a token: Authorization: Bearer TOKEN.")
    if len(text) > MAX_VALUE or not text.isascii() or not text.isprintable():
        raise TokenRefused("inactive", "The token does not pass.")
    return text


def read(response: httpx.Response) -> ActiveToken | None:
    """What an answer says; None where the token is not active.

    Raises:
        Unavailable: the authority does not answer, or refuses this resource server.
    """
    if not response.is_success or len(response.content) > _MAX_ANSWER:
        said = "its own API access token does not pass there" if response.status_code in (401, 403) else ""
        raise Unavailable(f"the authority answered {response.status_code}" + (f": {said}" if said else ""))
    try:
        answer = response.json()
    except ValueError:
        raise Unavailable("the authority's answer is not JSON") from None
    return read_answer(answer)


def unavailable(error: Exception) -> Unavailable:
    """Why the authority cannot be asked."""
    if isinstance(error, Unavailable):
        return error
    return Unavailable(f"the authority cannot be asked: {type(error).__name__}: {error}")


def admit(
    token: ActiveToken | None,
    kinds: Collection[str],
    scopes: Collection[str],
    organization: str | None,
) -> ActiveToken:
    """A token that is alive and has what is needed.

    Raises:
        TokenRefused: it is not, or has not.
    """
    if token is None:
        raise TokenRefused("inactive", "The token does not pass.")
    return token.require(kinds=kinds, scopes=scopes, organization=organization)
