"""Stepping: what a job asks of and changes about the steps of its own build (contract agent-api §2.9)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from watchword.domain.buildsteps import BuildStep, StepState
from watchword.domain.errors import Conflict, Forbidden, Invalid, NotFound
from watchword.domain.events import Action
from watchword.domain.ids import StepId, is_uuid
from watchword.domain.pipelines import CANCEL_GRACE_US, Job, JobState
from watchword.domain.steps import StepType
from watchword.services.context import Caller, Context
from watchword.services.scheduling import Moved, Scheduler
from watchword.store.base import Transaction

CHANGEABLE = ("label", "notify", "priority")
_KEPT_EDITS = 50
_MAX_VALUE = 64 * 1024
_MAX_PRIORITY = 2**31 - 1
_SECOND_US = 1_000_000


def describe_step(row: BuildStep) -> Mapping[str, Any]:
    """Attributes of a step as the agent's `step get` names them."""
    step, document = row.step, row.step.document
    said = document if isinstance(document, dict) else {}
    needs = step.depends_on
    return {
        "agents": list(step.rules),
        "command": step.command,
        "concurrency_key": step.concurrency_group or None,
        "concurrency_limit": step.concurrency or None,
        "depends_on": None if needs is None else [each.key for each in needs],
        "env": dict(step.env),
        "id": row.id,
        "if": step.condition or None,
        "key": step.key or None,
        "label": step.label,
        "notify": said.get("notify"),
        "outcome": row.outcome.value or None,
        "parallelism": step.parallelism or None,
        "priority": step.priority,
        "state": row.state.value,
        "timeout": step.timeout_minutes or None,
        "type": step.type.value,
    }


@dataclass(frozen=True, slots=True)
class StepChange:
    """One change of a step.

    Attributes:
        id: the client's, so that a repeated change is made once.
        attribute: what changes.
        value: the new value, or what is added to the old one.
        append: add to the old value.
    """

    id: str
    attribute: str
    value: str
    append: bool = False


