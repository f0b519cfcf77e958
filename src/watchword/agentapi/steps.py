"""Steps and builds as jobs reach them: read, change, cancel (contract agent-api §2.9)."""

from dataclasses import dataclass

from watchword.agentapi.jobs import job_caller
from watchword.agentapi.wire import CANCEL_STEP, EXPORT_STEP, UPDATE_STEP
from watchword.domain.errors import Forbidden, NotFound
from watchword.domain.jobrights import JobRight, require_right
from watchword.domain.kinds import Kind
from watchword.domain.pipelines import Job
from watchword.edge.http import EMPTY, Request, Response, decode
from watchword.edge.router import Route
from watchword.services.authority import Authority
from watchword.services.queries import build_of
from watchword.services.stepping import StepChange

JOB_TOKEN = (Kind.JOB,)


@dataclass(slots=True)
class Steps:
    """Handlers of what a job does to its build's steps and to the build."""

    authority: Authority

    def routes(self) -> list[Route]:
        """The operations and the tokens they take (contract agent-api §1.2)."""
        return [
            Route("POST", "/v3/steps/{step}/export", self.export, JOB_TOKEN, right=JobRight.STEPS_READ),
            Route("PUT", "/v3/steps/{step}", self.update, JOB_TOKEN, right=JobRight.STEPS_WRITE),
            Route("POST", "/v3/steps/{step}/cancel", self.cancel, JOB_TOKEN, right=JobRight.STEPS_WRITE),
            Route(
                "POST",
                "/v3/builds/{build_id}/cancel",
                self.cancel_build,
                JOB_TOKEN,
                right=JobRight.BUILD_CANCEL,
            ),
        ]

    async def export(self, request: Request, step: str) -> Response:
        """An attribute of a step, or the whole of it, as text."""
        job = await self._job(request)
        asked = decode(EXPORT_STEP, await request.body())
        output = await self.authority.stepper.export(
            job, step, asked.build_id or "", asked.attribute or "", as_json=asked.format == "json"
        )
        return Response.json({"output": output})

    async def update(self, request: Request, step: str) -> Response:
        """Change an attribute of a step."""
        job = await self._job(request)
        asked = decode(UPDATE_STEP, await request.body())
        change = StepChange(
            asked.idempotency_uuid or "", asked.attribute, asked.value, append=bool(asked.append)
        )
        await self.authority.stepper.update(job_caller(request, job), job, step, asked.build_id or "", change)
        return EMPTY

    async def cancel(self, request: Request, step: str) -> Response:
        """Cancel the jobs of a step."""
        job = await self._job(request)
        asked = decode(CANCEL_STEP, await request.body())
        step_id = await self.authority.stepper.cancel(
            job_caller(request, job),
            job,
            step,
            asked.build_id or "",
            force_after=(asked.force_grace_period or 0) if asked.force else None,
        )
        return Response.json({"uuid": step_id})

    async def cancel_build(self, request: Request, build_id: str) -> Response:
        """Cancel the job's own build, the job with it."""
        job = await self._job(request)
        if build_id != job.build_id:
            raise Forbidden("A job cancels its own build alone.", code="other_build")
        _, build = await self.authority.context.store.read(lambda tx: build_of(tx, job))
        canceled = await self.authority.builder.cancel(job_caller(request, job), build)
        return Response.json({"uuid": canceled.id})

    async def _job(self, request: Request) -> Job:
        presented = await self.authority.verifier.verify(
            request.credential(), JOB_TOKEN, address=request.address, agent=request.agent
        )
        if presented.job is None:
            raise NotFound("No job found")
        require_right(presented.job.token_rights, request.right)
        return presented.job
