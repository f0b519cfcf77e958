"""Applications that exchange assertions for tokens of people (contract §5.7); routes of our own."""

from dataclasses import replace
from typing import Any

import msgspec
from litestar import Response, delete, get, post, route
from msgspec import UNSET, UnsetType

from watchword.domain import exchanges
from watchword.rest.bodies import Body
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.rest.formats import instant
from watchword.rest.users import User, show_person
from watchword.services.exchangeapplications import (
    ExchangeRequest,
    create_exchange,
    delete_exchange,
    exchanges_of,
    find_exchange,
    request_of,
    update_exchange,
)
from watchword.services.queries import Access, Unit, people

APPLICATIONS = "/v2/organizations/{org:str}/token-exchange-applications"
APPLICATION = APPLICATIONS + "/{exchange_application:str}"


class ExchangeApplication(msgspec.Struct, kw_only=True):
    """An application that may act for members."""

    id: str
    client_id: str
    name: str
    description: str | None
    jwks_url: str | None
    jwks: Any
    grantable_scopes: list[str]
    default_scopes: list[str]
    allowed_ip_addresses_for_exchange: str
    allowed_ip_addresses_for_use: str
    maximum_ttl_in_seconds: int
    require_jti: bool
    enabled: bool
    created_at: str
    created_by: User | None
    updated_at: str


class NewExchangeApplication(Body):
    """What a new application is: keys inline or by an address, each with a `kid`."""

    name: str
    grantable_scopes: list[str]
    description: str | None = None
    jwks_url: str | None = None
    jwks: str | dict[str, Any] | None = None
    default_scopes: list[str] | None = None
    allowed_ip_addresses_for_exchange: str | None = None
    allowed_ip_addresses_for_use: str | None = None
    maximum_ttl_in_seconds: int = exchanges.DEFAULT_TTL_S
    require_jti: bool = False
    enabled: bool = True


class ExchangeApplicationChange(Body):
    """What changes; an absent key leaves it as it is. `jwks` and `jwks_url` take each other's place."""

    name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    jwks_url: str | UnsetType = UNSET
    jwks: str | dict[str, Any] | UnsetType = UNSET
    grantable_scopes: list[str] | UnsetType = UNSET
    default_scopes: list[str] | UnsetType | None = UNSET
    allowed_ip_addresses_for_exchange: str | UnsetType | None = UNSET
    allowed_ip_addresses_for_use: str | UnsetType | None = UNSET
    maximum_ttl_in_seconds: int | UnsetType = UNSET
    require_jti: bool | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


_FIELDS = {
    "name": "name",
    "description": "description",
    "jwks_url": "jwks_url",
    "jwks": "jwks",
    "grantable_scopes": "grantable",
    "default_scopes": "defaults",
    "allowed_ip_addresses_for_exchange": "exchange_networks",
    "allowed_ip_addresses_for_use": "use_networks",
    "maximum_ttl_in_seconds": "max_ttl",
    "require_jti": "require_jti",
    "enabled": "enabled",
}


def _fields(asked: NewExchangeApplication | ExchangeApplicationChange) -> dict[str, Any]:
    """What a body gives, by the names of a request; null clears."""
    found = {}
    for name, field in _FIELDS.items():
        given = getattr(asked, name)
        if given is UNSET:
            continue
        if isinstance(given, dict):
            given = msgspec.json.encode(given).decode()
        found[field] = ("" if name != "default_scopes" else ()) if given is None else given
    return found


def _change(known: ExchangeRequest, asked: ExchangeApplicationChange) -> ExchangeRequest:
    fields = _fields(asked)
    if "jwks" in fields and "jwks_url" not in fields:
        fields["jwks_url"] = ""
    elif "jwks_url" in fields and "jwks" not in fields:
        fields["jwks"] = ""
    return replace(known, **fields)


async def _show(tx: Unit, found: exchanges.ExchangeApplication) -> ExchangeApplication:
    known = await people(tx, [found.created_by])
    return ExchangeApplication(
        id=found.id,
        client_id=found.client_id,
        name=found.name,
        description=found.description or None,
        jwks_url=found.jwks_url or None,
        jwks=msgspec.json.decode(found.jwks) if found.jwks else None,
        grantable_scopes=found.grantable.split(),
        default_scopes=found.defaults.split(),
        allowed_ip_addresses_for_exchange=found.exchange_networks,
        allowed_ip_addresses_for_use=found.use_networks,
        maximum_ttl_in_seconds=found.max_ttl,
        require_jti=found.require_jti,
        enabled=found.enabled,
        created_at=instant(found.created_at),
        created_by=show_person(known, found.created_by),
        updated_at=instant(found.updated_at),
    )


@get(
    APPLICATIONS,
    opt=needs("exchange_application.read", query=PAGED),
    summary="List token exchange applications",
)
async def list_exchanges(request: RestRequest) -> Response[list[ExchangeApplication]]:
    """Applications of the organization, oldest first."""
    call = Call.of(request)

    async def work(
        tx: Unit, access: Access
    ) -> tuple[list[exchanges.ExchangeApplication], list[ExchangeApplication]]:
        rows = await exchanges_of(tx, access, call.page.window)
        return rows, [await _show(tx, found) for found in call.page.cut(rows)]

    rows, items = await call.read(work)
    return call.listed(items, rows)


@get(APPLICATION, opt=needs("exchange_application.read"), summary="Get a token exchange application")
async def get_exchange(request: RestRequest) -> ExchangeApplication:
    """One application by its id."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> ExchangeApplication:
        return await _show(tx, await find_exchange(tx, access, call.path("exchange_application")))

    return await call.read(work)


@post(
    APPLICATIONS,
    opt=needs("exchange_application.create", body=NewExchangeApplication, keyed=True),
    summary="Register a token exchange application",
)
async def create_one(request: RestRequest) -> Response[ExchangeApplication]:
    """Register an application; it has no secret: its keys prove who it is."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> ExchangeApplication:
        asked = ExchangeRequest(**_fields(call.decode(NewExchangeApplication)))
        return await _show(tx, await create_exchange(call.context, tx, access, asked))

    return await call.create(work)


@route(
    APPLICATION,
    http_method=["PUT", "PATCH"],
    status_code=200,
    opt=needs("exchange_application.update", body=ExchangeApplicationChange),
    summary="Change a token exchange application",
)
async def change_exchange(request: RestRequest) -> ExchangeApplication:
    """Change an application; tokens that it got stay as they are."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> ExchangeApplication:
        known = await find_exchange(tx, access, call.path("exchange_application"))
        asked = _change(request_of(known), call.decode(ExchangeApplicationChange))
        return await _show(tx, await update_exchange(call.context, tx, access, known, asked))

    return await call.write(work)


@delete(APPLICATION, opt=needs("exchange_application.delete"), summary="Delete a token exchange application")
async def remove_exchange(request: RestRequest) -> None:
    """Delete an application and revoke every token that it got."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> None:
        known = await find_exchange(tx, access, call.path("exchange_application"))
        await delete_exchange(call.context, tx, access, known)

    await call.write(work)


HANDLERS = (list_exchanges, get_exchange, create_one, change_exchange, remove_exchange)