@dataclass(slots=True)
class Stepper:
    """Reads, changes and cancels steps for the jobs of their build."""

    context: Context
    scheduler: Scheduler

    async def find_in(self, tx: Transaction, job: Job, name: str, build_id: str) -> BuildStep:
        """A step of the job's own build by id or key.

        Raises:
            Forbidden: another build is named.
            NotFound: there is no such step.
        """
        if build_id and build_id != job.build_id:
            raise Forbidden("A job reaches the steps of its own build alone.", code="other_build")
        if is_uuid(name):
            row = await tx.steps.find(job.organization_id, StepId(name.lower()))
            if row is not None and row.build_id == job.build_id:
                return row
        for row in await tx.steps.of_build(job.organization_id, job.build_id):
            if name and row.step.key == name:
                return row
        raise NotFound("No step found")

    async def export(self, job: Job, name: str, build_id: str, attribute: str, *, as_json: bool) -> str:
        """A step's attribute, or all of them, as text.

        Raises:
            Forbidden: another build is named.
            NotFound: there is no such step.
            Invalid: there is no such attribute.
        """
        row = await self.context.store.read(lambda tx: self._read_in(tx, job, name, build_id))
        described = describe_step(row)
        if not attribute:
            return json.dumps(described)
        if attribute not in described:
            known = ", ".join(sorted(described))
            raise Invalid(f"A step has no attribute {attribute!r}; it has {known}.", code="invalid_attribute")
        value = described[attribute]
        if as_json or isinstance(value, list | dict):
            return json.dumps(value)
        return "" if value is None else str(value)

    async def _read_in(self, tx: Transaction, job: Job, name: str, build_id: str) -> BuildStep:
        """The step as it stands: it runs as soon as an agent has one of its jobs."""
        row = await self.find_in(tx, job, name, build_id)
        if row.state is StepState.READY and row.step.type is StepType.COMMAND:
            jobs = await tx.builds.jobs(job.organization_id, job.build_id)
            if any(each.step_id == row.id and each.state.held for each in jobs):
                return replace(row, state=StepState.RUNNING)
        return row

    async def update(self, caller: Caller, job: Job, name: str, build_id: str, change: StepChange) -> None:
        """Change a step, once for each change's id.

        Raises:
            Forbidden: another build is named.
            NotFound: there is no such step.
            Invalid: the attribute cannot be changed, or has another kind of value.
        """
        if change.attribute not in CHANGEABLE:
            raise Invalid(
                f"A step's {', '.join(CHANGEABLE)} can change, not {change.attribute!r}.",
                code="invalid_attribute",
            )

        async def work(tx: Transaction) -> Moved:
            await tx.builds.enter_build(job.organization_id, job.build_id)
            row = await self.find_in(tx, job, name, build_id)
            if change.id and change.id in row.edits:
                return Moved()
            edited = replace(_changed(row, change), edits=(*row.edits[1 - _KEPT_EDITS :], change.id))
            await tx.steps.edit(edited)
            await self.context.record(
                tx,
                caller,
                Action.STEP_UPDATED,
                job.organization_id,
                ("step", row.id),
                {"attribute": change.attribute},
            )
            return await self._follow_in(tx, edited)

        self.scheduler.settle(await self.context.store.write(work))

    async def _follow_in(self, tx: Transaction, row: BuildStep) -> Moved:
        """Let the step's jobs that no agent holds have its label and priority."""
        moved = []
        for job in await tx.builds.jobs(row.organization_id, row.build_id):
            if job.step_id != row.id or job.state.ended or job.state.held:
                continue
            edited = replace(job, priority=row.step.priority)
            if not job.matrix:
                edited = replace(edited, label=row.step.label)
            if await tx.builds.edit_job(edited) and job.state is JobState.SCHEDULED:
                moved.append(edited)
        return Moved(scheduled=tuple(moved))

    async def cancel(
        self, caller: Caller, job: Job, name: str, build_id: str, *, force_after: int | None
    ) -> StepId:
        """Cancel a step's jobs; `force_after` seconds later those that go on are ended.

        Raises:
            Forbidden: another build is named.
            NotFound: there is no such step.
            Conflict: it has ended.
        """
        now = self.context.clock.now()

        async def work(tx: Transaction) -> tuple[StepId, Moved]:
            await tx.builds.enter_build(job.organization_id, job.build_id)
            row = await self.find_in(tx, job, name, build_id)
            if row.ended:
                raise Conflict("This step has ended.", code="step_ended")
            rows = await tx.steps.of_build(job.organization_id, job.build_id)
            ids = {one.id for one in rows if row.id in (one.id, one.group_id)}
            moved, groups = Moved(), set[str]()
            for one in await tx.builds.jobs(job.organization_id, job.build_id):
                if one.step_id in ids and not one.state.ended:
                    at = _told_at(one, now, force_after)
                    moved += await self.scheduler.cancel_job_in(tx, one, at)
                    groups.add(one.concurrency_group)
            moved += await self.scheduler.advance_in(tx, job.organization_id, job.build_id, groups)
            await self.context.record(tx, caller, Action.STEP_CANCELED, job.organization_id, ("step", row.id))
            return row.id, moved

        step_id, moved = await self.context.store.write(work)
        self.scheduler.settle(moved)
        return step_id


def _told_at(job: Job, now: int, force_after: int | None) -> int:
    """When a job counts as told to stop: the sweep ends it a fixed grace later, or earlier if forced."""
    if force_after is None or not job.state.held:
        return now
    return min(now, now - CANCEL_GRACE_US + max(0, force_after) * _SECOND_US)


def _changed(row: BuildStep, change: StepChange) -> BuildStep:
    """The step with one attribute changed."""
    step = row.step
    if len(change.value) > _MAX_VALUE:
        raise Invalid(f"A value has at most {_MAX_VALUE} characters.", code="invalid_value")
    if change.attribute == "label":
        label = step.label + change.value if change.append else change.value
        return replace(row, step=replace(step, label=label))
    if change.attribute == "priority":
        return replace(row, step=replace(step, priority=_priority(change.value)))
    said = dict(step.document) if isinstance(step.document, dict) else {}
    notify = _decoded(change.value)
    if change.append:
        notify = _listed(said.get("notify") or []) + _listed(notify)
    return replace(row, step=replace(step, document={**said, "notify": notify}))


def _listed(value: Any) -> list[Any]:  # noqa: ANN401 - decoded JSON
    return value if isinstance(value, list) else [value]


def _priority(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise Invalid("Priority must be an integer", code="invalid_priority") from None
    if abs(number) > _MAX_PRIORITY:
        raise Invalid("Priority must be an integer of 32 bits", code="invalid_priority")
    return number


def _decoded(text: str) -> Any:  # noqa: ANN401 - decoded JSON
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
