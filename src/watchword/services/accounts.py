"""Organizations, users, clusters and queues; and the first things of a fresh installation."""

from dataclasses import dataclass, replace

from watchword.domain.accounts import (
    Affinity,
    Cluster,
    Member,
    Organization,
    Queue,
    Role,
    User,
    check_color,
    check_organization_slug,
    check_queue_key,
    check_words,
)
from watchword.domain.errors import Conflict, Invalid, NotFound
from watchword.domain.events import Action
from watchword.domain.ids import ClusterId, OrganizationId, QueueId, UserId
from watchword.domain.kinds import Kind
from watchword.domain.scopes import ALL_SCOPES
from watchword.services.context import Caller, Context
from watchword.services.issuing import Issued, TokenRequest, issue_agent_token, issue_api_token
from watchword.services.revoking import revoke
from watchword.store.base import EVERYTHING, Duplicate, Page, Transaction

DEFAULT_CLUSTER = "Default"
DEFAULT_QUEUE = "default"
MAX_NAME = 255
MAX_QUEUES = 50


@dataclass(frozen=True, slots=True)
class FirstThings:
    """What a fresh installation has; the two values are shown once."""

    organization: Organization
    cluster: Cluster
    queue: Queue
    admin: User
    agent_token: Issued
    api_token: Issued


def check_name(text: str) -> str:
    """Trim a name and require one.

    Raises:
        Invalid: it is empty or too long.
    """
    name = text.strip()
    if not name or len(name) > MAX_NAME:
        raise Invalid(
            f"Validation failed: Name can't be blank and takes at most {MAX_NAME} characters",
            code="invalid_name",
        )
    return name


async def create_organization(
    context: Context, caller: Caller, slug: str, name: str, admin_email: str, admin_name: str
) -> FirstThings:
    """Create an organization with its default cluster, queue, initial agent token and administrator.

    Raises:
        Invalid: the slug or a name is not acceptable.
        Conflict: the slug or the address is taken.
    """
    now = context.clock.now()
    organization = Organization(
        OrganizationId(context.new_id()), check_organization_slug(slug), check_name(name), None, 0, 0, now
    )
    admin = User(UserId(context.new_id()), admin_email, check_name(admin_name), "", now)

    async def work(tx: Transaction) -> FirstThings:
        try:
            await tx.accounts.add_organization(organization)
            await tx.accounts.add_user(admin)
        except Duplicate:
            raise Conflict(
                f"There is an organization {slug!r} or a user {admin_email!r} already.", code="taken"
            ) from None
        await tx.accounts.add_member(Member(organization.id, admin.id, Role.ADMIN, now))
        for action, kind, subject in (
            (Action.ORGANIZATION_CREATED, "organization", organization.id),
            (Action.USER_CREATED, "user", admin.id),
            (Action.MEMBER_ADDED, "member", admin.id),
        ):
            await context.record(tx, caller, action, organization.id, (kind, subject))
        cluster = await add_cluster(
            context, tx, caller, organization.id, DEFAULT_CLUSTER, created_by=admin.id
        )
        queue = await add_queue(context, tx, caller, cluster, DEFAULT_QUEUE, created_by=admin.id)
        cluster = replace(cluster, default_queue_id=queue.id)
        await tx.accounts.save_cluster(cluster)
        await tx.accounts.set_default_cluster(organization.id, cluster.id)
        agent_token = await issue_agent_token(
            context,
            tx,
            caller,
            TokenRequest(
                organization_id=organization.id, cluster_id=cluster.id, description="Initial agent token"
            ),
            admin.id,
        )
        api_token = await issue_api_token(
            context,
            tx,
            caller,
            organization.id,
            admin.id,
            "Administrator's first API access token",
            ALL_SCOPES,
            0,
        )
        made = replace(organization, default_cluster_id=cluster.id)
        return FirstThings(made, cluster, queue, admin, agent_token, api_token)

    return await context.store.write(work)


