"""Making: the steps and jobs of a build from a pipeline document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from watchword.domain.accounts import Cluster, Organization, Queue, User
from watchword.domain.buildsteps import BuildStep, Outcome, StepState
from watchword.domain.conditions import branch_matches, compile_condition
from watchword.domain.environment import AGENT_OWNED
from watchword.domain.errors import Invalid
from watchword.domain.ids import JobId, StepId
from watchword.domain.jobrights import common_rights
from watchword.domain.matrix import expand, permuted
from watchword.domain.pipelines import Build, Job, JobState, Pipeline
from watchword.domain.steps import Document, Step, StepType
from watchword.services.context import Context
from watchword.store.base import Transaction

MAX_COMMAND = 64 * 1024
MAX_ENV = 500
MAX_STEPS = 4000


@dataclass(frozen=True, slots=True)
class Ground:
    """What a build's steps are made on."""

    organization: Organization
    pipeline: Pipeline
    build: Build
    cluster: Cluster | None
    variables: Mapping[str, object]
    queues: dict[tuple[str, ...], Queue | None] = field(default_factory=dict)


async def ground_of(tx: Transaction, pipeline: Pipeline, build: Build) -> Ground:
    """Read what a build's steps are made on.

    Raises:
        Invalid: the organization or the pipeline's cluster is gone.
    """
    organization = await tx.accounts.organization(pipeline.organization_id)
    if organization is None:
        raise Invalid("Validation failed: the organization is gone", code="unknown_organization")
    cluster = None
    if pipeline.cluster_id is not None:
        cluster = await tx.accounts.cluster(pipeline.organization_id, pipeline.cluster_id)
        if cluster is None:  # without it the job would wait in the line of unclustered agents
            raise Invalid("Validation failed: the pipeline's cluster was deleted", code="unknown_cluster")
    creator = await tx.accounts.user(build.created_by) if build.created_by is not None else None
    return Ground(
        organization, pipeline, build, cluster, condition_variables(organization, pipeline, build, creator)
    )


def condition_variables(
    organization: Organization, pipeline: Pipeline, build: Build, creator: User | None
) -> dict[str, object]:
    """What the condition of a step may ask."""
    pull_request = build.pull_request
    return {
        "build.id": build.id,
        "build.number": build.number,
        "build.branch": build.branch,
        "build.commit": build.commit,
        "build.message": build.message,
        "build.source": build.source,
        "build.state": build.state.value,
        "build.tag": build.tag or None,
        "build.author.name": build.author.get("name"),
        "build.author.email": build.author.get("email"),
        "build.creator.name": creator.name if creator is not None else None,
        "build.creator.email": creator.email if creator is not None else None,
        "build.pull_request.id": pull_request.get("id"),
        "build.pull_request.base_branch": pull_request.get("base"),
        "build.pull_request.repository": pull_request.get("repository"),
        "build.env": {**pipeline.env, **build.env},
        "organization.id": organization.id,
        "organization.slug": organization.slug,
        "pipeline.id": pipeline.id,
        "pipeline.slug": pipeline.slug,
        "pipeline.default_branch": pipeline.default_branch,
        "pipeline.repository": pipeline.repository,
    }


def check_environment(env: Mapping[str, str]) -> Mapping[str, str]:
    """Refuse variables that only an agent may set: they could shadow its tokens.

    Raises:
        Invalid: a name is such a variable or no name, or there are too many.
    """
    if len(env) > MAX_ENV:
        raise Invalid(f"Validation failed: Env takes at most {MAX_ENV} variables", code="invalid_env")
    for name in env:
        if name in AGENT_OWNED:
            raise Invalid(f"Validation failed: {name} is set by the agent alone", code="protected_variable")
        if not name or "=" in name or "\0" in name or "\0" in env[name]:
            raise Invalid("Validation failed: Env has a name or value with = or NUL", code="invalid_env")
    return env


