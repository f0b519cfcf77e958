"""Streaming pings: the gRPC call on which new agents hear of work at once (contract agent-api §3.3).

A plain chunked answer of framed messages: the server under us sends no trailers, so that an end is never a
clean one, which would keep an agent from polling (trap 4). A client that loses a stream polls meanwhile.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from watchword.crypto.values import digest
from watchword.domain.errors import Forbidden, Malformed
from watchword.domain.ids import AgentId
from watchword.domain.kinds import Kind
from watchword.domain.pingframes import MAX_MESSAGE, read_request, told_frame
from watchword.edge.http import Request, Response, Streamed
from watchword.edge.router import Route
from watchword.services.authority import Authority
from watchword.services.streaming import Stream

PATH = "/agentedge.v1.AgentEdgeService/StreamPings"
SESSION = (Kind.AGENT_SESSION,)
_GRPC = b"application/grpc"
# Proxies that gather an answer before they pass it on would keep every message.
_HEADERS = [(b"content-type", _GRPC), (b"x-accel-buffering", b"no")]


@dataclass(slots=True)
class PingStreams:
    """The handler of streams."""

    authority: Authority

    def routes(self) -> list[Route]:
        """The one operation; it stands at the root of the host."""
        return [Route("POST", PATH, self.stream, SESSION)]

    async def stream(self, request: Request) -> Response:
        """§3.3: what a ping would say, as soon as it is so.

        An ended session is answered 401, another agent's id 403: the client polls from then on, and a poll
        tells it the reason. Everything else leaves it trying.

        Raises:
            Forbidden: the stream is asked for another agent than the session's.
            Malformed: it is no gRPC request of this kind.
            Refused: the session token does not pass.
        """
        body = await request.body(2 * MAX_MESSAGE)
        # From here to `open` nothing is waited for: an end of the session comes before or is heard of.
        value = request.credential()
        presented = await self.authority.verifier.verify(
            value, SESSION, address=request.address, agent=request.agent
        )
        agent_id = presented.holder.agent_id or AgentId("")
        kind = request.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if kind not in (_GRPC, _GRPC + b"+proto"):
            raise Malformed("This call speaks gRPC.", code="grpc_only", status=415)
        encoding = request.headers.get(b"grpc-encoding", b"").decode("latin-1")
        if read_request(body, encoding) != agent_id:
            raise Forbidden("This session is another agent's.", code="other_agent")
        stream = self.authority.streams.open(agent_id, digest(value or ""))
        return Streamed(200, self._frames(stream, request), _HEADERS)

    async def _frames(self, stream: Stream, request: Request) -> AsyncGenerator[bytes, None]:
        gone = asyncio.ensure_future(_gone(request, stream))
        try:
            async for told in self.authority.streams.messages(stream):
                yield told_frame(told)
        finally:
            gone.cancel()
            stream.end()


async def _gone(request: Request, stream: Stream) -> None:
    """End the stream when the client has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    stream.end()
