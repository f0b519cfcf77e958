"""Look-ups: single things by id, for surfaces whose ids say of which kind a thing is.

Each answers None for what is absent and for what belongs to another organization.
"""

from collections.abc import Callable

from watchword.domain.accounts import Member, Queue, User
from watchword.domain.artifacts import Artifact
from watchword.domain.ids import (
    ArtifactId,
    BuildId,
    InvitationId,
    JobId,
    OrganizationId,
    PipelineId,
    QueueId,
    SecretId,
    TeamMemberId,
    TokenId,
    UserId,
)
from watchword.domain.invitations import Invitation
from watchword.domain.pipelines import Build, Job, Pipeline
from watchword.domain.secrets import ClusterSecret
from watchword.domain.teams import Team, TeamMember
from watchword.domain.tokens import Token
from watchword.services.access import Access
from watchword.services.queries import MAX_SIFTED, Page, Unit
from watchword.services.teams import sees
from watchword.store.base import EVERYTHING as EVERYTHING  # noqa: PLC0414 - handed on to the surfaces

_BUILDS = 50


async def token_by_id(tx: Unit, organization_id: OrganizationId, token_id: TokenId) -> Token | None:
    """A token of any kind in whatever state."""
    return await tx.tokens.find(organization_id, token_id) if token_id else None


async def queue_by_id(tx: Unit, organization_id: OrganizationId, queue_id: QueueId) -> Queue | None:
    """A queue of any cluster."""
    return await tx.accounts.queue(organization_id, queue_id) if queue_id else None


async def member_by_id(
    tx: Unit, organization_id: OrganizationId, user_id: UserId
) -> tuple[Member, User] | None:
    """A member and the person."""
    member = await tx.accounts.member(organization_id, user_id) if user_id else None
    user = await tx.accounts.user(user_id) if member is not None else None
    return (member, user) if member is not None and user is not None else None


async def pipeline_by_id(
    tx: Unit, organization_id: OrganizationId, pipeline_id: PipelineId
) -> Pipeline | None:
    """A pipeline."""
    return await tx.builds.pipeline(organization_id, pipeline_id) if pipeline_id else None


async def build_by_id(tx: Unit, organization_id: OrganizationId, build_id: BuildId) -> Build | None:
    """A build of any pipeline."""
    return await tx.builds.build(organization_id, build_id) if build_id else None


async def job_by_id(tx: Unit, organization_id: OrganizationId, job_id: JobId) -> Job | None:
    """A job of any build."""
    return await tx.builds.job(organization_id, job_id) if job_id else None


async def secret_by_id(
    tx: Unit, organization_id: OrganizationId, secret_id: SecretId
) -> ClusterSecret | None:
    """A secret of any cluster; its value stays sealed."""
    return await tx.secrets.find(organization_id, secret_id) if secret_id else None


async def artifact_by_id(
    tx: Unit, organization_id: OrganizationId, artifact_id: ArtifactId
) -> Artifact | None:
    """An artifact of any build."""
    return await tx.artifacts.find(organization_id, artifact_id) if artifact_id else None


async def jobs_of_organization(
    tx: Unit, organization_id: OrganizationId, page: Page, fits: Callable[[Job], bool]
) -> list[Job]:
    """Jobs that fit, of the newest builds first; at most `MAX_SIFTED` jobs are looked at."""
    found: list[Job] = []
    wanted, seen, start = page.offset + page.limit, 0, 0
    while seen < MAX_SIFTED and len(found) < wanted:
        builds = await tx.builds.builds(organization_id, None, Page(_BUILDS, start))
        for build in builds:
            jobs = await tx.builds.jobs(organization_id, build.id)
            seen += len(jobs)
            found += [job for job in jobs if fits(job)]
        if len(builds) < _BUILDS:
            break
        start += _BUILDS
    return found[page.offset : wanted]


async def invitation_by_id(
    tx: Unit, organization_id: OrganizationId, invitation_id: InvitationId
) -> Invitation | None:
    """An invitation as it was written: whether it has expired is the clock's to say."""
    return await tx.members.invitation(organization_id, invitation_id) if invitation_id else None


async def team_place(tx: Unit, access: Access, member_id: TeamMemberId) -> tuple[TeamMember, Team] | None:
    """A place in a team that the person sees, and the team."""
    place = await tx.teams.member_by_id(access.id, member_id) if member_id else None
    team = await tx.teams.find(access.id, place.team_id) if place is not None else None
    if place is None or team is None or not await sees(tx, access, team):
        return None
    return place, team
