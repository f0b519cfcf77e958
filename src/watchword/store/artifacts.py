"""Artifacts in the database; what their bytes take is counted beside, in the organization's counters."""

from collections.abc import Sequence

from sqlalchemy import and_, bindparam, func, insert, select, update

from watchword.domain.artifacts import Artifact, ArtifactState
from watchword.domain.ids import ArtifactId, BuildId, JobId, OrganizationId
from watchword.store.engine import Connection, Statement, one_of
from watchword.store.mapping import Mapper
from watchword.store.tables import artifacts, counters

ARTIFACTS = Mapper(artifacts, Artifact)
ROOM = "artifact_bytes"

_a, _c = artifacts.c, counters.c
_OWN = _a.organization_id == bindparam("organization_id_")
_OF_BUILD = and_(_OWN, _a.build_id == bindparam("build_id_"))
_KEPT = one_of(_a.state, [state.value for state in ArtifactState if state.kept])
_COUNTER = and_(_c.organization_id == bindparam("organization_id_"), _c.name == ROOM)

_ADD = Statement(insert(artifacts))
_FIND = Statement(select(*ARTIFACTS.columns).where(_OWN, _a.id == bindparam("id_")))
_BATCH = Statement(
    select(*ARTIFACTS.columns)
    .where(_OWN, _a.job_id == bindparam("job_id_"), _a.batch_id == bindparam("batch_id_"))
    .order_by(_a.place)
)
_BUILD = Statement(select(*ARTIFACTS.columns).where(_OF_BUILD).order_by(_a.id))
_MOVE = Statement(
    update(artifacts)
    .where(_OWN, _a.id == bindparam("id_"), _a.state == bindparam("from_"))
    .values(state=bindparam("state_"), ended_at=bindparam("at_"))
)
_ROOM_OF_BUILD = Statement(
    select(func.count(), func.coalesce(func.sum(_a.size), 0)).where(
        _OF_BUILD, _KEPT, _a.upload_destination == ""
    )
)
_ROOM = Statement(select(_c.value).where(_COUNTER))
_FIRST_ROOM = Statement(insert(counters))
_TAKE = Statement(
    update(counters)
    .where(_COUNTER, _c.value + bindparam("size_") <= bindparam("limit_"))
    .values(value=_c.value + bindparam("size_"))
)
_GIVE = Statement(update(counters).where(_COUNTER).values(value=_c.value - bindparam("size_")))


class ArtifactRows:
    """`store.base.Artifacts` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def add(self, artifact: Artifact) -> None:
        await self._cx.run(_ADD, ARTIFACTS.encode(artifact))

    async def find(self, organization_id: OrganizationId, artifact_id: ArtifactId) -> Artifact | None:
        row = await self._cx.one(_FIND, {"organization_id_": organization_id, "id_": artifact_id})
        return ARTIFACTS.decode(row) if row else None

    async def of_batch(
        self, organization_id: OrganizationId, job_id: JobId, batch_id: str
    ) -> Sequence[Artifact]:
        parameters = {"organization_id_": organization_id, "job_id_": job_id, "batch_id_": batch_id}
        return [ARTIFACTS.decode(row) for row in await self._cx.all(_BATCH, parameters)]

    async def of_build(self, organization_id: OrganizationId, build_id: BuildId) -> Sequence[Artifact]:
        parameters = {"organization_id_": organization_id, "build_id_": build_id}
        return [ARTIFACTS.decode(row) for row in await self._cx.all(_BUILD, parameters)]

    async def move(self, artifact: Artifact, state: ArtifactState, at: int) -> bool:
        parameters = {
            "organization_id_": artifact.organization_id,
            "id_": artifact.id,
            "from_": artifact.state.value,
            "state_": state.value,
            "at_": at,
        }
        return await self._cx.run(_MOVE, parameters) == 1

    async def room_of_build(self, organization_id: OrganizationId, build_id: BuildId) -> tuple[int, int]:
        parameters = {"organization_id_": organization_id, "build_id_": build_id}
        count, size = await self._cx.one(_ROOM_OF_BUILD, parameters) or (0, 0)
        return int(count), int(size)

    async def take_room(self, organization_id: OrganizationId, size: int, limit: int) -> bool:
        if await self._cx.one(_ROOM, {"organization_id_": organization_id}) is None:
            await self._cx.run(_FIRST_ROOM, {"organization_id": organization_id, "name": ROOM, "value": 0})
        parameters = {"organization_id_": organization_id, "size_": size, "limit_": limit}
        return await self._cx.run(_TAKE, parameters) == 1

    async def give_room(self, organization_id: OrganizationId, size: int) -> None:
        await self._cx.run(_GIVE, {"organization_id_": organization_id, "size_": size})
