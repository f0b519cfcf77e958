"""Calls to the sockets of this machine: the job's own, and the agents' for locks."""

import http.client
import socket
from collections.abc import Mapping
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import urlencode

import msgspec

from watchword.agent.errors import AgentError
from watchword.agent.inside.environment import needed

T = TypeVar("T")

_TIMEOUT = 30.0


class _Refusal(msgspec.Struct):
    error: str = ""


class _Connection(http.client.HTTPConnection):
    """A connection to a socket instead of a host."""

    def __init__(self, path: str) -> None:
        super().__init__("agent", timeout=_TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


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
        target = self._base + path + (f"?{urlencode(params)}" if params else "")
        content = None if body is None else msgspec.json.encode(body)
        connection = _Connection(self._path)
        try:
            connection.request(method, target, content, self._headers)
            answer = connection.getresponse()
            status, data = answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise AgentError(f"nobody answers at {self._path}: {error}") from None
        finally:
            connection.close()
        if status >= HTTPStatus.BAD_REQUEST:
            raise AgentError(_reason(data))
        return msgspec.json.decode(data, type=kind)


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


def _reason(data: bytes) -> str:
    try:
        return msgspec.json.decode(data, type=_Refusal).error or "it was refused"
    except msgspec.DecodeError:
        return "it was refused"
