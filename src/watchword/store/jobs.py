"""Jobs that no agent holds, in the database: moved, edited, replaced, dropped, limited by their group."""

from collections.abc import Sequence

from sqlalchemy import BigInteger, and_, bindparam, case, delete, select, text, update

from watchword.domain.ids import JobId, OrganizationId
from watchword.domain.pipelines import Job, JobState
from watchword.store.counters import count_up
from watchword.store.engine import Connection, Statement, one_of
from watchword.store.mapping import Mapper
from watchword.store.tables import jobs

JOBS = Mapper(jobs, Job)

_j = jobs.c
_OPEN = tuple(state.value for state in JobState if not state.ended)
_NOT_HELD = tuple(state.value for state in JobState if not (state.held or state.ended))
_ONE_JOB = and_(_j.organization_id == bindparam("organization_id_"), _j.id == bindparam("id_"))
_MOVE_JOB = Statement(
    update(jobs)
    .where(_ONE_JOB, _j.state == bindparam("from_"))
    .values(
        state=bindparam("state_"),
        runnable_at=case(
            (bindparam("runnable_", type_=BigInteger) == 0, _j.runnable_at),
            else_=bindparam("runnable_", type_=BigInteger),
        ),
        finished_at=bindparam("finished_", type_=BigInteger),
    )
)
_EDIT_JOB = Statement(
    update(jobs)
    .where(_ONE_JOB, one_of(_j.state, _OPEN))
    .values(label=bindparam("label_"), priority=bindparam("priority_"))
)
_REPLACE_JOB = Statement(
    update(jobs).where(_ONE_JOB, _j.retried_in.is_(None)).values(retried_in=bindparam("by_"))
)
_DROP_JOB = Statement(delete(jobs).where(_ONE_JOB, one_of(_j.state, _NOT_HELD)))
# The first two conditions are those of the index, word for word.
_GROUP_JOBS = Statement(
    select(*JOBS.columns)
    .where(
        text("concurrency_group <> '' AND finished_at = 0"),
        _j.organization_id == bindparam("organization_id_"),
        _j.concurrency_group == bindparam("group_"),
    )
    .order_by(_j.id)
)


class JobMoves:
    """The part of `store.base.Builds` that has to do with jobs that no agent holds."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def move_job(self, job: Job, state: JobState, at: int) -> bool:
        parameters = {
            "organization_id_": job.organization_id,
            "id_": job.id,
            "from_": job.state.value,
            "state_": state.value,
            "runnable_": at if state is JobState.SCHEDULED else 0,
            "finished_": at if state.ended else 0,
        }
        return await self._cx.run(_MOVE_JOB, parameters) == 1

    async def edit_job(self, job: Job) -> bool:
        parameters = {
            "organization_id_": job.organization_id,
            "id_": job.id,
            "label_": job.label,
            "priority_": job.priority,
        }
        return await self._cx.run(_EDIT_JOB, parameters) == 1

    async def replace_job(self, job: Job, by: JobId) -> bool:
        parameters = {"organization_id_": job.organization_id, "id_": job.id, "by_": by}
        return await self._cx.run(_REPLACE_JOB, parameters) == 1

    async def drop_job(self, job: Job) -> bool:
        return await self._cx.run(_DROP_JOB, {"organization_id_": job.organization_id, "id_": job.id}) == 1

    async def enter_group(self, organization_id: OrganizationId, group: str) -> None:
        await count_up(self._cx, organization_id, f"concurrency_group:{group}")

    async def group_jobs(self, organization_id: OrganizationId, group: str) -> Sequence[Job]:
        parameters = {"organization_id_": organization_id, "group_": group}
        return [JOBS.decode(row) for row in await self._cx.all(_GROUP_JOBS, parameters)]
