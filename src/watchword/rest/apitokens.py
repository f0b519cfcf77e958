"""API access tokens of people, and their lives; routes of our own. A value is seen once, at creation."""

from collections.abc import Sequence

import msgspec
from litestar import Response, delete, get, post, route
from msgspec import UNSET, UnsetType

from watchword.crypto.values import Secret, digest
from watchword.domain import accounts
from watchword.domain.ids import OrganizationId
from watchword.domain.kinds import Kind
from watchword.domain.minting import Wish
from watchword.domain.restrictions import load, parse_networks
from watchword.rest.bodies import Body
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.rest.formats import graphql_id, instant, maybe_instant, read_time, whole_seconds
from watchword.rest.users import User, show_user
from watchword.services.apitokenlists import Listed, Sift, list_api_tokens, with_uses
from watchword.services.apitokens import (
    ApiTokenRequest,
    Reaching,
    duplicate,
    edit_api_token,
    find_api_token,
    find_by_digest,
    import_api_token,
    mint,
    organizations_of,
    read_scopes,
    remove_organization,
    revoke_api_token,
)
from watchword.services.importing import read_import
from watchword.services.issuing import Issued
from watchword.services.narrowing import EVERYWHERE, networks_text
from watchword.services.queries import Access, Unit, enter

TOKENS = "/v2/organizations/{org:str}/api-access-tokens"
TOKEN = TOKENS + "/{token:str}"
FILTERS = ("user", "scope", "ip", "value_digest")


class ApiToken(msgspec.Struct, kw_only=True):
    """An API access token; never its value.

    `organizations` names those that it reaches to its owner, and to others the one that they ask in.
    `owner_role` is null where the owner left the organization.
    """

    id: str
    graphql_id: str
    url: str
    description: str
    scopes: list[str]
    allowed_ip_addresses: str
    organizations: list[str]
    owner: User | None
    owner_role: str | None
    value_digest: str
    state: str
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    revoked_reason: str | None
    last_used_at: str | None
    last_used_from: str | None
    last_used_by: str | None


class CreatedApiToken(ApiToken, kw_only=True):
    """A fresh API access token with its value, which is shown this once."""

    token: str


class NewApiToken(Body):
    """What a new API access token is: scopes, or one preset of them; no wider than the presented token."""

    description: str | None = None
    scopes: list[str] | None = None
    preset: str | None = None
    expires_at: str | UnsetType | None = UNSET
    allowed_ip_addresses: str | UnsetType | None = UNSET
    organizations: list[str] | None = None


class ImportedApiToken(NewApiToken):
    """A token that was issued elsewhere: its value, or the SHA-256 of it in hex digits."""

    value: str | None = None
    digest: str | None = None


class ApiTokenChange(Body):
    """What changes of an API access token."""

    description: str | UnsetType | None = UNSET
    allowed_ip_addresses: str | UnsetType | None = UNSET


class ApiTokenCopy(Body):
    """What is to differ in another token like one."""

    description: str | UnsetType | None = UNSET
    expires_at: str | UnsetType | None = UNSET


class ApiTokenValue(Body):
    """A whole value, to be looked up; it is not kept and not logged."""

    value: str = ""


def show_api_token(call: Call, access: Access, listed: Listed, reached: Sequence[str]) -> ApiToken:
    """An API access token as JSON."""
    token, used = listed.reaching.token, listed.used
    owner, role = listed.reaching.owner, listed.reaching.role
    return ApiToken(
        id=token.id,
        graphql_id=graphql_id("APIAccessToken", token.id),
        url=call.site.rest("organizations", access.organization.slug, "api-access-tokens", token.id),
        description=token.description,
        scopes=sorted(token.scopes.split()),
        allowed_ip_addresses=" ".join(block.text for block in load(token.restrictions).networks)
        or EVERYWHERE,
        organizations=list(reached),
        owner=show_user(owner) if owner is not None else None,
        owner_role=role.value if role is not None else None,
        value_digest=token.digest.hex(),
        state=token.state_at(call.context.clock.now()).value,
        created_at=instant(token.created_at),
        expires_at=whole_seconds(token.expires_at),
        revoked_at=maybe_instant(token.ended_at),
        revoked_reason=token.ended_reason or None,
        last_used_at=instant(used.last_at) if used is not None else None,
        last_used_from=(used.address or None) if used is not None else None,
        last_used_by=(used.version or None) if used is not None else None,
    )


