"""The stacks API, for controllers that start one agent for each job (contract agent-api §10.3)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from watchword.agentapi import stackwire as wire
from watchword.agentapi.jobs import instant
from watchword.domain.errors import Invalid, Malformed, TooMany, WatchwordError
from watchword.domain.events import Actor
from watchword.domain.kinds import Kind
from watchword.domain.stacks import MAX_JOBS, Cursor, reservation_seconds
from watchword.edge.app import error_response
from watchword.edge.http import Headers, Request, Response, decode
from watchword.edge.router import Route
from watchword.services import stacklimits as limits
from watchword.services.authority import Authority
from watchword.services.context import Caller
from watchword.services.stacklimits import Spent
from watchword.services.stacknotes import Note
from watchword.services.stacks import Listed, Registered, StackReach, StackWish

CLUSTERED = (Kind.AGENT,)
_USUAL_PAGE = 100
_BATCH_BYTES = 256 * 1024
_NOTIFICATIONS_BYTES = 4 * 1024 * 1024
_MAX_DIGITS = 6


class _Counted(WatchwordError):
    """An error of a call that was counted: its answer tells of the limit too."""

    def __init__(self, error: WatchwordError, spent: Spent) -> None:
        super().__init__(error.message, code=error.code, status=error.status)
        self.retry_after = error.retry_after
        self.spent = spent


def _refuse(error: WatchwordError) -> Response:
    """The shape of errors here: `message`, and for a limit what it is (contract agent-api §10.3)."""
    if not isinstance(error, _Counted):
        return error_response(error)
    response, spent = error_response(error), error.spent
    if spent.refused:
        told = {"scope": spent.scope, "limit": spent.limit, "current": spent.current, "reset": spent.reset}
        body = Response.json({"message": error.message, "code": error.code, **told}, error.status)
        response.body = body.body
    response.headers.extend(_told(spent))
    return response


def _told(spent: Spent) -> Headers:
    said = {
        b"ratelimit-scope": spent.scope,
        b"ratelimit-limit": str(spent.shown_limit),
        b"ratelimit-remaining": str(spent.remaining),
        b"ratelimit-reset": str(spent.reset),
    }
    return [(name, value.encode()) for name, value in said.items()]


@dataclass(slots=True)
class StackRoutes:
    """Handlers of stacks. What a token does not reach answers like what is not there."""

    authority: Authority

    def routes(self) -> list[Route]:
        """The operations; agent tokens of clusters alone, for stacks belong to one."""
        stack = "/v3/stacks/{key}"
        return [
            Route("POST", "/v3/stacks/register", self.register, CLUSTERED, _refuse),
            Route("POST", f"{stack}/deregister", self.deregister, CLUSTERED, _refuse),
            Route("GET", f"{stack}/scheduled-jobs", self.scheduled, CLUSTERED, _refuse),
            Route("PUT", f"{stack}/scheduled-jobs/batch-reserve", self.reserve, CLUSTERED, _refuse),
            Route("GET", f"{stack}/jobs/{{job_id}}", self.show, CLUSTERED, _refuse),
            Route("POST", f"{stack}/jobs/get-states", self.states, CLUSTERED, _refuse),
            Route("POST", f"{stack}/jobs/{{job_id}}/finish", self.finish, CLUSTERED, _refuse),
            Route("POST", f"{stack}/notifications", self.notify, CLUSTERED, _refuse),
        ]

    async def register(self, request: Request) -> Response:
        """A stack says what it is; 201 where its key is new."""
        caller, reach = await self._enter(request)
        body = decode(wire.REGISTER_STACK, await request.body())

        async def work() -> Response:
            wish = StackWish(body.key, body.type, body.queue_key, body.metadata or {})
            registered = await self.authority.stacks.register(caller, reach, wish)
            return Response.json(self._shown(registered), 201 if registered.created else 200)

        return await self._count(limits.OTHER, reach, f"{body.key[:100]}/register", work)

    async def deregister(self, request: Request, key: str) -> Response:
        """A stack leaves."""
        caller, reach = await self._enter(request)

        async def work() -> Response:
            await self.authority.stacks.deregister(caller, reach, key)
            return Response(204, b"", [])

        return await self._count(limits.OTHER, reach, key, work)

    async def scheduled(self, request: Request, key: str) -> Response:
        """What waits in a queue."""
        _, reach = await self._enter(request)

        async def work() -> Response:
            query = request.query()
            after = query.get("after", "")
            listed = await self.authority.stacks.waiting(
                reach,
                key,
                query.get("queue_key", ""),
                Cursor.parse(after) if after else Cursor(),
                _page_size(query.get("limit", "")),
            )
            return Response.json(_scheduled(listed))

        return await self._count(limits.LIST, reach, key, work)

    async def reserve(self, request: Request, key: str) -> Response:
        """A stack takes jobs from all other agents for a while."""
        caller, reach = await self._enter(request)

        async def work() -> Response:
            body = decode(wire.RESERVE, await request.body(_BATCH_BYTES))
            seconds = reservation_seconds(body.reservation_expiry_seconds or None)
            done = await self.authority.reserver.reserve(caller, reach, key, body.job_uuids or (), seconds)
            return Response.json({"reserved": done.reserved, "not_reserved": done.not_reserved})

        return await self._count(limits.RESERVE, reach, key, work)

    async def show(self, request: Request, key: str, job_id: str) -> Response:
        """A job, so that an agent can be started as it asks."""
        _, reach = await self._enter(request)

        async def work() -> Response:
            job, env = await self.authority.reserver.show(reach, key, job_id)
            return Response.json({"id": job.id, "env": dict(env), "command": job.command})

        return await self._count(limits.SHOW, reach, key, work)

    async def states(self, request: Request, key: str) -> Response:
        """States of jobs; those that are not there are left out."""
        _, reach = await self._enter(request)

        async def work() -> Response:
            body = decode(wire.JOB_UUIDS, await request.body(_BATCH_BYTES))
            found = await self.authority.reserver.states(reach, key, body.job_uuids or ())
            return Response.json({"states": {job: state.value for job, state in found.items()}})

        return await self._count(limits.STATES, reach, key, work)

    async def finish(self, request: Request, key: str, job_id: str) -> Response:
        """A stack gives a job up, because it cannot start an agent for it."""
        caller, reach = await self._enter(request)

        async def work() -> Response:
            body = decode(wire.STACK_FINISH, await request.body())
            status, detail = body.exit_status, body.detail or ""
            await self.authority.reserver.fail(caller, reach, key, job_id, status, detail)
            return Response.json({})

        return await self._count(limits.FINISH, reach, key, work)

    async def notify(self, request: Request, key: str) -> Response:
        """What a stack says of its jobs; each that is not kept is told by its place."""
        _, reach = await self._enter(request)

        async def work() -> Response:
            body = decode(wire.NOTIFICATIONS, await request.body(_NOTIFICATIONS_BYTES))
            notes = [
                Note(each.job_uuid or "", each.detail or "", _moment(each.timestamp))
                for each in body.notifications or ()
            ]
            faults = await self.authority.stack_notes.add(reach, key, notes)
            errors = [{"error": fault, "indexes": places} for fault, places in faults.items()]
            return Response.json({"errors": errors})

        return await self._count(limits.NOTIFY, reach, key, work)

    async def _enter(self, request: Request) -> tuple[Caller, StackReach]:
        """Who asks, and what the presented agent token reaches."""
        presented = await self.authority.verifier.verify(
            request.credential(), CLUSTERED, address=request.address, agent=request.agent
        )
        token = presented.holder
        actor = Actor("token", token.id, token.description)
        return Caller(actor, request.address, request.id), StackReach.of(token)

    async def _count(
        self, scope: str, reach: StackReach, key: str, work: Callable[[], Awaitable[Response]]
    ) -> Response:
        """Answer a call within its limit; every answer tells of the limit."""
        owner = (reach.organization_id, reach.cluster_id, key)
        spent = self.authority.stack_limits.spend(scope, *owner)
        try:
            if spent.refused:
                wait = f"Too many requests for {scope}: wait {spent.reset} seconds and try again."
                error = TooMany(wait, code="rate_limited")
                error.retry_after = spent.reset
                raise error
            response = await work()
        except WatchwordError as error:
            raise _Counted(error, spent) from error
        response.headers.extend(_told(spent))
        return response

    def _shown(self, registered: Registered) -> wire.StackAnswer:
        stack = registered.stack
        return wire.StackAnswer(
            id=stack.id,
            organization_uuid=stack.organization_id,
            key=stack.key,
            type=stack.type.value,
            cluster_queue_key=registered.queue.key,
            metadata=dict(stack.metadata),
            last_connected_on=instant(stack.polled_at) if stack.polled_at else None,
            state=stack.state(self.authority.context.clock.now()).value,
        )


def _scheduled(listed: Listed) -> wire.ScheduledJobs:
    queue = listed.queue
    return wire.ScheduledJobs(
        jobs=[
            wire.ScheduledJob(
                id=job.id,
                priority=job.priority,
                agent_query_rules=list(job.rules),
                scheduled_at=instant(job.runnable_at),
                pipeline=wire.PipelineAnswer(slug=job.pipeline_slug, uuid=job.pipeline_id),
                build=wire.BuildAnswer(number=job.build_number, branch=job.branch, uuid=job.build_id),
                step=wire.StepAnswer(key=job.step_key),
            )
            for job in listed.jobs
        ],
        # The controller goes on from the cursor for as long as it gets one, and begins anew without.
        page_info=wire.PageInfo(
            has_next_page=listed.after is not None,
            end_cursor=str(listed.after) if listed.after is not None else None,
        ),
        cluster_queue=wire.QueueAnswer(
            id=queue.id, dispatch_paused=queue.dispatch_paused, paused=queue.dispatch_paused
        ),
    )


def _page_size(text: str) -> int:
    if not text:
        return _USUAL_PAGE
    if not text.isascii() or not text.isdigit() or len(text) > _MAX_DIGITS:
        raise Malformed("limit is a whole number.", code="invalid_limit")
    if not 0 < int(text) <= MAX_JOBS:
        raise Invalid(f"limit is 1 to {MAX_JOBS}.", code="invalid_limit")
    return int(text)


def _moment(text: str | None) -> int | None:
    """A time (RFC 3339) in microseconds; 0 for none, None for a text that is no time."""
    if not text:
        return 0
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    try:
        return max(1, int(moment.timestamp() * 1_000_000))
    except (OverflowError, ValueError):
        return None
