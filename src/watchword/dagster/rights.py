"""Whether a caller may manage something, in words that command lines print (contract §9 rule 3, §13)."""

from dataclasses import replace

from watchword.dagster.call import Call
from watchword.domain.accounts import User
from watchword.domain.dagsterroles import ASKS, Act, DagsterRole
from watchword.domain.deployments import Deployment
from watchword.domain.errors import Forbidden
from watchword.domain.events import Actor
from watchword.services.context import Caller

# What continuous integration does with an agent token, on deployments that it may serve (§9, rule 3).
CI_ACTS = frozenset({Act.VIEW, Act.EDIT_LOCATIONS, Act.EDIT_BRANCHES, Act.LAUNCH})
NOT_FOR_AGENTS = "An agent token may not do that; use a user token."


def title(role: DagsterRole) -> str:
    """A role's name as people know it."""
    return role.value.replace("_", " ").title()


def caller_of(call: Call) -> Caller:
    """Who asks, for the audit trail: a person, or the agent token itself."""
    if not call.guest.is_agent:
        return call.caller
    token = call.guest.presented.holder
    return replace(call.caller, actor=Actor("token", token.id, token.description), token_id=token.id)


def actor_of(call: Call) -> User | None:
    """The person who asks; None for an agent token."""
    return call.guest.user


def person(call: Call, act: Act, deployment: Deployment | None = None) -> User:
    """The person, whose role lets them do something.

    Raises:
        Forbidden: it does not, or an agent token asks.
    """
    user = call.guest.user
    if user is None:
        raise Forbidden(NOT_FOR_AGENTS, code="people_only")
    if not call.guest.may(act, deployment):
        raise _too_little(call, act, deployment)
    return user


def require(call: Call, act: Act, deployment: Deployment) -> None:
    """Require that a person's role, or an agent token's permissions, cover something on a deployment.

    Raises:
        Forbidden: they do not.
    """
    permitted = call.guest.permitted
    if permitted is None:
        person(call, act, deployment)
    elif act not in CI_ACTS or not permitted.allows(deployment):
        raise Forbidden(NOT_FOR_AGENTS, code="deployment_not_permitted")


def require_branches(call: Call) -> None:
    """Require that branch deployments may be made.

    Raises:
        Forbidden: they may not.
    """
    guest = call.guest
    if guest.permitted is not None:
        if not guest.permitted.any_branch:
            raise Forbidden(
                "This agent token may not serve branch deployments; an Organization Admin can permit it.",
                code="deployment_not_permitted",
            )
        return
    if guest.standing is None or not guest.standing.may_on_branches(Act.EDIT_BRANCHES):
        raise Forbidden(
            f"This needs the role {title(ASKS[Act.EDIT_BRANCHES])} or more on branch deployments.",
            code="role_too_low",
        )


def _too_little(call: Call, act: Act, deployment: Deployment | None) -> Forbidden:
    asked, standing = ASKS[act], call.guest.standing
    if asked is DagsterRole.ORGANIZATION_ADMIN or deployment is None or standing is None:
        return Forbidden(f"This needs the role {title(asked)} or more.", code="role_too_low")
    held = standing.role_on(deployment)
    return Forbidden(
        f"This needs the role {title(asked)} or more on the deployment {deployment.name}; you are a"
        f" {title(held)} there.",
        code="role_too_low",
    )
