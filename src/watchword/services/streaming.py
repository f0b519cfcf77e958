"""Streams: agents that hear at once of a job, an order or their end, instead of asking every few seconds.

A stream tells what memory says; it keeps no queue, so that a slow reader costs nothing and hears the latest.
Rules are those of a ping (`services.dispatching`): an offer is a hint, a job changes hands at accept.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from watchword.domain.errors import Conflict, TooMany
from watchword.domain.events import TOPIC_TOKEN_CHANGED, TOPIC_TOKEN_ENDED, Notice
from watchword.domain.fleet import Order
from watchword.domain.ids import AgentId, JobId
from watchword.domain.pingframes import Action, Told
from watchword.services.context import Context
from watchword.services.dispatching import Dispatcher
from watchword.services.fleet import Fleet, LiveAgent

# Clients end a stream after 60 s and open another (contract agent-api §3.3): nobody is behind an older one.
MAX_AGE_US = 120_000_000
# An offer that was told and not accepted is told again: the message or the answer to it may be lost.
TELL_AGAIN_US = 10_000_000


@dataclass(slots=True, eq=False)
class Stream:
    """One open stream.

    Attributes:
        agent: the agent that listens.
        key: digest of the session's value, by which its end is heard of.
        opened_at: when it was opened.
        ended: whether nothing more is to be told.
        said: the order that the agent was told of last.
        greeted: whether it was told anything yet.
        job_id: the job that it was told of last, or held when it came.
        told_at: when it was told of that.
    """

    agent: LiveAgent
    key: bytes
    opened_at: int
    ended: bool = False
    said: Order | None = None
    greeted: bool = False
    job_id: JobId | None = None
    told_at: int = 0
    _bell: asyncio.Event = field(default_factory=asyncio.Event)

    def ring(self) -> None:
        """Have the stream look at what it is to tell."""
        self._bell.set()

    def end(self) -> None:
        """Tell nothing more."""
        self.ended = True
        self._bell.set()

    async def rung(self) -> None:
        """Wait until somebody rings."""
        await self._bell.wait()
        self._bell.clear()


@dataclass(slots=True)
class Streams:
    """All open streams of this process.

    Attributes:
        by_agent: one at most for each agent; a newer one takes the place of an older.
        by_key: the same, by digest of the session's value.
        lines: those that listen, by line and priority; who got an offer last stands last.
    """

    context: Context
    fleet: Fleet
    dispatcher: Dispatcher
    by_agent: dict[AgentId, Stream] = field(default_factory=dict)
    by_key: dict[bytes, Stream] = field(default_factory=dict)
    lines: dict[str, dict[int, dict[AgentId, Stream]]] = field(default_factory=dict)
    stopped: bool = False
    _rung: set[str] = field(default_factory=set)
    _loop: asyncio.AbstractEventLoop | None = None

    def follow(self) -> None:
        """Hear of jobs that come, and of sessions that end or are narrowed."""
        self.dispatcher.lines.rings = self._ring
        for topic in (TOPIC_TOKEN_ENDED, TOPIC_TOKEN_CHANGED):
            self.context.feed.follow(topic, self._session_changed)

    def open(self, agent_id: AgentId, key: bytes) -> Stream:
        """A stream for an agent whose session was checked just now; a sign of life.

        Raises:
            Conflict: the agent is not in memory.
            TooMany: as many streams are open as there may be; agents poll then, and try again.
        """
        agent = self.fleet.agents.get(agent_id)
        if agent is None or self.stopped:
            raise Conflict("This agent is not connected.", code="agent_not_connected")
        limit = self.context.installation.ping_streams
        if agent_id not in self.by_agent and len(self.by_agent) >= limit:
            raise TooMany(f"This server keeps {limit} streams of pings open; poll.", code="stream_limit")
        former = self.by_agent.get(agent_id)
        if former is not None:
            self._leave(former)
        now = agent.seen_at = self.context.clock.now()
        stream = Stream(agent, key, now, job_id=agent.job_id)
        self.by_agent[agent_id] = self.by_key[key] = stream
        return stream

    async def messages(self, stream: Stream) -> AsyncGenerator[Told, None]:
        """What an agent is told, as it comes; ends when the stream is to end."""
        if stream.ended:
            return
        agent = stream.agent
        agent.bell = stream
        self._loop = asyncio.get_running_loop()
        self.lines.setdefault(agent.line, {}).setdefault(agent.priority, {})[agent.id] = stream
        try:
            while not stream.ended:
                told = self._next(stream)
                if told is None:
                    await stream.rung()
                else:
                    yield told
        finally:
            self._leave(stream)

    def _next(self, stream: Stream) -> Told | None:
        """What the agent does not know yet, most urgent first."""
        agent, now = stream.agent, self.context.clock.now()
        if not stream.greeted or agent.order != stream.said:
            stream.greeted, stream.said = True, agent.order
            return _state(agent.order)
        lines = self.dispatcher.lines
        job_id = lines.offer_of(agent.id) or self.dispatcher.offer_to(agent, now)
        if job_id is not None and agent.job_id is None:
            if job_id == stream.job_id and stream.told_at:
                return None
            stream.job_id, stream.told_at = job_id, now
            return Told(Action.JOB, job_id)
        if stream.job_id is not None and agent.job_id is None:
            # Its job is over or was withdrawn: idle time counts from an idle message.
            stream.job_id, stream.told_at = None, 0
            return _state(None) if agent.order is None else None
        return None

    async def look_again(self) -> None:
        """Offer what was kept for better agents or came back, repeat what got lost, end what is too old."""
        now = self.context.clock.now()
        offer_of = self.dispatcher.lines.offer_of
        for stream in list(self.by_agent.values()):
            if now - stream.opened_at > MAX_AGE_US:
                self._leave(stream)
            elif stream.told_at and now - stream.told_at > TELL_AGAIN_US:
                if offer_of(stream.agent.id) == stream.job_id:
                    stream.told_at = 0
                    self._put_last(stream)
                stream.ring()
        for line in [name for name in self.lines if name in self.dispatcher.lines.waiting]:
            self._deal(line)

    def stop(self) -> None:
        """End all streams: a server that stops waits for its open answers."""
        self.stopped = True
        for stream in self.by_agent.values():
            stream.end()

    def _ring(self, line: str) -> None:
        """A job came into a line, or may leave it again; several at once are dealt out together."""
        if line in self.lines and self._loop is not None:
            if not self._rung:
                self._loop.call_soon(self._deal_rung)
            self._rung.add(line)

    def _deal_rung(self) -> None:
        rung, self._rung = self._rung, set()
        for line in rung:
            self._deal(line)

    def _deal(self, name: str) -> None:
        """Offer the jobs of a line to agents that listen: higher priority first, then who waited longest."""
        lines, now = self.dispatcher.lines, self.context.clock.now()
        line = lines.waiting.get(name)
        if line is None:
            return
        lines.take_back_late(line, now)
        ranks = self.lines.get(name, {})
        for rank in sorted(ranks, reverse=True):
            nothing_for: set[tuple[str, ...]] = set()
            for stream in list(ranks[rank].values()):
                if not any(line.heaps.values()):
                    return
                agent = stream.agent
                if agent.tags in nothing_for or lines.has_offer(agent.id) or not agent.takes_jobs:
                    continue
                if self.dispatcher.offer_to(agent, now) is not None:
                    self._put_last(stream)
                    stream.ring()
                elif agent.id not in lines.avoiding:
                    nothing_for.add(agent.tags)

    def _put_last(self, stream: Stream) -> None:
        """Let others of its priority come before it."""
        rank = self.lines.get(stream.agent.line, {}).get(stream.agent.priority, {})
        if rank.pop(stream.agent.id, None) is not None:
            rank[stream.agent.id] = stream

    def _session_changed(self, notice: Notice) -> None:
        stream = self.by_key.get(bytes.fromhex(notice.payload))
        if stream is not None:
            self._leave(stream)

    def _leave(self, stream: Stream) -> None:
        """End a stream and forget it; it may be repeated."""
        stream.end()
        agent = stream.agent
        if self.by_agent.get(agent.id) is stream:
            del self.by_agent[agent.id]
        if self.by_key.get(stream.key) is stream:
            del self.by_key[stream.key]
        if agent.bell is stream:
            agent.bell = None
        ranks = self.lines.get(agent.line, {})
        rank = ranks.get(agent.priority, {})
        if rank.get(agent.id) is stream:
            del rank[agent.id]
            if not rank:
                del ranks[agent.priority]
            if not ranks:
                del self.lines[agent.line]


def _state(order: Order | None) -> Told:
    if order is None:
        return Told(Action.RESUME)
    return Told(Action.DISCONNECT if order.stop else Action.PAUSE, order.message)
