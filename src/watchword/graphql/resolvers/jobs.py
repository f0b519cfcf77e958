"""Jobs (contract rest-graphql §3.4, §3.5): commands, and the waits and blocks that stand among them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from watchword.domain import accounts, fleet, pipelines
from watchword.domain.buildsteps import GATES, BuildStep
from watchword.domain.errors import Invalid, Malformed
from watchword.domain.formats import read_time
from watchword.domain.ids import JobId, is_uuid
from watchword.domain.steps import StepType
from watchword.graphql import ids
from watchword.graphql.binding import Arguments, Thing, field, mutation, nothing, query
from watchword.graphql.call import Call, Order
from watchword.graphql.connections import listed, windowed
from watchword.graphql.finding import maybe, node, thing_of
from watchword.graphql.resolvers.agents import show_agent
from watchword.graphql.resolvers.builds import page_of, pipeline_of, show_build
from watchword.graphql.resolvers.clusters import cluster_of
from watchword.graphql.resolvers.pipelines import show_pipeline
from watchword.graphql.resolvers.queues import queue_of
from watchword.graphql.resolvers.users import by
from watchword.services.lookups import EVERYTHING, build_by_id, job_by_id, jobs_of_organization
from watchword.services.queries import Access, Page, Unit, find_agent, find_step, jobs_of, steps_of
from watchword.services.scheduling import Moved

MISSING = "No job found"
TYPES = ("JobTypeCommand", "JobTypeBlock", "JobTypeWait", "JobTypeTrigger")
_COMMAND, _BLOCK, _WAIT = TYPES[:3]
_REASONS = (
    "AGENT_STOP",
    "CANCEL",
    "PROCESS_RUN_ERROR",
    "AGENT_REFUSED",
    "AGENT_INCOMPATIBLE",
    "SIGNATURE_REJECTED",
    "STACK_ERROR",
)
Row = pipelines.Job | BuildStep


def show_job(job: pipelines.Job) -> Thing:
    """A command as an object."""
    reason = job.signal_reason.upper()
    group = {"group": job.concurrency_group, "limit": job.concurrency_limit}
    values = {
        "id": ids.encode(_COMMAND, job.id),
        "uuid": job.id,
        "label": job.label or None,
        "command": job.command or None,
        "state": job.state.value.upper(),
        "passed": job.passed,
        "softFailed": job.soft_failed,
        "exitStatus": job.exit_status or None,
        "signal": job.signal or None,
        "signalReason": reason if reason in _REASONS else None,
        "promisedExitStatus": int(job.promised_status) if job.promised_status.isdecimal() else None,
        "agentQueryRules": list(job.rules),
        "priority": {"number": job.priority},
        "concurrency": group if job.concurrency_group else None,
        "matrix": dict(job.matrix) or None,
        "parallelGroupIndex": job.parallel_index if job.parallel_total else None,
        "parallelGroupTotal": job.parallel_total or None,
        "createdAt": job.created_at,
        "scheduledAt": job.created_at,
        "runnableAt": job.runnable_at or None,
        "startedAt": job.started_at or None,
        "finishedAt": job.finished_at or None,
        "canceledAt": job.canceling_at or None,
        "expiredAt": None,
        "retried": job.retried_in is not None,
        "retriesCount": job.retries,
        "retryType": job.retry_type.upper() or None,
    }
    return Thing(_COMMAND, job.organization_id, job, values)


def show_step(row: BuildStep) -> Thing:
    """A block, input or wait as an object, by the step's id."""
    of = _BLOCK if row.step.type in GATES else _WAIT
    values = {
        "id": ids.encode(of, row.id),
        "uuid": row.id,
        "label": row.step.label or None,
        "state": row.shown_state.upper(),
        "isUnblockable": row.blocked,
        "unblockedAt": row.unblocked_at or None,
        "retried": False,
        "retriedBy": None,
        "retriesCount": 0,
        "retrySource": None,
        "retryType": None,
    }
    return Thing(of, row.organization_id, row, values)


def show_row(row: Row) -> Thing:
    """A piece of a build as an object."""
    return show_job(row) if isinstance(row, pipelines.Job) else show_step(row)


nothing(_COMMAND, "env", "retriedBy")
cluster_of(_COMMAND)
queue_of(_COMMAND, "queue_id")
by(_BLOCK, "unblockedBy", "unblocked_by")


def _in_build(of: str) -> None:
    """Bind the fields that show the build, and its step."""

    @field(of, "build", "build.read")
    async def build_of_job(call: Call, row: Row, _arguments: Arguments) -> Thing | None:
        found = await _build(call, row)
        return show_build(found) if found is not None else None

    @field(of, "step", "build.read")
    async def step_of_job(call: Call, row: Row, _arguments: Arguments) -> Mapping[str, object] | None:
        if isinstance(row, BuildStep):
            return _step(row)
        step_id = row.step_id
        if step_id is None:
            return None
        found = await call.read(lambda tx: find_step(tx, row.organization_id, step_id))
        return _step(found) if found is not None else None


