"""Issuing: make a token, show its value once, keep its digest."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from watchword.crypto.packagevalues import mint_package_value
from watchword.crypto.values import Secret, digest, mint, mint_dagster
from watchword.domain.errors import Invalid, NotFound
from watchword.domain.events import Action
from watchword.domain.ids import AgentId, ClusterId, OrganizationId, ResourceId, TokenId, UserId
from watchword.domain.kinds import Kind
from watchword.domain.restrictions import UNRESTRICTED, Restrictions
from watchword.domain.scopes import canonical
from watchword.domain.securitypolicy import Grant
from watchword.domain.tokens import (
    API_ACCESS_DEFAULT_US,
    State,
    Token,
    check_description,
    check_expiry,
)
from watchword.services.context import Caller, Context
from watchword.services.sealedvalues import keep_copy
from watchword.store.base import Transaction

_AGENT_KINDS = (Kind.AGENT, Kind.UNCLUSTERED_AGENT)
_DAGSTER_KINDS = (Kind.DAGSTER_AGENT, Kind.DAGSTER_USER)


@dataclass(frozen=True, slots=True)
class Issued:
    """A fresh token and its value, which is seen here and never again."""

    token: Token
    value: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """What a caller asks of a new agent token. Times are microseconds; 0 means none.

    Attributes:
        cluster_id: None for an unclustered agent token.
        max_uses: registrations it allows; 0 means any number.
        described: whether it must say what it is for; known clients make unclustered tokens without that.
    """

    organization_id: OrganizationId
    cluster_id: ClusterId | None
    description: str
    restrictions: Restrictions = UNRESTRICTED
    not_before: int = 0
    expires_at: int = 0
    max_uses: int = 0
    described: bool = True

    @property
    def kind(self) -> Kind:
        """Which kind of agent token that is."""
        return Kind.AGENT if self.cluster_id is not None else Kind.UNCLUSTERED_AGENT


def build_token(
    context: Context,
    kind: Kind,
    organization_id: OrganizationId,
    value: Secret | bytes,
    *,
    description: str = "",
    cluster_id: ClusterId | None = None,
    user_id: UserId | None = None,
    agent_id: AgentId | None = None,
    parent_id: TokenId | None = None,
    scopes: Iterable[str] = (),
    restrictions: Restrictions = UNRESTRICTED,
    not_before: int = 0,
    expires_at: int = 0,
    max_uses: int = 0,
    created_by: UserId | None = None,
    resource_id: ResourceId | None = None,
) -> Token:
    """The record of a fresh value, or of a digest of one that was issued elsewhere."""
    return Token(
        organization_id=organization_id,
        id=TokenId(context.new_id()),
        kind=kind,
        digest=value if isinstance(value, bytes) else digest(value.reveal()),
        state=State.ACTIVE,
        description=description,
        cluster_id=cluster_id,
        user_id=user_id,
        agent_id=agent_id,
        parent_id=parent_id,
        scopes=" ".join(sorted(scopes)),
        restrictions=restrictions.dump(),
        not_before=not_before,
        expires_at=expires_at,
        max_uses=max_uses,
        uses=0,
        created_at=context.clock.now(),
        created_by=created_by,
        ended_at=0,
        ended_by=None,
        ended_reason="",
        imported=isinstance(value, bytes),
        resource_id=resource_id,
    )


def mint_value(context: Context, kind: Kind, slug: str = "") -> Secret:
    """A fresh value in the installation's brand and cell; a Dagster agent token's holds a slug instead."""
    if kind in _DAGSTER_KINDS:
        return mint_dagster(kind, slug)
    return mint(kind, brand=context.installation.brand, cell=context.installation.cell)


def mint_registry_value(
    context: Context,
    organization_id: OrganizationId,
    registry_id: ResourceId,
    *,
    expires_at: int = 0,
    access: str = "",
) -> Secret:
    """A fresh value of a registry token, or of a temporary package token where it expires (microseconds)."""
    return mint_package_value(
        context.keys,
        organization_id,
        registry_id,
        brand=context.installation.brand,
        expires_at=expires_at // 1_000_000,
        access=access,
    )


async def issue_agent_token(
    context: Context, tx: Transaction, caller: Caller, request: TokenRequest, created_by: UserId | None
) -> Issued:
    """Issue an agent token inside a unit of work.

    Raises:
        Invalid: description, expiry or number of uses is not acceptable.
        NotFound: the organization has no such cluster.
    """
    value = mint_value(context, request.kind)
    token = await build_agent_token(context, tx, request, value, created_by)
    await add_token(context, tx, caller, token, Action.TOKEN_CREATED)
    await keep_copy(context, tx, token, value)
    return Issued(token, value)


async def build_agent_token(
    context: Context, tx: Transaction, request: TokenRequest, value: Secret | bytes, created_by: UserId | None
) -> Token:
    """The record of an agent token, checked, inside a unit of work.

    Raises:
        Invalid: description, expiry or number of uses is not acceptable.
        NotFound: the organization has no such cluster.
    """
    described = request.described or request.description.strip()
    description = check_description(request.description) if described else ""
    check_expiry(request.expires_at, context.clock.now())
    if request.expires_at and request.not_before >= request.expires_at:
        raise Invalid("Validation failed: Not before must lie ahead of the expiry", code="never_valid")
    if request.max_uses < 0:
        raise Invalid("Validation failed: Uses must not be negative", code="invalid_uses")
    if request.cluster_id is not None:
        await _require_cluster(tx, request)
    return build_token(
        context,
        request.kind,
        request.organization_id,
        value,
        description=description,
        cluster_id=request.cluster_id,
        restrictions=request.restrictions,
        not_before=request.not_before,
        expires_at=request.expires_at,
        max_uses=request.max_uses,
        created_by=created_by,
    )


async def _require_cluster(tx: Transaction, request: TokenRequest) -> None:
    if request.cluster_id is None:
        return
    cluster = await tx.accounts.cluster(request.organization_id, request.cluster_id)
    if cluster is None:
        raise NotFound("No cluster found")
    if request.restrictions.queue:
        key = request.restrictions.queue
        if await tx.accounts.queue_by_key(request.organization_id, cluster.id, key) is None:
            raise Invalid(f"Validation failed: Queue {key!r} is not in this cluster", code="unknown_queue")


async def issue_api_token(
    context: Context,
    tx: Transaction,
    caller: Caller,
    organization_id: OrganizationId,
    user_id: UserId,
    description: str,
    scopes: Iterable[str],
    expires_at: int | None = None,
    *,
    restrictions: Restrictions = UNRESTRICTED,
    parent_id: TokenId | None = None,
    further: Sequence[OrganizationId] = (),
) -> Issued:
    """Issue an API access token inside a unit of work; see `add_api_token`.

    Raises:
        Invalid: description, a scope or the expiry is not acceptable.
        NotFound: the person is no member of the organization.
    """
    value = mint_value(context, Kind.API_ACCESS)
    token = await add_api_token(
        context,
        tx,
        caller,
        organization_id,
        user_id,
        description,
        scopes,
        expires_at,
        value,
        restrictions=restrictions,
        parent_id=parent_id,
        further=further,
    )
    return Issued(token, value)


async def add_api_token(
    context: Context,
    tx: Transaction,
    caller: Caller,
    organization_id: OrganizationId,
    user_id: UserId,
    description: str,
    scopes: Iterable[str],
    expires_at: int | None,
    value: Secret | bytes,
    *,
    restrictions: Restrictions = UNRESTRICTED,
    parent_id: TokenId | None = None,
    further: Sequence[OrganizationId] = (),
) -> Token:
    """Write an API access token inside a unit of work. What the caller may give away is not asked here.

    Args:
        context: the ground.
        tx: the unit of work.
        caller: who asks.
        organization_id: what it opens.
        user_id: whose it is.
        description: what it is for.
        scopes: scope words.
        expires_at: microseconds; None means seven days from now, 0 means never.
        value: its fresh value, or the digest of one that was issued elsewhere.
        restrictions: what narrows it.
        parent_id: the token that asked for it.
        further: organizations that it opens besides.

    Raises:
        Invalid: description, a scope or the expiry is not acceptable.
        NotFound: the person is no member of the organization.
    """
    try:
        words = canonical(scopes)
    except ValueError as error:
        raise Invalid(f"Validation failed: {error}", code="unknown_scope") from None
    if await tx.accounts.member(organization_id, user_id) is None:
        raise NotFound("No member found")
    now = context.clock.now()
    until = now + API_ACCESS_DEFAULT_US if expires_at is None else check_expiry(expires_at, now)
    token = build_token(
        context,
        Kind.API_ACCESS,
        organization_id,
        value,
        description=check_description(description),
        user_id=user_id,
        parent_id=parent_id,
        scopes=words,
        restrictions=restrictions,
        expires_at=until,
        created_by=user_id,
    )
    await add_token(
        context, tx, caller, token, Action.TOKEN_IMPORTED if token.imported else Action.TOKEN_CREATED
    )
    await _grant(context, tx, caller, token, further)
    return token


async def _grant(
    context: Context, tx: Transaction, caller: Caller, token: Token, further: Sequence[OrganizationId]
) -> None:
    """Let an API access token reach its own organization and further ones, each told in its own trail."""
    home = token.organization_id
    for reached in (home, *further):
        await tx.policies.add_grant(Grant(reached, token.id, home, token.created_at, token.user_id))
        if reached != home:
            data = {"kind": token.kind.value, "description": token.description}
            await context.record(tx, caller, Action.TOKEN_CREATED, reached, ("token", token.id), data)


async def add_token(context: Context, tx: Transaction, caller: Caller, token: Token, action: Action) -> None:
    """Write a fresh token's record and the event that says how it came about."""
    await tx.tokens.add(token)
    details = {
        "kind": token.kind.value,
        "description": token.description,
        "cluster_id": token.cluster_id,
        "expires_at": token.expires_at,
        "max_uses": token.max_uses,
        "restrictions": token.restrictions,
    }
    await context.record(tx, caller, action, token.organization_id, ("token", token.id), details)


def is_agent_kind(kind: Kind) -> bool:
    """Whether tokens of the kind register agents."""
    return kind in _AGENT_KINDS


def is_agent_token(token: Token) -> bool:
    """Whether the token registers agents."""
    return is_agent_kind(token.kind)
