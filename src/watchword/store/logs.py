"""Logs, annotations and meta-data in the database."""

from collections.abc import Sequence

from sqlalchemy import and_, bindparam, delete, insert, select, update

from watchword.domain.ids import BuildId, JobId, OrganizationId
from watchword.domain.pipelines import Annotation, Chunk
from watchword.store.base import Duplicate
from watchword.store.engine import Connection, Statement
from watchword.store.mapping import Mapper
from watchword.store.tables import annotations, jobs, log_chunks, meta_data

CHUNKS = Mapper(log_chunks, Chunk)
ANNOTATIONS = Mapper(annotations, Annotation)

_k, _n, _m = log_chunks.c, annotations.c, meta_data.c
_ADD_CHUNK = Statement(insert(log_chunks))
_HAS_CHUNK = Statement(
    select(_k.sequence).where(
        _k.organization_id == bindparam("organization_id_"),
        _k.job_id == bindparam("job_id_"),
        _k.sequence == bindparam("sequence_"),
    )
)
_GROW = Statement(
    update(jobs)
    .where(jobs.c.organization_id == bindparam("organization_id_"), jobs.c.id == bindparam("job_id_"))
    .values(log_size=jobs.c.log_size + bindparam("size_"))
)
_CHUNKS = Statement(
    select(*CHUNKS.columns)
    .where(_k.organization_id == bindparam("organization_id_"), _k.job_id == bindparam("job_id_"))
    .order_by(_k.offset, _k.sequence)
)
_AFTER = (
    select(*CHUNKS.columns)
    .where(
        _k.organization_id == bindparam("organization_id_"),
        _k.job_id == bindparam("job_id_"),
        _k.offset + _k.size > bindparam("position_"),
    )
    .order_by(_k.offset, _k.sequence)
)
_CHUNKS_AFTER = Statement(_AFTER)
_SOME_AFTER = Statement(_AFTER.limit(bindparam("count_")))
_ONE_ANNOTATION = and_(
    _n.organization_id == bindparam("organization_id_"),
    _n.build_id == bindparam("build_id_"),
    _n.scope == bindparam("scope_"),
    _n.scope_id == bindparam("scope_id_"),
    _n.context == bindparam("context_"),
)
_ANNOTATION = Statement(select(*ANNOTATIONS.columns).where(_ONE_ANNOTATION))
_ADD_ANNOTATION = Statement(insert(annotations))
_DELETE_ANNOTATION = Statement(delete(annotations).where(_ONE_ANNOTATION))
_ANNOTATIONS = Statement(
    select(*ANNOTATIONS.columns)
    .where(_n.organization_id == bindparam("organization_id_"), _n.build_id == bindparam("build_id_"))
    .order_by(_n.priority.desc(), _n.created_at, _n.id)
)
_IN_BUILD = and_(_m.organization_id == bindparam("organization_id_"), _m.build_id == bindparam("build_id_"))
_ONE_VALUE = and_(_IN_BUILD, _m.key == bindparam("key_"))
_META = Statement(select(_m.value).where(_ONE_VALUE))
_META_UPDATE = Statement(update(meta_data).where(_ONE_VALUE).values(value=bindparam("value_")))
_META_INSERT = Statement(insert(meta_data))
_META_ALL = Statement(select(_m.key, _m.value).where(_IN_BUILD).order_by(_m.key))


def _annotation_key(
    organization_id: OrganizationId, build_id: BuildId, scope: str, scope_id: str, context: str
) -> dict[str, str]:
    return {
        "organization_id_": organization_id,
        "build_id_": build_id,
        "scope_": scope,
        "scope_id_": scope_id,
        "context_": context,
    }


class LogRows:
    """`store.base.Logs` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def add_chunk(self, chunk: Chunk) -> bool:
        parameters = {
            "organization_id_": chunk.organization_id,
            "job_id_": chunk.job_id,
            "sequence_": chunk.sequence,
        }
        if await self._cx.one(_HAS_CHUNK, parameters):
            return False
        try:
            await self._cx.run(_ADD_CHUNK, CHUNKS.encode(chunk))
        except Duplicate:
            return False
        return True

    async def grow_log(self, organization_id: OrganizationId, job_id: JobId, size: int) -> None:
        await self._cx.run(_GROW, {"organization_id_": organization_id, "job_id_": job_id, "size_": size})

    async def chunks(self, organization_id: OrganizationId, job_id: JobId) -> Sequence[Chunk]:
        parameters = {"organization_id_": organization_id, "job_id_": job_id}
        return [CHUNKS.decode(row) for row in await self._cx.all(_CHUNKS, parameters)]

    async def chunks_after(
        self, organization_id: OrganizationId, job_id: JobId, position: int
    ) -> Sequence[Chunk]:
        parameters = {"organization_id_": organization_id, "job_id_": job_id, "position_": position}
        return [CHUNKS.decode(row) for row in await self._cx.all(_CHUNKS_AFTER, parameters)]

    async def some_chunks_after(
        self, organization_id: OrganizationId, job_id: JobId, position: int, count: int
    ) -> Sequence[Chunk]:
        parameters = {
            "organization_id_": organization_id,
            "job_id_": job_id,
            "position_": position,
            "count_": count,
        }
        return [CHUNKS.decode(row) for row in await self._cx.all(_SOME_AFTER, parameters)]

    async def annotation(
        self, organization_id: OrganizationId, build_id: BuildId, scope: str, scope_id: str, context: str
    ) -> Annotation | None:
        key = _annotation_key(organization_id, build_id, scope, scope_id, context)
        row = await self._cx.one(_ANNOTATION, key)
        return ANNOTATIONS.decode(row) if row else None

    async def save_annotation(self, annotation: Annotation) -> None:
        await self._cx.run(
            _DELETE_ANNOTATION,
            _annotation_key(
                annotation.organization_id,
                annotation.build_id,
                annotation.scope,
                annotation.scope_id,
                annotation.context,
            ),
        )
        await self._cx.run(_ADD_ANNOTATION, ANNOTATIONS.encode(annotation))

    async def delete_annotation(
        self, organization_id: OrganizationId, build_id: BuildId, scope: str, scope_id: str, context: str
    ) -> bool:
        key = _annotation_key(organization_id, build_id, scope, scope_id, context)
        return await self._cx.run(_DELETE_ANNOTATION, key) == 1

    async def annotations(self, organization_id: OrganizationId, build_id: BuildId) -> Sequence[Annotation]:
        parameters = {"organization_id_": organization_id, "build_id_": build_id}
        return [ANNOTATIONS.decode(row) for row in await self._cx.all(_ANNOTATIONS, parameters)]

    async def set_meta_data(
        self, organization_id: OrganizationId, build_id: BuildId, key: str, value: str
    ) -> None:
        parameters = {
            "organization_id_": organization_id,
            "build_id_": build_id,
            "key_": key,
            "value_": value,
        }
        if not await self._cx.run(_META_UPDATE, parameters):
            row = {"organization_id": organization_id, "build_id": build_id, "key": key, "value": value}
            await self._cx.run(_META_INSERT, row)

    async def meta_data(self, organization_id: OrganizationId, build_id: BuildId, key: str) -> str | None:
        parameters = {"organization_id_": organization_id, "build_id_": build_id, "key_": key}
        row = await self._cx.one(_META, parameters)
        return str(row[0]) if row else None

    async def all_meta_data(
        self, organization_id: OrganizationId, build_id: BuildId
    ) -> Sequence[tuple[str, str]]:
        parameters = {"organization_id_": organization_id, "build_id_": build_id}
        return [(str(key), str(value)) for key, value in await self._cx.all(_META_ALL, parameters)]
