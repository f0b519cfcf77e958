"""Deployments of Dagster+: made, changed, deleted; who may serve them, and what people are there.

Whoever calls has checked the right (`services.dagsterdoor`); every change is told to the memory of all nodes.
"""

from dataclasses import replace

import msgspec

from watchword.domain.accounts import Organization, Role
from watchword.domain.dagsterroles import DagsterRole, RoleGrant
from watchword.domain.deployments import (
    FIRST,
    DagsterOrganization,
    Deployment,
    DeploymentGrant,
    DeploymentKind,
    GrantScope,
    check_deployment_name,
)
from watchword.domain.errors import Conflict, Invalid, NotFound
from watchword.domain.events import TOPIC_DEPLOYMENT_CHANGED, Action
from watchword.domain.ids import DeploymentId, OrganizationId, UserId
from watchword.domain.kinds import Kind
from watchword.domain.tokens import State, Token
from watchword.services.context import Caller, Context
from watchword.services.revealing import set_revealable_in
from watchword.services.siblings import sibling
from watchword.store.base import Duplicate, Page, Transaction

_KINDS = (Kind.DAGSTER_AGENT, Kind.DAGSTER_USER)
MAX_DEPLOYMENTS = 1_000
MAX_BRANCHES = 10_000
EVERY_DEPLOYMENT = Page(limit=MAX_DEPLOYMENTS + MAX_BRANCHES, offset=0)


async def begin_in(
    context: Context, tx: Transaction, caller: Caller, organization: Organization, by: UserId | None
) -> DagsterOrganization:
    """Let an organization begin with Dagster+, if it has not: it gets its first deployment.

    Values of its two kinds may be shown again from then on (contract §13); that policy may be switched back.
    """
    known = await tx.deployments.organization(organization.id)
    if known is not None:
        return known
    now = context.clock.now()
    made = DagsterOrganization(organization.id, "{}", now, now)
    await tx.deployments.begin(made)
    for kind in _KINDS:
        await set_revealable_in(context, tx, caller, organization.id, kind, by, revealable=True)
    await create_in(context, tx, caller, organization, FIRST, by)
    return made


async def create_in(
    context: Context,
    tx: Transaction,
    caller: Caller,
    organization: Organization,
    name: str,
    by: UserId | None,
    *,
    base: Deployment | None = None,
    branch: str = "{}",
) -> Deployment:
    """Make a deployment; with a base, a branch of it.

    Args:
        context: the ground.
        tx: the unit of work.
        caller: who asks.
        organization: whose it is.
        name: unique in the organization.
        by: the person; None for a program.
        base: the full deployment that a branch deployment follows.
        branch: of a branch: JSON of where its code comes from.

    Raises:
        Invalid: the name is not acceptable, or there are as many as there may be.
        Conflict: the name is taken.
    """
    kind = DeploymentKind.FULL if base is None else DeploymentKind.BRANCH
    most = MAX_DEPLOYMENTS if base is None else MAX_BRANCHES
    if len(await tx.deployments.list(organization.id, kind, Page(limit=most, offset=0))) >= most:
        raise Invalid(f"Validation failed: an organization has at most {most} of them", code="too_many")
    now = context.clock.now()
    made = Deployment(
        organization.id,
        DeploymentId(context.new_id()),
        await tx.deployments.next_number(organization.id),
        check_deployment_name(name, organization.slug),
        kind,
        base.id if base is not None else None,
        "{}",
        branch,
        now,
        by,
        now,
    )
    try:
        await tx.deployments.add(made)
    except Duplicate:
        raise Conflict(
            f"Validation failed: there is a deployment {name!r}", code="deployment_exists"
        ) from None
    await _changed(context, tx, caller, Action.DEPLOYMENT_CREATED, made)
    return made


async def save_in(context: Context, tx: Transaction, caller: Caller, changed: Deployment) -> Deployment:
    """Write settings or branch of a deployment.

    Raises:
        NotFound: it is gone.
    """
    kept = replace(changed, updated_at=context.clock.now())
    if not await tx.deployments.save(kept):
        raise NotFound("No deployment found")
    await _changed(context, tx, caller, Action.DEPLOYMENT_UPDATED, kept)
    return kept


async def is_last_in(tx: Transaction, deployment: Deployment) -> bool:
    """Whether an organization has no other full deployment than this one."""
    found = await tx.deployments.list(
        deployment.organization_id, DeploymentKind.FULL, Page(limit=2, offset=0)
    )
    return [one.id for one in found] == [deployment.id]


async def delete_in(context: Context, tx: Transaction, caller: Caller, deployment: Deployment) -> None:
    """Delete a deployment with its grants and roles; of a full one its branches too.

    Raises:
        NotFound: it is gone.
    """
    now = context.clock.now()
    if not await tx.deployments.delete(deployment.organization_id, deployment.id, now):
        raise NotFound("No deployment found")
    await _changed(context, tx, caller, Action.DEPLOYMENT_DELETED, deployment)
    if deployment.full:
        branches = await tx.deployments.list(
            deployment.organization_id, DeploymentKind.BRANCH, EVERY_DEPLOYMENT
        )
        for branch in branches:
            if branch.base_id == deployment.id:
                await tx.deployments.delete(branch.organization_id, branch.id, now)
                await _changed(context, tx, caller, Action.DEPLOYMENT_DELETED, branch)