def _step(row: BuildStep) -> Mapping[str, object]:
    return {"uuid": row.id, "key": row.step.key or None, "conditional": None}


for _type in TYPES[:3]:
    _in_build(_type)


async def _build(call: Call, row: Row) -> pipelines.Build | None:
    async def read() -> pipelines.Build | None:
        return await call.read(lambda tx: build_by_id(tx, row.organization_id, row.build_id))

    return await call.once(("build", row.build_id), read)


@field(_COMMAND, "pipeline", "pipeline.read")
async def pipeline_of_job(call: Call, job: pipelines.Job, _arguments: Arguments) -> Thing | None:
    """The pipeline of its build."""
    build = await _build(call, job)
    found = await pipeline_of(call, build) if build is not None else None
    return show_pipeline(found) if found is not None else None


@field(_COMMAND, "url", "build.read")
async def url_of_job(call: Call, job: pipelines.Job, _arguments: Arguments) -> str:
    """Its place on the build's page."""
    build = await _build(call, job)
    return f"{await page_of(call, build)}#{job.id}" if build is not None else ""


@field(_COMMAND, "agent", "agent.read")
async def agent_of_job(call: Call, job: pipelines.Job, _arguments: Arguments) -> Thing | None:
    """Who runs it, or ran it."""
    agent_id = job.agent_id
    if agent_id is None:
        return None

    async def read() -> fleet.Agent | None:
        return await call.read(lambda tx: maybe(find_agent(tx, job.organization_id, agent_id)))

    found = await call.once(("agent", agent_id), read)
    return show_agent(found) if found is not None else None


@field(_COMMAND, "retrySource", "build.read")
async def source_of_job(call: Call, job: pipelines.Job, _arguments: Arguments) -> Thing | None:
    """The job that it replaces."""
    job_id = job.retry_source
    if job_id is None:
        return None
    found = await call.read(lambda tx: job_by_id(tx, job.organization_id, job_id))
    return show_job(found) if found is not None else None


@field("Agent", "job", "build.read")
async def job_of_agent(call: Call, agent: fleet.Agent, _arguments: Arguments) -> Thing | None:
    """What it runs."""
    job_id = agent.job_id
    if job_id is None:
        return None
    found = await call.read(lambda tx: job_by_id(tx, agent.organization_id, job_id))
    return show_job(found) if found is not None else None


async def find(tx: Unit, access: Access, uuid: str) -> Thing | None:
    """A piece of a build of an organization; REST names all of them `Job`."""
    if not uuid:
        return None
    job = await job_by_id(tx, access.id, JobId(uuid))
    if job is not None:
        return show_job(job)
    row = await find_step(tx, access.id, uuid)
    return show_step(row) if row is not None and row.step.type in (*GATES, StepType.WAIT) else None


for _type in TYPES[:3]:
    node(_type, "build.read")(find)


@query("job", "build.read")
async def job_at(call: Call, arguments: Arguments) -> Thing | None:
    """By UUID."""
    uuid = str(arguments["uuid"])
    return await thing_of(call, _COMMAND, uuid.lower() if is_uuid(uuid) else "")


@field("Build", "jobs", "build.read")
async def jobs_of_build(call: Call, build: pipelines.Build, arguments: Arguments) -> object:
    """Pieces that fit, in the order of the steps."""
    steps, jobs = await call.read(lambda tx: _pieces(tx, build))
    by_step: dict[object, list[Row]] = {}
    for job in jobs:
        by_step.setdefault(job.step_id, []).append(job)
    rows = by_step.get(None, [])
    for row in steps:
        among = row.step.type in (*GATES, StepType.WAIT)
        rows += [row] if among else by_step.get(row.id, [])
    fits = _filter(arguments)
    return listed([row for row in rows if fits(row)], arguments, show_row, lambda row: row.id)


async def _pieces(tx: Unit, build: pipelines.Build) -> tuple[list[BuildStep], list[pipelines.Job]]:
    return await steps_of(tx, build), await jobs_of(tx, build)


@field("Organization", "jobs", "build.read")
async def jobs_of_organization_field(
    call: Call, organization: accounts.Organization, arguments: Arguments
) -> object:
    """Commands that fit, of the newest builds first."""
    fits = _filter(arguments)

    async def fetch(page: Page) -> Sequence[pipelines.Job]:
        return await call.read(lambda tx: jobs_of_organization(tx, organization.id, page, fits))

    async def count() -> int:
        return len(await fetch(EVERYTHING))

    return await windowed(fetch, count, arguments, show_job)