async def add_cluster(
    context: Context,
    tx: Transaction,
    caller: Caller,
    organization_id: OrganizationId,
    name: str,
    *,
    description: str = "",
    emoji: str = "",
    color: str = "",
    created_by: UserId | None = None,
) -> Cluster:
    """Create a cluster without queues, inside a unit of work.

    Raises:
        Invalid: name, description, emoji or color is not acceptable.
    """
    check_words(description, emoji)
    cluster = Cluster(
        organization_id,
        ClusterId(context.new_id()),
        check_name(name),
        description,
        emoji,
        check_color(color),
        None,
        context.clock.now(),
        created_by,
    )
    await tx.accounts.add_cluster(cluster)
    await context.record(
        tx, caller, Action.CLUSTER_CREATED, organization_id, ("cluster", cluster.id), {"name": cluster.name}
    )
    return cluster


async def add_queue(
    context: Context,
    tx: Transaction,
    caller: Caller,
    cluster: Cluster,
    key: str,
    *,
    description: str = "",
    affinity: Affinity = Affinity.WARMEST,
    created_by: UserId | None = None,
) -> Queue:
    """Create a queue, inside a unit of work.

    Raises:
        Invalid: key or description is not acceptable.
        Conflict: the cluster has it, or as many queues as it may have (contract rest-graphql §1.10).
    """
    check_words(description, "")
    queue = Queue(
        cluster.organization_id,
        QueueId(context.new_id()),
        cluster.id,
        check_queue_key(key),
        description,
        dispatch_paused=False,
        created_at=context.clock.now(),
        created_by=created_by,
        retry_agent_affinity=affinity,
    )
    if len(await tx.accounts.queues(cluster.organization_id, cluster.id, Page(MAX_QUEUES))) >= MAX_QUEUES:
        raise Conflict(
            f"Validation failed: Cluster has {MAX_QUEUES} queues, the most it may have", code="queue_quota"
        )
    try:
        await tx.accounts.add_queue(queue)
    except Duplicate:
        raise Conflict(f"Validation failed: Key {key} already exists", code="taken") from None
    await context.record(
        tx, caller, Action.QUEUE_CREATED, cluster.organization_id, ("queue", queue.id), {"key": queue.key}
    )
    return queue


async def save_cluster(context: Context, tx: Transaction, caller: Caller, cluster: Cluster) -> None:
    """Write a changed cluster, inside a unit of work.

    Raises:
        Invalid: name, description, emoji, color or default queue is not acceptable.
    """
    check_name(cluster.name)
    check_words(cluster.description, cluster.emoji)
    check_color(cluster.color)
    if cluster.default_queue_id is not None:
        queue = await tx.accounts.queue(cluster.organization_id, cluster.default_queue_id)
        if queue is None or queue.cluster_id != cluster.id:
            raise Invalid(
                "Validation failed: Default queue must be a queue of this cluster", code="unknown_queue"
            )
    await tx.accounts.save_cluster(cluster)
    await context.record(tx, caller, Action.CLUSTER_UPDATED, cluster.organization_id, ("cluster", cluster.id))


async def delete_cluster(
    context: Context, tx: Transaction, caller: Caller, cluster: Cluster, by: UserId | None
) -> None:
    """Delete a cluster with its queues and maintainers, revoke its agent tokens, inside a unit of work.

    Raises:
        Conflict: it is the organization's default cluster.
    """
    organization = await tx.accounts.organization(cluster.organization_id)
    if organization is not None and organization.default_cluster_id == cluster.id:
        raise Conflict(
            "The organization's default cluster cannot be deleted; choose another default first.",
            code="default_cluster",
        )
    for kind in (Kind.AGENT, Kind.TRUSTED_ISSUER):
        for token in await tx.tokens.list(cluster.organization_id, kind, cluster.id, EVERYTHING):
            await revoke(context, tx, caller, token, by, "cluster deleted")
    await tx.secrets.delete_of_cluster(cluster.organization_id, cluster.id)
    await tx.repositories.delete_of_cluster(cluster.organization_id, cluster.id)
    await tx.caches.delete_of_cluster(cluster.organization_id, cluster.id)
    await tx.teams.drop_maintainers(cluster.organization_id, cluster.id)
    await tx.accounts.delete_cluster(cluster.organization_id, cluster.id)
    await context.record(tx, caller, Action.CLUSTER_DELETED, cluster.organization_id, ("cluster", cluster.id))


async def require_cluster(tx: Transaction, organization_id: OrganizationId, cluster_id: ClusterId) -> Cluster:
    """A cluster of the organization.

    Raises:
        NotFound: there is none.
    """
    cluster = await tx.accounts.cluster(organization_id, cluster_id)
    if cluster is None:
        raise NotFound("No cluster found")
    return cluster
