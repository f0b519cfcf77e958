"""Deliveries of notification services: what was sent, what was answered, once more (Watchword's own)."""

from typing import Any

import msgspec
from litestar import Response, get, post, put

from watchword.domain import accounts, notifications
from watchword.domain.errors import Conflict
from watchword.rest.call import CURSORED, Call, RestRequest, needs
from watchword.rest.formats import instant, maybe_instant
from watchword.rest.jobs import Cursors
from watchword.rest.notifications import SERVICE, cursored, service_url
from watchword.services.notifying import (
    find_delivery,
    find_service,
    list_deliveries,
    ping_in,
    redeliver_in,
)
from watchword.services.queries import Access, Unit

DELIVERIES = SERVICE + "/deliveries"
DELIVERY = DELIVERIES + "/{delivery:str}"
_MILLISECOND_US = 1000


class Delivery(msgspec.Struct, kw_only=True):
    """A delivery; `error` says why the last attempt failed."""

    id: str
    url: str
    event: str
    state: str
    attempts: int
    created_at: str
    attempted_at: str | None
    next_attempt_at: str | None
    duration_ms: int | None
    response_status: int | None
    error: str | None


class SentRequest(msgspec.Struct, kw_only=True):
    """The request of the last attempt; a token in its headers is hidden."""

    url: str
    headers: dict[str, str]
    body: Any


class GivenResponse(msgspec.Struct, kw_only=True):
    """What the receiver answered, its body cut off."""

    status: int
    headers: dict[str, str]
    body: str


class WholeDelivery(Delivery, kw_only=True):
    """A delivery with the request and the answer of its last attempt."""

    request: SentRequest
    response: GivenResponse | None


class DeliveryList(msgspec.Struct, kw_only=True):
    """Part of a service's deliveries."""

    items: list[Delivery]
    links: Cursors


def _fields(
    call: Call,
    organization: accounts.Organization,
    service: notifications.NotificationService,
    delivery: notifications.Delivery,
) -> dict[str, Any]:
    pending = delivery.state is notifications.DeliveryState.PENDING
    return {
        "id": delivery.id,
        "url": f"{service_url(call.site, organization, service)}/deliveries/{delivery.id}",
        "event": delivery.event,
        "state": delivery.state.value,
        "attempts": delivery.attempts,
        "created_at": instant(delivery.created_at),
        "attempted_at": maybe_instant(delivery.attempted_at),
        "next_attempt_at": maybe_instant(delivery.next_at) if pending else None,
        "duration_ms": delivery.duration // _MILLISECOND_US if delivery.attempted_at else None,
        "response_status": delivery.status or None,
        "error": delivery.error or None,
    }


def _whole(
    call: Call,
    organization: accounts.Organization,
    service: notifications.NotificationService,
    delivery: notifications.Delivery,
) -> WholeDelivery:
    response = None
    if delivery.status:
        response = GivenResponse(
            status=delivery.status,
            headers=dict(delivery.answer),
            body=delivery.answer_body.decode(errors="replace"),
        )
    request = SentRequest(
        url=delivery.url or service.settings.url,
        headers=dict(delivery.request),
        body=msgspec.json.decode(delivery.body),
    )
    return WholeDelivery(**_fields(call, organization, service, delivery), request=request, response=response)


@get(DELIVERIES, opt=needs("notification_service.read", query=CURSORED), summary="List deliveries")
async def list_all(request: RestRequest) -> Response[DeliveryList]:
    """The latest deliveries of a service, latest first: twenty that have ended, and those that wait."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> list[Delivery]:
        service = await find_service(tx, access.id, call.path("service"))
        rows = await list_deliveries(tx, service)
        return [Delivery(**_fields(call, access.organization, service, row)) for row in rows]

    rows = await call.read(work)
    items, links, header = cursored(call, rows, [row.id for row in rows])
    return Response(DeliveryList(items=items, links=links), headers=header, media_type="application/json")


@get(DELIVERY, opt=needs("notification_service.read"), summary="Get a delivery")
async def get_one(request: RestRequest) -> WholeDelivery:
    """One delivery with its request and the answer to it."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> WholeDelivery:
        service = await find_service(tx, access.id, call.path("service"))
        delivery = await find_delivery(tx, service, call.path("delivery"))
        return _whole(call, access.organization, service, delivery)

    return await call.read(work)


@put(DELIVERY + "/redeliver", opt=needs("notification_service.update"), summary="Send a delivery again")
async def redeliver(request: RestRequest) -> WholeDelivery:
    """Send a delivery that has ended once more, under the same id."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> WholeDelivery:
        service = await find_service(tx, access.id, call.path("service"))
        delivery = await find_delivery(tx, service, call.path("delivery"))
        again = await redeliver_in(call.context, tx, service, delivery)
        return _whole(call, access.organization, service, again)

    return await call.write(work)


@post(SERVICE + "/ping", opt=needs("notification_service.update", keyed=True), summary="Ping a service")
async def ping(request: RestRequest) -> Response[WholeDelivery]:
    """Send a ping to a notification service."""
    call = Call.of(request)

    async def work(tx: Unit, access: Access) -> WholeDelivery:
        service = await find_service(tx, access.id, call.path("service"))
        delivery = await ping_in(call.context, tx, service)
        if delivery is None:
            raise Conflict("Too many deliveries of this service wait already", code="too_many_deliveries")
        return _whole(call, access.organization, service, delivery)

    return await call.create(work)


HANDLERS = (list_all, get_one, redeliver, ping)
