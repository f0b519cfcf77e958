"""Agents in the database."""

from collections.abc import Sequence

from sqlalchemy import BigInteger, and_, bindparam, case, func, insert, select, text, update

from watchword.domain.fleet import Agent, AgentState
from watchword.domain.ids import AgentId, ClusterId, JobId, OrganizationId, TokenId, UserId
from watchword.store.base import Page
from watchword.store.base_fleet import JoinedCounts
from watchword.store.engine import Connection, Statement, one_of
from watchword.store.mapping import Mapper
from watchword.store.tables import agents

AGENTS = Mapper(agents, Agent)
_a = agents.c
_ONE = and_(_a.organization_id == bindparam("organization_id_"), _a.id == bindparam("id_"))
# As the index has it, word for word; SQLite uses a partial index only then.
_NOT_ENDED = text("agents.ended_at = 0")
_LIVE_STATES = (AgentState.REGISTERED.value, AgentState.CONNECTED.value)

_ADD = Statement(insert(agents))
_FIND = Statement(select(*AGENTS.columns).where(_ONE))
_LIST = select(*AGENTS.columns).where(_a.organization_id == bindparam("organization_id_"))
_LIVE = Statement(select(*AGENTS.columns).where(_NOT_ENDED, one_of(_a.state, _LIVE_STATES)).order_by(_a.id))
_JOINED = Statement(
    select(*AGENTS.columns)
    .where(
        _a.organization_id == bindparam("organization_id_"), _a.token_id == bindparam("token_id_"), _NOT_ENDED
    )
    .order_by(_a.id)
)
_COUNT_JOINED = Statement(
    select(_a.state, func.count(), func.count(_a.job_id))
    .where(
        _a.organization_id == bindparam("organization_id_"), _a.token_id == bindparam("token_id_"), _NOT_ENDED
    )
    .group_by(_a.state)
)
_DRAIN = Statement(
    update(agents)
    .where(_ONE, one_of(_a.state, _LIVE_STATES), _a.stopping_at == 0)
    .values(stopping_at=bindparam("at_"))
)
_NEVER_CONNECTED = Statement(
    select(*AGENTS.columns).where(
        _a.organization_id == bindparam("organization_id_"),
        _a.token_id == bindparam("token_id_"),
        _a.state == AgentState.REGISTERED.value,
        _NOT_ENDED,
        _a.requested_name == bindparam("name_"),
        _a.hostname == bindparam("hostname_"),
    )
)
_CONNECT = Statement(
    update(agents)
    .where(_ONE, _a.state == AgentState.REGISTERED.value)
    .values(state=AgentState.CONNECTED.value, connected_at=bindparam("at_"), seen_at=bindparam("at_"))
)
_END = Statement(
    update(agents)
    .where(_ONE, one_of(_a.state, _LIVE_STATES))
    .values(state=bindparam("state_"), ended_at=bindparam("at_"), job_id=None)
)
_GIVE_JOB = Statement(update(agents).where(_ONE).values(job_id=bindparam("job_id_")))
_TAKE_JOB = Statement(update(agents).where(_ONE).values(job_id=None, last_job_ended_at=bindparam("at_")))
_IGNORE = Statement(update(agents).where(_ONE).values(ignore_in_dispatches=1))
_CONNECTED = and_(_ONE, _a.state == AgentState.CONNECTED.value)
_STOP = Statement(
    update(agents)
    .where(_CONNECTED)
    .values(
        stopping_at=case((_a.stopping_at == 0, bindparam("at_", type_=BigInteger)), else_=_a.stopping_at),
        stop_forced=case((_a.stop_forced == 0, bindparam("force_", type_=BigInteger)), else_=_a.stop_forced),
    )
)
_PAUSE = Statement(
    update(agents)
    .where(_CONNECTED)
    .values(
        paused_at=bindparam("at_"),
        paused_until=bindparam("until_"),
        paused_note=bindparam("note_"),
        paused_by=bindparam("by_"),
    )
)
_RESUME = Statement(
    update(agents)
    .where(_ONE, _a.paused_at > 0)
    .values(paused_at=0, paused_until=0, paused_note="", paused_by=None)
)
_TOUCH = Statement(
    update(agents).where(_ONE, _a.seen_at < bindparam("seen_")).values(seen_at=bindparam("seen_"))
)
_LISTS: dict[tuple[tuple[str, ...], bool], Statement] = {}


def _list_statement(states: tuple[str, ...], in_cluster: bool) -> Statement:  # noqa: FBT001 - a cache key
    found = _LISTS.get((states, in_cluster))
    if found is None:
        clause = _LIST.where(one_of(_a.state, states))
        if set(states) <= set(_LIVE_STATES):
            clause = clause.where(_NOT_ENDED)
        if in_cluster:
            clause = clause.where(_a.cluster_id == bindparam("cluster_id_"))
        found = Statement(clause.order_by(_a.id).limit(bindparam("limit_")).offset(bindparam("offset_")))
        _LISTS[states, in_cluster] = found
    return found


