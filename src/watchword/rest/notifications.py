"""Notification services (contract rest-graphql §2.15), their deliveries, pings and redeliveries."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec
from litestar import Response, delete, get, post, put, route
from msgspec import UNSET, UnsetType

from watchword.crypto.values import Secret
from watchword.domain import accounts, notifications
from watchword.domain.errors import Invalid
from watchword.domain.ids import UserId
from watchword.domain.notifications import BUILD_STATES, Scope
from watchword.domain.webhooks import KNOWN_EVENTS, PROVIDERS, TOKEN_MODES, require_provider
from watchword.rest.bodies import decode
from watchword.rest.call import CURSORED, Call, RestRequest, needs
from watchword.rest.formats import Site, graphql_id, instant, maybe_instant
from watchword.rest.jobs import Cursors
from watchword.rest.pages import CursorRequest
from watchword.rest.users import User, show_person
from watchword.services.notifying import (
    ServiceChange,
    SettingsChange,
    create_in,
    delete_in,
    find_service,
    list_services,
    switch_in,
    token_of,
    update_in,
)
from watchword.services.queries import Access, Unit, people

SERVICES = "/v2/organizations/{org:str}/services"
SERVICE = SERVICES + "/{service:str}"

T = TypeVar("T")


class Provider(msgspec.Struct, kw_only=True):
    """What kind of service it is."""

    id: str
    name: str


class WebhookSettings(msgspec.Struct, kw_only=True):
    """Settings of a webhook; its token is returned in full (§2.15)."""

    url: str
    version: int
    token: str
    token_mode: str
    events: list[str]
    tls_verify: bool


class NotificationService(msgspec.Struct, kw_only=True):
    """A notification service; `broken_at` and what follows it are Watchword's own."""

    id: str
    graphql_id: str | None
    url: str
    provider: Provider
    description: str
    enabled: bool
    scope: str
    scope_uuids: list[str]
    branch_configuration: str
    build_states: dict[str, bool]
    settings: WebhookSettings
    created_at: str
    created_by: User | None
    broken_at: str | None
    failing_since: str | None
    failures: int
    dropped: int
    deliveries_url: str


class ServiceList(msgspec.Struct, kw_only=True):
    """Part of an organization's notification services."""

    items: list[NotificationService]
    links: Cursors


class StrictBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A request body in which an unknown or read-only key is an error (§1.7)."""


class WebhookSettingsChange(StrictBody):
    """Settings of a webhook as a client says them; null resets one."""

    url: str | UnsetType | None = UNSET
    version: int | UnsetType | None = UNSET
    token: str | UnsetType | None = UNSET
    token_mode: str | UnsetType | None = UNSET
    events: list[str] | UnsetType | None = UNSET
    tls_verify: bool | UnsetType | None = UNSET


class NewNotificationService(StrictBody):
    """A service as a client says it; null resets a key."""

    provider: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    branch_configuration: str | UnsetType | None = UNSET
    scope: str | UnsetType | None = UNSET
    scope_uuids: list[str] | UnsetType | None = UNSET
    build_states: dict[str, bool] | UnsetType | None = UNSET
    settings: dict[str, Any] | UnsetType | None = UNSET


def show_service(
    call: Call,
    organization: accounts.Organization,
    service: notifications.NotificationService,
    known: Mapping[UserId, accounts.User],
) -> NotificationService:
    """A service as JSON."""
    url = service_url(call.site, organization, service)
    settings = service.settings
    return NotificationService(
        id=service.id,
        graphql_id=graphql_id("NotificationServiceWebhook", service.id),
        url=url,
        provider=Provider(id=service.provider, name=PROVIDERS[service.provider]),
        description=service.description,
        enabled=service.enabled,
        scope=service.scope.value,
        scope_uuids=list(service.scope_uuids),
        branch_configuration=service.branch_configuration,
        build_states=asdict(service.build_states),
        settings=WebhookSettings(
            url=settings.url,
            version=settings.version,
            token=token_of(call.context, service).reveal(),
            token_mode=settings.token_mode,
            events=list(settings.events),
            tls_verify=settings.tls_verify,
        ),
        created_at=instant(service.created_at),
        created_by=show_person(known, service.created_by),
        broken_at=maybe_instant(service.broken_at),
        failing_since=maybe_instant(service.failing_since),
        failures=service.failures,
        dropped=service.dropped,
        deliveries_url=f"{url}/deliveries",
    )


def service_url(
    site: Site, organization: accounts.Organization, service: notifications.NotificationService
) -> str:
    """Address of a service."""
    return site.rest("organizations", organization.slug, "services", service.id)


def _said(value: T | UnsetType | None, reset: T) -> T | None:
    """What a key says: None where it is absent, `reset` where it is null."""
    if value is UNSET:
        return None
    return reset if value is None else value


def _settings(given: dict[str, Any]) -> SettingsChange:
    """Settings of the body.

    Raises:
        Invalid: one is unknown, or holds what it cannot hold.
    """
    asked = decode(msgspec.json.encode(given), WebhookSettingsChange)
    token = _said(asked.token, "")
    if asked.url is None:
        raise Invalid("Validation failed: settings need a url", code="no_url")
    return SettingsChange(
        url=_said(asked.url, ""),
        version=asked.version if isinstance(asked.version, int) else None,
        token=Secret(token) if token is not None else None,
        token_mode=_said(asked.token_mode, TOKEN_MODES[0]),
        events=None if (events := _said(asked.events, list(KNOWN_EVENTS))) is None else tuple(events),
        tls_verify=_said(asked.tls_verify, True),
    )


def _change(asked: NewNotificationService) -> ServiceChange:
    settings = asked.settings
    uuids = _said(asked.scope_uuids, [])
    return ServiceChange(
        description=_said(asked.description, ""),
        branch_configuration=_said(asked.branch_configuration, ""),
        scope=_said(asked.scope, Scope.ALL.value),
        scope_uuids=tuple(uuids) if uuids is not None else None,
        build_states=_said(asked.build_states, dict.fromkeys(BUILD_STATES, True)),
        settings=_settings(settings) if isinstance(settings, dict) else None,
    )


async def _shown(
    call: Call, tx: Unit, access: Access, service: notifications.NotificationService
) -> NotificationService:
    return show_service(call, access.organization, service, await people(tx, [service.created_by]))


@get(
    SERVICES,
    opt=needs("notification_service.read", query=CURSORED),
    summary="List notification services",
)
async def list_all(request: RestRequest) -> Response[ServiceList]:
    """Notification services of the organization, oldest first, a part at a time."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> list[NotificationService]:
        rows = await list_services(tx, access.id)
        found = await people(tx, [row.created_by for row in rows])
        return [show_service(call, access.organization, row, found) for row in rows]

    rows = await call.read(work)
    items, links, header = cursored(call, rows, [row.id for row in rows])
    return Response(ServiceList(items=items, links=links), headers=header, media_type="application/json")


