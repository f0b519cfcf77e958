"""Jobs: accept, start, state, log chunks, finish."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from watchword.agentapi.wire import ACCEPT, FINISH, START, Finish, JobAnswer
from watchword.domain.errors import Invalid, Malformed, NotFound
from watchword.domain.events import Actor
from watchword.domain.ids import AgentId, JobId, is_uuid
from watchword.domain.jobrights import keep_rights, read_rights, require_right
from watchword.domain.kinds import Kind
from watchword.domain.pipelines import Job, JobState
from watchword.edge.http import EMPTY, Request, Response, decode
from watchword.edge.router import Route
from watchword.services.authority import Authority
from watchword.services.context import Caller
from watchword.services.dispatching import Accepted
from watchword.services.logs import CHUNK_BYTES, MAX_CHUNK_BYTES, add_chunk, log_limit
from watchword.services.verifying import JobEnded

SESSION = (Kind.AGENT_SESSION,)
JOB = (Kind.JOB, Kind.AGENT_SESSION)  # a session token for agents older than 3.39 alone
_MAX_TEXT = 255
_MAX_POSITION = 2**53
_Take = Callable[[Caller, AgentId, JobId, str], Awaitable[Accepted]]


@dataclass(slots=True)
class Jobs:
    """Handlers of a job's life."""

    authority: Authority

    def routes(self) -> list[Route]:
        """The operations and the tokens they take (contract agent-api §1.2)."""
        return [
            Route("PUT", "/v3/jobs/{job_id}/accept", self.accept, SESSION),
            Route("PUT", "/v3/jobs/{job_id}/acquire", self.acquire, SESSION),
            Route("PUT", "/v3/jobs/{job_id}/start", self.start, JOB),
            Route("GET", "/v3/jobs/{job_id}", self.state, JOB),
            Route("POST", "/v3/jobs/{job_id}/chunks", self.chunk, JOB),
            Route("PUT", "/v3/jobs/{job_id}/finish", self.finish, JOB),
        ]

    async def accept(self, request: Request, job_id: str) -> Response:
        """§2.2: take the job that a ping offered; the answer has everything to run it."""
        return await self._take(request, job_id, self.authority.dispatcher.accept)

    async def acquire(self, request: Request, job_id: str) -> Response:
        """§2.2: take a job that the agent was started for."""
        return await self._take(request, job_id, self.authority.dispatcher.acquire)

    async def _take(self, request: Request, job_id: str, take: _Take) -> Response:
        presented = await self.authority.verifier.verify(
            request.credential(), SESSION, address=request.address, agent=request.agent
        )
        if not is_uuid(job_id):
            raise NotFound("No job found")
        agent_id = presented.holder.agent_id or AgentId("")
        caller = Caller(Actor("agent", agent_id), request.address, request.id)
        body = await request.body()
        asked = decode(ACCEPT, body).token_rights if body else None
        rights = "" if asked is None else keep_rights(read_rights(asked))
        accepted = await take(caller, agent_id, JobId(job_id), rights)
        return Response.json(
            JobAnswer(
                id=accepted.job.id,
                env=dict(accepted.env),
                state=accepted.job.state.value,
                chunks_max_size_bytes=CHUNK_BYTES,
                chunks_interval_seconds=1,
                log_max_size_bytes=log_limit(self.authority.context),
                priority=accepted.job.priority,
                runnable_at=instant(accepted.job.runnable_at),
                step=accepted.step,
                matrix_permutation=dict(accepted.job.matrix) or None,
                token=accepted.value.reveal() if accepted.value is not None else "",
            )
        )

    async def start(self, request: Request, job_id: str) -> Response:
        """§2.3: the job runs now."""
        job = await verify_job(self.authority, request, job_id)
        body = await request.body()
        if body:
            decode(START, body)
        await self.authority.finisher.start(job_caller(request, job), job)
        return EMPTY

    async def state(self, request: Request, job_id: str) -> Response:
        """§2.3: whether to go on. Agents before 3.127 know no time-outs (trap 16)."""
        job = await verify_job(self.authority, request, job_id)
        self.authority.dispatcher.at_work(job)
        state = job.state
        if state is JobState.TIMING_OUT:
            agent = self.authority.fleet.agents.get(job.agent_id) if job.agent_id is not None else None
            if agent is None or not agent.knows_time_outs:
                state = JobState.CANCELING
        return Response.json({"state": state.value})

    async def chunk(self, request: Request, job_id: str) -> Response:
        """§2.4: a piece of the log; out of order and doubled pieces are normal (trap 13)."""
        job = await verify_job(self.authority, request, job_id)
        self.authority.dispatcher.at_work(job)
        query = request.query()
        sequence = _position(query, "sequence")
        offset = _position(query, "offset")
        size = _position(query, "size") if "size" in query else None
        data = await request.body(MAX_CHUNK_BYTES)
        packed = request.headers.get(b"content-encoding", b"").lower() == b"gzip"
        await add_chunk(self.authority.context, job, sequence, offset, data, packed=packed, size=size)
        return EMPTY

    async def finish(self, request: Request, job_id: str) -> Response:
        """§2.3: the outcome. The job token is dead once this is answered.

        A client repeats the call when the answer was lost: the same outcome from the same token gets
        the same answer and changes nothing.
        """
        try:
            job = await verify_job(self.authority, request, job_id)
        except JobEnded as ended:
            outcome = decode(FINISH, await request.body())
            same = _with_outcome(ended.job, outcome, ended.job.finished_at) == ended.job
            if ended.job.id == job_id and same:
                return EMPTY
            raise
        outcome = decode(FINISH, await request.body())
        now = self.authority.context.clock.now()
        await self.authority.finisher.finish(
            job_caller(request, job),
            _with_outcome(job, outcome, now),
            ignore_agent=bool(outcome.ignore_agent_in_dispatches),
        )
        return EMPTY


