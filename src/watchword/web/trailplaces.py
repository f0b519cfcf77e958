"""Where things stand that the audit trail speaks of: the page of each, so that every row leads there."""

from collections.abc import Awaitable, Callable

from watchword.domain.ids import (
    AgentId,
    BuildId,
    JobId,
    PipelineId,
    QueueId,
    SecretId,
    TeamMemberId,
    TokenId,
    UserId,
)
from watchword.domain.kinds import Kind
from watchword.domain.portals import PORTAL_KINDS
from watchword.services.auditing import Entry
from watchword.services.lookups import (
    build_by_id,
    job_by_id,
    pipeline_by_id,
    queue_by_id,
    secret_by_id,
    team_place,
    token_by_id,
)
from watchword.services.queries import Access, Unit, agents_by_id, people
from watchword.web.tokenrows import token_path

Find = Callable[[Unit, Access, Entry], Awaitable[str]]


def _at(access: Access) -> str:
    return f"/organizations/{access.organization.slug}"


async def actor_page(tx: Unit, access: Access, entry: Entry) -> str:
    """The page of who did something; empty where there is none."""
    kind, actor_id = entry.event.actor_kind, entry.event.actor_id
    if kind == "token":
        return await _token_page(tx, access, TokenId(actor_id))
    return _at(access) + _PLAIN[kind].format(actor_id) if kind in ("user", "agent") else ""


async def subject_page(tx: Unit, access: Access, entry: Entry) -> str:
    """The page of the thing that an event is about; empty where it has none, or is gone."""
    kind, subject_id = entry.event.subject_kind, entry.event.subject_id
    if kind in _PLAIN:
        return f"{_at(access)}{_PLAIN[kind].format(subject_id)}"
    if kind in _FOUND:
        return await _FOUND[kind](tx, access, entry)
    return ""


async def name_of(tx: Unit, access: Access, kind: str, thing_id: str) -> str:
    """The name of a person, an agent or the organization, where the event does not tell one; else the id."""
    if kind in ("user", "member"):
        user = (await people(tx, [UserId(thing_id)])).get(UserId(thing_id))
        return user.name if user is not None else thing_id
    if kind == "agent":
        agents = await agents_by_id(tx, access.id, [AgentId(thing_id)])
        return agents[AgentId(thing_id)].name if agents else thing_id
    return access.organization.name if kind == "organization" else thing_id


# Tokens that have a page of their own here.
_PAGED = (
    Kind.AGENT,
    Kind.UNCLUSTERED_AGENT,
    Kind.DAGSTER_AGENT,
    Kind.DAGSTER_USER,
    Kind.REGISTRY,
    *PORTAL_KINDS,
)
# What stands under its own id.
_PLAIN = {
    "agent": "/agents/{}",
    "cluster": "/clusters/{}",
    "leak": "/leaks/{}",
    "incident": "/incidents/{}",
    "member": "/settings/members/{}",
    "user": "/settings/members/{}",
    "team": "/settings/teams/{}",
    "invitation": "/settings/invitations",
    "notification_service": "/settings/webhooks/{}",
    "organization": "/settings",
    "security_policy": "/settings",
    "banner": "/settings/banner",
    "deployment": "/dagster/deployments",
    "registry": "/registries/{}",
}


async def _token(tx: Unit, access: Access, entry: Entry) -> str:
    if entry.subject_type == "API_ACCESS_TOKEN":  # its row may stand in another home
        return f"{_at(access)}/tokens/api/{entry.event.subject_id}"
    return await _token_page(tx, access, TokenId(entry.event.subject_id))


async def _token_page(tx: Unit, access: Access, token_id: TokenId) -> str:
    token = await token_by_id(tx, access.id, token_id)
    return token_path(access.organization.slug, token) if token is not None and token.kind in _PAGED else ""


async def _queue(tx: Unit, access: Access, entry: Entry) -> str:
    queue = await queue_by_id(tx, access.id, QueueId(entry.event.subject_id))
    return f"{_at(access)}/clusters/{queue.cluster_id}/queues/{queue.id}" if queue is not None else ""


async def _secret(tx: Unit, access: Access, entry: Entry) -> str:
    secret = await secret_by_id(tx, access.id, SecretId(entry.event.subject_id))
    return f"{_at(access)}/clusters/{secret.cluster_id}/secrets" if secret is not None else ""


async def _maintainer(_tx: Unit, access: Access, entry: Entry) -> str:
    cluster_id = entry.data.get("cluster_id")
    return f"{_at(access)}/clusters/{cluster_id}/maintainers" if cluster_id else ""


async def _team_member(tx: Unit, access: Access, entry: Entry) -> str:
    place = await team_place(tx, access, TeamMemberId(entry.event.subject_id))
    team_id = place[1].id if place is not None else entry.data.get("team_id")
    return f"{_at(access)}/settings/teams/{team_id}" if team_id else ""


async def _pipeline(tx: Unit, access: Access, entry: Entry) -> str:
    pipeline = await pipeline_by_id(tx, access.id, PipelineId(entry.event.subject_id))
    return f"/{access.organization.slug}/{pipeline.slug}" if pipeline is not None else ""


async def _build_page(tx: Unit, access: Access, build_id: BuildId) -> str:
    build = await build_by_id(tx, access.id, build_id)
    pipeline = await pipeline_by_id(tx, access.id, build.pipeline_id) if build is not None else None
    if build is None or pipeline is None:
        return ""
    return f"/{access.organization.slug}/{pipeline.slug}/builds/{build.number}"


async def _build(tx: Unit, access: Access, entry: Entry) -> str:
    return await _build_page(tx, access, BuildId(entry.event.subject_id))


async def _job(tx: Unit, access: Access, entry: Entry) -> str:
    job = await job_by_id(tx, access.id, JobId(entry.event.subject_id))
    page = await _build_page(tx, access, job.build_id) if job is not None else ""
    return f"{page}/jobs/{job.id}" if job is not None and page else ""


_FOUND: dict[str, Find] = {
    "token": _token,
    "queue": _queue,
    "secret": _secret,
    "maintainer": _maintainer,
    "team_member": _team_member,
    "pipeline": _pipeline,
    "build": _build,
    "job": _job,
}
