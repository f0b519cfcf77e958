"""Care of Dagster+ by people: who sees which token, what tokens may serve, deployments, roles.

Steps of units of work (`…_in`). Rights are rows of `domain.operations`; whose a user token is is asked here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from watchword.domain.accounts import User
from watchword.domain.dagsterroles import ASKS, Act, DagsterRole, DagsterStanding, RoleGrant
from watchword.domain.deployments import Deployment, DeploymentKind, GrantScope, Permitted
from watchword.domain.errors import Conflict, Forbidden, NotFound
from watchword.domain.ids import DeploymentId, TokenId, UserId, is_uuid
from watchword.domain.kinds import Kind
from watchword.domain.people import SealedValue
from watchword.domain.tokens import State, Token
from watchword.domain.use import Use
from watchword.services.access import Access
from watchword.services.context import Context
from watchword.services.deployments import EVERY_DEPLOYMENT, grant_in, ungrant_in
from watchword.services.ledger import Ledger
from watchword.services.queries import people
from watchword.store.base import Page, Transaction

# Tokens that are looked through for permissions on one deployment.
_LOOKED_THROUGH = Page(limit=1_000, offset=0)


@dataclass(frozen=True, slots=True)
class KeptToken:
    """A token with what stands beside it.

    Attributes:
        permitted: of an agent token.
        places: names of the deployments that its permissions name one by one.
        owner: of a user token.
        ender: who revoked it.
        revealable: whether a copy of its value is kept.
    """

    token: Token
    permitted: Permitted | None
    places: tuple[str, ...]
    owner: User | None
    creator: User | None
    ender: User | None
    used: Use | None
    revealable: bool


@dataclass(frozen=True, slots=True)
class Affected:
    """What a deployment's end touches.

    Attributes:
        branches: deleted with it.
        tokens: agent tokens that may serve it by name.
        stranded: those of them that may serve nothing else.
        roles: what people are there.
    """

    branches: tuple[Deployment, ...]
    tokens: tuple[Token, ...]
    stranded: tuple[Token, ...]
    roles: tuple[RoleGrant, ...]


@dataclass(frozen=True, slots=True)
class Ability:
    """What a person's token may do on a deployment; on the organization where none is named."""

    deployment: Deployment | None
    role: DagsterRole
    acts: tuple[Act, ...]


async def deployments_in(tx: Transaction, access: Access, kind: DeploymentKind) -> list[Deployment]:
    """Deployments of a kind, oldest first."""
    return list(await tx.deployments.list(access.id, kind, EVERY_DEPLOYMENT))


async def deployment_in(tx: Transaction, access: Access, name: str) -> Deployment:
    """A deployment by its name, or by its id.

    Raises:
        NotFound: there is none.
    """
    found = await tx.deployments.by_name(access.id, name)
    if found is None and is_uuid(name):
        found = await tx.deployments.find(access.id, DeploymentId(name.lower()))
    if found is None or found.deleted_at:
        raise NotFound("No deployment found")
    return found


async def find_agent_token_in(tx: Transaction, access: Access, token_id: str) -> Token:
    """An agent token in whatever state.

    Raises:
        NotFound: there is none.
    """
    return await _find(tx, access, Kind.DAGSTER_AGENT, token_id)


async def find_user_token_in(tx: Transaction, access: Access, token_id: str, *, own: bool = False) -> Token:
    """A person's token in whatever state: one's own; anybody's for administrators.

    Args:
        tx: the unit of work.
        access: who asks.
        token_id: which.
        own: whether even administrators may ask for their own alone: values, descriptions.

    Raises:
        NotFound: there is none that the person may see.
        Forbidden: it is somebody else's, who alone may do this.
    """
    token = await _find(tx, access, Kind.DAGSTER_USER, token_id)
    if token.user_id == access.user.id:
        return token
    if not access.may("dagster_user_token.read"):
        raise NotFound("No token found")
    if own:
        raise Forbidden("This is another person's token; you may revoke it, and nothing else.")
    return token


async def _find(tx: Transaction, access: Access, kind: Kind, token_id: str) -> Token:
    text = token_id.lower()
    token = await tx.tokens.find(access.id, TokenId(text)) if is_uuid(text) else None
    if token is None or token.kind is not kind:
        raise NotFound("No token found")
    return token


def require_owner(access: Access, owner: UserId) -> None:
    """Require that a list is one's own, or that the person administers the organization.

    Raises:
        Forbidden: it is not.
    """
    if owner != access.user.id:
        access.require("dagster_user_token.read")


async def tokens_in(
    tx: Transaction, ledger: Ledger, access: Access, kind: Kind, owner: UserId | None, page: Page
) -> list[KeptToken]:
    """Tokens of one of the two kinds, ended ones too, newest first; of user tokens those of one person."""
    return await kept_in(tx, ledger, access, await tx.deployments.tokens(access.id, kind, owner, page))


