"""Changes of queues in the database."""

from sqlalchemy import bindparam, delete, func, select, text, update

from watchword.domain.accounts import Queue
from watchword.domain.fleet import AgentState
from watchword.domain.ids import OrganizationId, QueueId
from watchword.domain.pipelines import JobState
from watchword.store.accounts import QUEUES
from watchword.store.engine import Connection, Statement, one_of
from watchword.store.tables import agents, jobs, queues

_LIVE = tuple(state.value for state in AgentState if not state.ended)
_OPEN = tuple(state.value for state in JobState if not state.ended)

_q, _a, _j = queues.c, agents.c, jobs.c
_ONE = (_q.organization_id == bindparam("organization_id_"), _q.id == bindparam("id_"))

_SAVE = Statement(
    update(queues)
    .where(*_ONE)
    .values(description=bindparam("description_"), retry_agent_affinity=bindparam("affinity_"))
)
_DELETE = Statement(delete(queues).where(*_ONE))
_AGENTS = Statement(
    select(func.count())
    .select_from(agents)
    .where(
        _a.organization_id == bindparam("organization_id_"),
        _a.queue_id == bindparam("id_"),
        text("agents.ended_at = 0"),  # as the index says it
        one_of(_a.state, _LIVE),
    )
)
_JOBS = Statement(
    select(func.count())
    .select_from(jobs)
    .where(
        _j.organization_id == bindparam("organization_id_"),
        _j.queue_id == bindparam("id_"),
        one_of(_j.state, _OPEN),
    )
)


class QueueRows:
    """`store.base_queues.Queues` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def save(self, queue: Queue) -> None:
        row = QUEUES.encode(queue)
        parameters = {
            "organization_id_": queue.organization_id,
            "id_": queue.id,
            "description_": row["description"],
            "affinity_": row["retry_agent_affinity"],
        }
        await self._cx.run(_SAVE, parameters)

    async def delete(self, organization_id: OrganizationId, queue_id: QueueId) -> bool:
        return await self._cx.run(_DELETE, {"organization_id_": organization_id, "id_": queue_id}) == 1

    async def agents(self, organization_id: OrganizationId, queue_id: QueueId) -> int:
        row = await self._cx.one(_AGENTS, {"organization_id_": organization_id, "id_": queue_id})
        return int(row[0]) if row else 0

    async def open_jobs(self, organization_id: OrganizationId, queue_id: QueueId) -> int:
        row = await self._cx.one(_JOBS, {"organization_id_": organization_id, "id_": queue_id})
        return int(row[0]) if row else 0
