"""The client for threads: asks the authority about a value, and keeps the answer while it is fresh."""

import time
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Self

import httpx

from watchword.client import asking
from watchword.client.answers import ActiveToken, Unavailable
from watchword.client.keeping import Answers
from watchword.crypto.values import Secret


class Introspector:
    """Asks about tokens. One of them serves a whole process and all of its threads.

    Args:
        url: the authority's address.
        credential: API access token with the scope `introspect_tokens`, of the organization whose tokens are
            expected.
        freshness: seconds for which an answer is used again: how long a revocation may go unseen here.
        grace: seconds for which an answer that a token is alive is used while the authority cannot be asked;
            0 lets nobody in then.
        timeout: seconds for one question.
        insecure: allow http:// to another machine.
        transport: another way to the authority, as for tests.
        monotonic: seconds that never jump back.
        now: seconds since the epoch.

    Raises:
        ValueError: the address would send tokens in the clear.
    """

    def __init__(
        self,
        url: str,
        credential: Secret | str,
        *,
        freshness: float = asking.FRESHNESS_SECONDS,
        grace: float = 0.0,
        timeout: float = asking.TIMEOUT_SECONDS,
        insecure: bool = False,
        transport: httpx.BaseTransport | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._endpoint = asking.endpoint(url, insecure=insecure)
        self._grace = grace
        self._answers = Answers(freshness, asking.KEPT_ANSWERS, monotonic, now)
        self._http = httpx.Client(
            headers=asking.headers(credential),
            timeout=timeout,
            follow_redirects=False,
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close connections."""
        self._http.close()

    def introspect(
        self, value: Secret | str | None, *, client_address: str | None = None, fresh: bool = False
    ) -> ActiveToken | None:
        """What stands behind a value; None where it does not pass.

        Args:
            value: what was presented.
            client_address: where from; a token with a network limit passes only where this is given.
            fresh: ask the authority even where an answer is kept, as before something that cannot be undone.

        Raises:
            TokenRefused: nothing was presented, or nothing that could be a token.
            Unavailable: the authority cannot be asked.
        """
        text = asking.text_of(value)
        key = self._answers.key(text, client_address)
        kept = None if fresh else self._answers.get(key)
        if kept is not None:
            return kept.token
        asked_at = self._answers.monotonic()
        try:
            response = self._http.post(self._endpoint, data=asking.form(text, client_address))
            token = asking.read(response)
        except (httpx.HTTPError, Unavailable) as error:
            late = self._answers.get(key, self._grace) if self._grace and not fresh else None
            if late is not None and late.token is not None:
                return late.token
            raise asking.unavailable(error) from None
        self._answers.put(key, token, asked_at)
        return token

    def require(
        self,
        value: Secret | str | None,
        *,
        kinds: Collection[str] = (),
        scopes: Collection[str] = (),
        organization: str | None = None,
        client_address: str | None = None,
        fresh: bool = False,
    ) -> ActiveToken:
        """The token behind a value that is alive and has what is needed; see `ActiveToken.require`.

        Raises:
            TokenRefused: it is not, or has not.
            Unavailable: the authority cannot be asked.
        """
        token = self.introspect(value, client_address=client_address, fresh=fresh)
        return asking.admit(token, kinds, scopes, organization)
