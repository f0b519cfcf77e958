"""Runs of Dagster jobs: launched through agents, written by their processes, read by everybody (contract §7).

Whoever calls has checked the right (`services.dagsterdoor`). Repeated writes are known by their key.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from watchword.domain.dagsterruns import (
    MAX_EVENT,
    MAX_EVENTS,
    MAX_TAG,
    MAX_TAGS,
    STATUS_OF,
    DagsterEvent,
    DagsterRun,
    RunStatus,
    Target,
    launch_arguments,
    run_document,
    terminate_arguments,
)
from watchword.domain.deployments import Deployment
from watchword.domain.errors import Conflict, Invalid, NotFound, TooLarge
from watchword.domain.workitems import LAUNCH_RUN, TERMINATE_RUN, WorkItem
from watchword.services.codelocations import find_in as find_location_in
from watchword.services.context import Context
from watchword.services.dagsterdoor import Guest
from watchword.services.idempotency import once
from watchword.services.workitems import enqueue_in
from watchword.store.base import Page, Transaction

_MAX_LISTED = 1_000
_COUNTED = 500
_RUN, _EVENT = "run", "event"


@dataclass(frozen=True, slots=True)
class Said:
    """An event as it was sent.

    Attributes:
        type: empty for a line that somebody's code logged.
        at: microseconds.
        document: JSON of it.
    """

    run_id: str
    type: str
    step: str
    at: int
    document: str


async def launch_in(
    context: Context,
    tx: Transaction,
    deployment: Deployment,
    location: str,
    repository: str,
    job: str,
    *,
    config: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
) -> DagsterRun:
    """Have an agent run a job of a code location.

    Raises:
        NotFound: the deployment has no such location, or that has no such repository.
        Invalid: there are too many tags, or too long ones.
    """
    known = await find_location_in(tx, deployment, location)
    now = context.clock.now()
    run_id, given = context.new_id(), dict(tags or {})
    _check_tags(given)
    target = Target(
        location,
        repository,
        job,
        json.loads(known.manifest),
        json.loads(known.document).get("container_context") or {},
        config or {},
        given,
    )
    document = run_document(run_id, target)
    if document["pipeline_code_origin"] is None:
        raise NotFound(
            f"The code location {location!r} has no repository {repository!r}, or is not loaded yet.",
            code="no_such_repository",
        )
    run = DagsterRun(
        deployment.organization_id,
        deployment.id,
        run_id,
        await tx.dagster_runs.next_number(deployment.organization_id, deployment.id, _RUN),
        location,
        repository,
        job,
        RunStatus.STARTING,
        json.dumps(document),
        given,
        now,
        now,
    )
    await tx.dagster_runs.add(run)
    await enqueue_in(context, tx, deployment, LAUNCH_RUN, launch_arguments(document), queue=known.queue)
    return run


async def terminate_in(context: Context, tx: Transaction, deployment: Deployment, run_id: str) -> DagsterRun:
    """Have an agent stop a run.

    Raises:
        NotFound: there is none of this id.
        Conflict: it has ended.
    """
    run = await find_in(tx, deployment, run_id)
    if run.status.ended:
        raise Conflict("This run has ended.", code="run_ended")
    await enqueue_in(context, tx, deployment, TERMINATE_RUN, terminate_arguments(json.loads(run.serialized)))
    changed = replace(run, status=RunStatus.CANCELING, updated_at=context.clock.now())
    await tx.dagster_runs.save(changed)
    return changed


async def find_in(tx: Transaction, deployment: Deployment, run_id: str) -> DagsterRun:
    """A run of a deployment.

    Raises:
        NotFound: there is none of this id.
    """
    run = await tx.dagster_runs.find(deployment.organization_id, deployment.id, run_id)
    if run is None:
        raise NotFound("No run found", code="no_such_run")
    return run


async def list_in(
    tx: Transaction,
    deployment: Deployment,
    *,
    ids: Sequence[str] = (),
    statuses: Sequence[RunStatus] = (),
    limit: int | None = None,
) -> list[DagsterRun]:
    """Runs of a deployment, the latest first; of some ids, or in some states."""
    owner, place = deployment.organization_id, deployment.id
    most = min(limit if limit is not None and limit >= 0 else _MAX_LISTED, _MAX_LISTED)
    if ids:
        found = [await tx.dagster_runs.find(owner, place, run_id) for run_id in ids[:most]]
        return [run for run in found if run is not None and (not statuses or run.status in statuses)]
    return list(await tx.dagster_runs.list(owner, place, statuses, Page(limit=most, offset=0)))


async def add_tags(
    context: Context, guest: Guest, deployment: Deployment, run_id: str, tags: Mapping[str, str], key: str
) -> None:
    """Add tags to a run, in place of those of the same names.

    Raises:
        NotFound: there is none of this id.
        Invalid: there are too many tags, or too long ones.
    """

    async def work(tx: Transaction) -> bytes:
        run = await find_in(tx, deployment, run_id)
        merged = {**run.tags, **tags}
        _check_tags(merged)
        await tx.dagster_runs.save(replace(run, tags=merged, updated_at=context.clock.now()))
        return b""

    asked = msgspec.json.encode([deployment.id, run_id, dict(tags)])
    await once(context, guest.id, guest.presented.id, key, "dagster.tags", asked, work)


async def store_events(
    context: Context, guest: Guest, deployment: Deployment, said: Sequence[Said], key: str
) -> None:
    """Keep events of runs, and note what they say of them; a repetition with the same key changes nothing.

    Raises:
        NotFound: a run is none of the deployment's.
        TooLarge: an event is.
        Invalid: a run has as many as it may have, or a few more.
    """
    if any(len(one.document) > MAX_EVENT for one in said):
        raise TooLarge(f"An event takes at most {MAX_EVENT} bytes.", code="event_too_large")

    async def work(tx: Transaction) -> bytes:
        for run_id in dict.fromkeys(one.run_id for one in said):
            run = await find_in(tx, deployment, run_id)
            await _keep_in(context, tx, run, [one for one in said if one.run_id == run_id])
        return b""

    asked = msgspec.json.encode([deployment.id, [one.document for one in said]])
    await once(context, guest.id, guest.presented.id, key, "dagster.events", asked, work)


async def _keep_in(context: Context, tx: Transaction, run: DagsterRun, said: Sequence[Said]) -> None:
    owner, place = run.organization_id, run.deployment_id
    events = [
        DagsterEvent(
            owner,
            place,
            run.id,
            await tx.dagster_runs.next_number(owner, place, _EVENT),
            one.type,
            one.step,
            one.at,
            one.document,
        )
        for one in said
    ]
    # Counting takes as long as there are events: looked at now and then.
    if any(event.number % _COUNTED == 0 for event in events):
        had = await tx.dagster_runs.count_events(owner, place, run.id)
        if had + len(events) > MAX_EVENTS:
            raise Invalid(f"A run has at most {MAX_EVENTS} events.", code="too_many_events")
    await tx.dagster_runs.add_events(events)
    changed = run
    for event in events:
        changed = _heed(changed, event)
    if changed != run:
        await tx.dagster_runs.save(replace(changed, updated_at=context.clock.now()))


def _heed(run: DagsterRun, event: DagsterEvent) -> DagsterRun:
    """A run after one of its events; one that has ended stays as it is."""
    status = STATUS_OF.get(event.type)
    if status is None or run.status.ended:
        return run
    return replace(
        run,
        status=status,
        started_at=event.at if status is RunStatus.STARTED else run.started_at,
        ended_at=event.at if status.ended else run.ended_at,
    )


def _check_tags(tags: Mapping[str, str]) -> None:
    if len(tags) > MAX_TAGS or any(len(key) + len(value) > MAX_TAG for key, value in tags.items()):
        raise Invalid(f"A run has at most {MAX_TAGS} tags of {MAX_TAG} characters.", code="too_many_tags")


async def heed_answers(context: Context, deployment: Deployment, items: Sequence[WorkItem]) -> None:
    """Note runs that agents could not start."""
    failed = [item for item in items if item.api == LAUNCH_RUN and not item.succeeded]
    if not failed:
        return

    async def work(tx: Transaction) -> None:
        now = context.clock.now()
        for item in failed:
            run_id = json.loads(item.arguments)["pipeline_run"]["run_id"]
            run = await tx.dagster_runs.find(deployment.organization_id, deployment.id, run_id)
            if run is not None and not run.status.ended:
                ended = replace(run, status=RunStatus.FAILURE, updated_at=now, ended_at=now)
                await tx.dagster_runs.save(ended)

    await context.store.write(work)
