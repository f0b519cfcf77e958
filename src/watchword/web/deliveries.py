"""Deliveries of webhooks: what was sent, what was answered, once more."""

import msgspec
from litestar import get, post

from watchword.domain.errors import Conflict
from watchword.domain.notifications import Delivery, NotificationService
from watchword.services.notifying import find_delivery, find_service, redeliver_in
from watchword.services.queries import Access, Unit
from watchword.web.forms import Problem
from watchword.web.needs import page
from watchword.web.visit import Page, Visit, WebRequest
from watchword.web.webhookforms import problem_of
from watchword.web.webhooks import WEBHOOK, at, host_of

DELIVERY = WEBHOOK + "/deliveries/{delivery:str}"
_INDENT = 2


async def _show(visit: Visit, *problems: Problem) -> Page:
    async def work(tx: Unit, access: Access) -> tuple[NotificationService, Delivery]:
        service = await find_service(tx, access.id, visit.path("service"))
        return service, await find_delivery(tx, service, visit.path("delivery"))

    service, delivery = await visit.read(work)
    values = {
        "service": service,
        "host": host_of(service),
        "delivery": delivery,
        "body": msgspec.json.format(delivery.body, indent=_INDENT),
        "answer": delivery.answer_body.decode(errors="replace"),
    }
    if problems:
        return visit.show_again("settings/delivery.html", *problems, **values)
    return visit.show("settings/delivery.html", status=200, **values)


@get(DELIVERY, opt=page("notification_service.read"))
async def show_delivery(request: WebRequest) -> Page:
    """One delivery with the request and the answer of its last attempt."""
    return await _show(Visit.of(request))


@post(DELIVERY + "/redeliver", opt=page("notification_service.update"), status_code=200)
async def redeliver(request: WebRequest) -> Page:
    """Send a delivery that has ended once more, under the same id."""
    visit = Visit.of(request)

    async def work(tx: Unit, access: Access) -> None:
        service = await find_service(tx, access.id, visit.path("service"))
        await redeliver_in(
            visit.context, tx, service, await find_delivery(tx, service, visit.path("delivery"))
        )

    try:
        await visit.write(work)
    except Conflict as error:
        return await _show(visit, problem_of(error))
    return visit.go(f"{at(visit)}/deliveries/{visit.path('delivery')}", done="redelivering")


HANDLERS = (show_delivery, redeliver)
