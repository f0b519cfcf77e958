"""Registry tokens (contract rest-graphql §2.13), and temporary package tokens, which are our own route."""

from collections.abc import Mapping

import msgspec
from litestar import Response, delete, get, post, route

from watchword.domain import accounts, registries
from watchword.domain.errors import Invalid
from watchword.domain.ids import UserId
from watchword.domain.packages import PackageAccess
from watchword.domain.restrictions import load
from watchword.domain.tokens import Reason, Token
from watchword.rest.bodies import Body
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.rest.formats import Site, graphql_id, instant, whole_seconds
from watchword.rest.registries import REGISTRY, registry_page, registry_path
from watchword.rest.rotations import handlers as rotation_handlers
from watchword.rest.tokens import GONE
from watchword.rest.users import User, show_person
from watchword.rest.withdrawals import (
    REVOCATION,
    BlastRadius,
    Find,
    Revocation,
    RevokeToken,
    radius_of,
    revocation_of,
    revoke_token,
)
from watchword.services.narrowing import narrow
from watchword.services.queries import Access, Unit, people
from watchword.services.registries import find_registry
from watchword.services.registrytokens import (
    create_registry_token,
    create_temporary_token,
    describe_registry_token,
    find_registry_token,
    registry_tokens,
    shown_tokens,
)
from watchword.services.verifying import refusal

TOKENS = REGISTRY + "/tokens"
TOKEN = TOKENS + "/{token:str}"
EVERYWHERE = "0.0.0.0/0 ::/0"


class TokenOrganization(msgspec.Struct, kw_only=True):
    """Whose a registry token is."""

    id: str
    slug: str
    url: str
    web_url: str


class TokenRegistry(msgspec.Struct, kw_only=True):
    """What a registry token opens."""

    id: str
    graphql_id: str
    slug: str
    url: str
    web_url: str


class RegistryToken(msgspec.Struct, kw_only=True):
    """A registry token; never its value. Its state, networks and last use are ours."""

    id: str
    graphql_id: str
    description: str
    url: str
    created_at: str
    created_by: User | None
    organization: TokenOrganization
    registry: TokenRegistry
    state: str
    allowed_ip_addresses: str
    last_used_at: str | None
    last_used_from: str | None


class CreatedRegistryToken(RegistryToken, kw_only=True):
    """A fresh registry token with its value."""

    token: str


class NewRegistryToken(Body):
    """What a new registry token is for, and from where it may be used."""

    description: str | None = None
    allowed_ip_addresses: str | None = None


class RegistryTokenChange(Body):
    """What a registry token is for."""

    description: str | None = None


class NewTemporaryToken(Body):
    """What a temporary package token is to do: `read` unless `write` is asked for."""

    access: str | None = None


class TemporaryToken(msgspec.Struct, kw_only=True):
    """A fresh temporary package token; it is shown this once."""

    id: str
    access: str
    expires_at: str | None
    registry: TokenRegistry
    token: str


def _registry(site: Site, slug: str, registry: registries.Registry) -> TokenRegistry:
    return TokenRegistry(
        id=registry.id,
        graphql_id=graphql_id("Registry", registry.id),
        slug=registry.slug,
        url=site.rest(*registry_path(slug, registry)),
        web_url=registry_page(site, slug, registry),
    )


def _show(
    call: Call,
    organization: accounts.Organization,
    registry: registries.Registry,
    token: Token,
    known: Mapping[UserId, accounts.User],
) -> RegistryToken:
    site, slug = call.site, organization.slug
    networks = load(token.restrictions).networks
    return RegistryToken(
        id=token.id,
        graphql_id=graphql_id("RegistryToken", token.id),
        description=token.description,
        url=site.rest(*registry_path(slug, registry), "tokens", token.id),
        created_at=instant(token.created_at),
        created_by=show_person(known, token.created_by),
        organization=TokenOrganization(
            id=organization.id,
            slug=slug,
            url=site.rest("organizations", slug),
            web_url=site.web("organizations", slug),
        ),
        registry=_registry(site, slug, registry),
        state=token.state_at(call.context.clock.now()).value,
        allowed_ip_addresses=" ".join(block.text for block in networks) or EVERYWHERE,
        last_used_at=None,
        last_used_from=None,
    )


async def _shown(
    call: Call, tx: Unit, access: Access, registry: registries.Registry, tokens: list[Token]
) -> list[RegistryToken]:
    """Tokens as JSON, with their latest uses."""
    items = []
    for row in await shown_tokens(tx, call.authority.ledger, tokens):
        known = {row.creator.id: row.creator} if row.creator is not None else {}
        item = _show(call, access.organization, registry, row.token, known)
        if row.used is not None:
            item.last_used_at = instant(row.used.last_at)
            item.last_used_from = row.used.address or None
        items.append(item)
    return items


async def _find(call: Call, tx: Unit, access: Access, *, revoked: bool = False) -> Token:
    registry = await find_registry(tx, access, call.path("registry"))
    return await find_registry_token(tx, registry, call.path("token"), revoked=revoked)


async def _find_any(call: Call, tx: Unit, access: Access) -> Token:
    return await _find(call, tx, access, revoked=True)


def _finder(call: Call) -> Find:
    async def find(tx: Unit, access: Access, *, revoked: bool) -> Token:
        return await _find(call, tx, access, revoked=revoked)

    return find


