"""Changing what the jobs of an organization or of a pipeline may do beyond themselves."""

from collections.abc import Mapping
from dataclasses import asdict, replace

from watchword.domain.events import Action
from watchword.domain.jobpolicies import JobPolicy, check_job_policy
from watchword.domain.pipelines import Pipeline
from watchword.services.access import Access
from watchword.services.context import Context
from watchword.store.base import Transaction


async def change_job_policy(
    context: Context,
    tx: Transaction,
    access: Access,
    pipeline: Pipeline | None,
    changes: Mapping[str, object],
) -> JobPolicy:
    """Change a policy; it holds for the very next call of a job.

    Args:
        context: the ground.
        tx: the unit of work.
        access: who asks, in which organization.
        pipeline: whose jobs are meant; None for all of the organization.
        changes: fields of `JobPolicy`.

    Raises:
        Forbidden: the caller does not administer the organization.
        Invalid: a setting is not acceptable.
    """
    access.require("job_policy.update")
    before = await tx.job_policies.find(access.id, pipeline.id if pipeline is not None else "")
    wanted = check_job_policy(replace(before, **changes))  # type: ignore[arg-type] # names of its fields
    if wanted == before:
        return before
    after = replace(wanted, updated_at=context.clock.now(), updated_by=access.user.id)
    await tx.job_policies.save(after)
    said, former = asdict(wanted), asdict(before)
    data = {name: said[name] for name in changes if said[name] != former[name]}
    subject = ("organization", access.id) if pipeline is None else ("pipeline", pipeline.id)
    await context.record(tx, access.caller, Action.JOB_POLICY_UPDATED, access.id, subject, data)
    return after