@dataclass(slots=True)
class Maker:
    """Writes steps and jobs inside a unit of work; `Scheduler.advance_in` is to be called then."""

    context: Context

    async def add_in(
        self,
        tx: Transaction,
        ground: Ground,
        document: Document,
        *,
        after: int = -1,
        uploader: Job | None = None,
    ) -> list[BuildStep]:
        """Add a document's steps to a build, with their jobs.

        Args:
            tx: the unit of work.
            ground: what they are made on.
            document: what is to be done.
            after: position after which they stand; the steps behind it move on.
            uploader: the job that brings them; theirs have no right that it lacks.

        Raises:
            Invalid: a step is not acceptable here; the message names it.
        """
        build = ground.build
        present = await tx.steps.of_build(build.organization_id, build.id)
        _check_room(document, present)
        await tx.steps.make_room(build.organization_id, build.id, after, len(document.steps))
        bound = uploader.token_rights if uploader is not None else ""
        ids = [StepId(self.context.new_id()) for _ in document.steps]
        left_out: list[JobState | None] = []
        made = []
        for place, step in enumerate(document.steps):
            row = BuildStep(
                organization_id=build.organization_id,
                id=ids[place],
                build_id=build.id,
                position=after + 1 + place,
                group_id=ids[step.group] if step.group is not None else None,
                step=replace(
                    step, env={**document.env, **step.env}, rights=common_rights(step.rights, bound)
                ),
                uploaded_by=uploader.id if uploader is not None else None,
                created_at=self.context.clock.now(),
            )
            try:
                of_group = left_out[step.group] if step.group is not None else None
                left_out.append(of_group or _left_out(ground, step))
                await self._write(tx, ground, row, left_out[-1])
            except Invalid as error:
                raise _of_step(error, place + 1, step) from None
            made.append(row)
        limit = self.context.installation.quotas.build_jobs
        if limit and await tx.house.jobs_of_build(build.organization_id, build.id) > limit:
            raise Invalid(f"Validation failed: a build has at most {limit} jobs", code="job_quota")
        return made

    async def _write(
        self, tx: Transaction, ground: Ground, row: BuildStep, left_out: JobState | None
    ) -> None:
        if row.step.type is StepType.TRIGGER:
            raise Invalid("trigger steps are not run by this version", code="unknown_step")
        if row.step.type is not StepType.COMMAND:
            ended = replace(row, state=StepState.ENDED, outcome=Outcome.NEUTRAL)
            await tx.steps.add(ended if left_out is not None else row)
            return
        await tx.steps.add(row)
        for job in await self._jobs(tx, ground, row, left_out):
            await tx.builds.add_job(job)

    async def _jobs(
        self, tx: Transaction, ground: Ground, row: BuildStep, left_out: JobState | None
    ) -> list[Job]:
        step = row.step
        if left_out is not None:
            return [await self._job(tx, ground, row, step, state=left_out)]
        if step.matrix:
            parts = [permuted(step, at) for at in range(len(expand(step)))]
            return [
                await self._job(
                    tx,
                    ground,
                    row,
                    part,
                    state=JobState.SKIPPED if part.skip else JobState.WAITING,
                    matrix=step.matrix[at],
                )
                for at, part in enumerate(parts)
            ]
        total = step.parallelism
        return [await self._job(tx, ground, row, step, index=at, total=total) for at in range(total or 1)]

    async def _job(
        self,
        tx: Transaction,
        ground: Ground,
        row: BuildStep,
        step: Step,
        *,
        state: JobState = JobState.WAITING,
        index: int = 0,
        total: int = 0,
        matrix: Mapping[str, str] | None = None,
    ) -> Job:
        if len(step.command) > MAX_COMMAND:
            raise Invalid(f"a command has at most {MAX_COMMAND} characters", code="invalid_command")
        if not step.command.strip() and not step.plugins:
            raise Invalid("command is missing, and there are no plugins to do the work", code="invalid_step")
        rules = step.rules
        if rules not in ground.queues:
            ground.queues[rules] = await _queue_of(tx, ground.cluster, rules)
        queue = ground.queues[rules]
        if queue is not None and not any(rule.startswith("queue=") for rule in rules):
            rules = (f"queue={queue.key}", *rules)
        now = self.context.clock.now()
        return Job(
            organization_id=row.organization_id,
            id=JobId(self.context.new_id()),
            build_id=row.build_id,
            cluster_id=ground.pipeline.cluster_id,
            queue_id=queue.id if queue is not None else None,
            label=step.label,
            step_key=step.key,
            command=step.command,
            env=check_environment(step.env),
            rules=rules,
            state=state,
            priority=step.priority,
            timeout_minutes=_timeout(ground, step),
            created_at=now,
            finished_at=now if state.ended else 0,
            step_id=row.id,
            parallel_index=index,
            parallel_total=total,
            matrix=matrix or {},
            concurrency_group=step.concurrency_group if step.concurrency else "",
            concurrency_limit=step.concurrency,
            concurrency_ordered=step.concurrency_ordered,
            rights=step.rights,
        )