def cursored(call: Call, rows: Sequence[T], ids: Sequence[str]) -> tuple[list[T], Cursors, dict[str, str]]:
    """The asked part of a cursor-style list, addresses of its neighbours, and the header that has them.

    Raises:
        Malformed: a cursor or the size is not acceptable.
    """
    asked = CursorRequest.read(call.request.query_params)
    items, back, on = asked.cut(rows, ids)
    parts = [part for part in call.request.scope["path"].split("/") if part]
    url = "/".join((call.site.url, *parts))

    def neighbour(name: str, cursor: str) -> str | None:
        return f"{url}?{urlencode([(name, cursor), ('per_page', asked.size)])}" if cursor else None

    links = Cursors(self=url, next=neighbour("after", on), prev=neighbour("before", back))
    named = {"next": links.next, "prev": links.prev}
    header = ", ".join(f'<{target}>; rel="{name}"' for name, target in named.items() if target)
    return items, links, {"link": header} if header else {}


@get(SERVICE, opt=needs("notification_service.read"), summary="Get a notification service")
async def get_one(request: RestRequest) -> NotificationService:
    """One notification service by its id."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> NotificationService:
        return await _shown(call, tx, access, await find_service(tx, access.id, call.path("service")))

    return await call.read(work)


@post(
    SERVICES,
    opt=needs("notification_service.create", body=NewNotificationService, keyed=True),
    summary="Create a notification service",
)
async def create_one(request: RestRequest) -> Response[NotificationService]:
    """Create a notification service; settings that are left out are filled in."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> NotificationService:
        asked = call.decode(NewNotificationService)
        provider = require_provider(asked.provider if isinstance(asked.provider, str) else "")
        made = await create_in(
            call.context, tx, access.caller, access.id, access.user.id, provider, _change(asked)
        )
        return await _shown(call, tx, access, made)

    return await call.create(work)


@route(
    SERVICE,
    http_method=["PUT", "PATCH"],
    opt=needs("notification_service.update", body=NewNotificationService),
    summary="Update a notification service",
)
async def update_one(request: RestRequest) -> NotificationService:
    """Change what the body names; settings and build states are merged key by key."""
    call = await Call.with_body(request)

    async def work(tx: Unit, access: Access) -> NotificationService:
        service = await find_service(tx, access.id, call.path("service"))
        asked = call.decode(NewNotificationService)
        if asked.provider not in (UNSET, service.provider):
            raise Invalid("Validation failed: the provider of a service cannot change", code="fixed_provider")
        changed = await update_in(call.context, tx, access.caller, service, _change(asked))
        return await _shown(call, tx, access, changed)

    return await call.write(work)


@delete(
    SERVICE,
    opt=needs("notification_service.delete"),
    status_code=204,
    summary="Delete a notification service",
)
async def delete_one(request: RestRequest) -> None:
    """Delete a notification service with its deliveries."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> None:
        service = await find_service(tx, access.id, call.path("service"))
        await delete_in(call.context, tx, access.caller, service)

    await call.write(work)


async def _switch(request: RestRequest, *, enabled: bool) -> NotificationService:
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> NotificationService:
        service = await find_service(tx, access.id, call.path("service"))
        switched = await switch_in(call.context, tx, access.caller, service, enabled=enabled)
        return await _shown(call, tx, access, switched)

    return await call.write(work)


@put(SERVICE + "/enable", opt=needs("notification_service.update"), summary="Enable a notification service")
async def enable(request: RestRequest) -> NotificationService:
    """Enable a notification service, also one that was given up; what waits for it is sent."""
    return await _switch(request, enabled=True)


@put(SERVICE + "/disable", opt=needs("notification_service.update"), summary="Disable a notification service")
async def disable(request: RestRequest) -> NotificationService:
    """Disable a notification service; nothing is sent to it."""
    return await _switch(request, enabled=False)


HANDLERS = (list_all, get_one, create_one, update_one, delete_one, enable, disable)