async def kept_in(
    tx: Transaction, ledger: Ledger, access: Access, tokens: Sequence[Token]
) -> list[KeptToken]:
    """Tokens with what stands beside them."""
    uses = await ledger.last_uses_in(tx, [(access.id, token.id) for token in tokens])
    known = await people(tx, [who for one in tokens for who in (one.user_id, one.created_by, one.ended_by)])
    names = {one.id: one.name for one in await deployments_in(tx, access, DeploymentKind.FULL)}
    kept = []
    for token in tokens:
        permitted = None
        if token.kind is Kind.DAGSTER_AGENT:
            permitted = Permitted.of(await tx.deployments.grants(access.id, token.id))
        copy: SealedValue | None = None
        if token.state is State.ACTIVE:
            copy = await tx.sealed.find(access.id, token.id)
        places = (names.get(DeploymentId(one)) for one in (permitted.deployments if permitted else ()))
        kept.append(
            KeptToken(
                token=token,
                permitted=permitted,
                places=tuple(sorted(name for name in places if name is not None)),
                owner=known.get(token.user_id) if token.user_id is not None else None,
                creator=known.get(token.created_by) if token.created_by is not None else None,
                ender=known.get(token.ended_by) if token.ended_by is not None else None,
                used=uses.get((access.id, token.id)),
                revealable=copy is not None,
            )
        )
    return kept


async def change_permission_in(
    context: Context,
    tx: Transaction,
    access: Access,
    token: Token,
    scope: GrantScope,
    deployment: Deployment | None,
    *,
    allowed: bool,
) -> bool:
    """Let an agent token serve more or less; whether that is news.

    Raises:
        Invalid: a deployment is named where none belongs, or none where one does, or it is a branch.
        Conflict: the token is not active and is to serve more.
    """
    if allowed:
        return await grant_in(context, tx, access.caller, token, scope, deployment, access.user.id)
    return await ungrant_in(context, tx, access.caller, token, scope, deployment)


async def set_permissions_in(
    context: Context, tx: Transaction, access: Access, token: Token, wanted: Permitted
) -> None:
    """Give an agent token exactly these permissions. With the organization's, the others stay as they are.

    Raises:
        Conflict: the token is not active.
        NotFound: one of the deployments is not there.
    """
    if token.state_at(context.clock.now()) is not State.ACTIVE:
        raise Conflict("This token is not active; its permissions stay as they are.", code="token_ended")
    now = Permitted.of(await tx.deployments.grants(access.id, token.id))

    async def change(scope: GrantScope, place: Deployment | None, had: bool, has: bool) -> None:  # noqa: FBT001
        if had is not has:
            await change_permission_in(context, tx, access, token, scope, place, allowed=has)

    await change(GrantScope.ORGANIZATION, None, now.everything, wanted.everything)
    if wanted.everything:
        return
    await change(GrantScope.ALL_BRANCH_DEPLOYMENTS, None, now.branches, wanted.branches)
    for place in sorted(now.deployments ^ wanted.deployments):
        deployment = await tx.deployments.find(access.id, DeploymentId(place))
        if deployment is None or deployment.deleted_at:
            raise NotFound("No deployment found")
        await change(GrantScope.DEPLOYMENT, deployment, place in now.deployments, place in wanted.deployments)


async def affected_in(tx: Transaction, access: Access, deployment: Deployment) -> Affected:
    """What a deployment's end touches."""
    branches = [
        one for one in await deployments_in(tx, access, DeploymentKind.BRANCH) if one.base_id == deployment.id
    ]
    named, stranded = [], []
    for token in await tx.deployments.tokens(access.id, Kind.DAGSTER_AGENT, None, _LOOKED_THROUGH):
        permitted = Permitted.of(await tx.deployments.grants(access.id, token.id))
        if token.state is State.ACTIVE and deployment.id in permitted.deployments:
            named.append(token)
            if not permitted.any_branch and len(permitted.deployments) == 1:
                stranded.append(token)
    roles = await tx.deployments.roles_on(access.id, deployment.id)
    return Affected(tuple(branches), tuple(named), tuple(stranded), tuple(roles))


async def abilities_in(tx: Transaction, access: Access, user_id: UserId) -> list[Ability]:
    """What a person's tokens may do right now: nothing where they are no member."""
    member = await tx.accounts.member(access.id, user_id)
    if member is None:
        return []
    standing = DagsterStanding.of(member.role, await tx.deployments.roles(access.id, user_id))
    places: list[Deployment | None] = [None, *await deployments_in(tx, access, DeploymentKind.FULL)]
    branches = await deployments_in(tx, access, DeploymentKind.BRANCH)
    places += branches[:1]  # all branches stand for one
    return [
        Ability(place, standing.role_on(place), tuple(act for act in ASKS if standing.may(act, place)))
        for place in places
    ]


async def roles_in(tx: Transaction, access: Access) -> dict[UserId, dict[str, DagsterRole]]:
    """Roles that people were given, by person and deployment; the one on branches under an empty id."""
    places = ["", *(one.id for one in await deployments_in(tx, access, DeploymentKind.FULL))]
    found: dict[UserId, dict[str, DagsterRole]] = {}
    for place in places:
        for grant in await tx.deployments.roles_on(access.id, place):
            found.setdefault(grant.user_id, {})[place] = grant.role
    return found
