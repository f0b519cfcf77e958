"""One's own API access tokens, whatever organizations they reach: what a person sees who is signed in.

Seeing and revoking one's own asks for nothing beyond being signed in. Whatever may widen what a token does
(making, changing, rotating one) enters an organization that it reaches, whose rules hold then.
"""

from dataclasses import dataclass

from watchword.domain.accounts import Organization, User
from watchword.domain.errors import Forbidden, NotFound
from watchword.domain.ids import TokenId, is_uuid
from watchword.domain.kinds import Kind
from watchword.domain.tokens import Token
from watchword.domain.use import Use
from watchword.services.access import Access, belonging, enter_in_person
from watchword.services.apitokens import require_creation
from watchword.services.context import Caller, Context
from watchword.services.ledger import Ledger
from watchword.services.revoking import revoke
from watchword.store.base import EVERYTHING, Transaction


@dataclass(frozen=True, slots=True)
class Own:
    """A token of a person's.

    Attributes:
        reached: organizations that it reaches and the person belongs to, by name.
        used: its latest use; None where it was never used.
    """

    token: Token
    reached: tuple[Organization, ...]
    used: Use | None


@dataclass(frozen=True, slots=True)
class Place:
    """An organization in which a person may, or may not, create API access tokens.

    Attributes:
        refused: why not, in a sentence; empty where they may.
        maximum_days: longest life of a new token; 0 sets no limit.
    """

    organization: Organization
    refused: str
    maximum_days: int


async def own_tokens(tx: Transaction, ledger: Ledger, user: User) -> list[Own]:
    """A person's tokens that are not revoked, newest first."""
    tokens: dict[TokenId, Token] = {}
    reached: dict[TokenId, list[Organization]] = {}
    for organization, _ in await belonging(tx, user):
        for each in await tx.hygiene.reaching(organization.id, EVERYTHING, user.id):
            tokens[each.token.id] = each.token
            reached.setdefault(each.token.id, []).append(organization)
    uses = await ledger.last_uses_in(tx, [(one.organization_id, one.id) for one in tokens.values()])
    return [
        Own(token, tuple(reached[token.id]), uses.get((token.organization_id, token.id)))
        for token in sorted(tokens.values(), key=lambda one: one.id, reverse=True)
    ]


async def find_own(tx: Transaction, ledger: Ledger, user: User, text: str) -> Own:
    """A token of a person's by the id in a path, in whatever state.

    Raises:
        NotFound: there is none, or it is somebody else's.
    """
    token: Token | None = None
    reached = []
    for organization, _ in await belonging(tx, user) if is_uuid(text) else ():
        found = await tx.hygiene.reaching_one(organization.id, TokenId(text.lower()))
        if found is not None and found.token.kind is Kind.API_ACCESS and found.token.user_id == user.id:
            token = found.token
            reached.append(organization)
    if token is None:
        raise NotFound("No API access token found")
    holder = token.organization_id, token.id
    uses = await ledger.last_uses_in(tx, [holder])
    return Own(token, tuple(reached), uses.get(holder))


async def children_of(tx: Transaction, ledger: Ledger, user: User, token: Token) -> list[Own]:
    """Tokens of a person's that one of theirs asked for, and that are not revoked; newest first."""
    return [own for own in await own_tokens(tx, ledger, user) if own.token.parent_id == token.id]


async def enter_with(tx: Transaction, user: User, caller: Caller, own: Own) -> Access:
    """Enter an organization that a token reaches: the one that it belongs to, else the first that lets in.

    Raises:
        Forbidden: none lets the person in from here.
        NotFound: it reaches none any more.
    """
    refused: Forbidden | None = None
    for organization in sorted(own.reached, key=lambda one: one.id != own.token.organization_id):
        try:
            return await enter_in_person(tx, user, organization.slug, caller)
        except Forbidden as error:
            refused = refused or error
    raise refused or NotFound("No API access token found")


async def places_to_create(tx: Transaction, user: User, caller: Caller) -> list[Place]:
    """Where a person may create API access tokens, by name; and why not elsewhere."""
    places = []
    for organization, _ in await belonging(tx, user):
        policy = await tx.policies.policy(organization.id)
        refused = ""
        try:
            require_creation(await enter_in_person(tx, user, organization.slug, caller))
        except Forbidden as error:
            refused = error.message
        places.append(Place(organization, refused, policy.maximum_api_token_days))
    return places


async def revoke_own(context: Context, tx: Transaction, user: User, caller: Caller, own: Own) -> None:
    """Revoke a token of one's own everywhere; from wherever one is. Repeating it changes nothing."""
    await revoke(context, tx, caller, own.token, user.id, "revoked by its owner")
