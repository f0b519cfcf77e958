"""What code servers and runs read and write (contract §7, tiers 2, 3); always about one deployment (§9)."""

from collections.abc import Mapping, Sequence
from typing import Any

from watchword.dagster.binding import Arguments, Audience, field, mutation, query
from watchword.dagster.call import Call
from watchword.dagster.events import read_record
from watchword.dagster.inflating import decode
from watchword.domain.dagsterruns import DagsterRun, RunStatus
from watchword.domain.errors import Invalid
from watchword.services import dagsterruns

_SECOND_US = 1_000_000
_AGENTS = Audience.AGENTS
_OK = {"ok": True}


@query("scopedSecrets", _AGENTS)
async def secrets(call: Call, _arguments: Arguments) -> object:
    """Environment variables of a deployment that code servers are given: this server keeps none."""
    _ = call.here
    return []


@query("latestDefsStateInfo", _AGENTS)
async def definitions_state(call: Call, _arguments: Arguments) -> object:
    """State of components whose definitions depend on it: this server keeps none."""
    _ = call.here
    return None


@query("runs", _AGENTS)
@mutation("runs", _AGENTS)
async def runs(call: Call, _arguments: Arguments) -> object:
    """Where fields about runs hang."""
    _ = call.here
    return {}


@query("eventLogs", _AGENTS)
@mutation("eventLogs", _AGENTS)
async def event_logs(call: Call, _arguments: Arguments) -> object:
    """Where fields about events hang."""
    _ = call.here
    return {"isPersistent": True, "isAssetAware": True}


@mutation("defsState", _AGENTS)
async def definitions_states(call: Call, _arguments: Arguments) -> object:
    """Where fields about the state of components hang."""
    _ = call.here
    return {"setLatestDefsStateVersion": lambda _context, _arguments: {"ok": False}}


def _record(run: DagsterRun) -> dict[str, Any]:
    return {
        "storageId": run.number,
        "serializedPipelineRun": run.serialized,
        "createTimestamp": run.created_at / _SECOND_US,
        "updateTimestamp": run.updated_at / _SECOND_US,
        "startTime": run.started_at / _SECOND_US if run.started_at else None,
        "endTime": run.ended_at / _SECOND_US if run.ended_at else None,
    }


async def _find(call: Call, arguments: Arguments) -> list[DagsterRun]:
    """Runs by what they are asked for with."""
    given: Mapping[str, Any] = arguments.get("filters") or {}
    words = given.get("statuses") or ()
    try:
        statuses = [RunStatus(word) for word in words]
    except ValueError:
        raise Invalid("A status is one of those of runs.", code="invalid_status") from None
    found = await call.read(
        lambda tx: dagsterruns.list_in(tx, call.here, ids=given.get("runIds") or (), statuses=statuses)
    )
    listed = [run for run in found if _fits(run, given)]
    ids = [run.id for run in listed]
    cursor = arguments.get("cursor")
    if cursor in ids:
        listed = listed[ids.index(cursor) + 1 :]
    if arguments.get("ascending"):
        listed.reverse()
    limit = arguments.get("limit")
    return listed if limit is None else listed[: max(limit, 0)]


def _fits(run: DagsterRun, given: Mapping[str, Any]) -> bool:
    """Whether a run has what is asked for; none has a snapshot here."""
    tags: Sequence[Mapping[str, Any]] = given.get("tags") or ()
    times = (
        (given.get("createdAfter"), run.created_at, 1),
        (given.get("createdBefore"), run.created_at, -1),
        (given.get("updatedAfter"), run.updated_at, 1),
        (given.get("updatedBefore"), run.updated_at, -1),
    )
    return (
        given.get("pipelineName") in (None, run.job)
        and given.get("snapshotId") is None
        and all(run.tags.get(tag["key"]) in (tag.get("values") or [tag.get("value")]) for tag in tags)
        and all(at is None or (has - at * _SECOND_US) * sign > 0 for at, has, sign in times)
    )


@field("RunStorage", "getRunRecords", _AGENTS)
async def records(call: Call, _source: Any, arguments: Arguments) -> object:  # noqa: ANN401 - an object
    """Runs with their times."""
    return [_record(run) for run in await _find(call, arguments)]


@field("RunStorage", "getRuns", _AGENTS)
async def serialized(call: Call, _source: Any, arguments: Arguments) -> object:  # noqa: ANN401 - an object
    """Runs as the client reads them."""
    return [run.serialized for run in await _find(call, arguments)]


@field("RunStorage", "getRunIds", _AGENTS)
async def ids(call: Call, _source: Any, arguments: Arguments) -> object:  # noqa: ANN401 - an object
    """Ids of runs."""
    return [run.id for run in await _find(call, arguments)]


@field("RunStorage", "getRunsCount", _AGENTS)
async def count(call: Call, _source: Any, arguments: Arguments) -> object:  # noqa: ANN401 - an object
    """How many runs there are."""
    return len(await _find(call, arguments))


@field("RunStorage", "getRunById", _AGENTS)
async def by_id(call: Call, _source: Any, arguments: Arguments) -> object:  # noqa: ANN401 - an object
    """A run as the client reads it."""
    found = await call.read(lambda tx: dagsterruns.list_in(tx, call.here, ids=[arguments["runId"]]))
    return found[0].serialized if found else None


@field("RunStorage", "hasRun", _AGENTS)
async def has(call: Call, _source: Any, arguments: Arguments) -> object:  # noqa: ANN401 - an object
    """Whether there is a run."""
    return bool(await call.read(lambda tx: dagsterruns.list_in(tx, call.here, ids=[arguments["runId"]])))


@field("RunStorageMutations", "addRunTags", _AGENTS)
async def add_tags(call: Call, _source: Any, arguments: Arguments) -> object:  # noqa: ANN401 - an object
    """Tags of a run."""
    given = decode(str(arguments["jsonNewTags"]).encode())
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise Invalid("Tags are texts by name.", code="invalid_tags")
    await dagsterruns.add_tags(
        call.context, call.guest, call.here, arguments["runId"], given, call.idempotency
    )
    return _OK


@field("EventLogStorage", "getPoolConfig", _AGENTS)
async def pools(_call: Call, _source: Any, _arguments: Arguments) -> object:  # noqa: ANN401 - an object
    """Limits of what runs at once: this server sets none."""
    return {"poolGranularity": None, "defaultPoolLimit": None, "opGranularityRunBuffer": None}


@field("EventLogStorageMutations", "StoreEvent", _AGENTS)
async def store_event(call: Call, _source: Any, arguments: Arguments) -> object:  # noqa: ANN401 - an object
    """An event of a run."""
    said = [read_record(arguments["eventRecord"])]
    await dagsterruns.store_events(call.context, call.guest, call.here, said, call.idempotency)
    return _OK


@field("EventLogStorageMutations", "StoreEventBatch", _AGENTS)
async def store_batch(call: Call, _source: Any, arguments: Arguments) -> object:  # noqa: ANN401 - an object
    """Several events."""
    said = [read_record(one) for one in arguments["eventRecords"]]
    await dagsterruns.store_events(call.context, call.guest, call.here, said, call.idempotency)
    return _OK
