"""Runs of Dagster jobs, their events, and what agents put into the object store, in the database."""

from collections.abc import Sequence

from sqlalchemy import (
    BindParameter,
    Text,
    and_,
    bindparam,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from watchword.domain.dagsterruns import DagsterEvent, DagsterRun, RunStatus
from watchword.domain.dagsteruploads import DagsterUpload, UploadKind, UploadState
from watchword.domain.ids import DagsterUploadId, DeploymentId, OrganizationId
from watchword.store.counters import count_up
from watchword.store.engine import Connection, Statement, insert_missing, one_of
from watchword.store.mapping import Mapper
from watchword.store.page import Page
from watchword.store.tables_dagsterruns import dagster_events, dagster_runs, dagster_uploads

RUNS = Mapper(dagster_runs, DagsterRun)
EVENTS = Mapper(dagster_events, DagsterEvent)
UPLOADS = Mapper(dagster_uploads, DagsterUpload)

_r, _e, _u = dagster_runs.c, dagster_events.c, dagster_uploads.c
_IN = and_(
    _r.organization_id == bindparam("organization_id_"), _r.deployment_id == bindparam("deployment_id_")
)
_ONE = and_(_IN, _r.id == bindparam("id_"))
_ADD = insert_missing(dagster_runs)
_SAVE = Statement(
    update(dagster_runs)
    .where(_ONE)
    .values(
        status=bindparam("status_"),
        tags=bindparam("tags_"),
        updated_at=bindparam("updated_at_"),
        started_at=bindparam("started_at_"),
        ended_at=bindparam("ended_at_"),
    )
)
_FIND = Statement(select(*RUNS.columns).where(_ONE))
# States between commas, every one where there are none.
_STATES: BindParameter[str] = bindparam("states_", type_=Text)
_LIST = Statement(
    select(*RUNS.columns)
    .where(_IN, or_(_STATES == "", _STATES.like(literal("%,", Text) + _r.status + literal(",%", Text))))
    .order_by(_r.number.desc())
    .limit(bindparam("limit_"))
    .offset(bindparam("offset_"))
)
_FORGET_RUNS = Statement(delete(dagster_runs).where(_r.created_at < bindparam("before_")))

_ADD_EVENT = Statement(insert(dagster_events))
_OF_RUN = and_(
    _e.organization_id == bindparam("organization_id_"),
    _e.deployment_id == bindparam("deployment_id_"),
    _e.run_id == bindparam("run_id_"),
)
_EVENTS = Statement(
    select(*EVENTS.columns)
    .where(_OF_RUN, _e.number > bindparam("after_"))
    .order_by(_e.number)
    .limit(bindparam("limit_"))
)
_COUNT = Statement(select(func.count()).select_from(dagster_events).where(_OF_RUN))
_FORGET_EVENTS = Statement(delete(dagster_events).where(_e.at < bindparam("before_")))

_UPLOAD = and_(_u.organization_id == bindparam("organization_id_"), _u.id == bindparam("id_"))
_ADD_UPLOAD = Statement(insert(dagster_uploads))
_FIND_UPLOAD = Statement(select(*UPLOADS.columns).where(_UPLOAD))
_FILLED = Statement(
    select(*UPLOADS.columns)
    .where(
        _u.organization_id == bindparam("organization_id_"),
        _u.deployment_id == bindparam("deployment_id_"),
        _u.kind == bindparam("kind_"),
        _u.name == bindparam("name_"),
        one_of(_u.state, (UploadState.FILLED.value,)),
    )
    .order_by(_u.id.desc())
)
_FILL = Statement(
    update(dagster_uploads)
    .where(_UPLOAD, one_of(_u.state, (UploadState.OPEN.value,)))
    .values(state=bindparam("state_"), stored=bindparam("stored_"), filled_at=bindparam("at_"))
)
_DELETE_UPLOAD = Statement(delete(dagster_uploads).where(_UPLOAD))
_DUE = Statement(
    select(*UPLOADS.columns)
    .where(
        or_(
            and_(one_of(_u.state, (UploadState.OPEN.value,)), _u.created_at < bindparam("before_")),
            and_(
                one_of(_u.state, (UploadState.FILLED.value,)),
                one_of(_u.kind, (UploadKind.LOG.value,)),
                _u.created_at < bindparam("logs_before_"),
            ),
        )
    )
    .limit(bindparam("limit_"))
)


class DagsterRunRows:
    """`store.base_dagsterruns.DagsterRuns` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def next_number(
        self, organization_id: OrganizationId, deployment_id: DeploymentId, noun: str
    ) -> int:
        return await count_up(self._cx, organization_id, f"dagster_{noun}:{deployment_id}")

    async def add(self, run: DagsterRun) -> bool:
        return await self._cx.run(_ADD, RUNS.encode(run)) == 1

    async def save(self, run: DagsterRun) -> None:
        given = RUNS.encode(run)
        names = (
            "organization_id",
            "deployment_id",
            "id",
            "status",
            "tags",
            "updated_at",
            "started_at",
            "ended_at",
        )
        await self._cx.run(_SAVE, {f"{name}_": given[name] for name in names})

    async def find(
        self, organization_id: OrganizationId, deployment_id: DeploymentId, run_id: str
    ) -> DagsterRun | None:
        asked = {"organization_id_": organization_id, "deployment_id_": deployment_id, "id_": run_id}
        row = await self._cx.one(_FIND, asked)
        return RUNS.decode(row) if row else None

    async def list(
        self,
        organization_id: OrganizationId,
        deployment_id: DeploymentId,
        statuses: Sequence[RunStatus],
        page: Page,
    ) -> Sequence[DagsterRun]:
        asked = {
            "organization_id_": organization_id,
            "deployment_id_": deployment_id,
            "states_": f",{','.join(each.value for each in statuses)}," if statuses else "",
            "limit_": page.limit,
            "offset_": page.offset,
        }
        return [RUNS.decode(row) for row in await self._cx.all(_LIST, asked)]

    async def add_events(self, events: Sequence[DagsterEvent]) -> None:
        await self._cx.run_many(_ADD_EVENT, [EVENTS.encode(event) for event in events])

    async def events(
        self,
        organization_id: OrganizationId,
        deployment_id: DeploymentId,
        run_id: str,
        after: int,
        limit: int,
    ) -> Sequence[DagsterEvent]:
        asked = {
            "organization_id_": organization_id,
            "deployment_id_": deployment_id,
            "run_id_": run_id,
            "after_": after,
            "limit_": limit,
        }
        return [EVENTS.decode(row) for row in await self._cx.all(_EVENTS, asked)]

    async def count_events(
        self, organization_id: OrganizationId, deployment_id: DeploymentId, run_id: str
    ) -> int:
        asked = {"organization_id_": organization_id, "deployment_id_": deployment_id, "run_id_": run_id}
        row = await self._cx.one(_COUNT, asked)
        return int(row[0]) if row else 0

    async def forget(self, before: int) -> int:
        runs = await self._cx.run(_FORGET_RUNS, {"before_": before})
        return runs + await self._cx.run(_FORGET_EVENTS, {"before_": before})


class DagsterUploadRows:
    """`store.base_dagsterruns.DagsterUploads` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def add(self, upload: DagsterUpload) -> None:
        await self._cx.run(_ADD_UPLOAD, UPLOADS.encode(upload))

    async def find(self, organization_id: OrganizationId, upload_id: DagsterUploadId) -> DagsterUpload | None:
        row = await self._cx.one(_FIND_UPLOAD, {"organization_id_": organization_id, "id_": upload_id})
        return UPLOADS.decode(row) if row else None

    async def filled(
        self, organization_id: OrganizationId, deployment_id: DeploymentId, kind: UploadKind, name: str
    ) -> Sequence[DagsterUpload]:
        asked = {
            "organization_id_": organization_id,
            "deployment_id_": deployment_id,
            "kind_": kind.value,
            "name_": name,
        }
        return [UPLOADS.decode(row) for row in await self._cx.all(_FILLED, asked)]

    async def fill(
        self, organization_id: OrganizationId, upload_id: DagsterUploadId, stored: int, at: int
    ) -> bool:
        given = {
            "organization_id_": organization_id,
            "id_": upload_id,
            "stored_": stored,
            "at_": at,
            "state_": UploadState.FILLED.value,
        }
        return await self._cx.run(_FILL, given) == 1

    async def delete(self, organization_id: OrganizationId, upload_id: DagsterUploadId) -> bool:
        return (
            await self._cx.run(_DELETE_UPLOAD, {"organization_id_": organization_id, "id_": upload_id}) == 1
        )

    async def due(self, before: int, logs_before: int, limit: int) -> Sequence[DagsterUpload]:
        asked = {"before_": before, "logs_before_": logs_before, "limit_": limit}
        rows = await self._cx.all(_DUE, asked)
        return [UPLOADS.decode(row) for row in rows]