async def verify_job(
    authority: Authority, request: Request, job_id: str, kinds: Collection[Kind] = JOB
) -> Job:
    """The job of the path, if the presented token is its own and has the route's right.

    Raises:
        Refused: the token does not pass, or belongs to another job.
        Forbidden: it lacks the right.
    """
    job = await authority.verifier.verify_job(
        request.credential(), JobId(job_id), address=request.address, agent=request.agent, kinds=kinds
    )
    require_right(job.token_rights, request.right)
    return job


async def verify_reader(authority: Authority, request: Request) -> Job:
    """The job behind a call about a build; for agents older than 3.39 the one that their session runs."""
    presented = await authority.verifier.verify(
        request.credential(), JOB, address=request.address, agent=request.agent
    )
    if presented.job is not None:
        require_right(presented.job.token_rights, request.right)
        return presented.job
    agent = authority.fleet.agents.get(presented.holder.agent_id or AgentId(""))
    held = agent.job_id if agent is not None else None
    return await verify_job(authority, request, held or "")


def job_caller(request: Request, job: Job) -> Caller:
    """The job as the audit trail names it."""
    return Caller(Actor("job", job.id), request.address, request.id)


def instant(microseconds: int) -> str:
    """A time in UTC, as the agent API writes it."""
    moment = datetime.fromtimestamp(microseconds // 1_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{microseconds % 1_000_000:06d}Z"


def _position(query: dict[str, str], name: str) -> int:
    text = query.get(name, "")
    if not text.isascii() or not text.isdigit() or int(text[:20]) > _MAX_POSITION:
        raise Malformed(f"The query needs {name}, a whole number.", code="invalid_chunk")
    return int(text)


def _with_outcome(job: Job, outcome: Finish, now: int) -> Job:
    try:
        exit_status = str(int(outcome.exit_status))
    except ValueError:
        raise Invalid("exit_status is an integer, as text.", code="invalid_exit_status") from None
    return replace(
        job,
        exit_status=exit_status[:_MAX_TEXT],
        signal=(outcome.signal or "")[:_MAX_TEXT],
        signal_reason=(outcome.signal_reason or "")[:_MAX_TEXT],
        chunks_failed=max(0, min(outcome.chunks_failed_count or 0, _MAX_POSITION)),
        finished_at=now,
    )
