"""Pipeline uploads of a job (contract agent-api §2.8)."""

from dataclasses import dataclass

from watchword.agentapi.jobs import JOB, job_caller, verify_job
from watchword.agentapi.wire import UPLOAD
from watchword.domain.buildsteps import UploadState
from watchword.domain.jobrights import JobRight
from watchword.edge.http import EMPTY, Request, Response, decode
from watchword.edge.router import Route
from watchword.services.authority import Authority
from watchword.services.uploading import PipelineUpload

_UPLOAD_LIMIT = 8 * 1024 * 1024
_RETRY_AFTER = (b"retry-after", b"1")


@dataclass(slots=True)
class Uploads:
    """Handlers of pipeline uploads."""

    authority: Authority

    def routes(self) -> list[Route]:
        """The operations and the tokens they take (contract agent-api §1.2)."""
        path = "/v3/jobs/{job_id}/pipelines"
        return [
            Route("POST", path, self.upload, JOB, right=JobRight.PIPELINE_UPLOAD),
            Route("GET", f"{path}/{{upload_id}}", self.state, JOB, right=JobRight.PIPELINE_UPLOAD),
        ]

    async def upload(self, request: Request, job_id: str) -> Response:
        """Add steps to the job's build: 200 once it is done, 202 where it is done in the background."""
        job = await verify_job(self.authority, request, job_id)
        asked = decode(UPLOAD, await request.body(_UPLOAD_LIMIT))
        wanted = PipelineUpload(
            id=asked.uuid,
            pipeline=asked.pipeline,
            replace=bool(asked.replace),
            background=request.query().get("async") == "true",
        )
        state = await self.authority.uploader.upload(job_caller(request, job), job, wanted)
        if state is not UploadState.PENDING:
            return EMPTY
        location = f"/v3/jobs/{job.id}/pipelines/{asked.uuid}"
        return Response(202, b"{}", [(b"location", location.encode()), _RETRY_AFTER])

    async def state(self, request: Request, job_id: str, upload_id: str) -> Response:
        """Where an upload in the background stands."""
        job = await verify_job(self.authority, request, job_id)
        upload = await self.authority.uploader.state(job, upload_id)
        return Response.json({"state": upload.state.value, "message": upload.message})