async def _slugs(
    tx: Unit, access: Access, found: Reaching, known: dict[OrganizationId, accounts.Organization]
) -> list[str]:
    """Slugs of the organizations that a token reaches, as far as the caller may know them."""
    if found.token.user_id != access.user.id:
        return [access.organization.slug]
    slugs = []
    for organization_id in await organizations_of(tx, found.token):
        organization = known.get(organization_id) or await tx.accounts.organization(organization_id)
        if organization is not None:
            known[organization_id] = organization
            slugs.append(organization.slug)
    return slugs


async def _shown(call: Call, tx: Unit, access: Access, rows: Sequence[Listed]) -> list[ApiToken]:
    known = {access.id: access.organization}
    return [
        show_api_token(call, access, each, await _slugs(tx, access, each.reaching, known)) for each in rows
    ]


async def _one(call: Call, tx: Unit, access: Access, found: Reaching) -> ApiToken:
    (shown,) = await _shown(call, tx, access, await with_uses(tx, call.authority.ledger, [found]))
    return shown


def read_sift(call: Call, admin: bool | None = None) -> Sift:  # noqa: FBT001 - passed on
    """The filters of a list."""
    given = {name: (call.query(name) or [""])[0] for name in FILTERS}
    return Sift(given["user"], given["scope"], given["ip"], given["value_digest"], admin)


@get(TOKENS, opt=needs("api_token.list", query=(*PAGED, *FILTERS)), summary="List API access tokens")
async def list_tokens(request: RestRequest) -> Response[list[ApiToken]]:
    """Tokens that reach the organization and are not revoked: one's own; everybody's for administrators."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> tuple[list[Listed], list[ApiToken]]:
        ledger = call.authority.ledger
        rows = await list_api_tokens(tx, ledger, access, read_sift(call), call.page.window)
        return rows, await _shown(call, tx, access, call.page.cut(rows))

    rows, items = await call.read(work)
    return call.listed(items, rows)


@get(TOKEN, opt=needs("api_token.list"), summary="Get an API access token")
async def get_token(request: RestRequest) -> ApiToken:
    """One token by its id, also a revoked one; never its value."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> ApiToken:
        return await _one(call, tx, access, await find_api_token(tx, access, call.path("token")))

    return await call.read(work)


@post(
    TOKENS + "/lookup",
    status_code=200,
    opt=needs("api_token.list", body=ApiTokenValue),
    summary="Look an API access token up by its value",
)
async def look_up(request: RestRequest) -> ApiToken:
    """The token of a whole value, in whatever state; the value stands in the body, never in an address."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> ApiToken:
        value = call.decode(ApiTokenValue).value
        return await _one(call, tx, access, await find_by_digest(tx, access, digest(value)))

    return await call.read(work)


async def _created(call: Call, tx: Unit, access: Access, issued: Issued) -> CreatedApiToken:
    found = await find_api_token(tx, access, issued.token.id)
    (shown,) = await _shown(call, tx, access, [Listed(found, None)])
    return CreatedApiToken(**msgspec.structs.asdict(shown), token=issued.value.reveal())


def _expiry(given: str | UnsetType | None) -> int | None:
    return None if given is UNSET else read_time("Expires at", given)


@post(
    TOKENS,
    opt=needs("api_token.create", body=NewApiToken, keyed=True),
    summary="Create an API access token",
)
async def create_token(request: RestRequest) -> Response[CreatedApiToken]:
    """Create a token for oneself, no wider than the presented one; the answer alone carries its value."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> CreatedApiToken:
        wanted = await _request(call, tx, access, call.decode(NewApiToken))
        return await _created(call, tx, access, await mint(call.context, tx, access, wanted))

    return await call.create(work)


