"""Code locations, work of Dagster agents, and these agents in the database."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec
from sqlalchemy import and_, bindparam, delete, insert, select, update

from watchword.domain.codelocations import CodeLocation
from watchword.domain.dagsteragents import AgentFault, DagsterAgent
from watchword.domain.ids import DeploymentId, OrganizationId, TokenId, WorkItemId
from watchword.domain.workitems import ItemState, WorkItem
from watchword.store.base_dagster import Line
from watchword.store.engine import Connection, Statement, one_of, upsert
from watchword.store.mapping import Mapper
from watchword.store.tables_dagster import code_locations, dagster_agents, work_items

LOCATIONS = Mapper(code_locations, CodeLocation)
ITEMS = Mapper(work_items, WorkItem)
AGENTS = Mapper(dagster_agents, DagsterAgent)

_l, _w, _a = code_locations.c, work_items.c, dagster_agents.c
_PUT = upsert(
    code_locations,
    (),
    tuple(c.name for c in LOCATIONS.columns if not c.primary_key and not c.name.startswith("created_")),
)
_OF = and_(
    _l.organization_id == bindparam("organization_id_"), _l.deployment_id == bindparam("deployment_id_")
)
_FIND = Statement(select(*LOCATIONS.columns).where(_OF, _l.name == bindparam("name_")))
_LIST = Statement(select(*LOCATIONS.columns).where(_OF).order_by(_l.name))
_DELETE = Statement(delete(code_locations).where(_OF, _l.name == bindparam("name_")))

_ADD_ITEM = Statement(insert(work_items))
_ITEM = and_(_w.organization_id == bindparam("organization_id_"), _w.id == bindparam("id_"))
_FIND_ITEM = Statement(select(*ITEMS.columns).where(_ITEM))
_WAITING = and_(one_of(_w.state, (ItemState.WAITING.value,)), _w.expires_at > bindparam("now_"))
_LINES = Statement(
    select(_w.organization_id, _w.deployment_id, _w.branch, _w.queue).where(_WAITING).distinct()
)
_WAITING_ITEMS = Statement(
    select(*ITEMS.columns)
    .where(
        _w.organization_id == bindparam("organization_id_"),
        _w.deployment_id == bindparam("deployment_id_"),
        _w.queue == bindparam("queue_"),
        _WAITING,
    )
    .order_by(_w.id)
    .limit(bindparam("limit_"))
)
_LIST_ITEMS = Statement(
    select(*ITEMS.columns)
    .where(
        _w.organization_id == bindparam("organization_id_"),
        _w.deployment_id == bindparam("deployment_id_"),
    )
    .order_by(_w.id.desc())
    .limit(bindparam("limit_"))
)
_TAKE = Statement(
    update(work_items)
    .where(_ITEM, _WAITING)
    .values(state=bindparam("state_"), taken_at=bindparam("now_"), taken_by=bindparam("taken_by_"))
)
_ANSWER = Statement(
    update(work_items)
    .where(_ITEM, one_of(_w.state, (ItemState.TAKEN.value,)))
    .values(state=bindparam("state_"), answer=bindparam("answer_"), answered_at=bindparam("at_"))
)
_FORGET_ITEMS = Statement(delete(work_items).where(_w.created_at < bindparam("before_")))

_SAVE_AGENT = upsert(
    dagster_agents,
    (),
    tuple(c.name for c in AGENTS.columns if not c.primary_key and c.name != "first_at"),
)
_SINCE = Statement(select(*AGENTS.columns).where(_a.seen_at >= bindparam("at_")).order_by(_a.seen_at))
_FORGET_AGENTS = Statement(delete(dagster_agents).where(_a.seen_at < bindparam("before_")))
_FAULTS = msgspec.json.Decoder(tuple[AgentFault, ...])


class CodeLocationRows:
    """`store.base_dagster.CodeLocations` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def put(self, location: CodeLocation) -> None:
        await self._cx.run(_PUT, LOCATIONS.encode(location))

    async def find(
        self, organization_id: OrganizationId, deployment_id: DeploymentId, name: str
    ) -> CodeLocation | None:
        asked = {"organization_id_": organization_id, "deployment_id_": deployment_id, "name_": name}
        row = await self._cx.one(_FIND, asked)
        return LOCATIONS.decode(row) if row else None

    async def list(
        self, organization_id: OrganizationId, deployment_id: DeploymentId
    ) -> Sequence[CodeLocation]:
        asked = {"organization_id_": organization_id, "deployment_id_": deployment_id}
        return [LOCATIONS.decode(row) for row in await self._cx.all(_LIST, asked)]

    async def delete(self, organization_id: OrganizationId, deployment_id: DeploymentId, name: str) -> bool:
        asked = {"organization_id_": organization_id, "deployment_id_": deployment_id, "name_": name}
        return await self._cx.run(_DELETE, asked) == 1


