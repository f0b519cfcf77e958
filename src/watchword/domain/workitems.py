"""Work for Dagster agents: queued per deployment, handed out once, answered (contract §6)."""

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from watchword.domain.errors import Invalid
from watchword.domain.ids import DeploymentId, OrganizationId, TokenId, WorkItemId

PING_LOCATION = "PING_LOCATION"
CHECK_FOR_WORKSPACE_UPDATES = "CHECK_FOR_WORKSPACE_UPDATES"
LAUNCH_RUN = "LAUNCH_RUN"
TERMINATE_RUN = "TERMINATE_RUN"

EXPIRES_AFTER_US = 600_000_000
KEPT_US = 24 * 3_600_000_000
# What one poll takes for each full deployment, and for all branches together (§5).
USUAL_LIMIT = 10
MAX_LIMIT = 100
MAX_ARGUMENTS = 4 * 1024 * 1024
_API = re.compile(r"[A-Z][A-Z_]{0,60}")
_MARK = "__class__"
_SECOND_US = 1_000_000


class ItemState(StrEnum):
    """Where a piece of work stands."""

    WAITING = "waiting"
    TAKEN = "taken"
    ANSWERED = "answered"


@dataclass(frozen=True, slots=True)
class WorkItem:
    """A piece of work. Times are microseconds, 0 means not yet.

    Attributes:
        branch: whether its deployment is a branch.
        queue: agents' queue that serves it; empty for the default one.
        api: the name of what is to be done.
        arguments: JSON of its arguments, class-marked as the client reads them; `null` for none.
        taken_by: the agent token that it was handed to.
        answer: JSON of what the agent answered.
    """

    organization_id: OrganizationId
    id: WorkItemId
    deployment_id: DeploymentId
    branch: bool
    queue: str
    api: str
    arguments: str
    state: ItemState
    created_at: int
    expires_at: int
    taken_at: int = 0
    taken_by: TokenId | None = None
    answer: str = ""
    answered_at: int = 0

    @property
    def succeeded(self) -> bool:
        """Whether it was answered, and not with an error or as unknown."""
        if self.state is not ItemState.ANSWERED:
            return False
        given = json.loads(self.answer)
        name = given.get(_MARK) if isinstance(given, dict) else None
        return name in ("DagsterCloudApiSuccess", "DagsterCloudApiGrpcResponse")

    def body(self, deployment: str) -> str:
        """What its agent is sent, for the deployment of this name."""
        return json.dumps(
            {
                _MARK: "DagsterCloudApiRequest",
                "request_id": self.id,
                "request_api": {"__enum__": f"DagsterCloudApi.{self.api}"},
                "request_args": json.loads(self.arguments),
                "deployment_name": deployment,
                "expire_at": self.expires_at / _SECOND_US,
                "is_branch_deployment": self.branch,
            }
        )


def check_api(api: str) -> str:
    """The name of what is to be done.

    Raises:
        Invalid: it is none.
    """
    if not _API.fullmatch(api):
        raise Invalid("Validation failed: work has a name in capital letters", code="invalid_work")
    return api


def ping_arguments(location: str) -> dict[str, Any]:
    """Arguments of a ping of a location, the work that asks for nothing but an answer."""
    return {_MARK: "PingLocationArgs", "location_name": location}
