"""Registry tokens and temporary package tokens: made, described, found (contract rest-graphql §2.13).

A registry token reads one registry's packages until it is revoked. A temporary package token reads or
writes them for five minutes, for the person who asked for it. Revoking and rotating are as for every kind.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from watchword.domain.accounts import User
from watchword.domain.errors import Conflict, NotFound
from watchword.domain.events import TOPIC_TOKEN_CHANGED, Action
from watchword.domain.ids import TokenId, UserId, is_uuid
from watchword.domain.kinds import Kind
from watchword.domain.packages import TEMPORARY_US, PackageAccess
from watchword.domain.registries import Registry
from watchword.domain.restrictions import UNRESTRICTED, Restrictions, load
from watchword.domain.tokens import State, Token, check_description
from watchword.domain.use import Use
from watchword.services.access import Access
from watchword.services.context import Context
from watchword.services.issuing import Issued, add_token, build_token, mint_registry_value
from watchword.services.ledger import Ledger
from watchword.services.sealedvalues import keep_copy
from watchword.store.base import EVERYTHING, Page, Transaction

MISSING = "No registry token found"


@dataclass(frozen=True, slots=True)
class RegistryTokenRow:
    """A registry token with who made it and its latest use."""

    token: Token
    creator: User | None
    used: Use | None


async def create_registry_token(
    context: Context,
    tx: Transaction,
    access: Access,
    registry: Registry,
    description: str,
    restrictions: Restrictions = UNRESTRICTED,
) -> Issued:
    """Issue a token that reads a registry's packages, inside a unit of work.

    Raises:
        Invalid: it has no description, or too long a one.
    """
    of = registry.resource_id
    value = mint_registry_value(context, registry.organization_id, of)
    token = build_token(
        context,
        Kind.REGISTRY,
        registry.organization_id,
        value,
        description=check_description(description),
        scopes=(PackageAccess.READ.scope,),
        restrictions=restrictions,
        created_by=access.user.id,
        resource_id=of,
    )
    await add_token(context, tx, access.caller, token, Action.TOKEN_CREATED)
    await keep_copy(context, tx, token, value)
    return Issued(token, value)


async def create_temporary_token(
    context: Context, tx: Transaction, access: Access, registry: Registry, wanted: PackageAccess
) -> Issued:
    """Issue a token for five minutes, inside a unit of work; used from no further than what asked for it."""
    of = registry.resource_id
    until = context.clock.now() + TEMPORARY_US
    value = mint_registry_value(context, registry.organization_id, of, expires_at=until, access=wanted.value)
    asking = access.presented
    networks = load(asking.holder.restrictions).networks if asking is not None else ()
    token = build_token(
        context,
        Kind.TEMPORARY_PACKAGE,
        registry.organization_id,
        value,
        description=f"{wanted.value} packages of {registry.slug} for 5 minutes",
        user_id=access.user.id,
        parent_id=asking.holder.id if asking is not None else None,
        scopes=(wanted.scope,),
        restrictions=Restrictions(networks=networks) if networks else UNRESTRICTED,
        expires_at=until,
        created_by=access.user.id,
        resource_id=of,
    )
    await add_token(context, tx, access.caller, token, Action.TOKEN_CREATED)
    return Issued(token, value)


async def describe_registry_token(
    context: Context, tx: Transaction, access: Access, token: Token, description: str
) -> Token:
    """Change a token's description.

    Raises:
        Invalid: it is empty or too long.
        Conflict: the token is not active.
    """
    kept = check_description(description)
    edited = token.state is State.ACTIVE and await tx.tokens.edit(
        token.organization_id, token.id, kept, token.restrictions
    )
    if not edited:
        raise Conflict("This token is not active; its description stays as it is.", code="token_ended")
    await tx.audit.post(token.organization_id, TOPIC_TOKEN_CHANGED, token.digest.hex(), context.clock.now())
    details = {"kind": token.kind.value, "description": kept}
    subject = ("token", token.id)
    await context.record(tx, access.caller, Action.TOKEN_UPDATED, token.organization_id, subject, details)
    return replace(token, description=kept)


async def find_registry_token(
    tx: Transaction, registry: Registry, text: str, *, revoked: bool = True
) -> Token:
    """A registry token by the id in a path.

    Args:
        tx: the unit of work.
        registry: whose it is.
        text: the id.
        revoked: whether a revoked one is found too.

    Raises:
        NotFound: there is none, or not of this registry.
    """
    token = None
    if is_uuid(text):
        token = await tx.tokens.find(registry.organization_id, TokenId(text.lower()))
    if (
        token is None
        or token.kind is not Kind.REGISTRY
        or token.resource_id != registry.resource_id
        or (token.state is State.REVOKED and not revoked)
    ):
        raise NotFound(MISSING)
    return token


async def registry_tokens(tx: Transaction, registry: Registry, page: Page) -> list[Token]:
    """Registry tokens that have not ended, oldest first; temporary ones are left out."""
    every = await tx.tokens.list(registry.organization_id, Kind.REGISTRY, None, EVERYTHING)
    found = [one for one in every if one.resource_id == registry.resource_id and one.state is State.ACTIVE]
    return found[page.offset : page.offset + page.limit]


async def shown_tokens(tx: Transaction, ledger: Ledger, tokens: Sequence[Token]) -> list[RegistryTokenRow]:
    """Tokens with who made them and their latest uses."""
    uses = await ledger.last_uses_in(tx, [(one.organization_id, one.id) for one in tokens])
    return [
        RegistryTokenRow(
            token,
            await tx.accounts.user(token.created_by or UserId("")),
            uses.get((token.organization_id, token.id)),
        )
        for token in tokens
    ]