def _of_step(error: Invalid, number: int, step: Step) -> Invalid:
    """The refusal of a step with the step named, as the reader of documents names it."""
    named = step.key or step.label
    shown = f' ("{named}")' if named else ""
    reason = error.message.removeprefix("Validation failed: ")
    return Invalid(f"Step {number}{shown}: {reason}", code=error.code)


def _check_room(document: Document, present: Sequence[BuildStep]) -> None:
    """Refuse steps that are too many for a build, or whose key another step of it has.

    Raises:
        Invalid: they are.
    """
    if len(present) + len(document.steps) > MAX_STEPS:
        raise Invalid(f"Validation failed: a build has at most {MAX_STEPS} steps", code="too_many_steps")
    taken = {row.step.key for row in present if row.step.key}
    for place, step in enumerate(document.steps, 1):
        if step.key and step.key in taken:
            taken_key = Invalid("its key is that of another step of the build.", code="invalid_step")
            raise _of_step(taken_key, place, step)


def _left_out(ground: Ground, step: Step) -> JobState | None:
    """Whether a step is left out: skipped, or broken by its condition or its branches."""
    if step.skip:
        return JobState.SKIPPED
    if step.condition and not compile_condition(step.condition).holds(ground.variables):
        return JobState.BROKEN
    if step.branches and not branch_matches(step.branches, ground.build.branch):
        return JobState.BROKEN
    return None


def _timeout(ground: Ground, step: Step) -> int:
    """Minutes that a job may run: the step's, else the defaults; never more than the maxima; 0 for no end."""
    pipeline, organization = ground.pipeline, ground.organization
    asked = step.timeout_minutes or pipeline.default_timeout_minutes or organization.default_timeout_minutes
    limits = (asked, pipeline.maximum_timeout_minutes, organization.maximum_timeout_minutes)
    return min((limit for limit in limits if limit), default=0)


async def _queue_of(tx: Transaction, cluster: Cluster | None, rules: tuple[str, ...]) -> Queue | None:
    """The queue that a step's rules name, or the cluster's default one."""
    if cluster is None:
        return None
    key = next((rule[6:] for rule in rules if rule.startswith("queue=")), "")
    if key:
        queue = await tx.accounts.queue_by_key(cluster.organization_id, cluster.id, key)
    elif cluster.default_queue_id is not None:
        queue = await tx.accounts.queue(cluster.organization_id, cluster.default_queue_id)
    else:
        raise Invalid(
            "Validation failed: the cluster has no default queue; name one with agents: queue=KEY",
            code="no_default_queue",
        )
    if queue is None:
        raise Invalid(f"Validation failed: the cluster has no queue {key!r}", code="unknown_queue")
    return queue
