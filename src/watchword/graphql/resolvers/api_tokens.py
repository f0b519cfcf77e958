"""API access tokens as an organization sees them (contract rest-graphql §3.4, §3.5); never their values."""

from collections.abc import Mapping

from watchword.domain import accounts
from watchword.domain.formats import whole_seconds
from watchword.domain.tokens import Token
from watchword.graphql import ids
from watchword.graphql.binding import Arguments, Thing, field, mutation
from watchword.graphql.call import Call, Order
from watchword.graphql.connections import listed
from watchword.graphql.finding import maybe, node, organization_id
from watchword.graphql.resolvers.users import person
from watchword.services.apitokenlists import Listed, Sift, list_api_tokens
from watchword.services.apitokens import find_api_token, remove_organization
from watchword.services.lookups import EVERYTHING
from watchword.services.queries import Access, Unit

_TYPE = "APIAccessToken"


def show_listed(row: Listed) -> Thing:
    """A token with the columns of the access audit."""
    token, used = row.reaching.token, row.used
    values = {
        "id": ids.encode(_TYPE, token.id),
        "uuid": token.id,
        "description": token.description or None,
        "scopes": [scope.upper() for scope in token.scopes.split()],
        "createdAt": token.created_at,
        "expiresAt": whole_seconds(token.expires_at),
        "lastAccessedAt": used.last_at if used is not None else None,
        "ipAddress": (used.address or None) if used is not None else None,
    }
    return Thing("OrganizationAPIAccessToken", None, row, values)


@field("OrganizationAPIAccessToken", "owner")
async def owner(call: Call, row: Listed, _arguments: Arguments) -> Thing | None:
    """Whose it is; null where the person is gone."""
    return await person(call, row.reaching.token.user_id)


@node(_TYPE, "api_token.read")
async def find(tx: Unit, access: Access, uuid: str) -> Thing | None:
    """A token that reaches the organization."""
    found = await maybe(find_api_token(tx, access, uuid))
    if found is None:
        return None
    token = found.token
    values = {
        "id": ids.encode(_TYPE, token.id),
        "uuid": token.id,
        "expiresAt": whole_seconds(token.expires_at),
    }
    return Thing(_TYPE, access.id, token, values)


@field("Organization", "apiAccessTokens", "api_token.read")
async def tokens_of_organization(
    call: Call, organization: accounts.Organization, arguments: Arguments
) -> object:
    """Tokens that reach the organization, oldest first."""
    access = await call.access(organization.id)
    ledger = call.authority.ledger
    rows = await call.read(lambda tx: list_api_tokens(tx, ledger, access, Sift(), EVERYTHING))
    return listed(rows, arguments, show_listed, lambda row: row.reaching.token.id)


@mutation("organizationApiAccessTokenRevoke", "api_token.remove_organization")
async def revoke(order: Order) -> Mapping[str, object]:
    """Take the organization from somebody's token, for good."""
    uuid = ids.uuid_of(str(order.input["apiAccessTokenId"]), _TYPE)

    async def work(tx: Unit, access: Access) -> Token:
        found = await find_api_token(tx, access, uuid)
        await remove_organization(order.context, tx, access, found)
        return found.token

    token = await order.write(organization_id(order), work)
    return {"revokedApiAccessTokenId": ids.encode(_TYPE, token.id)}