async def _request(call: Call, tx: Unit, access: Access, asked: NewApiToken) -> ApiTokenRequest:
    networks = asked.allowed_ip_addresses
    wish = Wish(
        read_scopes(asked.scopes, asked.preset),
        None if networks is UNSET else parse_networks(networks_text(networks or "")),
        _expiry(asked.expires_at),
    )
    reached = {access.organization.slug: access}
    for slug in asked.organizations or ():
        if slug not in reached:
            reached[slug] = await enter(tx, call.presented, slug, call.address, call.request_id)
    return ApiTokenRequest(
        description=asked.description or "", wish=wish, organizations=tuple(reached.values())
    )


@post(
    TOKENS + "/import",
    opt=needs("api_token.create", body=ImportedApiToken, keyed=True),
    summary="Import an API access token",
)
async def import_token(request: RestRequest) -> Response[ApiToken]:
    """Take over a token of one's own that was issued elsewhere; the value is never shown."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> ApiToken:
        asked = call.decode(ImportedApiToken)
        value = Secret(asked.value) if asked.value is not None else None
        found = read_import(call.context, value, asked.digest or "", (Kind.API_ACCESS,))
        wanted = await _request(call, tx, access, asked)
        token = await import_api_token(call.context, tx, access, wanted, found)
        return await _one(call, tx, access, await find_api_token(tx, access, token.id))

    return await call.create(work)


@route(
    TOKEN,
    http_method=["PUT", "PATCH"],
    status_code=200,
    opt=needs("api_token.update", body=ApiTokenChange),
    summary="Update an API access token",
)
async def update_token(request: RestRequest) -> ApiToken:
    """Change description or networks of one's own token."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> ApiToken:
        found = await find_api_token(tx, access, call.path("token"))
        asked = call.decode(ApiTokenChange)
        description = None if asked.description is UNSET else asked.description or ""
        given = asked.allowed_ip_addresses
        networks = None if given is UNSET else parse_networks(networks_text(given or ""))
        await edit_api_token(call.context, tx, access, found.token, description, networks)
        return await _one(call, tx, access, await find_api_token(tx, access, found.token.id))

    return await call.write(work)


@delete(TOKEN, opt=needs("api_token.revoke", keyed=True), summary="Revoke an API access token")
async def revoke_token(request: RestRequest) -> None:
    """Revoke one's own token everywhere, at once."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> bytes:
        found = await find_api_token(tx, access, call.path("token"))
        await revoke_api_token(call.context, tx, access, found.token)
        return b""

    await call.once(work)


@post(
    TOKEN + "/duplicate",
    opt=needs("api_token.create", body=ApiTokenCopy, keyed=True),
    summary="Create another API access token like one",
)
async def duplicate_token(request: RestRequest) -> Response[CreatedApiToken]:
    """Create another token like this one for oneself, no wider than the presented one."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> CreatedApiToken:
        found = await find_api_token(tx, access, call.path("token"))
        asked = call.decode(ApiTokenCopy)
        description = None if asked.description is UNSET else asked.description or ""
        expiry = _expiry(asked.expires_at)
        issued = await duplicate(call.context, tx, access, found, description, expiry)
        return await _created(call, tx, access, issued)

    return await call.create(work)


@delete(
    TOKEN + "/organization",
    opt=needs("api_token.remove_organization", keyed=True),
    summary="Remove the organization from an API access token",
)
async def remove(request: RestRequest) -> None:
    """Take the organization from somebody's token, for good: it goes on to reach its other organizations."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> bytes:
        found = await find_api_token(tx, access, call.path("token"))
        await remove_organization(call.context, tx, access, found)
        return b""

    await call.once(work)


HANDLERS = (
    list_tokens,
    get_token,
    look_up,
    create_token,
    update_token,
    revoke_token,
    duplicate_token,
    import_token,
    remove,
)
