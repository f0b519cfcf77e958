"""Annotations and meta-data, as commands inside a job use them (contract sections 2.6, 2.7 and 7)."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import TypeVar

import httpx
from msgspec import UNSET

from watchword.agent.errors import ApiError, ConfigError
from watchword.agent.inside.caller import Caller
from watchword.agent.inside.environment import needed
from watchword.agent.redaction import Masks
from watchword.agent.retry import Attempts, Policy, retry
from watchword.agent.transport import Connection, segment
from watchword.agent.wire import Annotation, MetaExists, MetaValue

T = TypeVar("T")

MAX_BODY = 1024 * 1024


class JobData:
    """What a job may say about itself and its build. Secrets of the job are masked in all texts.

    Args:
        connection: carries the job token.
        job: the job's id.
        redactor: knows the secrets of the job's environment.
        policy: the clock and the attempts.
    """

    def __init__(self, connection: Connection, job: str, redactor: Masks, policy: Policy) -> None:
        self._connection = connection
        self._job = f"jobs/{segment(job)}"
        self._redactor = redactor
        self._policy = policy

    async def annotate(
        self,
        body: str,
        *,
        context: str | None = None,
        style: str | None = None,
        append: bool = False,
        priority: int = 3,
        scope: str = "build",
    ) -> None:
        """Set or extend an annotation; an empty body changes its style only.

        Raises:
            ConfigError: the body is over 1 MiB.
            ApiError: it was refused, or five attempts failed.
        """
        body = self._redactor.text(body)
        if len(body.encode(errors="replace")) > MAX_BODY:
            raise ConfigError("the body of an annotation may have 1 MiB at most")
        annotation = Annotation(
            body=body or UNSET,
            context=context or UNSET,
            style=style or UNSET,
            append=append or UNSET,
            priority=priority,
            scope=scope,
        )
        await self._send("POST", f"{self._job}/annotations", annotation, self._policy.annotate)

    async def remove_annotation(self, context: str, scope: str) -> None:
        """Remove an annotation.

        Raises:
            ApiError: it was refused, or five attempts failed.
        """
        await retry(
            lambda: self._connection.send(
                "DELETE", f"{self._job}/annotations/{segment(context)}", params={"scope": scope}
            ),
            self._policy.annotate,
            self._policy,
        )

    async def put(self, key: str, value: str) -> None:
        """Set one value of the build's meta-data.

        Raises:
            ConfigError: key or value is blank.
            ApiError: it was refused, or ten attempts failed.
        """
        await self._send("POST", f"{self._job}/data/set", self._pair(key, value), self._policy.data_write)

    async def put_all(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Set several values, all or none.

        Raises:
            ConfigError: a key or value is blank.
            ApiError: it was refused, or ten attempts failed.
        """
        items = [self._pair(key, value) for key, value in pairs]
        await self._send("POST", f"{self._job}/data/set-batch", {"items": items}, self._policy.data_write)

    async def get(self, key: str, *, build: str | None = None) -> str | None:
        """Read a value; None if the key is not set.

        Args:
            key: its key.
            build: another build's id; None for the job's own.

        Raises:
            ApiError: it was refused, or ten attempts failed.
        """
        try:
            answer = await self._fetch(MetaValue, f"{self._place(build)}/data/get", {"key": _key(key)})
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        return answer.value or ""

    async def exists(self, key: str, *, build: str | None = None) -> bool:
        """Tell whether a key is set. Arguments and errors as `get`."""
        return (await self._fetch(MetaExists, f"{self._place(build)}/data/exists", {"key": _key(key)})).exists

    async def keys(self, *, build: str | None = None) -> list[str]:
        """All keys. Arguments and errors as `get`."""
        return await self._fetch(list[str], f"{self._place(build)}/data/keys", None)

    def _pair(self, key: str, value: str) -> dict[str, str]:
        if not value.strip():
            raise ConfigError("the value of meta-data must not be blank")
        return {"key": _key(key), "value": self._redactor.text(value)}

    def _place(self, build: str | None) -> str:
        return f"builds/{segment(build)}" if build else self._job

    async def _send(self, method: str, path: str, body: object, attempts: Attempts) -> None:
        await retry(lambda: self._connection.send(method, path, body=body), attempts, self._policy)

    async def _fetch(self, kind: type[T], path: str, body: object) -> T:
        return await retry(
            lambda: self._connection.fetch(kind, "POST", path, body=body),
            self._policy.data_read,
            self._policy,
        )


def open_job(
    http: httpx.AsyncClient,
    environ: Mapping[str, str],
    *,
    job: str | None = None,
    policy: Policy | None = None,
) -> JobData:
    """The job that a command runs in, found in its environment (contract section 7.3).

    Args:
        http: the client to use.
        environ: the command's environment.
        job: another job's id, where the server lets one job act for another.
        policy: the clock and the attempts.

    Raises:
        ConfigError: a variable is missing, or the endpoint is no URL.
    """
    caller = Caller(http, environ, policy or Policy())
    identity = job or needed(environ, "BUILDKITE_JOB_ID")
    return JobData(caller.connection, identity, caller.redactor, caller.policy)


def _key(key: str) -> str:
    if not key.strip():
        raise ConfigError("the key of meta-data must not be blank")
    return key
