"""Applications of OAuth; routes of our own. A secret is seen once, where it is made."""

from typing import Any

import msgspec
from litestar import Response, delete, get, post, route
from msgspec import UNSET, UnsetType

from watchword.domain import oauthapplications
from watchword.domain.oauth import AUTHORIZATION_CODE
from watchword.rest.bodies import Body
from watchword.rest.call import PAGED, Call, RestRequest, needs
from watchword.rest.formats import instant
from watchword.rest.users import User, show_person
from watchword.services.oauthapplications import (
    DEFAULT_SECONDS,
    ApplicationRequest,
    applications_of,
    change_in,
    delete_in,
    find_application,
    register_in,
    renew_secret_in,
)
from watchword.services.queries import Access, Unit, people

APPLICATIONS = "/v2/organizations/{org:str}/oauth-applications"
APPLICATION = APPLICATIONS + "/{application:str}"


class OAuthApplication(msgspec.Struct, kw_only=True):
    """An application that people may let into the organization."""

    id: str
    client_id: str
    name: str
    confidential: bool
    redirect_uris: list[str]
    flows: list[str]
    scopes: list[str]
    token_lifetime: int | None
    refresh: bool
    created_at: str
    created_by: User | None


class OAuthApplicationWithSecret(OAuthApplication, kw_only=True):
    """An application with its fresh secret; null for public clients."""

    client_secret: str | None


class NewOAuthApplication(Body):
    """What a new application is; `token_lifetime` in seconds, null for tokens that live until revoked."""

    name: str
    scopes: list[str]
    redirect_uris: tuple[str, ...] = ()
    confidential: bool = False
    flows: tuple[str, ...] = (AUTHORIZATION_CODE,)
    token_lifetime: int | None = DEFAULT_SECONDS
    refresh: bool = True


class OAuthApplicationChange(Body):
    """What changes; an absent key leaves it as it is."""

    name: str | UnsetType = UNSET
    scopes: list[str] | UnsetType = UNSET
    redirect_uris: list[str] | UnsetType = UNSET
    flows: list[str] | UnsetType = UNSET
    token_lifetime: int | UnsetType | None = UNSET
    refresh: bool | UnsetType = UNSET


async def _show(tx: Unit, found: oauthapplications.Application) -> OAuthApplication:
    known = await people(tx, [found.created_by])
    return OAuthApplication(
        id=found.id,
        client_id=found.client_id,
        name=found.name,
        confidential=found.confidential,
        redirect_uris=list(found.redirect_uris),
        flows=list(found.flows),
        scopes=found.scopes.split(),
        token_lifetime=found.token_seconds or None,
        refresh=found.refresh,
        created_at=instant(found.created_at),
        created_by=show_person(known, found.created_by),
    )


@get(APPLICATIONS, opt=needs("oauth_application.read", query=PAGED), summary="List OAuth applications")
async def list_applications(request: RestRequest) -> Response[list[OAuthApplication]]:
    """Applications that the organization registered, oldest first."""
    call = Call.of(request)

    async def work(
        tx: Unit, access: Access
    ) -> tuple[list[oauthapplications.Application], list[OAuthApplication]]:
        rows = await applications_of(tx, access, call.page.window)
        return rows, [await _show(tx, found) for found in call.page.cut(rows)]

    rows, items = await call.read(work)
    return call.listed(items, rows)


@get(APPLICATION, opt=needs("oauth_application.read"), summary="Get an OAuth application")
async def get_application(request: RestRequest) -> OAuthApplication:
    """One application by its id."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> OAuthApplication:
        return await _show(tx, await find_application(tx, access, call.path("application")))

    return await call.read(work)


@post(
    APPLICATIONS,
    opt=needs("oauth_application.create", body=NewOAuthApplication, keyed=True),
    summary="Register an OAuth application",
)
async def create_application(request: RestRequest) -> Response[OAuthApplicationWithSecret]:
    """Register an application; the answer alone carries the secret of a confidential one."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> OAuthApplicationWithSecret:
        asked = call.decode(NewOAuthApplication)
        made = await register_in(
            call.context,
            tx,
            access,
            ApplicationRequest(
                name=asked.name,
                redirect_uris=asked.redirect_uris,
                confidential=asked.confidential,
                flows=asked.flows,
                scopes=asked.scopes,
                token_seconds=asked.token_lifetime or 0,
                refresh=asked.refresh,
            ),
        )
        found = msgspec.structs.asdict(await _show(tx, made.application))
        value = made.secret.reveal() if made.secret is not None else None
        return OAuthApplicationWithSecret(**found, client_secret=value)

    return await call.create(work)


def _changes(asked: OAuthApplicationChange) -> dict[str, Any]:
    """Fields of the record that change."""
    found: dict[str, Any] = {
        name: value
        for name in ("name", "redirect_uris", "flows", "refresh")
        if (value := getattr(asked, name)) is not UNSET
    }
    for name in ("redirect_uris", "flows"):
        if name in found:
            found[name] = tuple(found[name])
    if asked.scopes is not UNSET:
        found["scopes"] = " ".join(asked.scopes)
    if asked.token_lifetime is not UNSET:
        found["token_seconds"] = asked.token_lifetime or 0
    return found


@route(
    APPLICATION,
    http_method=["PUT", "PATCH"],
    status_code=200,
    opt=needs("oauth_application.update", body=OAuthApplicationChange),
    summary="Update an OAuth application",
)
async def update_application(request: RestRequest) -> OAuthApplication:
    """Change an application; tokens that it has follow at their next renewal."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> OAuthApplication:
        found = await find_application(tx, access, call.path("application"))
        changes = _changes(call.decode(OAuthApplicationChange))
        return await _show(tx, await change_in(call.context, tx, access, found, changes))

    return await call.write(work)


@post(
    APPLICATION + "/secret",
    opt=needs("oauth_application.update", keyed=True),
    summary="Renew an OAuth application's secret",
)
async def renew_secret(request: RestRequest) -> Response[OAuthApplicationWithSecret]:
    """Give a confidential application another secret; the former one is dead at once."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> OAuthApplicationWithSecret:
        found = await find_application(tx, access, call.path("application"))
        made = await renew_secret_in(call.context, tx, access, found)
        shown = msgspec.structs.asdict(await _show(tx, made.application))
        value = made.secret.reveal() if made.secret is not None else None
        return OAuthApplicationWithSecret(**shown, client_secret=value)

    return await call.create(work)


@delete(APPLICATION, opt=needs("oauth_application.delete"), summary="Delete an OAuth application")
async def delete_application(request: RestRequest) -> None:
    """Delete an application; what people let it do ends at once."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> None:
        found = await find_application(tx, access, call.path("application"))
        await delete_in(call.context, tx, access, found)

    await call.write(work)


HANDLERS = (
    list_applications,
    get_application,
    create_application,
    update_application,
    renew_secret,
    delete_application,
)
