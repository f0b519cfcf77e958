"""Notification services (contract rest-graphql §3.5): what GraphQL shows of them."""

from watchword.domain.ids import is_uuid
from watchword.domain.notifications import NotificationService
from watchword.graphql import ids
from watchword.graphql.binding import Arguments, Thing, query
from watchword.graphql.call import Call
from watchword.graphql.finding import maybe, node, thing_of
from watchword.services.notifying import find_service
from watchword.services.queries import Access, Unit

_TYPE = "NotificationServiceWebhook"


def show_service(service: NotificationService) -> Thing:
    """A webhook as an object."""
    values = {
        "id": ids.encode(_TYPE, service.id),
        "name": "Webhook",
        "description": service.description,
    }
    return Thing(_TYPE, service.organization_id, service, values)


@node(_TYPE, "notification_service.read")
async def find(tx: Unit, access: Access, uuid: str) -> Thing | None:
    """A webhook of an organization."""
    found = await maybe(find_service(tx, access.id, uuid))
    return show_service(found) if found is not None else None


@query("notificationService", "notification_service.read")
async def service_at(call: Call, arguments: Arguments) -> Thing | None:
    """By UUID."""
    uuid = str(arguments["uuid"])
    return await thing_of(call, _TYPE, uuid.lower() if is_uuid(uuid) else "")