@get(TOKENS, opt=needs("registry_token.read", query=PAGED), summary="List registry tokens")
async def list_registry_tokens(request: RestRequest) -> Response[list[RegistryToken]]:
    """Registry tokens that have not ended, oldest first; never their values."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> tuple[list[Token], list[RegistryToken]]:
        registry = await find_registry(tx, access, call.path("registry"))
        rows = await registry_tokens(tx, registry, call.page.window)
        return rows, await _shown(call, tx, access, registry, call.page.cut(rows))

    rows, items = await call.read(work)
    return call.listed(items, rows)


@get(TOKEN, opt=needs("registry_token.read"), summary="Get a registry token")
async def get_registry_token(request: RestRequest) -> RegistryToken:
    """One registry token by its id; never its value."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> RegistryToken:
        registry = await find_registry(tx, access, call.path("registry"))
        token = await find_registry_token(tx, registry, call.path("token"), revoked=False)
        return (await _shown(call, tx, access, registry, [token]))[0]

    return await call.read(work)


@post(
    TOKENS,
    status_code=200,
    opt=needs("registry_token.create", body=NewRegistryToken, keyed=True),
    summary="Create a registry token",
)
async def post_registry_token(request: RestRequest) -> Response[CreatedRegistryToken]:
    """Create a token that reads the registry's packages; the answer alone carries its value."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> CreatedRegistryToken:
        registry = await find_registry(tx, access, call.path("registry"))
        asked = call.decode(NewRegistryToken)
        limits = narrow(asked.allowed_ip_addresses or "", "", ())
        issued = await create_registry_token(
            call.context, tx, access, registry, asked.description or "", limits
        )
        known = await people(tx, [access.user.id])
        shown = _show(call, access.organization, registry, issued.token, known)
        return CreatedRegistryToken(**msgspec.structs.asdict(shown), token=issued.value.reveal())

    return await call.create(work, status=200)


@route(
    TOKEN,
    http_method=["POST", "PUT", "PATCH"],
    status_code=200,
    opt=needs("registry_token.update", body=RegistryTokenChange),
    summary="Update a registry token",
)
async def put_registry_token(request: RestRequest) -> RegistryToken:
    """Change the description."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> RegistryToken:
        registry = await find_registry(tx, access, call.path("registry"))
        token = await find_registry_token(tx, registry, call.path("token"), revoked=False)
        asked = call.decode(RegistryTokenChange)
        changed = await describe_registry_token(call.context, tx, access, token, asked.description or "")
        return (await _shown(call, tx, access, registry, [changed]))[0]

    return await call.write(work)


@delete(
    TOKEN,
    status_code=200,
    responses=GONE,
    opt=needs("registry_token.revoke", body=RevokeToken, query=REVOCATION, keyed=True),
    summary="Revoke a registry token",
)
async def delete_registry_token(request: RestRequest) -> Response[BlastRadius | Revocation | None]:
    """Revoke a registry token: whoever installs with it is refused from the next request on."""
    call = await Call.with_body(request)
    return await revoke_token(call, _finder(call), reason="revoked through REST")


@get(
    TOKEN + "/blast-radius",
    opt=needs("registry_token.read"),
    summary="See what the end of a registry token would touch",
)
async def registry_token_radius(request: RestRequest) -> BlastRadius:
    """Callers of the last day that the token's end would touch."""
    call = Call.of(request)
    return await radius_of(call, _finder(call))


@get(
    TOKEN + "/revocation",
    opt=needs("registry_token.read"),
    summary="Get a registry token's revocation",
)
async def registry_token_revocation(request: RestRequest) -> Revocation:
    """The receipt of the token's revocation."""
    call = Call.of(request)
    return await revocation_of(call, _finder(call))


def _wanted(text: str | None) -> PackageAccess:
    try:
        return PackageAccess(text or PackageAccess.READ.value)
    except ValueError:
        raise Invalid("Validation failed: Access is read or write", code="invalid_access") from None


@post(
    REGISTRY + "/temporary-tokens",
    opt=needs("temporary_package_token.create", body=NewTemporaryToken, keyed=True),
    summary="Create a temporary package token",
)
async def post_temporary_token(request: RestRequest) -> Response[TemporaryToken]:
    """Create a token for five minutes that reads or writes the registry's packages, for the caller alone.

    The presented token needs the scope `read_packages`, and `write_packages` too for one that writes.
    """
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> TemporaryToken:
        registry = await find_registry(tx, access, call.path("registry"))
        wanted = _wanted(call.decode(NewTemporaryToken).access)
        if wanted.scope not in call.presented.scopes:
            raise refusal(Reason.SCOPE_MISSING, f"Your access token doesn't have the {wanted.scope} scope")
        access.require(f"package.{wanted.value}")
        issued = await create_temporary_token(call.context, tx, access, registry, wanted)
        return TemporaryToken(
            id=issued.token.id,
            access=wanted.value,
            expires_at=whole_seconds(issued.token.expires_at),
            registry=_registry(call.site, access.organization.slug, registry),
            token=issued.value.reveal(),
        )

    return await call.create(work)


HANDLERS = (
    list_registry_tokens,
    get_registry_token,
    post_registry_token,
    put_registry_token,
    delete_registry_token,
    registry_token_radius,
    registry_token_revocation,
    post_temporary_token,
    *rotation_handlers(TOKEN, "a registry token", "registry_token.read", "registry_token.rotate", _find_any),
)
