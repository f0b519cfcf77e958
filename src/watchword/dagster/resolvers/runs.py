"""Runs as people and command lines launch, stop and read them (contract §11)."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from watchword.dagster.binding import Arguments, Audience, mutation, query
from watchword.dagster.call import Call
from watchword.dagster.rights import require
from watchword.dagster.shapes import seconds, told
from watchword.domain.dagsterroles import Act
from watchword.domain.dagsterruns import DagsterRun, RunStatus
from watchword.domain.errors import Conflict, Invalid, NotFound
from watchword.services.dagsterruns import find_in, launch_in, list_in, terminate_in
from watchword.services.idempotency import once
from watchword.services.queries import Unit

NO_RUN = "RunNotFoundError"
_USUAL = 50


def shown(run: DagsterRun) -> dict[str, Any]:
    """A run as an object of an answer."""
    config = json.loads(run.document).get("run_config") or {}
    return {
        "__typename": "Run",
        "id": run.id,
        "runId": run.id,
        "jobName": run.job,
        "status": run.status.value,
        "runConfigYaml": json.dumps(config, sort_keys=True),  # JSON is YAML
        "tags": [{"key": key, "value": value} for key, value in sorted(run.tags.items())],
        "creationTime": seconds(run.created_at),
        "startTime": seconds(run.started_at) if run.started_at else None,
        "endTime": seconds(run.ended_at) if run.ended_at else None,
        "stats": {
            "__typename": "PythonError",
            "message": "This server does not count what happens in a run.",
            "className": None,
            "stack": [],
            "cause": None,
            "causes": [],
        },
    }


@query("runOrError", Audience.BOTH)
async def run_or_error(call: Call, arguments: Arguments) -> object:
    """A run of the deployment that a call is about."""
    here, run_id = call.here, arguments["runId"]
    require(call, Act.VIEW, here)
    try:
        return shown(await call.read(lambda tx: find_in(tx, here, run_id)))
    except NotFound as error:
        return {**told(NO_RUN, error), "runId": run_id}


@query("runsOrError", Audience.BOTH)
async def runs_or_error(call: Call, arguments: Arguments) -> object:
    """Runs of the deployment that a call is about, the latest first; `cursor` names the last one seen."""
    here, asked = call.here, arguments.get("filter") or {}
    require(call, Act.VIEW, here)
    try:
        statuses = tuple(RunStatus(one) for one in asked.get("statuses") or ())
    except ValueError:
        return told("InvalidPipelineRunsFilterError", Invalid("There is no such status of a run."))
    ids, job = asked.get("runIds") or (), asked.get("pipelineName")
    found = await call.read(lambda tx: list_in(tx, here, ids=ids, statuses=statuses))
    found = [one for one in found if (job is None or one.job == job) and _tagged(one, asked.get("tags"))]
    known = [one.id for one in found]
    cursor, limit = arguments.get("cursor"), arguments.get("limit")
    start = known.index(cursor) + 1 if cursor in known else 0
    end = start + max(limit if limit is not None else _USUAL, 0)
    return {"__typename": "Runs", "results": [shown(one) for one in found[start:end]], "count": len(found)}


def _tagged(run: DagsterRun, tags: Sequence[Mapping[str, Any]] | None) -> bool:
    """Whether a run has all of these tags; one without a value is there with any."""
    for one in tags or ():
        values = one.get("values") or ([one["value"]] if one.get("value") is not None else None)
        if one["key"] not in run.tags or (values is not None and run.tags[one["key"]] not in values):
            return False
    return True


@mutation("launchRun", Audience.BOTH)
async def launch(call: Call, arguments: Arguments) -> object:
    """Have an agent run a job. A repetition with the same key answers the run that there is."""
    here, asked = call.here, arguments["executionParams"]
    require(call, Act.LAUNCH, here)
    where = asked["selector"]
    job, config, tags = _read(asked)

    async def work(tx: Unit) -> bytes:
        run = await launch_in(
            call.context,
            tx,
            here,
            where["repositoryLocationName"],
            where["repositoryName"],
            job,
            config=config,
            tags=tags,
        )
        return run.id.encode()

    request = msgspec.json.encode([here.id, where, config, tags])
    token = call.guest.presented.id
    try:
        run_id = await once(
            call.context, call.guest.id, token, call.idempotency, "dagster.launch", request, work
        )
    except NotFound as error:
        missing = {"pipelineName": job, "repositoryName": where["repositoryName"]}
        return {**told("PipelineNotFoundError", error), **missing}
    run = await call.read(lambda tx: find_in(tx, here, run_id.decode()))
    return {"__typename": "LaunchRunSuccess", "run": shown(run)}


def _read(asked: Arguments) -> tuple[str, dict[str, Any], dict[str, str]]:
    """Job, configuration and tags of what is to be run.

    Raises:
        Invalid: no job is named, a part of one is selected, or the configuration is no object.
    """
    where = asked["selector"]
    job = where.get("jobName") or where.get("pipelineName")
    if not job:
        raise Invalid("Validation failed: a run names its job", code="job_missing")
    chosen = ("solidSelection", "assetSelection", "assetCheckSelection")
    if any(where.get(key) for key in chosen) or asked.get("stepKeys") or asked.get("preset"):
        raise Invalid(
            "This server runs whole jobs: leave out selections, steps and presets.", code="unsupported"
        )
    config = asked.get("runConfigData") or {}
    if not isinstance(config, Mapping):
        raise Invalid("Validation failed: runConfigData is an object", code="invalid_run_config")
    listed = (asked.get("executionMetadata") or {}).get("tags") or ()
    return job, dict(config), {one["key"]: one["value"] for one in listed}


@mutation("terminateRun", Audience.BOTH)
async def terminate(call: Call, arguments: Arguments) -> object:
    """Have an agent stop a run."""
    here, run_id = call.here, arguments["runId"]
    require(call, Act.LAUNCH, here)
    try:
        run = await call.write(lambda tx: terminate_in(call.context, tx, here, run_id))
    except NotFound as error:
        return {**told(NO_RUN, error), "runId": run_id}
    except Conflict as error:
        return told("TerminateRunFailure", error)
    return {"__typename": "TerminateRunSuccess", "run": shown(run)}
