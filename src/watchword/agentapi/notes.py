"""Notes of a job: annotations and meta-data (contract agent-api §2.6, §2.7)."""

from dataclasses import dataclass

from watchword.agentapi.jobs import JOB
from watchword.agentapi.reaching import Reached, reach_job, require_build
from watchword.agentapi.wire import ANNOTATE, BATCH, KEY, PAIR
from watchword.domain.errors import Invalid, NotFound
from watchword.domain.ids import BuildId, OrganizationId, is_uuid
from watchword.domain.jobrights import JobRight, require_right
from watchword.domain.kinds import Kind
from watchword.edge.http import EMPTY, Request, Response, decode
from watchword.edge.router import Route
from watchword.services.authority import Authority
from watchword.services.logs import (
    DEFAULT_CONTEXT,
    Note,
    annotate,
    build_for_job,
    read_meta_data,
    remove_annotation,
    set_meta_data,
)

_ANNOTATION_LIMIT = 2 * 1024 * 1024
_META_DATA_LIMIT = 512 * 1024
_BATCH_LIMIT = 8 * 1024 * 1024
_BATCH_ITEMS = 1000


@dataclass(slots=True)
class Notes:
    """Handlers of what a job writes down and reads."""

    authority: Authority

    def routes(self) -> list[Route]:
        """The operations and the tokens they take (contract agent-api §1.2)."""
        job, build = "/v3/jobs/{job_id}", "/v3/builds/{build_id}"
        return [
            Route("POST", f"{job}/annotations", self.annotate, JOB, right=JobRight.ANNOTATE),
            # Agents before 3.55 send a slash in a context as it is (seen with 3.38.0).
            Route("DELETE", f"{job}/annotations/{{name...}}", self.remove, JOB, right=JobRight.ANNOTATE),
            Route("POST", f"{job}/data/set", self.set, JOB, right=JobRight.META_DATA_WRITE),
            Route("POST", f"{job}/data/set-batch", self.set_batch, JOB, right=JobRight.META_DATA_WRITE),
            Route("POST", f"{job}/data/get", self.get, JOB, right=JobRight.META_DATA_READ),
            Route("POST", f"{job}/data/exists", self.exists, JOB, right=JobRight.META_DATA_READ),
            Route("POST", f"{job}/data/keys", self.keys, JOB, right=JobRight.META_DATA_READ),
            Route("POST", f"{build}/data/get", self.get_of_build, (Kind.JOB,), right=JobRight.META_DATA_READ),
            Route(
                "POST",
                f"{build}/data/exists",
                self.exists_in_build,
                (Kind.JOB,),
                right=JobRight.META_DATA_READ,
            ),
            Route(
                "POST", f"{build}/data/keys", self.keys_of_build, (Kind.JOB,), right=JobRight.META_DATA_READ
            ),
        ]

    async def annotate(self, request: Request, job_id: str) -> Response:
        """§2.7: insert or change an annotation."""
        reached = await self._reach(request, job_id)
        asked = decode(ANNOTATE, await request.body(_ANNOTATION_LIMIT))
        note = Note(
            body=asked.body,
            context=asked.context or DEFAULT_CONTEXT,
            style=asked.style or None,
            append=bool(asked.append),
            priority=asked.priority,
            scope=asked.scope or "build",
        )
        await annotate(self.authority.context, reached.job, note, reached.writer)
        return EMPTY

    async def remove(self, request: Request, job_id: str, name: str) -> Response:
        """§2.7: delete an annotation by its context."""
        reached = await self._reach(request, job_id)
        scope = request.query().get("scope") or "build"
        if scope not in ("build", "job"):
            raise Invalid("The scope is build or job.", code="invalid_scope")
        await remove_annotation(self.authority.context, reached.job, name, scope, reached.writer)
        return EMPTY

    async def set(self, request: Request, job_id: str) -> Response:
        """§2.6: one value."""
        reached = await self._reach(request, job_id)
        pair = decode(PAIR, await request.body(_META_DATA_LIMIT))
        items = [(pair.key, pair.value)]
        await set_meta_data(self.authority.context, reached.job, items, reached.writer)
        return EMPTY

    async def set_batch(self, request: Request, job_id: str) -> Response:
        """§2.6: several values, all or none."""
        reached = await self._reach(request, job_id)
        batch = decode(BATCH, await request.body(_BATCH_LIMIT))
        if len(batch.items) > _BATCH_ITEMS:
            raise Invalid(f"A batch takes at most {_BATCH_ITEMS} items.", code="batch_too_long")
        items = [(pair.key, pair.value) for pair in batch.items]
        await set_meta_data(self.authority.context, reached.job, items, reached.writer)
        return EMPTY

    async def get(self, request: Request, job_id: str) -> Response:
        """§2.6: a value of the job's build."""
        job = (await reach_job(self.authority, request, job_id, JobRight.CROSS_JOB_READ)).job
        return await self._get(request, job.organization_id, job.build_id)

    async def exists(self, request: Request, job_id: str) -> Response:
        """§2.6: whether the job's build has a key."""
        job = (await reach_job(self.authority, request, job_id, JobRight.CROSS_JOB_READ)).job
        return await self._exists(request, job.organization_id, job.build_id)

    async def keys(self, request: Request, job_id: str) -> Response:
        """§2.6: the keys of the job's build."""
        job = (await reach_job(self.authority, request, job_id, JobRight.CROSS_JOB_READ)).job
        return await self._keys(job.organization_id, job.build_id)

    async def get_of_build(self, request: Request, build_id: str) -> Response:
        """§2.6: a value of a named build."""
        return await self._get(request, *await self._build(request, build_id))

    async def exists_in_build(self, request: Request, build_id: str) -> Response:
        """§2.6: whether a named build has a key."""
        return await self._exists(request, *await self._build(request, build_id))

    async def keys_of_build(self, request: Request, build_id: str) -> Response:
        """§2.6: the keys of a named build."""
        return await self._keys(*await self._build(request, build_id))

    async def _reach(self, request: Request, job_id: str) -> Reached:
        """A job whose notes the caller may write."""
        return await reach_job(self.authority, request, job_id, JobRight.CROSS_JOB_WRITE)

    async def _build(self, request: Request, build_id: str) -> tuple[OrganizationId, BuildId]:
        """A build that the job may read: one of its own cluster (contract agent-api §1.2)."""
        presented = await self.authority.verifier.verify(
            request.credential(), (Kind.JOB,), address=request.address, agent=request.agent
        )
        job = presented.job
        if job is None or not is_uuid(build_id):
            raise NotFound("No build found")
        require_right(job.token_rights, request.right)
        require_build(job, build_id)
        return await build_for_job(self.authority.context, job, BuildId(build_id))

    async def _get(self, request: Request, organization_id: OrganizationId, build_id: BuildId) -> Response:
        key = decode(KEY, await request.body()).key
        found = await read_meta_data(self.authority.context, organization_id, build_id)
        if key not in found:
            raise NotFound(f"No key {key!r} found", code="no_such_key")
        return Response.json({"key": key, "value": found[key]})

    async def _exists(self, request: Request, organization_id: OrganizationId, build_id: BuildId) -> Response:
        key = decode(KEY, await request.body()).key
        found = await read_meta_data(self.authority.context, organization_id, build_id)
        return Response.json({"exists": key in found})

    async def _keys(self, organization_id: OrganizationId, build_id: BuildId) -> Response:
        found = await read_meta_data(self.authority.context, organization_id, build_id)
        return Response.json(list(found))
