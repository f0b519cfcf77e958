"""Notifying: notification services are made, changed, switched, deleted; pings and redeliveries (§2.15)."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from watchword.crypto.sealing import seal, unseal
from watchword.crypto.values import Secret
from watchword.domain.destinations import parse_target
from watchword.domain.errors import Conflict, Invalid, NotFound
from watchword.domain.events import SYSTEM, Action
from watchword.domain.ids import (
    ClusterId,
    DeliveryId,
    OrganizationId,
    PipelineId,
    ServiceId,
    TeamId,
    UserId,
    is_uuid,
)
from watchword.domain.notifications import (
    BUILD_STATES,
    BuildStates,
    Delivery,
    NotificationService,
    Occurrence,
    Scope,
    WebhookSettings,
)
from watchword.domain.webhooks import (
    EVENTS,
    MAX_SERVICES,
    MAX_TEXT,
    PING,
    check_patterns,
    check_scope,
    check_settings,
    check_token,
    first_settings,
    require_provider,
)
from watchword.services.announcing import enqueue, find_matter, tell_wanted
from watchword.services.context import Caller, Context
from watchword.store.base import Transaction

_TOKEN_BYTES = 20
MAX_LISTED = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsChange:
    """What is said of a webhook's settings; None leaves one as it is, an empty text or list resets it."""

    url: str | None = None
    version: int | None = None
    token: Secret | None = None
    token_mode: str | None = None
    events: tuple[str, ...] | None = None
    tls_verify: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceChange:
    """What is said of a service; None leaves one as it is."""

    description: str | None = None
    branch_configuration: str | None = None
    scope: str | None = None
    scope_uuids: tuple[str, ...] | None = None
    build_states: Mapping[str, bool] | None = None
    settings: SettingsChange | None = None


_NOTHING = SettingsChange()


async def find_service(tx: Transaction, organization_id: OrganizationId, text: str) -> NotificationService:
    """A service by the id in a path.

    Raises:
        NotFound: there is none.
    """
    found = await tx.hooks.service(organization_id, ServiceId(text.lower())) if is_uuid(text) else None
    if found is None:
        raise NotFound("No notification service found")
    return found


async def list_services(tx: Transaction, organization_id: OrganizationId) -> list[NotificationService]:
    """Services of an organization, oldest first."""
    return list(await tx.hooks.services(organization_id))


def token_of(context: Context, service: NotificationService) -> Secret:
    """A webhook's own token.

    Raises:
        Conflict: the key that it is sealed with is gone.
    """
    opened = unseal(context.keys, service.secret, _bound_to(service))
    if opened is None:
        raise Conflict(
            "The key that this service's token is sealed with is missing; set a new token.",
            code="key_missing",
        )
    return Secret(opened.decode())


def _bound_to(service: NotificationService) -> str:
    return f"notification_service:{service.organization_id}:{service.id}"


async def create_in(
    context: Context,
    tx: Transaction,
    caller: Caller,
    organization_id: OrganizationId,
    created_by: UserId,
    provider: str,
    asked: ServiceChange,
) -> NotificationService:
    """Make a service inside a unit of work; what is not said is filled in.

    Raises:
        Invalid: something is not acceptable.
        Conflict: there are as many as there may be.
    """
    require_provider(provider)
    if len(await tx.hooks.services(organization_id)) >= MAX_SERVICES:
        raise Conflict(
            f"Validation failed: an organization has at most {MAX_SERVICES} webhooks",
            code="too_many_services",
        )
    settings = asked.settings or _NOTHING
    now = context.clock.now()
    blank = NotificationService(
        organization_id,
        ServiceId(context.new_id()),
        provider,
        "",
        enabled=True,
        scope=Scope.ALL,
        scope_uuids=(),
        branch_configuration="",
        build_states=BuildStates(),
        settings=first_settings(settings.url),
        secret=b"",
        created_at=now,
        created_by=created_by,
        updated_at=now,
    )
    if settings.version is not None:  # it may begin with an older one, though it never goes back to one
        blank = replace(blank, settings=replace(blank.settings, version=1))
    token = settings.token or Secret("")
    service = await _changed(context, tx, blank, replace(asked, settings=replace(settings, token=token)))
    await tx.hooks.add_service(service)
    await _changed_in(context, tx, caller, service, Action.NOTIFICATION_SERVICE_CREATED)
    return service


