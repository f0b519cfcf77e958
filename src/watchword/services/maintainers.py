"""Maintainers: people and teams that a cluster is given to (contract rest-graphql §2.8)."""

from collections.abc import Mapping, Sequence

from watchword.domain.accounts import Cluster
from watchword.domain.errors import Conflict, Invalid, NotFound
from watchword.domain.events import Action
from watchword.domain.ids import ClusterId, MaintainerId, TeamId, UserId, is_uuid
from watchword.domain.teams import Maintainer, Privacy
from watchword.services.access import Access
from watchword.services.context import Context
from watchword.services.teams import find_team
from watchword.store.base import EVERYTHING, Duplicate, Transaction
from watchword.store.base import Appointment as Appointment  # noqa: PLC0414 - handed on to the surfaces


async def appointments_of(tx: Transaction, access: Access, cluster: Cluster) -> list[Appointment]:
    """Maintainers of a cluster, as far as the caller sees them, oldest first."""
    rows = await tx.teams.appointments(access.id, cluster.id, EVERYTHING)
    return await _seen(tx, access, rows)


async def appointments_by_cluster(
    tx: Transaction, access: Access
) -> Mapping[ClusterId, Sequence[Appointment]]:
    """Maintainers of every cluster, as far as the caller sees them; clusters without any are left out."""
    found: dict[ClusterId, list[Appointment]] = {}
    for row in await _seen(tx, access, await tx.teams.appointments(access.id, None, EVERYTHING)):
        found.setdefault(row.maintainer.cluster_id, []).append(row)
    return found


async def find_appointment(tx: Transaction, access: Access, cluster: Cluster, text: str) -> Appointment:
    """A maintainer of a cluster by the id in a path.

    Raises:
        NotFound: there is none, or not here, or the caller does not see it.
    """
    found = await tx.teams.appointment(access.id, MaintainerId(text.lower())) if is_uuid(text) else None
    if found is None or found.maintainer.cluster_id != cluster.id or not await _seen(tx, access, [found]):
        raise NotFound("No maintainer found")
    return found


async def appoint(
    context: Context, tx: Transaction, access: Access, cluster: Cluster, user: str | None, team: str | None
) -> Appointment:
    """Give a cluster to a person or a team, inside a unit of work.

    Args:
        context: the ground.
        tx: the unit of work.
        access: who gives it.
        cluster: the cluster.
        user: id of a person, as a client wrote it.
        team: id of a team, as a client wrote it; exactly one of the two is given.

    Raises:
        Invalid: neither or both are given, or there is no such member or team.
        Conflict: the cluster is given to them already.
    """
    if bool(user) == bool(team):
        raise Invalid("Validation failed: Give either a user or a team", code="invalid_maintainer")
    made = Maintainer(
        organization_id=access.id,
        id=MaintainerId(context.new_id()),
        cluster_id=cluster.id,
        user_id=await _member(tx, access, user) if user else None,
        team_id=await _team(tx, access, team) if team else None,
        created_at=context.clock.now(),
        created_by=access.user.id,
    )
    try:
        await tx.teams.add_maintainer(made)
    except Duplicate:
        who = "User" if user else "Team"
        raise Conflict(
            f"Validation failed: {who} has already been added as a maintainer of this cluster",
            code="already_added",
        ) from None
    await _record(context, tx, access, Action.MAINTAINER_ADDED, made)
    found = await tx.teams.appointment(access.id, made.id)
    if found is None:
        raise NotFound("No maintainer found")
    return found


async def dismiss(context: Context, tx: Transaction, access: Access, maintainer: Maintainer) -> None:
    """Take a cluster from a person or a team, inside a unit of work.

    Raises:
        NotFound: it was taken already.
    """
    if not await tx.teams.remove_maintainer(maintainer.organization_id, maintainer.id):
        raise NotFound("No maintainer found")
    await _record(context, tx, access, Action.MAINTAINER_REMOVED, maintainer)


async def _member(tx: Transaction, access: Access, text: str) -> UserId:
    user_id = UserId(text.lower())
    if not is_uuid(text) or await tx.accounts.member(access.id, user_id) is None:
        raise Invalid("Validation failed: User must be a member of the organization", code="unknown_user")
    return user_id


async def _team(tx: Transaction, access: Access, text: str) -> TeamId:
    try:
        return (await find_team(tx, access, text)).id
    except NotFound:
        raise Invalid(
            "Validation failed: Team must be a team of the organization", code="unknown_team"
        ) from None


async def _seen(tx: Transaction, access: Access, rows: Sequence[Appointment]) -> list[Appointment]:
    """Those that the caller sees: a secret team is told to those in it and to who may take the cluster."""
    hidden = [row for row in rows if row.team is not None and row.team.privacy is Privacy.SECRET]
    if access.standing.admin or not hidden:
        return list(rows)
    own = {place.team_id for place in await tx.teams.places(access.id, access.user.id)}
    return [
        row
        for row in rows
        if row.team is None
        or row.team.privacy is Privacy.VISIBLE
        or row.team.id in own
        or row.maintainer.cluster_id in access.standing.clusters
    ]


async def _record(
    context: Context, tx: Transaction, access: Access, action: Action, maintainer: Maintainer
) -> None:
    details = {
        "cluster_id": maintainer.cluster_id,
        "user_id": maintainer.user_id,
        "team_id": maintainer.team_id,
    }
    subject = ("maintainer", maintainer.id)
    await context.record(tx, access.caller, action, maintainer.organization_id, subject, details)
