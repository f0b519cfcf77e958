"""Audit trails and their heads in the database."""

from collections.abc import Sequence

from sqlalchemy import ClauseElement, ColumnElement, Text, bindparam, cast, delete, func, insert, or_, select

from watchword.domain.audittrail import Head
from watchword.domain.events import Event
from watchword.domain.ids import OrganizationId
from watchword.store.audit import EVENTS
from watchword.store.base_trail import TrailQuery
from watchword.store.engine import Connection, Statement, pattern
from watchword.store.mapping import Mapper
from watchword.store.page import Page
from watchword.store.tables import audit_events, audit_heads

HEADS = Mapper(audit_heads, Head)

_e, _h = audit_events.c, audit_heads.c
_OF_TRAIL = _e.organization_id == bindparam("organization_id_")
_OF_HEADS = _h.organization_id == bindparam("organization_id_")

_LATEST = Statement(
    select(*EVENTS.columns)
    .where(_OF_TRAIL, or_(bindparam("before_") == 0, _e.sequence < bindparam("before_")))
    .order_by(_e.sequence.desc())
    .limit(bindparam("limit_"))
)


def _search(dialect: str) -> ClauseElement:
    """Events of a part of a trail that fit; the part is small, so that reading it whole is no matter."""
    place = func.strpos if dialect == "postgresql" else func.instr

    def given(name: str) -> ColumnElement[str]:
        return cast(bindparam(name), Text)

    def names(id_: ColumnElement[str]) -> ColumnElement[bool]:
        direct = (_e.subject_id, _e.actor_id, _e.token_id)
        return or_(id_ == "", *(column == id_ for column in direct), place(_e.data, id_) > 0)

    return (
        select(*EVENTS.columns)
        .where(
            _OF_TRAIL,
            _e.sequence < bindparam("before_"),
            _e.sequence > bindparam("above_"),
            or_(given("action_") == "%", _e.action.like(given("action_"), escape="\\")),
            or_(given("actor_id_") == "", _e.actor_id == given("actor_id_")),
            or_(
                given("actor_name_") == "%",
                func.lower(_e.actor_name).like(given("actor_name_"), escape="\\"),
            ),
            names(given("token_")),
            names(given("agent_")),
        )
        .order_by(_e.sequence.desc())
        .limit(bindparam("limit_"))
    )


_SEARCH = Statement(_search)
_AT = Statement(
    select(*EVENTS.columns)
    .where(_OF_TRAIL, _e.sequence >= bindparam("sequence_"))
    .order_by(_e.sequence)
    .limit(1)
)
_LAST = Statement(select(func.max(_e.sequence)).where(_OF_TRAIL))
_ADD_HEAD = Statement(insert(audit_heads))
_HEAD = Statement(select(*HEADS.columns).where(_OF_HEADS).order_by(_h.sequence.desc()).limit(1))
_HEADS = Statement(
    select(*HEADS.columns)
    .where(_OF_HEADS, _h.sequence > bindparam("after_"))
    .order_by(_h.sequence)
    .limit(bindparam("limit_"))
)
_LATEST_HEADS = Statement(
    select(*HEADS.columns)
    .where(_OF_HEADS)
    .order_by(_h.sequence.desc())
    .limit(bindparam("limit_"))
    .offset(bindparam("offset_"))
)
_DROP_HEADS = Statement(delete(audit_heads).where(_OF_HEADS, _h.sequence < bindparam("before_")))
_DROP_EVENTS = Statement(delete(audit_events).where(_OF_TRAIL, _e.sequence <= bindparam("through_")))


class TrailRows:
    """`store.base_trail.Trail` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def latest(self, organization_id: OrganizationId, before: int, limit: int) -> Sequence[Event]:
        parameters = {"organization_id_": organization_id, "before_": before, "limit_": limit}
        return [EVENTS.decode(row) for row in await self._cx.all(_LATEST, parameters)]

    async def search(
        self, organization_id: OrganizationId, asked: TrailQuery, before: int, above: int, limit: int
    ) -> Sequence[Event]:
        parameters = {
            "organization_id_": organization_id,
            "before_": before,
            "above_": above,
            "action_": pattern(asked.action, begins=asked.action.endswith(".")),
            "actor_id_": asked.actor_id,
            "actor_name_": pattern(asked.actor_name.lower(), anywhere=True),
            "token_": asked.token,
            "agent_": asked.agent,
            "limit_": limit,
        }
        return [EVENTS.decode(row) for row in await self._cx.all(_SEARCH, parameters)]

    async def at(self, organization_id: OrganizationId, sequence: int) -> Event | None:
        row = await self._cx.one(_AT, {"organization_id_": organization_id, "sequence_": sequence})
        return EVENTS.decode(row) if row else None

    async def last(self, organization_id: OrganizationId) -> int:
        row = await self._cx.one(_LAST, {"organization_id_": organization_id})
        return int(row[0]) if row and row[0] is not None else 0

    async def add_head(self, head: Head) -> None:
        await self._cx.run(_ADD_HEAD, HEADS.encode(head))

    async def head(self, organization_id: OrganizationId) -> Head | None:
        row = await self._cx.one(_HEAD, {"organization_id_": organization_id})
        return HEADS.decode(row) if row else None

    async def heads(self, organization_id: OrganizationId, after: int, limit: int) -> Sequence[Head]:
        parameters = {"organization_id_": organization_id, "after_": after, "limit_": limit}
        return [HEADS.decode(row) for row in await self._cx.all(_HEADS, parameters)]

    async def latest_heads(self, organization_id: OrganizationId, page: Page) -> Sequence[Head]:
        parameters = {"organization_id_": organization_id, "limit_": page.limit, "offset_": page.offset}
        return [HEADS.decode(row) for row in await self._cx.all(_LATEST_HEADS, parameters)]

    async def drop_heads(self, organization_id: OrganizationId, before: int) -> int:
        return await self._cx.run(_DROP_HEADS, {"organization_id_": organization_id, "before_": before})

    async def drop_events(self, organization_id: OrganizationId, through: int) -> int:
        return await self._cx.run(_DROP_EVENTS, {"organization_id_": organization_id, "through_": through})
