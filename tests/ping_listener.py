"""An agent's end of a stream of pings: a bare socket that reads chunks and frames."""

import json
import socket
from collections.abc import Mapping
from typing import Any

from support import FakeAgent
from watchword.domain.pingframes import Frames, Told, read_told, request_frame

PATH = "/agentedge.v1.AgentEdgeService/StreamPings"
GRPC = {"content-type": "application/grpc", "te": "trailers", "grpc-accept-encoding": "gzip"}


class PingListener:
    """One open stream, as connect-go opens it: the request's body is chunked.

    Attributes:
        status: of the answer.
        headers: of the answer, by lower-case name.
        over: whether the body has ended.
        trailers: what came behind the body, which the client would take for a clean end.
    """

    def __init__(
        self,
        agent: FakeAgent,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float = 5,
    ) -> None:
        host, _, port = agent.url.removeprefix("http://").partition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=seconds)
        self._file = self._socket.makefile("rb")
        content = request_frame(agent.registered.body["id"]) if body is None else body
        lines = {
            "host": host,
            "authorization": f"Token {agent.session}",
            "transfer-encoding": "chunked",
            **GRPC,
            **(headers or {}),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        chunk = f"{len(content):x}\r\n".encode() + content + b"\r\n" if content else b""
        self._socket.sendall(f"POST {PATH} HTTP/1.1\r\n{head}\r\n".encode() + chunk + b"0\r\n\r\n")
        self.status = int(self._file.readline().split()[1])
        self.headers = dict(self._header_lines())
        self.trailers: dict[str, str] = {}
        self.over = False
        self._frames = Frames()
        self._told: list[Told] = []

    def _header_lines(self) -> list[tuple[str, str]]:
        found = []
        while line := self._file.readline().strip():
            name, _, value = line.decode().partition(":")
            found.append((name.lower(), value.strip()))
        return found

    def hears(self) -> Told | None:
        """The next message; None where the body ends instead.

        Raises:
            TimeoutError: neither comes.
        """
        while not self._told and not self.over:
            line = self._file.readline()
            length = int(line, 16) if line else 0
            if not length:
                self.over = True
                self.trailers = dict(self._header_lines()) if line else {}
                return None
            messages = self._frames.feed(self._file.read(length))
            self._file.readline()
            self._told += [told for told in map(read_told, messages) if told is not None]
        return self._told.pop(0) if self._told else None

    def body(self) -> Any:
        """The whole answer, where it is not a stream."""
        return json.loads(self._file.read(int(self.headers["content-length"])))

    def leave(self) -> None:
        self._file.close()
        self._socket.close()
