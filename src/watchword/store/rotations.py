"""Rotations and incidents in the database."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import bindparam, func, insert, select, text, update

from watchword.domain.fleet import Agent
from watchword.domain.ids import IncidentId, OrganizationId, TokenId, UserId
from watchword.domain.incidents import Incident, IncidentState
from watchword.domain.rotations import Cause, Rotation, RotationState
from watchword.store.engine import Connection, Statement
from watchword.store.fleet import AGENTS
from watchword.store.mapping import Mapper
from watchword.store.page import Page
from watchword.store.tables import agents
from watchword.store.tables_rotations import incidents, rotations

ROTATIONS = Mapper(rotations, Rotation)
INCIDENTS = Mapper(incidents, Incident)

_r, _i, _a = rotations.c, incidents.c, agents.c
_OURS = _r.organization_id == bindparam("organization_id_")
_ONE = (_OURS, _r.successor_id == bindparam("id_"))
# As the indexes have it, word for word; SQLite uses a partial index only then.
_OPEN = text("rotations.state = 'open'")
_INCIDENT_OPEN = text("incidents.state = 'open'")
_NOT_ENDED = text("agents.ended_at = 0")

_ADD = Statement(insert(rotations))
_OF_SUCCESSOR = Statement(select(*ROTATIONS.columns).where(*_ONE))
_OF_PREDECESSOR = Statement(
    select(*ROTATIONS.columns)
    .where(_OURS, _r.predecessor_id == bindparam("id_"))
    .order_by(_r.started_at.desc(), _r.successor_id.desc())
    .limit(1)
)
_OPEN_FROM = Statement(select(*ROTATIONS.columns).where(_OURS, _r.predecessor_id == bindparam("id_"), _OPEN))
_ALL_OPEN = Statement(select(*ROTATIONS.columns).where(_OPEN).order_by(_r.successor_id))
_NOTE_USE = Statement(
    update(rotations).where(*_ONE, _OPEN, _r.first_used_at == 0).values(first_used_at=bindparam("at_"))
)
_EXTEND = Statement(update(rotations).where(*_ONE, _OPEN).values(deadline=bindparam("deadline_")))
_END = Statement(
    update(rotations)
    .where(*_ONE, _OPEN)
    .values(
        state=bindparam("state_"),
        cause=bindparam("cause_"),
        ended_at=bindparam("at_"),
        ended_by=bindparam("by_"),
    )
)
_HELD = (
    _a.organization_id == bindparam("organization_id_"),
    _a.token_id == bindparam("id_"),
    _NOT_ENDED,
)
_HOLDERS = Statement(
    select(*AGENTS.columns)
    .where(*_HELD)
    .order_by(_a.id)
    .limit(bindparam("limit_"))
    .offset(bindparam("offset_"))
)
_COUNT_HOLDERS = Statement(select(func.count()).select_from(agents).where(*_HELD))

_ONE_INCIDENT = (_i.organization_id == bindparam("organization_id_"), _i.id == bindparam("id_"))
_ADD_INCIDENT = Statement(insert(incidents))
_FIND_INCIDENT = Statement(select(*INCIDENTS.columns).where(*_ONE_INCIDENT))
_LATEST = Statement(
    select(*INCIDENTS.columns)
    .where(_i.organization_id == bindparam("organization_id_"), _i.token_id == bindparam("token_id_"))
    .order_by(_i.first_at.desc(), _i.id.desc())
    .limit(1)
)
_LIST = Statement(
    select(*INCIDENTS.columns)
    .where(_i.organization_id == bindparam("organization_id_"))
    .order_by(_i.id.desc())
    .limit(bindparam("limit_"))
    .offset(bindparam("offset_"))
)
_INCIDENTS_OPEN = Statement(select(*INCIDENTS.columns).where(_INCIDENT_OPEN).order_by(_i.id))
_NOTE = Statement(
    update(incidents)
    .where(*_ONE_INCIDENT)
    .values(addresses=bindparam("addresses_"), count=_i.count + bindparam("count_"), last_at=bindparam("at_"))
)
_CLOSE = Statement(
    update(incidents)
    .where(*_ONE_INCIDENT, _INCIDENT_OPEN)
    .values(
        state=IncidentState.CLOSED.value,
        closed_at=bindparam("at_"),
        closed_by=bindparam("by_"),
        note=bindparam("note_"),
    )
)


class RotationRows:
    """`store.base_rotations.Rotations` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def add(self, rotation: Rotation) -> None:
        await self._cx.run(_ADD, ROTATIONS.encode(rotation))

    async def of_successor(self, organization_id: OrganizationId, token_id: TokenId) -> Rotation | None:
        return await self._one(_OF_SUCCESSOR, organization_id, token_id)

    async def of_predecessor(self, organization_id: OrganizationId, token_id: TokenId) -> Rotation | None:
        return await self._one(_OF_PREDECESSOR, organization_id, token_id)

    async def open_with(self, organization_id: OrganizationId, token_id: TokenId) -> Rotation | None:
        found = await self._one(_OPEN_FROM, organization_id, token_id)
        if found is None:
            found = await self._one(_OF_SUCCESSOR, organization_id, token_id)
        return found if found is not None and found.open else None

    async def _one(
        self, statement: Statement, organization_id: OrganizationId, token_id: TokenId
    ) -> Rotation | None:
        row = await self._cx.one(statement, {"organization_id_": organization_id, "id_": token_id})
        return ROTATIONS.decode(row) if row else None

    async def all_open(self) -> Sequence[Rotation]:
        return [ROTATIONS.decode(row) for row in await self._cx.all(_ALL_OPEN, {})]

    async def note_use(self, organization_id: OrganizationId, successor_id: TokenId, at: int) -> bool:
        parameters = {"organization_id_": organization_id, "id_": successor_id, "at_": at}
        return await self._cx.run(_NOTE_USE, parameters) == 1

    async def extend(self, organization_id: OrganizationId, successor_id: TokenId, deadline: int) -> bool:
        parameters = {"organization_id_": organization_id, "id_": successor_id, "deadline_": deadline}
        return await self._cx.run(_EXTEND, parameters) == 1

    async def end(
        self,
        organization_id: OrganizationId,
        successor_id: TokenId,
        state: RotationState,
        cause: Cause,
        at: int,
        by: UserId | None,
    ) -> bool:
        parameters = {
            "organization_id_": organization_id,
            "id_": successor_id,
            "state_": state.value,
            "cause_": cause.value,
            "at_": at,
            "by_": by,
        }
        return await self._cx.run(_END, parameters) == 1

    async def holders(
        self, organization_id: OrganizationId, token_id: TokenId, page: Page
    ) -> Sequence[Agent]:
        parameters = {
            "organization_id_": organization_id,
            "id_": token_id,
            "limit_": page.limit,
            "offset_": page.offset,
        }
        return [AGENTS.decode(row) for row in await self._cx.all(_HOLDERS, parameters)]

    async def count_holders(self, organization_id: OrganizationId, token_id: TokenId) -> int:
        row = await self._cx.one(_COUNT_HOLDERS, {"organization_id_": organization_id, "id_": token_id})
        return int(row[0]) if row else 0


