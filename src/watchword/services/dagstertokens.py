"""Tokens of Dagster+: agent tokens with their permissions, and people's own; on the core of all tokens.

Whoever calls has checked the right (`services.dagsterdoor`). Revoking is `services.revoking`'s.
"""

from dataclasses import dataclass, replace

from watchword.crypto.values import mint_dagster
from watchword.domain.accounts import Organization, User
from watchword.domain.deployments import DeploymentGrant, GrantScope
from watchword.domain.errors import Conflict, NotFound
from watchword.domain.events import TOPIC_TOKEN_CHANGED, Action
from watchword.domain.ids import OrganizationId, TokenId, UserId
from watchword.domain.kinds import Kind
from watchword.domain.tokens import MAX_DESCRIPTION, State, Token
from watchword.services.context import Caller, Context
from watchword.services.deployments import begin_in
from watchword.services.importing import take_over
from watchword.services.issuing import Issued, add_token, build_token
from watchword.services.sealedvalues import keep_copy
from watchword.store.base import Page, Transaction

NUMBERED_TOKEN = "token"  # noqa: S105 - a noun
NUMBERED_USER = "user"


@dataclass(frozen=True, slots=True)
class Numbered:
    """A token with what its clients see of it.

    Attributes:
        number: by which clients name it.
        grants: of an agent token.
    """

    token: Token
    number: int
    grants: tuple[DeploymentGrant, ...] = ()


def clean_description(text: str) -> str:
    """A description as it is kept. Its clients may leave it empty; hygiene lists those that do."""
    return " ".join(text.split())[:MAX_DESCRIPTION]


async def create_agent_token_in(
    context: Context,
    tx: Transaction,
    caller: Caller,
    organization: Organization,
    description: str,
    by: UserId | None,
) -> Issued:
    """Make an agent token; it serves every deployment, branches included, until somebody narrows it (§10)."""
    await begin_in(context, tx, caller, organization, by)
    value = mint_dagster(Kind.DAGSTER_AGENT, organization.slug)
    token = build_token(
        context,
        Kind.DAGSTER_AGENT,
        organization.id,
        value,
        description=clean_description(description),
        created_by=by,
    )
    await add_token(context, tx, caller, token, Action.TOKEN_CREATED)
    await keep_copy(context, tx, token, value)
    grant = DeploymentGrant(organization.id, token.id, GrantScope.ORGANIZATION, "", token.created_at, by)
    await tx.deployments.grant(grant)
    return Issued(token, value)


async def import_agent_token_in(
    context: Context,
    tx: Transaction,
    caller: Caller,
    organization: Organization,
    description: str,
    value_digest: bytes,
    by: UserId | None,
) -> Token:
    """Take over an agent token that was issued elsewhere, known by its digest alone; it serves everything.

    Raises:
        Conflict: the value is known here already, in whatever state and to whomever.
    """
    await begin_in(context, tx, caller, organization, by)
    token = build_token(
        context,
        Kind.DAGSTER_AGENT,
        organization.id,
        value_digest,
        description=clean_description(description),
        created_by=by,
    )

    async def add() -> Token:
        await add_token(context, tx, caller, token, Action.TOKEN_IMPORTED)
        grant = DeploymentGrant(organization.id, token.id, GrantScope.ORGANIZATION, "", token.created_at, by)
        await tx.deployments.grant(grant)
        return token

    return await take_over(context, tx, value_digest, add)


async def create_user_token_in(
    context: Context,
    tx: Transaction,
    caller: Caller,
    organization: Organization,
    owner: User,
    description: str,
) -> Issued:
    """Make a person a token of their own; nobody makes one for somebody else (§13).

    Raises:
        NotFound: the person is no member.
    """
    if await tx.accounts.member(organization.id, owner.id) is None:
        raise NotFound("No member found")
    await begin_in(context, tx, caller, organization, owner.id)
    value = mint_dagster(Kind.DAGSTER_USER)
    token = build_token(
        context,
        Kind.DAGSTER_USER,
        organization.id,
        value,
        description=clean_description(description),
        user_id=owner.id,
        created_by=owner.id,
    )
    await add_token(context, tx, caller, token, Action.TOKEN_CREATED)
    await keep_copy(context, tx, token, value)
    return Issued(token, value)


async def describe_in(
    context: Context, tx: Transaction, caller: Caller, token: Token, description: str
) -> Token:
    """Change a token's description.

    Raises:
        Conflict: it is not active.
    """
    kept = clean_description(description)
    if token.state is not State.ACTIVE or not await tx.tokens.edit(
        token.organization_id, token.id, kept, token.restrictions
    ):
        raise Conflict("This token is not active; its description stays as it is.", code="token_ended")
    await tx.audit.post(token.organization_id, TOPIC_TOKEN_CHANGED, token.digest.hex(), context.clock.now())
    details = {"kind": token.kind.value, "description": kept}
    subject = ("token", token.id)
    await context.record(tx, caller, Action.TOKEN_UPDATED, token.organization_id, subject, details)
    return replace(token, description=kept)


async def list_in(
    tx: Transaction, organization_id: OrganizationId, kind: Kind, owner: UserId | None, page: Page
) -> list[Numbered]:
    """Tokens of one of the two kinds, ended ones too, newest first; of user tokens those of one person."""
    found = await tx.deployments.tokens(organization_id, kind, owner, page)
    return [await numbered_in(tx, token) for token in found]


async def numbered_in(tx: Transaction, token: Token) -> Numbered:
    """A token with its number and grants."""
    number = await tx.deployments.number_of(token.organization_id, NUMBERED_TOKEN, token.id)
    grants: tuple[DeploymentGrant, ...] = ()
    if token.kind is Kind.DAGSTER_AGENT:
        grants = tuple(await tx.deployments.grants(token.organization_id, token.id))
    return Numbered(token, number, grants)


async def find_in(
    tx: Transaction,
    organization_id: OrganizationId,
    kind: Kind,
    number: int,
    owner: UserId | None = None,
) -> Token:
    """A token by the number that clients know.

    Raises:
        NotFound: there is none of this kind, or it is not the owner's.
    """
    found = await tx.deployments.id_of(organization_id, NUMBERED_TOKEN, number)
    token = await tx.tokens.find(organization_id, TokenId(found)) if found is not None else None
    if token is None or token.kind is not kind or (owner is not None and token.user_id != owner):
        raise NotFound("No token found")
    return token