async def update_in(
    context: Context, tx: Transaction, caller: Caller, service: NotificationService, asked: ServiceChange
) -> NotificationService:
    """Change a service inside a unit of work.

    Raises:
        Invalid: something is not acceptable.
    """
    changed = await _changed(context, tx, service, asked)
    await tx.hooks.save_service(changed)
    await _changed_in(context, tx, caller, changed, Action.NOTIFICATION_SERVICE_UPDATED)
    return changed


async def switch_in(
    context: Context, tx: Transaction, caller: Caller, service: NotificationService, *, enabled: bool
) -> NotificationService:
    """Enable or disable a service; repeating it changes nothing. Enabling forgets its failures."""
    if service.enabled is enabled:
        return service
    changed = replace(service, enabled=enabled, updated_at=context.clock.now())
    if enabled:
        changed = replace(changed, broken_at=0, failing_since=0, failures=0, retry_at=0)
    await tx.hooks.save_service(changed)
    action = Action.NOTIFICATION_SERVICE_ENABLED if enabled else Action.NOTIFICATION_SERVICE_DISABLED
    await _changed_in(context, tx, caller, changed, action)
    return changed


async def delete_in(context: Context, tx: Transaction, caller: Caller, service: NotificationService) -> None:
    """Delete a service with its deliveries."""
    await tx.hooks.delete_service(service.organization_id, service.id)
    await _changed_in(context, tx, caller, service, Action.NOTIFICATION_SERVICE_DELETED)


async def _changed_in(
    context: Context, tx: Transaction, caller: Caller, service: NotificationService, action: Action
) -> None:
    """Record a change, tell who writes deliveries, and the receiver that its settings changed."""
    organization_id = service.organization_id
    # Of the address only the host: the rest of it may be as good as a secret.
    host = urlsplit(service.settings.url).hostname
    details = {"provider": service.provider, "description": service.description, "host": host}
    await context.record(tx, caller, action, organization_id, ("notification_service", service.id), details)
    await tell_wanted(tx, organization_id, context.clock.now())
    announced = action in (Action.NOTIFICATION_SERVICE_CREATED, Action.NOTIFICATION_SERVICE_UPDATED)
    if announced and service.enabled and PING in service.settings.events:
        await ping_in(context, tx, service)


async def _changed(
    context: Context, tx: Transaction, old: NotificationService, asked: ServiceChange
) -> NotificationService:
    """The service with what is said of it; checked."""
    settings = asked.settings or _NOTHING
    if settings.url is not None:
        parse_target(settings.url, context.installation.reach)
    scope, uuids = await _scope(tx, old, asked)
    changed = replace(
        old,
        description=_description(old.description if asked.description is None else asked.description),
        scope=scope,
        scope_uuids=uuids,
        branch_configuration=check_patterns(
            old.branch_configuration if asked.branch_configuration is None else asked.branch_configuration
        ),
        build_states=_build_states(old.build_states, asked.build_states),
        settings=check_settings(old.settings, _settings(old.settings, settings)),
        updated_at=context.clock.now(),
    )
    if settings.token is None:
        return changed
    value = settings.token.reveal() or secrets.token_hex(_TOKEN_BYTES)
    return replace(changed, secret=seal(context.keys, check_token(value).encode(), _bound_to(changed)))


def _settings(old: WebhookSettings, asked: SettingsChange) -> WebhookSettings:
    given: dict[str, Any] = {
        "url": asked.url,
        "version": asked.version,
        "token_mode": asked.token_mode,
        "events": asked.events,
        "tls_verify": asked.tls_verify,
    }
    return replace(old, **{name: value for name, value in given.items() if value is not None})


def _description(text: str) -> str:
    if len(text) > MAX_TEXT:
        raise Invalid(
            f"Validation failed: description takes at most {MAX_TEXT} characters", code="invalid_description"
        )
    return text


def _build_states(old: BuildStates, asked: Mapping[str, bool] | None) -> BuildStates:
    unknown = [name for name in asked or {} if name not in BUILD_STATES]
    if unknown:
        raise Invalid(
            f"Validation failed: there is no build state {unknown[0]!r}", code="unknown_build_state"
        )
    return replace(old, **(asked or {}))


