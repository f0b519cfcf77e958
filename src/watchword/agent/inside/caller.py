"""The job that a command runs in: its token, its ids, its secrets (contract section 7.3)."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import httpx

from watchword.agent.config import DEFAULT_ENDPOINT, checked_endpoint
from watchword.agent.errors import ApiError
from watchword.agent.inside.environment import needed, secrets_of
from watchword.agent.inside.masking import Masker
from watchword.agent.retry import Attempts, Policy, retry, retryable
from watchword.agent.transport import Connection, variables_to_headers
from watchword.crypto.values import Secret

T = TypeVar("T")


class Caller:
    """Makes the calls of one command, with the job token.

    Attributes:
        http: the client; it may be used for other hosts too, and then carries no token.
        connection: carries the job token.
        environ: the command's environment.
        redactor: knows the secrets of that environment and of the job.
        policy: the clock and the attempts.
    """

    def __init__(self, http: httpx.AsyncClient, environ: Mapping[str, str], policy: Policy) -> None:
        token = needed(environ, "BUILDKITE_AGENT_ACCESS_TOKEN")
        endpoint = checked_endpoint(environ.get("BUILDKITE_AGENT_ENDPOINT") or DEFAULT_ENDPOINT)
        self.http = http
        self.connection = Connection(http, endpoint, Secret(token), variables_to_headers(environ))
        self.environ = environ
        self.redactor = Masker(environ, secrets_of(environ))
        self.policy = policy

    async def send(
        self,
        method: str,
        path: str,
        attempts: Attempts,
        *,
        body: object = None,
        params: Mapping[str, str | int] | None = None,
        again: Callable[[ApiError], bool] = retryable,
    ) -> None:
        """Make a call whose answer is not read.

        Raises:
            ApiError: it was refused, or all attempts failed.
        """
        await retry(
            lambda: self.connection.send(method, path, body=body, params=params),
            attempts,
            self.policy,
            again=again,
        )

    async def fetch(
        self,
        kind: type[T],
        method: str,
        path: str,
        attempts: Attempts,
        *,
        body: object = None,
        params: Mapping[str, str | int] | None = None,
        again: Callable[[ApiError], bool] = retryable,
    ) -> T:
        """Make a call and read its answer. Errors as `send`."""
        return await retry(
            lambda: self.connection.fetch(kind, method, path, body=body, params=params),
            attempts,
            self.policy,
            again=again,
        )
