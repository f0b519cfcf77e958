"""A scene with webhooks: services of an organization, their deliveries, and a worker that is told to work."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import msgspec

from receiver import Receiver
from services.scene import Scene
from support import World
from watchword.crypto.values import Secret
from watchword.domain.addresses import Block
from watchword.domain.destinations import Reach
from watchword.domain.ids import OrganizationId
from watchword.domain.notifications import Delivery, NotificationService
from watchword.rest.hookshapes import Payloads
from watchword.services import notifying
from watchword.services.context import LOCAL
from watchword.services.notifying import ServiceChange, SettingsChange

REACH = Reach(allowed=(Block.parse("127.0.0.0/8"),))
SECRET = "s3cret-of-the-receiver"


class HookScene(Scene):
    """A scene whose installation may call loopback addresses."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.prepare()

    def prepare(self) -> None:
        """Render payloads, and let the first attempt of many not differ; also after a restart."""
        self.configure(reach=REACH)
        self.authority.context.announcer.renderer = Payloads("http://127.0.0.1:8080")
        self.authority.deliverer.chance = lambda: 1.0

    def hook(
        self, url: str, *events: str, organization_id: OrganizationId | None = None, **said: Any
    ) -> NotificationService:
        """A webhook with these events."""
        context = self.authority.context
        settings = SettingsChange(url=url, events=events, token=Secret(SECRET), **said.pop("settings", {}))
        asked = ServiceChange(settings=settings, **said)
        return self.run(
            context.store.write(
                lambda tx: notifying.create_in(
                    context,
                    tx,
                    LOCAL,
                    organization_id or self.organization_id,
                    self.first.admin.id,
                    "webhook",
                    asked,
                )
            )
        )

    def change(self, service: NotificationService, **said: Any) -> NotificationService:
        context, current = self.authority.context, self.service(service)
        return self.run(
            context.store.write(
                lambda tx: notifying.update_in(context, tx, LOCAL, current, ServiceChange(**said))
            )
        )

    def switch(self, service: NotificationService, *, enabled: bool) -> NotificationService:
        context, current = self.authority.context, self.service(service)
        return self.run(
            context.store.write(lambda tx: notifying.switch_in(context, tx, LOCAL, current, enabled=enabled))
        )

    def service(self, service: NotificationService) -> NotificationService:
        """The service as it is now."""
        found = self.run(
            self.world.store.read(lambda tx: tx.hooks.service(service.organization_id, service.id))
        )
        assert found is not None
        return found

    def deliveries(self, service: NotificationService) -> list[Delivery]:
        """Its deliveries, oldest first."""
        found = self.run(
            self.world.store.read(lambda tx: tx.hooks.deliveries(service.organization_id, service.id, 1000))
        )
        return sorted(found, key=lambda each: each.id)

    def events_of(self, service: NotificationService) -> list[str]:
        return [each.event for each in self.deliveries(service)]

    def bodies(self, service: NotificationService, event: str) -> list[dict[str, Any]]:
        return [msgspec.json.decode(each.body) for each in self.deliveries(service) if each.event == event]

    def work(self) -> None:
        """Send what is due, to the end."""

        async def rounds() -> None:
            deliverer = self.authority.deliverer
            await deliverer.work_off()
            await deliverer.settled()

        self.run(rounds())

    def begin(self) -> None:
        """Begin to send what is due, and wait for nothing."""
        self.run(self.authority.deliverer.work_off())

    def settle(self) -> None:
        self.run(self.authority.deliverer.settled())

    def until(self, condition: Any) -> None:
        """Let the worker go on until something holds."""

        async def wait() -> None:
            async with asyncio.timeout(20):
                while not condition():  # noqa: ASYNC110 - the receiver runs in threads of its own
                    await asyncio.sleep(0.005)

        self.run(wait())


@contextmanager
def receivers(count: int) -> Iterator[Sequence[Receiver]]:
    made = [Receiver() for _ in range(count)]
    try:
        yield made
    finally:
        for each in made:
            each.close()


def outcome(delivery: Delivery) -> tuple[str, int, int]:
    return delivery.state.value, delivery.attempts, delivery.status


def later(service: NotificationService, **changes: Any) -> NotificationService:
    return replace(service, **changes)