class IncidentRows:
    """`store.base_rotations.Incidents` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def add(self, incident: Incident) -> None:
        await self._cx.run(_ADD_INCIDENT, INCIDENTS.encode(incident))

    async def find(self, organization_id: OrganizationId, incident_id: IncidentId) -> Incident | None:
        parameters = {"organization_id_": organization_id, "id_": incident_id}
        row = await self._cx.one(_FIND_INCIDENT, parameters)
        return INCIDENTS.decode(row) if row else None

    async def latest(self, organization_id: OrganizationId, token_id: TokenId) -> Incident | None:
        row = await self._cx.one(_LATEST, {"organization_id_": organization_id, "token_id_": token_id})
        return INCIDENTS.decode(row) if row else None

    async def list(self, organization_id: OrganizationId, page: Page) -> Sequence[Incident]:
        parameters = {"organization_id_": organization_id, "limit_": page.limit, "offset_": page.offset}
        return [INCIDENTS.decode(row) for row in await self._cx.all(_LIST, parameters)]

    async def all_open(self) -> Sequence[Incident]:
        return [INCIDENTS.decode(row) for row in await self._cx.all(_INCIDENTS_OPEN, {})]

    async def note(
        self,
        organization_id: OrganizationId,
        incident_id: IncidentId,
        addresses: Sequence[str],
        count: int,
        last_at: int,
    ) -> None:
        parameters = {
            "organization_id_": organization_id,
            "id_": incident_id,
            "addresses_": msgspec.json.encode(list(addresses)).decode(),
            "count_": count,
            "at_": last_at,
        }
        await self._cx.run(_NOTE, parameters)

    async def close(
        self, organization_id: OrganizationId, incident_id: IncidentId, at: int, by: UserId | None, note: str
    ) -> bool:
        parameters = {
            "organization_id_": organization_id,
            "id_": incident_id,
            "at_": at,
            "by_": by,
            "note_": note,
        }
        return await self._cx.run(_CLOSE, parameters) == 1
