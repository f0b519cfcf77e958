"""Sessions: register, connect, ping, heartbeat, disconnect, and what an agent token is."""

from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from watchword.agentapi.wire import HEARTBEAT, REGISTER, Register, Registered
from watchword.crypto.values import digest
from watchword.domain.errors import Forbidden, Invalid, Refused, TooLarge
from watchword.domain.events import Actor
from watchword.domain.fleet import NO_PRIORITY, AgentState
from watchword.domain.ids import AgentId
from watchword.domain.kinds import Kind
from watchword.domain.tokens import Reason
from watchword.edge.http import EMPTY, Request, Response, decode
from watchword.edge.router import Route
from watchword.services.authority import Authority
from watchword.services.context import Caller
from watchword.services.exchanging import Joined, Registration, describe, register
from watchword.services.identities import looks_like_identity
from watchword.services.verifying import Presented

AGENT_TOKENS = (Kind.AGENT, Kind.UNCLUSTERED_AGENT)
SESSION = (Kind.AGENT_SESSION,)
_MAX_FEATURES = 100


@dataclass(slots=True)
class Sessions:
    """Handlers of an agent's life."""

    authority: Authority

    def routes(self) -> list[Route]:
        """The operations and the tokens they take (contract agent-api §1.2)."""
        return [
            Route("POST", "/v3/register", self.register, AGENT_TOKENS),
            Route("GET", "/v3/token", self.identity, AGENT_TOKENS),
            Route("POST", "/v3/connect", self.connect, SESSION),
            Route("GET", "/v3/ping", self.ping, SESSION),
            Route("POST", "/v3/heartbeat", self.heartbeat, SESSION),
            Route("POST", "/v3/disconnect", self.disconnect, SESSION),
        ]

    async def register(self, request: Request) -> Response:
        """§3.1: an agent token for a session token; or an outside issuer's identity token for one."""
        value = request.credential()
        if value is not None and self._is_identity(value):
            return self._registered(await self._join(request, value))
        presented = await self._verify(request, AGENT_TOKENS)
        asked = _registration(decode(REGISTER, await request.body()))
        token = presented.holder
        caller = Caller(Actor("token", token.id, token.description), request.address, request.id)
        try:
            joined = await register(self.authority.context, self.authority.fleet, caller, presented, asked)
        except (Refused, Forbidden) as error:
            now = self.authority.context.clock.now()
            self.authority.ledger.refuse(error.code, request.address, token.id, now, token.organization_id)
            raise
        return self._registered(joined)

    async def _join(self, request: Request, value: str) -> Joined:
        """By an identity token: proved, then used in the unit of work that registers the agent."""
        joiner = self.authority.joiner
        proven = await joiner.prove(value, request.address, request.agent)
        asked = _registration(decode(REGISTER, await request.body()))
        trust = proven.trust
        caller = Caller(Actor("trusted_issuer", trust.id, trust.name), request.address, request.id)
        try:
            return await joiner.join(caller, proven, asked)
        except (Refused, Forbidden) as error:
            now = self.authority.context.clock.now()
            self.authority.ledger.refuse(
                error.code, request.address, trust.token_id, now, trust.organization_id
            )
            raise

    def _is_identity(self, value: str) -> bool:
        """Whether a value is to be taken for an identity token; one that was imported may look like it."""
        return looks_like_identity(value) and digest(value) not in self.authority.verifier.imported

    def _registered(self, joined: Joined) -> Response:
        installation = self.authority.context.installation
        return Response.json(
            Registered(
                id=joined.agent.id,
                name=joined.agent.name,
                access_token=joined.value.reveal(),
                ping_interval=installation.ping_interval,
                job_status_interval=installation.job_status_interval,
                heartbeat_interval=installation.heartbeat_interval,
                meta_data=list(joined.agent.tags),
            )
        )

    async def identity(self, request: Request) -> Response:
        """§10.2: what the presented agent token is."""
        value = request.credential()
        if value is not None and self._is_identity(value):
            proven = await self.authority.joiner.prove(value, request.address, request.agent)
            return Response.json(await describe(self.authority.context, proven.presented.holder))
        presented = await self._verify(request, AGENT_TOKENS)
        return Response.json(await describe(self.authority.context, presented.holder))

    async def connect(self, request: Request) -> Response:
        """§2.1: the session is online."""
        presented = await self._verify(request, SESSION)
        agent_id = _agent_id(presented)
        live = self.authority.fleet.agents.get(agent_id)
        if live is not None and live.connected:
            await self.authority.alarms.reconnected(presented.holder)
        caller = Caller(Actor("agent", agent_id), request.address, request.id)
        await self.authority.fleet.connect(caller, presented.organization_id, agent_id)
        return EMPTY

    async def ping(self, request: Request) -> Response:
        """§3.2: a sign of life; offers a job where one waits, or says to leave or to pause.

        Touches no database.
        """
        presented = await self._verify(request, SESSION)
        agent_id = _agent_id(presented)
        job_id = self.authority.dispatcher.ping(agent_id)
        if job_id is not None:
            return Response.json({"job": {"id": job_id}})
        order = self.authority.fleet.order(agent_id)
        if order is None:
            return EMPTY
        return Response.json({"action": "disconnect" if order.stop else "pause", "message": order.message})

    async def heartbeat(self, request: Request) -> Response:
        """§3.4: a sign of life.

        Its body is not needed, so a strange one is no error: a stray 4xx here kills the agent and
        its job (trap 3).
        """
        presented = await self._verify(request, SESSION)
        self.authority.fleet.heartbeat(_agent_id(presented))
        try:
            body = HEARTBEAT.decode(await request.body())
        except (msgspec.DecodeError, UnicodeDecodeError, TooLarge):
            return EMPTY
        return Response.json({"sent_at": body.sent_at, "received_at": self._now()})

    async def disconnect(self, request: Request) -> Response:
        """§2.1: the session ends. Repeated by clients, so an ended session gets the same answer."""
        try:
            presented = await self._verify(request, SESSION)
        except Refused as error:
            if error.code == Reason.SESSION_ENDED:
                return EMPTY
            raise
        agent_id = _agent_id(presented)
        caller = Caller(Actor("agent", agent_id), request.address, request.id)
        await self.authority.finisher.disconnect(caller, agent_id, AgentState.DISCONNECTED)
        return EMPTY

    def _now(self) -> str:
        seconds = self.authority.context.clock.now() / 1_000_000
        return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")

    def _verify(self, request: Request, kinds: tuple[Kind, ...]) -> Coroutine[Any, Any, Presented]:
        return self.authority.verifier.verify(
            request.credential(), kinds, address=request.address, agent=request.agent
        )


def _agent_id(presented: Presented) -> AgentId:
    return presented.holder.agent_id or AgentId("")


def _registration(body: Register) -> Registration:
    return Registration(
        name=body.name or "",
        hostname=body.hostname or "",
        os=body.os or "",
        arch=body.arch or "",
        version=body.version or "",
        build=body.build or "",
        pid=body.pid or 0,
        machine_id=body.machine_id or "",
        priority=_priority(body.priority),
        features=tuple((body.features or [])[:_MAX_FEATURES]),
        tags=tuple(body.meta_data or ()),
        script_eval=body.script_eval_enabled is not False,
        ignore_in_dispatches=bool(body.ignore_in_dispatches),
    )


def _priority(given: str | int | None) -> int:
    """An agent's priority: text or number, maybe negative; absent is lowest (trap 10)."""
    if given is None or given == "":
        return NO_PRIORITY
    try:
        number = int(given)
    except ValueError:
        raise Invalid(f"The priority {given!r} is not an integer.", code="invalid_priority") from None
    return max(NO_PRIORITY + 1, min(-NO_PRIORITY - 1, number))
