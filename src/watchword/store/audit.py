"""Audit trail, outbox, remembered answers and the use ledger in the database."""

from collections.abc import Sequence

from sqlalchemy import and_, bindparam, delete, insert, select

from watchword.domain.events import Event, Notice
from watchword.domain.ids import OrganizationId, TokenId
from watchword.domain.use import Refusals, Use
from watchword.store.base import Replay
from watchword.store.counters import count_up
from watchword.store.engine import Connection, Statement, upsert
from watchword.store.mapping import Mapper
from watchword.store.tables import audit_events, outbox, refusals, replays, uses

EVENTS = Mapper(audit_events, Event)
NOTICES = Mapper(outbox, Notice)
REPLAYS = Mapper(replays, Replay)
USES = Mapper(uses, Use)
REFUSALS = Mapper(refusals, Refusals)

_e, _r = audit_events.c, replays.c
_ADD_EVENT = Statement(insert(audit_events))
_EVENTS = Statement(
    select(*EVENTS.columns)
    .where(_e.organization_id == bindparam("organization_id_"), _e.sequence > bindparam("after_"))
    .order_by(_e.sequence)
    .limit(bindparam("limit_"))
)
_POST = Statement(
    insert(outbox).values(
        at=bindparam("at"),
        organization_id=bindparam("organization_id"),
        topic=bindparam("topic"),
        payload=bindparam("payload"),
    )
)
# Without the ids that SQLAlchemy has a single insert return: many rows return none.
_POST_ALL = Statement(
    insert(outbox)
    .inline()
    .values(
        at=bindparam("at"),
        organization_id=bindparam("organization_id"),
        topic=bindparam("topic"),
        payload=bindparam("payload"),
    )
)
_NOTICES = Statement(
    select(*NOTICES.columns)
    .where(outbox.c.id > bindparam("after_"))
    .order_by(outbox.c.id)
    .limit(bindparam("limit_"))
)
_ONE_REPLAY = and_(
    _r.organization_id == bindparam("organization_id_"),
    _r.caller == bindparam("caller_"),
    _r.key == bindparam("key_"),
)
_REPLAY = Statement(select(*REPLAYS.columns).where(_ONE_REPLAY, _r.expires_at > bindparam("now_")))
_DROP_REPLAY = Statement(delete(replays).where(_ONE_REPLAY))
_ADD_REPLAY = Statement(insert(replays))
_FORGET = Statement(delete(replays).where(_r.expires_at <= bindparam("now_")))
_OF_TOKEN = and_(uses.c.organization_id == bindparam("organization_id_"), uses.c.token_id == bindparam("id_"))
_USES = Statement(select(*USES.columns).where(_OF_TOKEN).order_by(uses.c.last_at.desc()))
_LAST_USE = Statement(
    select(*USES.columns).where(_OF_TOKEN).order_by(uses.c.hour.desc(), uses.c.last_at.desc()).limit(1)
)


_ADD_USES = upsert(uses, add=("count",), replace=("last_at",))
_ADD_REFUSALS = upsert(refusals, add=("count",), replace=("last_at",))


class AuditRows:
    """`store.base.Audit` on a connection; `posted` collects what is published after the commit."""

    def __init__(self, connection: Connection, posted: list[Notice]) -> None:
        self._cx = connection
        self._posted = posted

    async def next_sequence(self, organization_id: OrganizationId) -> int:
        return await count_up(self._cx, organization_id, "audit")

    async def take_sequences(self, organization_id: OrganizationId, count: int) -> int:
        return await count_up(self._cx, organization_id, "audit", count) - count + 1

    async def add_all(self, events: Sequence[Event]) -> None:
        await self._cx.run_many(_ADD_EVENT, [EVENTS.encode(event) for event in events])

    async def add(self, event: Event) -> None:
        await self._cx.run(_ADD_EVENT, EVENTS.encode(event))

    async def events(self, organization_id: OrganizationId, after: int, limit: int) -> Sequence[Event]:
        parameters = {"organization_id_": organization_id, "after_": after, "limit_": limit}
        return [EVENTS.decode(row) for row in await self._cx.all(_EVENTS, parameters)]

    async def post(self, organization_id: OrganizationId, topic: str, payload: str, at: int) -> None:
        row = {"at": at, "organization_id": organization_id, "topic": topic, "payload": payload}
        await self._cx.run(_POST, row)
        self._posted.append(Notice(0, at, organization_id, topic, payload))

    async def post_all(self, notices: Sequence[Notice]) -> None:
        rows = [
            {
                "at": one.at,
                "organization_id": one.organization_id,
                "topic": one.topic,
                "payload": one.payload,
            }
            for one in notices
        ]
        await self._cx.run_many(_POST_ALL, rows)
        self._posted += notices

    async def notices(self, after: int, limit: int) -> Sequence[Notice]:
        return [
            NOTICES.decode(row) for row in await self._cx.all(_NOTICES, {"after_": after, "limit_": limit})
        ]

    async def replay(self, organization_id: OrganizationId, caller: str, key: str, now: int) -> Replay | None:
        parameters = {
            "organization_id_": organization_id,
            "caller_": caller,
            "key_": key,
            "now_": now,
        }
        row = await self._cx.one(_REPLAY, parameters)
        return REPLAYS.decode(row) if row else None

    async def remember(self, replay: Replay) -> None:
        parameters = {
            "organization_id_": replay.organization_id,
            "caller_": replay.caller,
            "key_": replay.key,
        }
        await self._cx.run(_DROP_REPLAY, parameters)
        await self._cx.run(_ADD_REPLAY, REPLAYS.encode(replay))

    async def forget(self, now: int) -> int:
        return await self._cx.run(_FORGET, {"now_": now})

    async def add_uses(self, uses: Sequence[Use]) -> None:
        await self._cx.run_many(_ADD_USES, [USES.encode(use) for use in uses])

    async def add_refusals(self, refusals: Sequence[Refusals]) -> None:
        await self._cx.run_many(_ADD_REFUSALS, [REFUSALS.encode(item) for item in refusals])

    async def uses(self, organization_id: OrganizationId, token_id: TokenId) -> Sequence[Use]:
        parameters = {"organization_id_": organization_id, "id_": token_id}
        return [USES.decode(row) for row in await self._cx.all(_USES, parameters)]

    async def last_use(self, organization_id: OrganizationId, token_id: TokenId) -> Use | None:
        row = await self._cx.one(_LAST_USE, {"organization_id_": organization_id, "id_": token_id})
        return USES.decode(row) if row else None
