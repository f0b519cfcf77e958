"""Published keys of an authority: what is kept of them, and when they are asked for again."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from watchword.client.answers import Unavailable
from watchword.client.asking import unavailable

KEPT_SECONDS = 3600.0
# A token of an unknown key has the keys read anew, no more often than this.
AGAIN_SECONDS = 60.0
TIMEOUT_SECONDS = 5.0
_MAX_ANSWER = 512 * 1024

Keys = Sequence[Mapping[str, Any]]


@dataclass(slots=True)
class KeySet:
    """Keys of one issuer as they were when they were read, by the monotonic clock."""

    issuer: str
    monotonic: Callable[[], float] = time.monotonic
    keys: Keys = field(default_factory=tuple)
    read_at: float | None = None

    @property
    def discovery(self) -> str:
        """Where the issuer says where its keys are (OpenID Connect Discovery 1.0 §4)."""
        return f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"

    def fresh(self) -> bool:
        """Whether the keys need not be read."""
        return self.read_at is not None and self.monotonic() - self.read_at < KEPT_SECONDS

    def may_ask_again(self) -> bool:
        """Whether the keys may be read before their time, for one that is not among them."""
        return self.read_at is None or self.monotonic() - self.read_at >= AGAIN_SECONDS

    def keep(self, keys: Keys) -> Keys:
        """Take what was read."""
        self.keys, self.read_at = keys, self.monotonic()
        return keys

    def jwks_uri(self, response: httpx.Response) -> str:
        """Where the keys are, from the issuer's discovery document.

        Raises:
            Unavailable: it is no such document, or another issuer's.
        """
        found = document(response)
        if found.get("issuer") != self.issuer:
            raise Unavailable(f"{self.discovery} is of another issuer: {found.get('issuer')!r:.200}")
        uri = found.get("jwks_uri")
        if not isinstance(uri, str) or not uri.startswith(("https://", "http://")):
            raise Unavailable(f"{self.discovery} names no jwks_uri")
        return uri

    def listed(self, response: httpx.Response) -> Keys:
        """The keys in an answer.

        Raises:
            Unavailable: it is no list of keys (RFC 7517 §5).
        """
        keys = document(response).get("keys")
        if not isinstance(keys, list):
            raise Unavailable("the issuer's keys are no key set")
        return [one for one in keys if isinstance(one, dict)]

    def after(self, error: Exception) -> Keys:
        """The keys that were kept, where newer ones cannot be read; old keys do not turn wrong.

        Raises:
            Unavailable: there are none.
        """
        if not self.keys:
            raise unavailable(error) from None
        return self.keys


def document(response: httpx.Response) -> Mapping[str, Any]:
    """A JSON object.

    Raises:
        Unavailable: it is something else.
    """
    if not response.is_success or len(response.content) > _MAX_ANSWER:
        raise Unavailable(f"{response.request.url} answered {response.status_code}")
    try:
        found = response.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Unavailable(f"{response.request.url} answered no JSON object")
    return found
