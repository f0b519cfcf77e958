"""Webhooks: the list, one of them, on and off, pinged, deleted."""

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from litestar import get, post

from watchword.domain.accounts import User
from watchword.domain.errors import Conflict
from watchword.domain.notifications import Delivery, NotificationService
from watchword.domain.webhooks import MAX_SERVICES
from watchword.services.notifying import (
    delete_in,
    find_service,
    list_deliveries,
    list_services,
    ping_in,
    switch_in,
)
from watchword.services.queries import Access, Unit, people
from watchword.web.forms import Problem
from watchword.web.needs import page
from watchword.web.settings import SETTINGS, base
from watchword.web.visit import Page, Visit, WebRequest
from watchword.web.webhookforms import Choices, problem_of, read_choices

WEBHOOKS = SETTINGS + "/webhooks"
WEBHOOK = WEBHOOKS + "/{service:str}"


class Whole(NamedTuple):
    """A webhook with its latest deliveries.

    Attributes:
        by: who made it; None where the person is gone.
    """

    service: NotificationService
    deliveries: Sequence[Delivery]
    by: User | None
    choices: Choices


def at(visit: Visit) -> str:
    """Where the webhook of the path is."""
    return f"{base(visit)}/webhooks/{visit.path('service')}"


def host_of(service: NotificationService) -> str:
    """The host of a webhook; the rest of its address may be as good as a secret."""
    return urlsplit(service.settings.url).hostname or ""


@get(WEBHOOKS, opt=page("notification_service.read"))
async def list_webhooks(request: WebRequest) -> Page:
    """Webhooks of the organization, oldest first."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> list[NotificationService]:
        return await list_services(tx, access.id)

    rows = [(service, host_of(service)) for service in await visit.read(work)]
    return visit.show("settings/webhooks.html", webhooks=rows, most=MAX_SERVICES)


async def read_whole(visit: Visit) -> Whole:
    """The webhook of the path."""

    async def work(tx: Unit, access: Access) -> Whole:
        service = await find_service(tx, access.id, visit.path("service"))
        known = await people(tx, [service.created_by])
        by = known.get(service.created_by) if service.created_by is not None else None
        deliveries = await list_deliveries(tx, service)
        return Whole(service, deliveries, by, await read_choices(tx, access))

    return await visit.read(work)


async def show_whole(visit: Visit, template: str, *problems: Problem) -> Page:
    """A page of the webhook of the path."""
    whole = await read_whole(visit)
    names = {str(one.id): one.name for one in whole.choices.clusters}
    names |= {str(one.id): one.name for one in whole.choices.pipelines}
    values = {"whole": whole, "service": whole.service, "host": host_of(whole.service), "names": names}
    if problems:
        return visit.show_again(template, *problems, **values)
    return visit.show(template, status=200, **values)


@get(WEBHOOK, opt=page("notification_service.read"))
async def show_webhook(request: WebRequest) -> Page:
    """One webhook: what it hears of, how it fares, its latest deliveries."""
    return await show_whole(Visit.of(request), "settings/webhook.html")


async def _switch(visit: Visit, *, enabled: bool) -> Page:
    async def work(tx: Unit, access: Access) -> None:
        service = await find_service(tx, access.id, visit.path("service"))
        await switch_in(visit.context, tx, access.caller, service, enabled=enabled)

    await visit.write(work)
    return visit.go(at(visit), done="webhook-enabled" if enabled else "webhook-disabled")


@post(WEBHOOK + "/enable", opt=page("notification_service.update"), status_code=200)
async def enable(request: WebRequest) -> Page:
    """Enable a webhook, also one that was given up; what waits for it is sent."""
    return await _switch(Visit.of(request), enabled=True)


@post(WEBHOOK + "/disable", opt=page("notification_service.update"), status_code=200)
async def disable(request: WebRequest) -> Page:
    """Disable a webhook; nothing is sent to it."""
    return await _switch(Visit.of(request), enabled=False)


@post(WEBHOOK + "/ping", opt=page("notification_service.update"), status_code=200)
async def ping(request: WebRequest) -> Page:
    """Send a ping."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        service = await find_service(tx, access.id, visit.path("service"))
        if await ping_in(visit.context, tx, service) is None:
            raise Conflict("Too many deliveries of this webhook wait already.", code="too_many_deliveries")

    try:
        await visit.write(work)
    except Conflict as error:
        return await show_whole(visit, "settings/webhook.html", problem_of(error))
    return visit.go(at(visit), done="webhook-pinged")


@get(WEBHOOK + "/delete", opt=page("notification_service.delete"))
async def ask_to_delete(request: WebRequest) -> Page:
    """What ends with the webhook."""
    return await show_whole(Visit.of(request), "settings/webhook_delete.html")


@post(WEBHOOK + "/delete", opt=page("notification_service.delete"), status_code=200)
async def delete_webhook(request: WebRequest) -> Page:
    """Delete a webhook with its deliveries."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        service = await find_service(tx, access.id, visit.path("service"))
        await delete_in(visit.context, tx, access.caller, service)

    await visit.write(work)
    return visit.go(f"{base(visit)}/webhooks", done="webhook-deleted")


HANDLERS = (list_webhooks, show_webhook, enable, disable, ping, ask_to_delete, delete_webhook)