class FleetRows:
    """`store.base.Fleet` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def add(self, agent: Agent) -> None:
        await self._cx.run(_ADD, AGENTS.encode(agent))

    async def find(self, organization_id: OrganizationId, agent_id: AgentId) -> Agent | None:
        row = await self._cx.one(_FIND, {"organization_id_": organization_id, "id_": agent_id})
        return AGENTS.decode(row) if row else None

    async def list(
        self,
        organization_id: OrganizationId,
        cluster_id: ClusterId | None,
        states: Sequence[AgentState],
        page: Page,
    ) -> Sequence[Agent]:
        statement = _list_statement(tuple(sorted(state.value for state in states)), cluster_id is not None)
        parameters = {
            "organization_id_": organization_id,
            "cluster_id_": cluster_id,
            "limit_": page.limit,
            "offset_": page.offset,
        }
        return [AGENTS.decode(row) for row in await self._cx.all(statement, parameters)]

    async def live(self) -> Sequence[Agent]:
        return [AGENTS.decode(row) for row in await self._cx.all(_LIVE, {})]

    async def joined(self, organization_id: OrganizationId, token_id: TokenId) -> Sequence[Agent]:
        parameters = {"organization_id_": organization_id, "token_id_": token_id}
        return [AGENTS.decode(row) for row in await self._cx.all(_JOINED, parameters)]

    async def count_joined(self, organization_id: OrganizationId, token_id: TokenId) -> JoinedCounts:
        parameters = {"organization_id_": organization_id, "token_id_": token_id}
        rows = await self._cx.all(_COUNT_JOINED, parameters)
        found = {AgentState(state): int(count) for state, count, _ in rows}
        busy = sum(int(holding) for _, _, holding in rows)
        connected, joining = (found.get(each, 0) for each in (AgentState.CONNECTED, AgentState.REGISTERED))
        return JoinedCounts(connected, joining, busy)

    async def drain(self, organization_id: OrganizationId, agent_id: AgentId, at: int) -> bool:
        parameters = {"organization_id_": organization_id, "id_": agent_id, "at_": at}
        return await self._cx.run(_DRAIN, parameters) == 1

    async def never_connected(
        self, organization_id: OrganizationId, token_id: TokenId, name: str, hostname: str
    ) -> Agent | None:
        parameters = {
            "organization_id_": organization_id,
            "token_id_": token_id,
            "name_": name,
            "hostname_": hostname,
        }
        row = await self._cx.one(_NEVER_CONNECTED, parameters)
        return AGENTS.decode(row) if row else None

    async def connect(self, organization_id: OrganizationId, agent_id: AgentId, at: int) -> bool:
        parameters = {"organization_id_": organization_id, "id_": agent_id, "at_": at}
        return await self._cx.run(_CONNECT, parameters) == 1

    async def end(
        self, organization_id: OrganizationId, agent_id: AgentId, state: AgentState, at: int
    ) -> bool:
        parameters = {
            "organization_id_": organization_id,
            "id_": agent_id,
            "state_": state.value,
            "at_": at,
        }
        return await self._cx.run(_END, parameters) == 1

    async def give_job(
        self, organization_id: OrganizationId, agent_id: AgentId, job_id: JobId | None
    ) -> None:
        parameters = {"organization_id_": organization_id, "id_": agent_id, "job_id_": job_id}
        await self._cx.run(_GIVE_JOB, parameters)

    async def take_job(self, organization_id: OrganizationId, agent_id: AgentId, at: int) -> None:
        await self._cx.run(_TAKE_JOB, {"organization_id_": organization_id, "id_": agent_id, "at_": at})

    async def ignore(self, organization_id: OrganizationId, agent_id: AgentId) -> None:
        await self._cx.run(_IGNORE, {"organization_id_": organization_id, "id_": agent_id})

    async def stop(self, organization_id: OrganizationId, agent_id: AgentId, at: int, *, force: bool) -> bool:
        parameters = {
            "organization_id_": organization_id,
            "id_": agent_id,
            "at_": at,
            "force_": int(force),
        }
        return await self._cx.run(_STOP, parameters) == 1

    async def pause(
        self,
        organization_id: OrganizationId,
        agent_id: AgentId,
        at: int,
        until: int,
        note: str,
        by: UserId | None,
    ) -> bool:
        parameters = {
            "organization_id_": organization_id,
            "id_": agent_id,
            "at_": at,
            "until_": until,
            "note_": note,
            "by_": by,
        }
        return await self._cx.run(_PAUSE, parameters) == 1

    async def resume(self, organization_id: OrganizationId, agent_id: AgentId) -> bool:
        return await self._cx.run(_RESUME, {"organization_id_": organization_id, "id_": agent_id}) == 1

    async def touch(self, seen: Sequence[tuple[OrganizationId, AgentId, int]]) -> None:
        for organization_id, agent_id, at in seen:
            await self._cx.run(_TOUCH, {"organization_id_": organization_id, "id_": agent_id, "seen_": at})
