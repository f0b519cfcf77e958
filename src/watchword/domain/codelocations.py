"""Code locations of Dagster+ deployments: what agents load, and how that went (contract §5, §7)."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from watchword.domain.errors import Invalid
from watchword.domain.ids import DeploymentId, OrganizationId, UserId

MAX_NAME = 200
MAX_DOCUMENT = 64 * 1024
MAX_ERROR = 10_000
# A location says in exactly one of these ways where its definitions are.
SOURCES = ("python_file", "package_name", "module_name", "autoload_defs_module_name")
_TEXTS = ("image", "working_directory", "executable_path", "attribute", "agent_queue")
_MARK = "__class__"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class LoadState(StrEnum):
    """How far an agent is with a location."""

    LOADING = "loading"
    LOADED = "loaded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class CodeLocation:
    """A code location. Times are microseconds, 0 means never.

    Attributes:
        document: JSON of what was said of it, in the keys of `dagster_cloud.yaml`.
        queue: agents' queue that serves it; empty for the default one.
        outdated: whether an agent is asked to load it and to tell what is in it.
        error: why it could not be loaded.
        manifest: JSON of what the agent found in it.
        metadata_at: when the document was written last; agents load again what is newer than they know.
        loaded_at: when an agent told last how it went.
    """

    organization_id: OrganizationId
    deployment_id: DeploymentId
    name: str
    document: str
    queue: str
    outdated: bool
    state: LoadState
    error: str
    manifest: str
    metadata_at: int
    loaded_at: int
    created_at: int
    created_by: UserId | None
    updated_at: int

    @property
    def deploy_metadata(self) -> str:
        """What agents are told: the class-marked JSON that their client reads."""
        return json.dumps(deploy_metadata(json.loads(self.document)))


def read_location(document: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """A location's name and document, checked.

    Args:
        document: keys of `dagster_cloud.yaml`: `location_name`, `code_source`, and what goes with it.

    Raises:
        Invalid: the name is none, the source is not exactly one, or a key holds what it cannot hold.
    """
    name = document.get("location_name")
    if not isinstance(name, str) or not name.strip() or len(name) > MAX_NAME or _CONTROL.search(name):
        raise Invalid(
            f"Validation failed: location_name is a text of 1 to {MAX_NAME} characters",
            code="invalid_location_name",
        )
    source = document.get("code_source") or {}
    given = [key for key in SOURCES if isinstance(source, Mapping) and source.get(key)]
    if len(given) != 1 or not isinstance(source[given[0]], str):
        raise Invalid(
            f"Validation failed: code_source of {name!r} has exactly one of {', '.join(SOURCES)}",
            code="invalid_code_source",
        )
    for key in _TEXTS:
        if not isinstance(document.get(key) or "", str):
            raise Invalid(f"Validation failed: {key} of {name!r} is a text", code="invalid_location")
    kept = {key: value for key, value in document.items() if value is not None}
    if len(json.dumps(kept)) > MAX_DOCUMENT:
        raise Invalid(
            f"Validation failed: a location's document takes at most {MAX_DOCUMENT} bytes",
            code="location_too_large",
        )
    return name, kept


def deploy_metadata(document: Mapping[str, Any]) -> dict[str, Any]:
    """A location's document in the shape that agents read: every key there, most of them null (§7)."""
    source = document.get("code_source") or {}
    git = document.get("git")
    made: dict[str, Any] = {
        _MARK: "CodeDeploymentMetadata",
        **{key: source.get(key) for key in SOURCES},
        **{key: document.get(key) for key in _TEXTS},
        "container_context": document.get("container_context") or {},
        "cloud_context_env": {},
        "pex_metadata": None,
        "git_metadata": None,
        "defs_state_info": None,
    }
    if isinstance(git, Mapping) and git.get("commit_hash"):
        made["git_metadata"] = {
            _MARK: "GitMetadata",
            "commit_hash": git["commit_hash"],
            "url": git.get("url") or "",
        }
    return made
