"""Agents by the thousand: register, connect and ping over a few connections, in step."""

import gzip
import json
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

_CONNECTIONS = 32
_CHUNK = 100 * 1024
_GZIP = b"\x1f\x8b"
# Number of an agent that no other one has.
_WRITER = 1_000_000
_Answer = tuple[int, bytes]


class Clients:
    """Keep-alive connections to a server on loopback; one request each is under way at a time."""

    def __init__(self, port: int) -> None:
        self._sockets = [socket.create_connection(("127.0.0.1", port), 30) for _ in range(_CONNECTIONS)]
        for one in self._sockets:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._sockets:
            one.close()

    def send(self, requests: Sequence[bytes]) -> Iterator[bytes]:
        """Send requests; the bodies of their answers, in order.

        Raises:
            RuntimeError: an answer is no success.
        """
        for start in range(0, len(requests), len(self._sockets)):
            pairs = list(zip(self._sockets, requests[start : start + len(self._sockets)], strict=False))
            for one, request in pairs:
                one.sendall(request)
            for one, _ in pairs:
                status, body = _read(one)
                if status != 200:
                    raise RuntimeError(f"status {status}: {body[:300]!r}")
                yield body


def _read(one: socket.socket) -> _Answer:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(one)
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
    while len(body) < length:
        body += _more(one)
    return int(lines[0].split()[1]), body


def _more(one: socket.socket) -> bytes:
    data = one.recv(65536)
    if not data:
        raise RuntimeError("the server hung up")
    return data


def _request(method: str, path: str, token: str, body: bytes = b"") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Token {token}\r\n"
    head += "Content-Encoding: gzip\r\n" if body.startswith(_GZIP) else ""
    head += f"User-Agent: buildkite-agent/3.138.0 (bench)\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def registration(number: int, *tags: str) -> str:
    """What an agent says of itself when it registers."""
    return json.dumps(
        {
            "name": f"bench-{number}",
            "hostname": f"host-{number % 1000}.example.com",
            "os": "linux",
            "arch": "x86_64",
            "version": "3.138.0",
            "build": "9999",
            "pid": 1000 + number,
            "machine_id": f"{number:032x}",
            "priority": "0",
            "features": [],
            "meta_data": ["queue=default", *tags],
        }
    )


def join(
    port: int, agent_token: str, first: int, count: int, tell: Callable[[str], None] = lambda _: None
) -> list[str]:
    """Register, connect and ping agents; their session tokens."""
    return [session for _, session in enlist(port, agent_token, first, count, tell)]


def enlist(
    port: int,
    agent_token: str,
    first: int,
    count: int,
    tell: Callable[[str], None] = lambda _: None,
    tag: str = "",
) -> list[tuple[str, str]]:
    """Register, connect and ping agents, with their numbers as a tag if one is named; ids and sessions."""
    step = 1000
    found: list[tuple[str, str]] = []
    with Clients(port) as clients:
        for start in range(first, first + count, step):
            numbers = range(start, min(start + step, first + count))
            tags = [[f"{tag}={number}"] if tag else [] for number in numbers]
            bodies = [registration(n, *own).encode() for n, own in zip(numbers, tags, strict=True)]
            answers = clients.send([_request("POST", "/v3/register", agent_token, body) for body in bodies])
            known = [json.loads(answer) for answer in answers]
            fresh = [str(one["access_token"]) for one in known]
            list(clients.send([_request("POST", "/v3/connect", token, b"{}") for token in fresh]))
            list(clients.send([_request("GET", "/v3/ping", token) for token in fresh]))
            found += [(str(one["id"]), session) for one, session in zip(known, fresh, strict=True)]
            tell(f"{len(found):,} of {count:,} agents joined")
    return found


def log_of(lines: int) -> bytes:
    """A log with colours and time marks."""
    return b"".join(
        b"\x1b_bk;t=%d\x07\x1b[90m%06d\x1b[0m \x1b[32mok\x1b[0m compiling module %d of the whole tree\r\n"
        % (1_700_000_000_000 + number, number, number)
        for number in range(lines)
    )


def write_log(port: int, agent_token: str, log: bytes) -> str:
    """Let a new agent run the next job and write its log; the job's id."""
    (session,) = join(port, agent_token, _WRITER, 1)
    with Clients(port) as clients:

        def ask(method: str, path: str, token: str, body: bytes = b"{}") -> dict[str, Any]:
            found: dict[str, Any] = json.loads(
                next(clients.send([_request(method, path, token, body)])) or b"{}"
            )
            return found

        job: str = ask("GET", "/v3/ping", session, b"")["job"]["id"]
        token = ask("PUT", f"/v3/jobs/{job}/accept", session)["token"]
        ask("PUT", f"/v3/jobs/{job}/start", token, b'{"started_at": "2030-01-01T00:00:00Z"}')
        for number, start in enumerate(range(0, len(log), _CHUNK), 1):
            text = log[start : start + _CHUNK]
            query = f"sequence={number}&offset={start}&size={len(text)}"
            ask("POST", f"/v3/jobs/{job}/chunks?{query}", token, gzip.compress(text))
        ended = {"exit_status": "1", "finished_at": "2030-01-01T00:01:00Z"}
        ask("PUT", f"/v3/jobs/{job}/finish", token, json.dumps(ended).encode())
    return job
