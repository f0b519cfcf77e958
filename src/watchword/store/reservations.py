"""Jobs as stacks take them, in the database: reserved, given back, ended without an agent."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import BigInteger, ClauseElement, and_, bindparam, func, or_, select, update

from watchword.domain.ids import ClusterId, JobId, OrganizationId, QueueId, StackId
from watchword.domain.pipelines import Job, JobState
from watchword.domain.stacks import Cursor, WaitingJob
from watchword.store.base_work import HeldBack
from watchword.store.engine import Connection, Statement, in_list, one_of
from watchword.store.mapping import Mapper
from watchword.store.tables import builds, jobs, pipelines, queues

JOBS = Mapper(jobs, Job)

_j, _b, _p, _q = jobs.c, builds.c, pipelines.c, queues.c
_OWN = _j.organization_id == bindparam("organization_id_")
_SAME_HANDS = and_(_OWN, _j.id == bindparam("id_"), _j.fence == bindparam("fence_"))
_SCHEDULED = one_of(_j.state, (JobState.SCHEDULED.value,))
_RESERVED = one_of(_j.state, (JobState.RESERVED.value,))
# The page first, whose jobs are then joined with what surrounds them: the other way round reads too much.
_PAGE = (
    select(_j.organization_id, _j.id, _j.priority, _j.rules, _j.runnable_at, _j.step_key, _j.build_id)
    .where(
        _OWN,
        _SCHEDULED,
        _j.queue_id == bindparam("queue_id_"),
        _j.runnable_at >= bindparam("at_", type_=BigInteger),
        or_(_j.runnable_at > bindparam("at_", type_=BigInteger), _j.id > bindparam("after_")),
    )
    .order_by(_j.runnable_at, _j.id)
    .limit(bindparam("limit_"))
    .subquery("page")
)
_WAITING = Statement(
    select(
        _PAGE.c.id,
        _PAGE.c.priority,
        _PAGE.c.rules,
        _PAGE.c.runnable_at,
        _PAGE.c.step_key,
        _p.id,
        _p.slug,
        _b.id,
        _b.number,
        _b.branch,
    )
    .join(builds, and_(_b.organization_id == _PAGE.c.organization_id, _b.id == _PAGE.c.build_id))
    .join(pipelines, and_(_p.organization_id == _PAGE.c.organization_id, _p.id == _b.pipeline_id))
    .order_by(_PAGE.c.runnable_at, _PAGE.c.id)
)


def _reserve(*, everywhere: bool) -> Statement:
    """The update of `reserve`; in one queue, or in every one of the cluster."""
    open_queues = select(_q.id).where(
        _q.organization_id == bindparam("organization_id_"),
        _q.cluster_id == bindparam("cluster_id_"),
        _q.dispatch_paused == 0,
    )
    if not everywhere:
        open_queues = open_queues.where(_q.id == bindparam("queue_id_"))

    def clause(dialect: str) -> ClauseElement:
        # PostgreSQL passes over rows that others are just taking, so that no two wait for each other.
        free = (
            select(_j.id)
            .where(
                _OWN,
                in_list(_j.id, "job_ids_", dialect),
                _SCHEDULED,
                _j.cluster_id == bindparam("cluster_id_"),
                _j.queue_id.in_(open_queues),
            )
            .with_for_update(skip_locked=True)
        )
        return (
            update(jobs)
            .where(_OWN, _SCHEDULED, _j.id.in_(free))
            .values(
                state=JobState.RESERVED.value,
                fence=_j.fence + 1,
                reserved_by=bindparam("stack_id_"),
                reserved_until=bindparam("until_"),
            )
            .returning(*JOBS.columns)
        )

    return Statement(clause)


_RESERVE, _RESERVE_IN_QUEUE = _reserve(everywhere=True), _reserve(everywhere=False)
_OVERDUE = Statement(
    select(*JOBS.columns)
    .where(_RESERVED, _j.reserved_until <= bindparam("now_", type_=BigInteger))
    .order_by(_j.reserved_until)
    .limit(bindparam("limit_"))
)
_GIVE_BACK = Statement(
    update(jobs)
    .where(_SAME_HANDS, _RESERVED, _j.reserved_until <= bindparam("now_", type_=BigInteger))
    .values(state=JobState.SCHEDULED.value)
)
_OUTCOME = ("exit_status", "signal_reason", "finished_at", "soft_failed", "stack_error")
_FAIL = Statement(
    update(jobs)
    .where(_SAME_HANDS, or_(_SCHEDULED, _RESERVED))
    .values({"state": JobState.FINISHED.value, **{name: bindparam(f"{name}_") for name in _OUTCOME}})
)
_STATES = Statement(
    lambda dialect: select(_j.id, _j.queue_id, _j.state).where(
        _OWN, in_list(_j.id, "job_ids_", dialect), _j.cluster_id == bindparam("cluster_id_")
    )
)
_COUNT_RESERVED = Statement(
    select(_j.cluster_id, _j.queue_id, _j.rules, func.count())
    .where(_OWN, _RESERVED)
    .group_by(_j.cluster_id, _j.queue_id, _j.rules)
)
_COUNT_BY_STACK = Statement(
    select(_j.reserved_by, func.count()).where(_OWN, _RESERVED).group_by(_j.reserved_by)
)


def _list(job_ids: Sequence[JobId]) -> str:
    return msgspec.json.encode(list(job_ids)).decode()


class ReservationRows:
    """`store.base_stacks.Reservations` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def waiting(
        self, organization_id: OrganizationId, queue_id: QueueId, after: Cursor, limit: int
    ) -> Sequence[WaitingJob]:
        parameters = {
            "organization_id_": organization_id,
            "queue_id_": queue_id,
            "at_": after.runnable_at,
            "after_": after.id,
            "limit_": limit,
        }
        return [
            WaitingJob(row[0], row[1], tuple(msgspec.json.decode(row[2])), *row[3:])
            for row in await self._cx.all(_WAITING, parameters)
        ]

    async def reserve(
        self,
        organization_id: OrganizationId,
        cluster_id: ClusterId,
        queue_id: QueueId | None,
        stack_id: StackId,
        job_ids: Sequence[JobId],
        until: int,
    ) -> Sequence[Job]:
        parameters: dict[str, object] = {
            "organization_id_": organization_id,
            "cluster_id_": cluster_id,
            "stack_id_": stack_id,
            "job_ids_": _list(job_ids),
            "until_": until,
        }
        statement = _RESERVE
        if queue_id is not None:
            statement, parameters["queue_id_"] = _RESERVE_IN_QUEUE, queue_id
        return [JOBS.decode(row) for row in await self._cx.all(statement, parameters)]

    async def overdue(self, now: int, limit: int) -> Sequence[Job]:
        return [JOBS.decode(row) for row in await self._cx.all(_OVERDUE, {"now_": now, "limit_": limit})]

    async def give_back(self, job: Job, now: int) -> bool:
        return await self._cx.run(_GIVE_BACK, _hands(job) | {"now_": now}) == 1

    async def fail(self, job: Job) -> bool:
        outcome = {f"{name}_": getattr(job, name) for name in _OUTCOME}
        return await self._cx.run(_FAIL, _hands(job) | outcome) == 1

    async def states(
        self, organization_id: OrganizationId, cluster_id: ClusterId, job_ids: Sequence[JobId]
    ) -> Sequence[tuple[JobId, QueueId | None, JobState]]:
        parameters = {
            "organization_id_": organization_id,
            "cluster_id_": cluster_id,
            "job_ids_": _list(job_ids),
        }
        rows = await self._cx.all(_STATES, parameters)
        return [(JobId(row[0]), row[1], JobState(row[2])) for row in rows]

    async def count_reserved(self, organization_id: OrganizationId) -> Sequence[HeldBack]:
        rows = await self._cx.all(_COUNT_RESERVED, {"organization_id_": organization_id})
        return [HeldBack(row[0], row[1], tuple(msgspec.json.decode(row[2])), row[3]) for row in rows]

    async def count_by_stack(self, organization_id: OrganizationId) -> Sequence[tuple[StackId, int]]:
        rows = await self._cx.all(_COUNT_BY_STACK, {"organization_id_": organization_id})
        return [(StackId(row[0]), row[1]) for row in rows if row[0] is not None]


def _hands(job: Job) -> dict[str, object]:
    return {"organization_id_": job.organization_id, "id_": job.id, "fence_": job.fence}