async def _scope(
    tx: Transaction, old: NotificationService, asked: ServiceChange
) -> tuple[Scope, tuple[str, ...]]:
    """The scope and what it names; things of another organization are as good as none."""
    if asked.scope is None and asked.scope_uuids is None:
        return old.scope, old.scope_uuids
    word = old.scope if asked.scope is None else asked.scope
    kept = old.scope_uuids if word == old.scope else ()
    scope, uuids = check_scope(word, kept if asked.scope_uuids is None else asked.scope_uuids)
    for uuid in uuids:
        found: object = True
        if scope is Scope.PIPELINES:
            found = await tx.builds.pipeline(old.organization_id, PipelineId(uuid))
        elif scope is Scope.CLUSTERS:
            found = await tx.accounts.cluster(old.organization_id, ClusterId(uuid))
        elif scope is Scope.TEAMS:  # kept; no pipeline belongs to a team, so that none of its events fit
            found = await tx.teams.find(old.organization_id, TeamId(uuid))
        if found is None:
            raise Invalid(f"Validation failed: scope_uuids: there is no {uuid}", code="invalid_scope")
    return scope, uuids


async def ping_in(context: Context, tx: Transaction, service: NotificationService) -> Delivery | None:
    """Send a ping, whether the service asks for pings or not.

    Raises:
        Conflict: it is disabled.
    """
    _require_enabled(service)
    now = context.clock.now()
    said = {"id": service.id, "provider": service.provider, "settings": {"url": service.settings.url}}
    fields: dict[str, object] = {"service": said}
    about = Occurrence(service.organization_id, now, (PING,), "organization", service.organization_id, SYSTEM)
    matter = await find_matter(tx, about)
    if context.announcer.renderer is not None and matter is not None:
        fields |= await context.announcer.renderer(tx, about, matter)
    return await enqueue(tx, service, PING, fields, now, context.new_id)


async def publish(
    context: Context,
    tx: Transaction,
    organization_id: OrganizationId,
    event: str,
    payload: Mapping[str, object],
) -> int:
    """Put a payload before the services of an organization that want an event; to how many.

    Args:
        context: the ground.
        tx: the unit of work that makes the event.
        organization_id: whose event it is.
        event: one of `domain.webhooks.EVENTS`.
        payload: its keys besides `event` and `sender`; never a value.

    Raises:
        ValueError: there is no such event.
    """
    if event not in EVENTS:
        raise ValueError(f"there is no event {event!r}")
    if not context.announcer.wanted_of(organization_id, (event,)):
        return 0
    services = [one for one in await tx.hooks.services(organization_id) if one.enabled]
    wanting = [one for one in services if event in one.settings.events]
    for service in wanting:
        await enqueue(tx, service, event, payload, context.clock.now(), context.new_id)
    return len(wanting)


async def list_deliveries(tx: Transaction, service: NotificationService) -> list[Delivery]:
    """Deliveries of a service, latest first."""
    return list(await tx.hooks.deliveries(service.organization_id, service.id, MAX_LISTED))


async def find_delivery(tx: Transaction, service: NotificationService, text: str) -> Delivery:
    """A delivery of a service by the id in a path.

    Raises:
        NotFound: there is none, or it is no longer kept.
    """
    found = None
    if is_uuid(text):
        found = await tx.hooks.delivery(service.organization_id, service.id, DeliveryId(text.lower()))
    if found is None:
        raise NotFound("No delivery found")
    return found


async def redeliver_in(
    context: Context, tx: Transaction, service: NotificationService, delivery: Delivery
) -> Delivery:
    """Send a delivery that has ended once more.

    Raises:
        Conflict: it is under way, or the service is disabled.
    """
    _require_enabled(service)
    now = context.clock.now()
    if not await tx.hooks.redeliver(service.organization_id, service.id, delivery.id, now):
        raise Conflict("This delivery is under way already", code="delivery_pending")
    return await find_delivery(tx, service, delivery.id)


def _require_enabled(service: NotificationService) -> None:
    if not service.enabled:
        raise Conflict("This notification service is disabled; enable it first", code="service_disabled")
