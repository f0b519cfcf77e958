"""Code locations of deployments: added, changed, deleted; loaded by agents, who tell how it went.

Whoever calls has checked the right (`services.dagsterdoor`). What agents ask every five seconds is kept in
memory and forgotten before a change of it is acknowledged.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from watchword.domain.codelocations import (
    MAX_ERROR,
    CodeLocation,
    LoadState,
    read_location,
)
from watchword.domain.deployments import Deployment
from watchword.domain.errors import Invalid, NotFound
from watchword.domain.events import TOPIC_LOCATIONS_CHANGED, Action, Notice
from watchword.domain.ids import DeploymentId, OrganizationId, UserId
from watchword.services.context import Caller, Context
from watchword.services.workitems import check_for_updates_in
from watchword.store.base import Transaction

MAX_LOCATIONS = 1_000
_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Shown:
    """A code location as agents read it."""

    location: CodeLocation
    deploy_metadata: str


@dataclass(slots=True)
class Locations:
    """Code locations by deployment, in memory."""

    context: Context
    _known: dict[DeploymentId, tuple[Shown, ...]] = field(default_factory=dict)
    _changes: int = 0

    def __post_init__(self) -> None:
        """Hear of every change."""
        self.context.feed.follow(TOPIC_LOCATIONS_CHANGED, self._forget)

    def _forget(self, notice: Notice) -> None:
        self._changes += 1
        self._known.pop(DeploymentId(notice.payload), None)

    async def of(self, deployment: Deployment) -> tuple[Shown, ...]:
        """Those of a deployment, by name."""
        known = self._known.get(deployment.id)
        if known is not None:
            return known
        changes = self._changes

        async def work(tx: Transaction) -> Sequence[CodeLocation]:
            return await tx.code_locations.list(deployment.organization_id, deployment.id)

        read = await self.context.store.read(work)
        found = tuple(Shown(one, one.deploy_metadata) for one in read)
        if changes == self._changes:  # else it may be older than what was published meanwhile
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[deployment.id] = found
        return found


async def put_in(
    context: Context,
    tx: Transaction,
    caller: Caller,
    deployment: Deployment,
    document: Mapping[str, Any],
    by: UserId | None,
) -> CodeLocation:
    """Add a code location, or change the one of its name; its agents are asked to load it.

    Raises:
        Invalid: the document is not acceptable, or there are as many as there may be.
    """
    name, kept = read_location(document)
    queue = str(kept.get("agent_queue") or "")
    now = context.clock.now()
    known = await tx.code_locations.find(deployment.organization_id, deployment.id, name)
    text = json.dumps(kept, sort_keys=True)
    if known is None:
        listed = await tx.code_locations.list(deployment.organization_id, deployment.id)
        if len(listed) >= MAX_LOCATIONS:
            raise Invalid(
                f"Validation failed: a deployment has at most {MAX_LOCATIONS} code locations", code="too_many"
            )
        created_at, created_by = now, by
    else:
        created_at, created_by = known.created_at, known.created_by
    made = CodeLocation(
        organization_id=deployment.organization_id,
        deployment_id=deployment.id,
        name=name,
        document=text,
        queue=queue,
        outdated=True,
        state=LoadState.LOADING,
        error="",
        manifest=known.manifest if known is not None else "{}",
        metadata_at=now,
        loaded_at=known.loaded_at if known is not None else 0,
        created_at=created_at,
        created_by=created_by,
        updated_at=now,
    )
    await tx.code_locations.put(made)
    action = Action.CODE_LOCATION_ADDED if known is None else Action.CODE_LOCATION_UPDATED
    await _changed(context, tx, caller, action, deployment, name)
    await check_for_updates_in(context, tx, deployment, queue=queue)
    return made


async def reload_in(
    context: Context, tx: Transaction, caller: Caller, deployment: Deployment, name: str
) -> CodeLocation:
    """Have agents load a code location again although nothing was said of it anew.

    Raises:
        NotFound: there is none of this name.
    """
    known = await find_in(tx, deployment, name)
    now = context.clock.now()
    made = replace(known, outdated=True, state=LoadState.LOADING, metadata_at=now, updated_at=now)
    await tx.code_locations.put(made)
    await _changed(context, tx, caller, Action.CODE_LOCATION_UPDATED, deployment, name)
    await check_for_updates_in(context, tx, deployment, queue=made.queue)
    return made


async def delete_in(
    context: Context, tx: Transaction, caller: Caller, deployment: Deployment, name: str
) -> None:
    """Delete a code location; its agents stop serving it.

    Raises:
        NotFound: there is none of this name.
    """
    known = await find_in(tx, deployment, name)
    await tx.code_locations.delete(deployment.organization_id, deployment.id, name)
    await _changed(context, tx, caller, Action.CODE_LOCATION_DELETED, deployment, name)
    await check_for_updates_in(context, tx, deployment, queue=known.queue)


async def loaded_in(
    context: Context,
    tx: Transaction,
    deployment: Deployment,
    name: str,
    *,
    manifest: str = "{}",
    error: str = "",
) -> CodeLocation:
    """Keep what an agent told of a code location: what is in it, or why it could not be loaded.

    Raises:
        NotFound: there is none of this name (any more).
    """
    known = await find_in(tx, deployment, name)
    now = context.clock.now()
    state = LoadState.FAILED if error else LoadState.LOADED
    made = replace(
        known,
        outdated=False,
        state=state,
        error=error[:MAX_ERROR],
        manifest=known.manifest if error else manifest,
        loaded_at=now,
        updated_at=now,
    )
    await tx.code_locations.put(made)
    await tell_in(context, tx, deployment.organization_id, deployment.id)
    return made


async def find_in(tx: Transaction, deployment: Deployment, name: str) -> CodeLocation:
    """A code location of a deployment.

    Raises:
        NotFound: there is none of this name.
    """
    known = await tx.code_locations.find(deployment.organization_id, deployment.id, name)
    if known is None:
        raise NotFound("No code location found")
    return known


async def list_in(tx: Transaction, deployment: Deployment) -> list[CodeLocation]:
    """Those of a deployment, by name."""
    return list(await tx.code_locations.list(deployment.organization_id, deployment.id))


async def _changed(
    context: Context, tx: Transaction, caller: Caller, action: Action, deployment: Deployment, name: str
) -> None:
    details = {"name": name, "deployment_id": deployment.id, "deployment": deployment.name}
    subject = ("deployment", deployment.id)
    await context.record(tx, caller, action, deployment.organization_id, subject, details)
    await tell_in(context, tx, deployment.organization_id, deployment.id)


async def tell_in(
    context: Context, tx: Transaction, organization_id: OrganizationId, deployment_id: DeploymentId
) -> None:
    """Have every node hear, once the unit is committed, that a deployment's locations have changed."""
    await tx.audit.post(organization_id, TOPIC_LOCATIONS_CHANGED, deployment_id, context.clock.now())
