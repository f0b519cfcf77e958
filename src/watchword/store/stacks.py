"""Stacks and their notifications in the database."""

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, func, insert, select, update

from watchword.domain.ids import ClusterId, JobId, OrganizationId, StackId
from watchword.domain.stacks import Stack, StackNotification
from watchword.store.engine import Connection, Statement, insert_missing
from watchword.store.mapping import Mapper
from watchword.store.page import Page
from watchword.store.tables_stacks import stack_notifications, stacks

STACKS = Mapper(stacks, Stack)
NOTIFICATIONS = Mapper(stack_notifications, StackNotification)

_s, _n = stacks.c, stack_notifications.c
_ONE = (_s.organization_id == bindparam("organization_id_"), _s.id == bindparam("id_"))
_OF_CLUSTER = (
    _s.organization_id == bindparam("organization_id_"),
    _s.cluster_id == bindparam("cluster_id_"),
)
_SAID = ("type", "queue_id", "metadata", "updated_at", "deregistered_at")

_ADD = Statement(insert(stacks))
_SAVE = Statement(update(stacks).where(*_ONE).values({name: bindparam(f"{name}_") for name in _SAID}))
_FIND = Statement(select(*STACKS.columns).where(*_ONE))
_BY_KEY = Statement(select(*STACKS.columns).where(*_OF_CLUSTER, _s.key == bindparam("key_")))
_LIST = Statement(
    select(*STACKS.columns)
    .where(*_OF_CLUSTER)
    .order_by(_s.key)
    .limit(bindparam("limit_"))
    .offset(bindparam("offset_"))
)
_COUNT = Statement(
    select(func.count()).where(_s.organization_id == bindparam("organization_id_"), _s.deregistered_at == 0)
)
_DEREGISTER = Statement(
    update(stacks).where(*_ONE, _s.deregistered_at == 0).values(deregistered_at=bindparam("at_"))
)
_FORGET = Statement(
    delete(stacks).where(
        _s.organization_id == bindparam("organization_id_"),
        _s.deregistered_at > 0,
        _s.deregistered_at < bindparam("before_"),
    )
)
_TOUCH = Statement(
    update(stacks).where(*_ONE, _s.polled_at < bindparam("at_")).values(polled_at=bindparam("at_"))
)
_OF_JOB = (_n.organization_id == bindparam("organization_id_"), _n.job_id == bindparam("job_id_"))
_NOTIFY = insert_missing(stack_notifications)
_COUNT_NOTIFICATIONS = Statement(select(func.count()).where(*_OF_JOB))
_NOTIFICATIONS = Statement(select(*NOTIFICATIONS.columns).where(*_OF_JOB).order_by(_n.number))


class StackRows:
    """`store.base_stacks.Stacks` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def add(self, stack: Stack) -> None:
        await self._cx.run(_ADD, STACKS.encode(stack))

    async def save(self, stack: Stack) -> None:
        row = STACKS.encode(stack)
        await self._cx.run(_SAVE, {f"{name}_": row[name] for name in ("organization_id", "id", *_SAID)})

    async def find(self, organization_id: OrganizationId, stack_id: StackId) -> Stack | None:
        row = await self._cx.one(_FIND, {"organization_id_": organization_id, "id_": stack_id})
        return STACKS.decode(row) if row else None

    async def by_key(self, organization_id: OrganizationId, cluster_id: ClusterId, key: str) -> Stack | None:
        parameters = {"organization_id_": organization_id, "cluster_id_": cluster_id, "key_": key}
        row = await self._cx.one(_BY_KEY, parameters)
        return STACKS.decode(row) if row else None

    async def of_cluster(
        self, organization_id: OrganizationId, cluster_id: ClusterId, page: Page
    ) -> Sequence[Stack]:
        parameters = {
            "organization_id_": organization_id,
            "cluster_id_": cluster_id,
            "limit_": page.limit,
            "offset_": page.offset,
        }
        return [STACKS.decode(row) for row in await self._cx.all(_LIST, parameters)]

    async def count(self, organization_id: OrganizationId) -> int:
        row = await self._cx.one(_COUNT, {"organization_id_": organization_id})
        return int(row[0]) if row else 0

    async def deregister(self, organization_id: OrganizationId, stack_id: StackId, at: int) -> bool:
        parameters = {"organization_id_": organization_id, "id_": stack_id, "at_": at}
        return await self._cx.run(_DEREGISTER, parameters) == 1

    async def forget(self, organization_id: OrganizationId, before: int) -> int:
        return await self._cx.run(_FORGET, {"organization_id_": organization_id, "before_": before})

    async def touch(self, polls: Sequence[tuple[OrganizationId, StackId, int]]) -> None:
        rows = [{"organization_id_": owner, "id_": stack_id, "at_": at} for owner, stack_id, at in polls]
        await self._cx.run_many(_TOUCH, rows)

    async def add_notification(self, notification: StackNotification) -> bool:
        return await self._cx.run(_NOTIFY, NOTIFICATIONS.encode(notification)) == 1

    async def count_notifications(self, organization_id: OrganizationId, job_id: JobId) -> int:
        parameters = {"organization_id_": organization_id, "job_id_": job_id}
        row = await self._cx.one(_COUNT_NOTIFICATIONS, parameters)
        return int(row[0]) if row else 0

    async def notifications(
        self, organization_id: OrganizationId, job_id: JobId
    ) -> Sequence[StackNotification]:
        parameters = {"organization_id_": organization_id, "job_id_": job_id}
        return [NOTIFICATIONS.decode(row) for row in await self._cx.all(_NOTIFICATIONS, parameters)]
