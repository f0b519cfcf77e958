"""The calls of an agent and of a job it runs, one method each (contract section 2)."""

from collections.abc import Sequence
from typing import Any

from watchword.agent.transport import Connection, segment
from watchword.agent.wire import Finish, Job, JobState, Ping, Registration, Session, stamp

Rights = Sequence[str] | None
"""What a job's token is to do at most; None asks for nothing less."""


class AgentApi:
    """Calls that carry the agent token (register) or the session token (all others).

    Every method makes one attempt and raises `ApiError`.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def register(self, registration: Registration) -> Session:
        """Exchange the agent token for a session (contract section 3.1)."""
        return await self.connection.fetch(Session, "POST", "register", body=registration)

    async def connect(self) -> None:
        """Say that the session is online (contract section 2.1)."""
        await self.connection.send("POST", "connect")

    async def disconnect(self) -> None:
        """End the session (contract section 2.1)."""
        await self.connection.send("POST", "disconnect")

    async def ping(self) -> Ping:
        """Ask what to do (contract section 3.2)."""
        return await self.connection.fetch(Ping, "GET", "ping")

    async def heartbeat(self, now: float) -> None:
        """Say that the agent lives; `now` is Unix time in seconds (contract section 3.4)."""
        await self.connection.fetch(dict[str, Any], "POST", "heartbeat", body={"sent_at": stamp(now)})

    async def accept(self, job: str, rights: Rights = None) -> Job:
        """Take an offered job and its job token (contract section 2.2), which is to have `rights` at most."""
        return await self.connection.fetch(Job, "PUT", f"jobs/{segment(job)}/accept", body=_asked(rights))

    async def acquire(self, job: str, sequence: int, rights: Rights = None) -> Job:
        """Take a job that was not offered; `sequence` counts the attempts from 0 (contract section 2.2)."""
        headers = {"X-Buildkite-Lock-Acquire-Job": "1", "X-Buildkite-Backoff-Sequence": str(sequence)}
        path = f"jobs/{segment(job)}/acquire"
        return await self.connection.fetch(Job, "PUT", path, body=_asked(rights), headers=headers)


def _asked(rights: Rights) -> dict[str, list[str]] | None:
    """The body of accept and acquire: none, as usual agents send, unless the token is to do less."""
    return None if rights is None else {"token_rights": list(rights)}


class JobApi:
    """Calls that carry the job token. Every method makes one attempt and raises `ApiError`."""

    def __init__(self, connection: Connection, job: str) -> None:
        self.connection = connection
        self._path = f"jobs/{segment(job)}"

    async def start(self, now: float) -> None:
        """Say that the job starts; `now` is Unix time in seconds (contract section 2.3)."""
        await self.connection.send("PUT", f"{self._path}/start", body={"started_at": stamp(now)})

    async def state(self) -> str:
        """Ask for the job's state (contract section 2.3)."""
        return (await self.connection.fetch(JobState, "GET", self._path)).state or ""

    async def chunk(self, sequence: int, offset: int, size: int, zipped: bytes) -> None:
        """Send a piece of the log (contract section 2.4).

        Args:
            sequence: number of the piece, from 1.
            offset: of its first byte in the whole log.
            size: in bytes, before compression.
            zipped: the piece as one gzip stream.
        """
        await self.connection.send(
            "POST",
            f"{self._path}/chunks",
            content=zipped,
            params={"sequence": sequence, "offset": offset, "size": size},
            headers={"Content-Type": "text/plain", "Content-Encoding": "gzip"},
        )

    async def finish(self, finish: Finish) -> None:
        """Say how the job ended (contract section 2.3)."""
        await self.connection.send("PUT", f"{self._path}/finish", body=finish)