async def _changed(
    context: Context, tx: Transaction, caller: Caller, action: Action, deployment: Deployment
) -> None:
    details = {"name": deployment.name, "kind": deployment.kind.value, "number": deployment.number}
    subject = ("deployment", deployment.id)
    await context.record(tx, caller, action, deployment.organization_id, subject, details)
    await tell_in(context, tx, deployment.organization_id)


async def tell_in(context: Context, tx: Transaction, organization_id: OrganizationId) -> None:
    """Have every node hear, once the unit is committed, that rights or deployments have changed."""
    await tx.audit.post(organization_id, TOPIC_DEPLOYMENT_CHANGED, organization_id, context.clock.now())


async def grant_in(
    context: Context,
    tx: Transaction,
    caller: Caller,
    token: Token,
    scope: GrantScope,
    deployment: Deployment | None,
    by: UserId | None,
) -> bool:
    """Let an agent token serve more; whether that is news. Effective at its next call.

    Raises:
        Invalid: a deployment is named where none belongs, or none where one does, or it is a branch.
        Conflict: the token is not active.
    """
    _check_scope(scope, deployment)
    if token.state_at(context.clock.now()) is not State.ACTIVE:
        raise Conflict("This token is not active; its permissions stay as they are.", code="token_ended")
    given = DeploymentGrant(
        token.organization_id,
        token.id,
        scope,
        deployment.id if deployment is not None else "",
        context.clock.now(),
        by,
    )
    fresh = await tx.deployments.grant(given)
    twin = await sibling(tx, token.organization_id, token.id)
    if twin is not None:  # the two values of a rotation stand for one token
        await tx.deployments.grant(replace(given, token_id=twin))
    if fresh:
        await _granted(context, tx, caller, Action.DEPLOYMENT_GRANT_ADDED, token, scope, deployment)
    return fresh


async def ungrant_in(
    context: Context,
    tx: Transaction,
    caller: Caller,
    token: Token,
    scope: GrantScope,
    deployment: Deployment | None,
) -> bool:
    """Let an agent token serve less; whether that is news. Effective at its next call.

    Raises:
        Invalid: a deployment is named where none belongs, or none where one does, or it is a branch.
    """
    _check_scope(scope, deployment)
    place = deployment.id if deployment is not None else ""
    taken = await tx.deployments.ungrant(token.organization_id, token.id, scope, place)
    twin = await sibling(tx, token.organization_id, token.id)
    if twin is not None:
        await tx.deployments.ungrant(token.organization_id, twin, scope, place)
    if taken:
        await _granted(context, tx, caller, Action.DEPLOYMENT_GRANT_REMOVED, token, scope, deployment)
    return taken


def _check_scope(scope: GrantScope, deployment: Deployment | None) -> None:
    named = deployment is not None
    if (scope is GrantScope.DEPLOYMENT) is not named or (deployment is not None and not deployment.full):
        raise Invalid(
            "Validation failed: a permission is for the organization, for all branch deployments,"
            " or for one full deployment",
            code="invalid_grant",
        )


async def _granted(
    context: Context,
    tx: Transaction,
    caller: Caller,
    action: Action,
    token: Token,
    scope: GrantScope,
    deployment: Deployment | None,
) -> None:
    details = {
        "grant": "agent",
        "scope": scope.value,
        "deployment": deployment.name if deployment is not None else "",
        "deployment_id": deployment.id if deployment is not None else "",
    }
    await context.record(tx, caller, action, token.organization_id, ("token", token.id), details)
    await tell_in(context, tx, token.organization_id)


async def set_role_in(
    context: Context,
    tx: Transaction,
    caller: Caller,
    organization_id: OrganizationId,
    user_id: UserId,
    deployment: Deployment | None,
    role: DagsterRole,
    by: UserId | None,
) -> None:
    """Give a member a role on a full deployment, or, where none is named, on every branch deployment.

    Raises:
        NotFound: the person is no member.
        Invalid: the role is the organization administrator's, or the deployment a branch.
        Conflict: the member administers the organization, which is more than any of these.
    """
    member = await tx.accounts.member(organization_id, user_id)
    if member is None:
        raise NotFound("No member found")
    if role is DagsterRole.ORGANIZATION_ADMIN or (deployment is not None and not deployment.full):
        raise Invalid(
            "Validation failed: a role on a deployment is viewer, launcher, editor or admin, and on"
            " branch deployments the same for all of them",
            code="invalid_role",
        )
    if member.role is Role.ADMIN:
        raise Conflict("This person administers the organization already.", code="organization_admin")
    place = deployment.id if deployment is not None else ""
    if role is DagsterRole.VIEWER:  # what everybody is
        await tx.deployments.drop_role(organization_id, user_id, place)
    else:
        now = context.clock.now()
        await tx.deployments.set_role(RoleGrant(organization_id, user_id, place, role, now, by))
    details = {"user_id": user_id, "deployment_id": place, "role": role.value}
    subject = ("member", user_id)
    await context.record(tx, caller, Action.DEPLOYMENT_ROLE_CHANGED, organization_id, subject, details)
    await tell_in(context, tx, organization_id)


def read_document(text: str) -> dict[str, object]:
    """Settings or a branch's document as they are kept; anything but an object reads as empty."""
    found = msgspec.json.decode(text)
    return found if isinstance(found, dict) else {}
