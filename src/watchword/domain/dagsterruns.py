"""Runs of Dagster jobs and their events, as their agents and processes write them (contract §7)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from watchword.domain.ids import DeploymentId, OrganizationId

MAX_EVENT = 1024 * 1024
MAX_EVENTS = 100_000
MAX_TAGS = 200
MAX_TAG = 4_000
KEPT_US = 90 * 24 * 3_600_000_000
_MARK = "__class__"


class RunStatus(StrEnum):
    """How far a run is; the words are those of the client."""

    NOT_STARTED = "NOT_STARTED"
    QUEUED = "QUEUED"
    STARTING = "STARTING"
    STARTED = "STARTED"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    CANCELING = "CANCELING"
    CANCELED = "CANCELED"

    @property
    def ended(self) -> bool:
        """Whether nothing more happens."""
        return self in (RunStatus.SUCCESS, RunStatus.FAILURE, RunStatus.CANCELED)


# The events that say how far a run is.
STATUS_OF = {
    "PIPELINE_ENQUEUED": RunStatus.QUEUED,
    "PIPELINE_STARTING": RunStatus.STARTING,
    "PIPELINE_START": RunStatus.STARTED,
    "PIPELINE_SUCCESS": RunStatus.SUCCESS,
    "PIPELINE_FAILURE": RunStatus.FAILURE,
    "PIPELINE_CANCELING": RunStatus.CANCELING,
    "PIPELINE_CANCELED": RunStatus.CANCELED,
}


@dataclass(frozen=True, slots=True)
class DagsterRun:
    """A run. Times are microseconds, 0 means not yet.

    Attributes:
        id: the run's id, as its clients made it.
        number: by which clients know its record.
        location, repository, job: what is run.
        document: class-marked JSON of the run as the client reads it; its status and tags are kept beside.
        tags: by name.
    """

    organization_id: OrganizationId
    deployment_id: DeploymentId
    id: str
    number: int
    location: str
    repository: str
    job: str
    status: RunStatus
    document: str
    tags: Mapping[str, str]
    created_at: int
    updated_at: int
    started_at: int = 0
    ended_at: int = 0

    @property
    def serialized(self) -> str:
        """The run as the client reads it, with its status and tags as they are now."""
        given = json.loads(self.document)
        given["status"] = {"__enum__": f"PipelineRunStatus.{self.status}"}
        given["tags"] = dict(self.tags)
        return json.dumps(given)


@dataclass(frozen=True, slots=True)
class DagsterEvent:
    """An event of a run. Times are microseconds.

    Attributes:
        number: its place in the deployment's events.
        type: the client's word for it; empty for a line that somebody's code logged.
        document: JSON of it as it came.
    """

    organization_id: OrganizationId
    deployment_id: DeploymentId
    run_id: str
    number: int
    type: str
    step: str
    at: int
    document: str


@dataclass(frozen=True, slots=True)
class Target:
    """What a run runs, and with what.

    Attributes:
        manifest: what an agent found in the location when it loaded it.
        container: of the location's document: what its agents know of where it runs.
    """

    location: str
    repository: str
    job: str
    manifest: Mapping[str, Any]
    container: Mapping[str, Any]
    config: Mapping[str, Any]
    tags: Mapping[str, str]


def code_origin(target: Target) -> dict[str, Any] | None:
    """Where the job's code is, as the agent told; None where it told of no such repository."""
    for repository in target.manifest.get("repositories") or ():
        if repository.get("name") == target.repository:
            return {
                _MARK: "PipelinePythonOrigin",
                "pipeline_name": target.job,
                "repository_origin": {
                    _MARK: "RepositoryPythonOrigin",
                    "executable_path": target.manifest.get("executable_path"),
                    "code_pointer": repository.get("code_pointer"),
                    "container_image": target.manifest.get("container_image"),
                    "entry_point": ["dagster"],
                    "container_context": dict(target.container),
                },
            }
    return None


def run_document(run_id: str, target: Target) -> dict[str, Any]:
    """A run that has not begun, in the shape that agents read."""
    return {
        _MARK: "PipelineRun",
        "pipeline_name": target.job,
        "run_id": run_id,
        "run_config": dict(target.config),
        "mode": None,
        "solid_selection": None,
        "solids_to_execute": None,
        "step_keys_to_execute": None,
        "asset_selection": None,
        "asset_check_selection": None,
        "status": {"__enum__": "PipelineRunStatus.NOT_STARTED"},
        "tags": dict(target.tags),
        "root_run_id": None,
        "parent_run_id": None,
        "pipeline_snapshot_id": None,
        "execution_plan_snapshot_id": None,
        "external_pipeline_origin": {
            _MARK: "ExternalPipelineOrigin",
            "external_repository_origin": {
                _MARK: "ExternalRepositoryOrigin",
                "repository_location_origin": {
                    _MARK: "RegisteredRepositoryLocationOrigin",
                    "location_name": target.location,
                },
                "repository_name": target.repository,
            },
            "pipeline_name": target.job,
        },
        "pipeline_code_origin": code_origin(target),
        "has_repository_load_data": False,
        "run_op_concurrency": None,
        "partitions_subset": None,
    }


def launch_arguments(document: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of the work that starts a run."""
    return {_MARK: "LaunchRunArgs", "pipeline_run": dict(document)}


def terminate_arguments(document: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of the work that stops a run."""
    return {_MARK: "TerminateRunArgs", "pipeline_run": dict(document)}
