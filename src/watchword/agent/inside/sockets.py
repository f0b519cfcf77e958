"""Calls to the sockets of this machine: the job's own, and the agents' for locks."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import TypeVar

import httpx
import msgspec

from watchword.agent.errors import AgentError
from watchword.agent.inside.caller import needed

T = TypeVar("T")

_TIMEOUT = 30.0


class _Refusal(msgspec.Struct):
    error: str = ""


class SocketClient:
    """Talks to one socket.

    Args:
        path: the socket.
        base: what all its paths begin with.
        token: sent with every call, or empty.
    """

    def __init__(self, path: str, base: str, token: str = "") -> None:
        self._path = path
        self._base = base
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def call(self, kind: type[T], method: str, path: str, body: object = None, **params: str) -> T:
        """Make a call.

        Raises:
            AgentError: nobody listens, or the call was refused.
        """
        transport = httpx.HTTPTransport(uds=self._path)
        try:
            with httpx.Client(transport=transport, timeout=_TIMEOUT, base_url="http://agent") as client:
                answer = client.request(
                    method,
                    self._base + path,
                    content=None if body is None else msgspec.json.encode(body),
                    headers=self._headers,
                    params=params or None,
                )
        except httpx.TransportError as error:
            raise AgentError(f"nobody answers at {self._path}: {error}") from None
        if answer.status_code >= HTTPStatus.BAD_REQUEST:
            raise AgentError(_reason(answer))
        return msgspec.json.decode(answer.content, type=kind)


def job_socket(environ: Mapping[str, str]) -> SocketClient:
    """The socket of the job that a command runs in.

    Raises:
        ConfigError: it does not run in one.
    """
    return SocketClient(
        needed(environ, "BUILDKITE_AGENT_JOB_API_SOCKET"),
        "/api/current-job/v0",
        needed(environ, "BUILDKITE_AGENT_JOB_API_TOKEN"),
    )


def _reason(answer: httpx.Response) -> str:
    try:
        return msgspec.json.decode(answer.content, type=_Refusal).error or answer.reason_phrase
    except msgspec.DecodeError:
        return answer.reason_phrase
