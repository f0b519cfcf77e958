"""What a job says of itself while it runs: a new time-out, a failure to come, times of headers."""

from dataclasses import dataclass

from watchword.agentapi.jobs import JOB, job_caller, verify_job
from watchword.agentapi.wire import PROMISE, UPDATE
from watchword.domain.errors import Invalid
from watchword.domain.jobrights import JobRight
from watchword.edge.http import EMPTY, Request, Response, decode
from watchword.edge.router import Route
from watchword.services.authority import Authority

_TIMEOUT = ("timeout", "timeout_in_minutes")
_MAX_DIGITS = 9
# Real agents send the times of all section headers of a log at once.
_HEADER_LIMIT = 1024 * 1024


@dataclass(slots=True)
class Running:
    """Handlers of what a running job changes about itself."""

    authority: Authority

    def routes(self) -> list[Route]:
        """The operations and the tokens they take (contract agent-api §1.2)."""
        return [
            Route("PUT", "/v3/jobs/{job_id}", self.update, JOB, right=JobRight.JOB_UPDATE),
            Route(
                "PUT",
                "/v3/jobs/{job_id}/promise_failure",
                self.promise_failure,
                JOB,
                right=JobRight.JOB_UPDATE,
            ),
            Route("POST", "/v3/jobs/{job_id}/header_times", self.header_times, JOB),
        ]

    async def update(self, request: Request, job_id: str) -> Response:
        """§2.3: change the time-out, which is all that can change."""
        job = await verify_job(self.authority, request, job_id)
        asked: dict[str, str | int] = decode(UPDATE, await request.body())
        unknown = sorted(set(asked) - set(_TIMEOUT))
        if unknown or len(asked) != 1:
            named = f", not {', '.join(unknown)}" if unknown else ""
            raise Invalid(
                f"One attribute of a job can change: timeout_in_minutes{named}.", code="invalid_attribute"
            )
        minutes = _minutes(next(iter(asked.values())))
        await self.authority.runner.change_timeout(job_caller(request, job), job, minutes)
        return Response.json({"id": job.id, "timeout_in_minutes": minutes})

    async def promise_failure(self, request: Request, job_id: str) -> Response:
        """§2.3: the job will fail, whatever it ends with."""
        job = await verify_job(self.authority, request, job_id)
        asked = decode(PROMISE, await request.body())
        caller = job_caller(request, job)
        await self.authority.runner.promise_failure(caller, job, asked.exit_status, asked.reason or "")
        return Response(204, b"", [])

    async def header_times(self, request: Request, job_id: str) -> Response:
        """§2.4: sent by v3 without time marks in the log; taken and not kept."""
        await verify_job(self.authority, request, job_id)
        await request.body(_HEADER_LIMIT)
        return EMPTY


def _minutes(given: str | int) -> int:
    text = str(given).strip()
    if not text.isascii() or not text.isdigit() or len(text) > _MAX_DIGITS:
        raise Invalid("The timeout is a whole number of minutes.", code="invalid_timeout")
    return int(text)
