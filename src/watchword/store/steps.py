"""Steps of builds and pipeline uploads in the database."""

from collections.abc import Sequence

from sqlalchemy import and_, bindparam, delete, insert, select, text, update

from watchword.domain.buildsteps import BuildStep, Outcome, StepState, Upload, UploadState
from watchword.domain.ids import BuildId, JobId, OrganizationId, StepId
from watchword.store.engine import Connection, Statement
from watchword.store.mapping import Mapper
from watchword.store.tables import pipeline_uploads, steps

STEPS = Mapper(steps, BuildStep)
UPLOADS = Mapper(pipeline_uploads, Upload)

_s, _u = steps.c, pipeline_uploads.c
_ONE = and_(_s.organization_id == bindparam("organization_id_"), _s.id == bindparam("id_"))
_ADD = Statement(insert(steps))
_FIND = Statement(select(*STEPS.columns).where(_ONE))
_OF_BUILD = Statement(
    select(*STEPS.columns)
    .where(_s.organization_id == bindparam("organization_id_"), _s.build_id == bindparam("build_id_"))
    .order_by(_s.position)
)
_MAKE_ROOM = Statement(
    update(steps)
    .where(
        _s.organization_id == bindparam("organization_id_"),
        _s.build_id == bindparam("build_id_"),
        _s.position > bindparam("after_"),
    )
    .values(position=_s.position + bindparam("count_"))
)
_SET_STATE = Statement(
    update(steps).where(_ONE).values(state=bindparam("state_"), outcome=bindparam("outcome_"))
)
_UNBLOCK = Statement(
    update(steps)
    .where(_ONE, _s.unblocked_at == 0)
    .values({name: bindparam(f"{name}_") for name in ("unblocked_at", "unblocked_by", "fields")})
)
_EDIT = Statement(update(steps).where(_ONE).values(step=bindparam("step_"), edits=bindparam("edits_")))
_DROP = Statement(delete(steps).where(_ONE))
_ONE_UPLOAD = and_(
    _u.organization_id == bindparam("organization_id_"),
    _u.job_id == bindparam("job_id_"),
    _u.id == bindparam("id_"),
)
_ADD_UPLOAD = Statement(insert(pipeline_uploads))
_UPLOAD = Statement(select(*UPLOADS.columns).where(_ONE_UPLOAD))
_SET_UPLOAD = Statement(
    update(pipeline_uploads)
    .where(_ONE_UPLOAD, _u.state == UploadState.PENDING.value)
    .values(state=bindparam("state_"), message=bindparam("message_"), document="")
)
_PENDING = Statement(select(*UPLOADS.columns).where(text("state = 'pending'")).order_by(_u.created_at, _u.id))


class StepRows:
    """`store.base.Steps` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def add(self, step: BuildStep) -> None:
        await self._cx.run(_ADD, STEPS.encode(step))

    async def find(self, organization_id: OrganizationId, step_id: StepId) -> BuildStep | None:
        row = await self._cx.one(_FIND, {"organization_id_": organization_id, "id_": step_id})
        return STEPS.decode(row) if row else None

    async def of_build(self, organization_id: OrganizationId, build_id: BuildId) -> Sequence[BuildStep]:
        parameters = {"organization_id_": organization_id, "build_id_": build_id}
        return [STEPS.decode(row) for row in await self._cx.all(_OF_BUILD, parameters)]

    async def make_room(
        self, organization_id: OrganizationId, build_id: BuildId, after: int, count: int
    ) -> None:
        parameters = {
            "organization_id_": organization_id,
            "build_id_": build_id,
            "after_": after,
            "count_": count,
        }
        await self._cx.run(_MAKE_ROOM, parameters)

    async def set_state(
        self, organization_id: OrganizationId, step_id: StepId, state: StepState, outcome: Outcome
    ) -> None:
        parameters = {
            "organization_id_": organization_id,
            "id_": step_id,
            "state_": state.value,
            "outcome_": outcome.value,
        }
        await self._cx.run(_SET_STATE, parameters)

    async def unblock(self, step: BuildStep) -> bool:
        return await self._cx.run(_UNBLOCK, _named(step)) == 1

    async def edit(self, step: BuildStep) -> None:
        await self._cx.run(_EDIT, _named(step))

    async def drop(self, organization_id: OrganizationId, step_id: StepId) -> None:
        await self._cx.run(_DROP, {"organization_id_": organization_id, "id_": step_id})

    async def add_upload(self, upload: Upload) -> bool:
        found = await self.upload(upload.organization_id, upload.job_id, upload.id)
        if found is not None:
            return False
        await self._cx.run(_ADD_UPLOAD, UPLOADS.encode(upload))
        return True

    async def upload(self, organization_id: OrganizationId, job_id: JobId, upload_id: str) -> Upload | None:
        parameters = {"organization_id_": organization_id, "job_id_": job_id, "id_": upload_id}
        row = await self._cx.one(_UPLOAD, parameters)
        return UPLOADS.decode(row) if row else None

    async def set_upload(self, upload: Upload, state: UploadState, message: str) -> bool:
        parameters = {
            "organization_id_": upload.organization_id,
            "job_id_": upload.job_id,
            "id_": upload.id,
            "state_": state.value,
            "message_": message,
        }
        return await self._cx.run(_SET_UPLOAD, parameters) == 1

    async def pending_uploads(self) -> Sequence[Upload]:
        return [UPLOADS.decode(row) for row in await self._cx.all(_PENDING, {})]


def _named(step: BuildStep) -> dict[str, object]:
    """A step's columns as parameters of updates."""
    return {f"{name}_": value for name, value in STEPS.encode(step).items()}
