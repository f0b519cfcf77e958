"""The store's contract for notification services and their deliveries."""

from collections.abc import Sequence
from typing import Protocol

from watchword.domain.ids import DeliveryId, OrganizationId, ServiceId
from watchword.domain.notifications import Delivery, NotificationService


class Hooks(Protocol):
    """Notification services and deliveries."""

    async def add_service(self, service: NotificationService) -> None:
        """Insert."""

    async def service(
        self, organization_id: OrganizationId, service_id: ServiceId
    ) -> NotificationService | None:
        """By id."""

    async def services(self, organization_id: OrganizationId) -> Sequence[NotificationService]:
        """All of an organization, oldest first."""

    async def enabled(self) -> Sequence[NotificationService]:
        """Enabled ones of all organizations, for a start."""

    async def save_service(self, service: NotificationService) -> None:
        """Write all but when and by whom it was made."""

    async def delete_service(self, organization_id: OrganizationId, service_id: ServiceId) -> bool:
        """Delete it with its deliveries; False if there is none."""

    async def note_outcome(self, service: NotificationService) -> None:
        """Write since when it fails, how often, and when to try again."""

    async def break_service(self, organization_id: OrganizationId, service_id: ServiceId, at: int) -> bool:
        """Enabled → broken and disabled; False if it was disabled meanwhile."""

    async def drop_event(self, organization_id: OrganizationId, service_id: ServiceId) -> None:
        """Count an event that is not kept for it."""

    async def enqueue(self, deliveries: Sequence[Delivery]) -> None:
        """Insert."""

    async def waiting(self, organization_id: OrganizationId, service_id: ServiceId, limit: int) -> int:
        """How many deliveries are pending; counted no further than `limit`."""

    async def due(self, now: int, limit: int) -> Sequence[tuple[OrganizationId, ServiceId]]:
        """Enabled services that are not held back and have a delivery whose time has come."""

    async def next_delivery(
        self, organization_id: OrganizationId, service_id: ServiceId, now: int
    ) -> Delivery | None:
        """The oldest pending delivery whose time has come."""

    async def attempted(self, delivery: Delivery, before: int) -> bool:
        """Write what came of an attempt after `before` others; False if the delivery changed meanwhile."""

    async def redeliver(
        self, organization_id: OrganizationId, service_id: ServiceId, delivery_id: DeliveryId, at: int
    ) -> bool:
        """Make a delivery that has ended pending anew; False if it is pending, or there is none."""

    async def delivery(
        self, organization_id: OrganizationId, service_id: ServiceId, delivery_id: DeliveryId
    ) -> Delivery | None:
        """By id."""

    async def deliveries(
        self, organization_id: OrganizationId, service_id: ServiceId, limit: int
    ) -> Sequence[Delivery]:
        """Latest first."""

    async def prune(self, organization_id: OrganizationId, service_id: ServiceId, keep: int) -> int:
        """Delete deliveries that have ended, but the latest ones; how many."""