class WorkItemRows:
    """`store.base_dagster.WorkItems` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def add(self, item: WorkItem) -> None:
        await self._cx.run(_ADD_ITEM, ITEMS.encode(item))

    async def find(self, organization_id: OrganizationId, item_id: WorkItemId) -> WorkItem | None:
        row = await self._cx.one(_FIND_ITEM, {"organization_id_": organization_id, "id_": item_id})
        return ITEMS.decode(row) if row else None

    async def lines(self, now: int) -> Sequence[Line]:
        rows = await self._cx.all(_LINES, {"now_": now})
        return [
            (OrganizationId(owner), DeploymentId(place), bool(branch), queue)
            for owner, place, branch, queue in rows
        ]

    async def waiting(
        self, organization_id: OrganizationId, deployment_id: DeploymentId, queue: str, now: int, limit: int
    ) -> Sequence[WorkItem]:
        asked = {
            "organization_id_": organization_id,
            "deployment_id_": deployment_id,
            "queue_": queue,
            "now_": now,
            "limit_": limit,
        }
        return [ITEMS.decode(row) for row in await self._cx.all(_WAITING_ITEMS, asked)]

    async def list(
        self, organization_id: OrganizationId, deployment_id: DeploymentId, limit: int
    ) -> Sequence[WorkItem]:
        asked = {"organization_id_": organization_id, "deployment_id_": deployment_id, "limit_": limit}
        return [ITEMS.decode(row) for row in await self._cx.all(_LIST_ITEMS, asked)]

    async def take(
        self, organization_id: OrganizationId, item_id: WorkItemId, token_id: TokenId, now: int
    ) -> bool:
        given = {
            "organization_id_": organization_id,
            "id_": item_id,
            "now_": now,
            "taken_by_": token_id,
            "state_": ItemState.TAKEN.value,
        }
        return await self._cx.run(_TAKE, given) == 1

    async def answer(
        self, organization_id: OrganizationId, item_id: WorkItemId, answer: str, at: int
    ) -> bool:
        given = {
            "organization_id_": organization_id,
            "id_": item_id,
            "answer_": answer,
            "at_": at,
            "state_": ItemState.ANSWERED.value,
        }
        return await self._cx.run(_ANSWER, given) == 1

    async def forget(self, before: int) -> int:
        return await self._cx.run(_FORGET_ITEMS, {"before_": before})


class DagsterAgentRows:
    """`store.base_dagster.DagsterAgents` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def save(self, agents: Sequence[DagsterAgent]) -> None:
        await self._cx.run_many(_SAVE_AGENT, [AGENTS.encode(agent) for agent in agents])

    async def since(self, at: int) -> Sequence[DagsterAgent]:
        rows = await self._cx.all(_SINCE, {"at_": at})
        return [_agent(list(row)) for row in rows]

    async def forget(self, before: int) -> int:
        return await self._cx.run(_FORGET_AGENTS, {"before_": before})


_ERRORS = [column.name for column in AGENTS.columns].index("errors")


def _agent(row: list[object]) -> DagsterAgent:
    """A row as a record; its errors are records of their own."""
    faults = _FAULTS.decode(str(row[_ERRORS]))
    row[_ERRORS] = "[]"
    return replace(AGENTS.decode(row), errors=faults)