def _filter(arguments: Arguments) -> Callable[[Row], bool]:
    """The pieces that are asked for."""
    asked: dict[str, Any] = {name: value for name, value in arguments.items() if value is not None}
    queues = {_uuid(one, "ClusterQueue") for one in asked.get("clusterQueue", ())}
    cluster = _uuid(asked["cluster"], "Cluster") if "cluster" in asked else ""
    since, until = (read_time(name, asked.get(name)) for name in ("createdAtFrom", "createdAtTo"))
    rules = set(asked.get("agentQueryRules", ()))
    keys = (asked.get("step") or {}).get("key")
    groups = (asked.get("concurrency") or {}).get("group")
    numbers = (asked.get("priority") or {}).get("number")

    def fits(row: Row) -> bool:
        if not isinstance(row, pipelines.Job):
            only = {"passed", "priority", "concurrency", "agentQueryRules"}
            wanted = "BLOCK" if row.step.type in GATES else "WAIT"
            return (
                wanted in asked.get("type", (wanted,))
                and row.shown_state.upper() in asked.get("state", (row.shown_state.upper(),))
                and not only & set(asked)
                and (keys is None or row.step.key in keys)
            )
        return (
            "COMMAND" in asked.get("type", ("COMMAND",))
            and row.state.value.upper() in asked.get("state", (row.state.value.upper(),))
            and ("clusterQueue" not in asked or row.queue_id in queues)
            and (not cluster or row.cluster_id == cluster)
            and asked.get("clustered", row.cluster_id is not None) is (row.cluster_id is not None)
            and asked.get("passed", row.passed) is row.passed
            and rules <= set(row.rules)
            and (keys is None or row.step_key in keys)
            and (groups is None or row.concurrency_group in groups)
            and (numbers is None or row.priority in numbers)
            and row.created_at >= since
            and (not until or row.created_at < until)
        )

    return fits


def _uuid(given: object, of: str) -> str:
    """The UUID that a filter names, plain or as a global id."""
    text = str(given).strip()
    return ids.uuid_of(text, of) or text.lower()


async def _change(
    order: Order, change: Callable[[Unit, Access, pipelines.Job], Awaitable[tuple[pipelines.Job, Moved]]]
) -> pipelines.Job:
    """Change the job that the input names."""
    uuid = ids.uuid_of(str(order.input["id"]), *TYPES)

    async def look(tx: Unit, access: Access) -> pipelines.Job | None:
        return await job_by_id(tx, access.id, JobId(uuid))

    job, moved = await order.write_found(look, MISSING, change)
    order.call.authority.attempts.scheduler.settle(moved)
    return job


@mutation("jobTypeCommandCancel", "job.cancel")
async def cancel(order: Order) -> Mapping[str, object]:
    """Cancel a job: a waiting one ends at once, of a running one its agent hears."""
    attempts = order.call.authority.attempts

    async def change(tx: Unit, access: Access, job: pipelines.Job) -> tuple[pipelines.Job, Moved]:
        return await attempts.cancel_in(tx, access.caller, job)

    return {"jobTypeCommand": show_job(await _change(order, change))}


@mutation("jobTypeCommandRetry", "job.retry")
async def retry(order: Order) -> Mapping[str, object]:
    """Make another attempt of a job that ended."""
    attempts = order.call.authority.attempts
    old: list[pipelines.Job] = []

    async def change(tx: Unit, access: Access, job: pipelines.Job) -> tuple[pipelines.Job, Moved]:
        made, moved = await attempts.retry_in(tx, access.caller, job)
        old[:] = [await job_by_id(tx, access.id, job.id) or job]
        return made, moved

    made = await _change(order, change)
    return {"jobTypeCommand": show_job(old[0]), "retriedInJobTypeCommand": show_job(made)}


@mutation("jobTypeBlockUnblock", "job.unblock")
async def unblock(order: Order) -> Mapping[str, object]:
    """Let a build go on behind a block or input step."""
    attempts = order.call.authority.attempts
    uuid = ids.uuid_of(str(order.input["id"]), *TYPES)
    fields = _fields(order.input.get("fields"))

    async def look(tx: Unit, access: Access) -> BuildStep | None:
        row = await find_step(tx, access.id, uuid)
        if row is None and await job_by_id(tx, access.id, JobId(uuid)) is not None:
            raise Malformed("This job type cannot be unblocked", code="not_unblockable")
        return row

    async def work(tx: Unit, access: Access, row: BuildStep) -> tuple[BuildStep, Moved]:
        return await attempts.unblock_in(tx, access.caller, row, fields, access.user.id)

    row, moved = await order.write_found(look, MISSING, work)
    attempts.scheduler.settle(moved)
    return {"jobTypeBlock": show_step(row)}


def _fields(given: object) -> dict[str, str]:
    """What a person fills in.

    Raises:
        Invalid: it is not an object of texts.
    """
    if given is None:
        return {}
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise Invalid("Validation failed: fields is an object of texts", code="invalid_fields")
    return given
