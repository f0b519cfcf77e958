"""Notification services and their deliveries in the database."""

from collections.abc import Sequence

from sqlalchemy import and_, bindparam, delete, exists, func, insert, select, text, update

from watchword.domain.ids import DeliveryId, OrganizationId, ServiceId
from watchword.domain.notifications import Delivery, DeliveryState, NotificationService
from watchword.store.engine import Connection, Statement
from watchword.store.mapping import Mapper
from watchword.store.tables_hooks import deliveries, notification_services

SERVICES = Mapper(notification_services, NotificationService)
DELIVERIES = Mapper(deliveries, Delivery)

_s, _d = notification_services.c, deliveries.c
_ONE = and_(_s.organization_id == bindparam("organization_id_"), _s.id == bindparam("id_"))
_OF = and_(_d.organization_id == bindparam("organization_id_"), _d.service_id == bindparam("service_id_"))
_ONE_DELIVERY = and_(_OF, _d.id == bindparam("id_"))
# The condition of the index, word for word.
_PENDING = text("deliveries.state = 'pending'")
_ENDED = text("deliveries.state <> 'pending'")
_OUTCOME = ("failing_since", "failures", "retry_at")
_FIXED = ("organization_id", "id", "created_at", "created_by")
_ATTEMPT = tuple(
    column.name
    for column in deliveries.columns
    if column.name not in ("organization_id", "service_id", "id", "event", "body", "created_at", "queued_at")
)

_ADD = Statement(insert(notification_services))
_SERVICE = Statement(select(*SERVICES.columns).where(_ONE))
_SERVICES = Statement(
    select(*SERVICES.columns).where(_s.organization_id == bindparam("organization_id_")).order_by(_s.id)
)
_ENABLED = Statement(select(*SERVICES.columns).where(_s.enabled == 1).order_by(_s.organization_id, _s.id))
_SAVE = Statement(
    update(notification_services)
    .where(_ONE)
    .values(
        {
            column.name: bindparam(f"{column.name}_")
            for column in SERVICES.columns
            if column.name not in _FIXED
        }
    )
)
_DELETE = Statement(delete(notification_services).where(_ONE))
_DELETE_DELIVERIES = Statement(delete(deliveries).where(_OF))
_NOTE_OUTCOME = Statement(
    update(notification_services).where(_ONE).values({name: bindparam(f"{name}_") for name in _OUTCOME})
)
_BREAK = Statement(
    update(notification_services).where(_ONE, _s.enabled == 1).values(enabled=0, broken_at=bindparam("at_"))
)
_DROP = Statement(update(notification_services).where(_ONE).values(dropped=_s.dropped + 1))
_ENQUEUE = Statement(insert(deliveries))
_WAITING = Statement(
    select(func.count()).select_from(
        select(_d.id).where(_OF, _PENDING).limit(bindparam("limit_")).subquery("waiting")
    )
)
_DUE = Statement(
    select(_s.organization_id, _s.id)
    .where(
        _s.enabled == 1,
        _s.retry_at <= bindparam("now_"),
        exists().where(
            _d.organization_id == _s.organization_id,
            _d.service_id == _s.id,
            _PENDING,
            _d.next_at <= bindparam("now_"),
        ),
    )
    .order_by(_s.retry_at, _s.id)
    .limit(bindparam("limit_"))
)
_NEXT = Statement(
    select(*DELIVERIES.columns).where(_OF, _PENDING, _d.next_at <= bindparam("now_")).order_by(_d.id).limit(1)
)
_ATTEMPTED = Statement(
    update(deliveries)
    .where(_ONE_DELIVERY, _PENDING, _d.attempts == bindparam("before_"))
    .values({name: bindparam(f"{name}_") for name in _ATTEMPT})
)
_REDELIVER = Statement(
    update(deliveries)
    .where(_ONE_DELIVERY, _ENDED)
    .values(
        state=DeliveryState.PENDING.value, attempts=0, queued_at=bindparam("at_"), next_at=bindparam("at_")
    )
)
_DELIVERY = Statement(select(*DELIVERIES.columns).where(_ONE_DELIVERY))
_LIST = Statement(select(*DELIVERIES.columns).where(_OF).order_by(_d.id.desc()).limit(bindparam("limit_")))
_latest = (
    select(_d.id).where(_OF, _ENDED).order_by(_d.attempted_at.desc(), _d.id.desc()).limit(bindparam("keep_"))
)
_PRUNE = Statement(delete(deliveries).where(_OF, _ENDED, _d.id.not_in(_latest)))


class HookRows:
    """`store.base_hooks.Hooks` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def add_service(self, service: NotificationService) -> None:
        await self._cx.run(_ADD, SERVICES.encode(service))

    async def service(
        self, organization_id: OrganizationId, service_id: ServiceId
    ) -> NotificationService | None:
        row = await self._cx.one(_SERVICE, {"organization_id_": organization_id, "id_": service_id})
        return SERVICES.decode(row) if row else None

    async def services(self, organization_id: OrganizationId) -> Sequence[NotificationService]:
        rows = await self._cx.all(_SERVICES, {"organization_id_": organization_id})
        return [SERVICES.decode(row) for row in rows]

    async def enabled(self) -> Sequence[NotificationService]:
        return [SERVICES.decode(row) for row in await self._cx.all(_ENABLED, {})]

    async def save_service(self, service: NotificationService) -> None:
        row = {f"{name}_": value for name, value in SERVICES.encode(service).items()}
        del row["created_at_"], row["created_by_"]
        await self._cx.run(_SAVE, row)

    async def delete_service(self, organization_id: OrganizationId, service_id: ServiceId) -> bool:
        named = {"organization_id_": organization_id}
        await self._cx.run(_DELETE_DELIVERIES, {**named, "service_id_": service_id})
        return await self._cx.run(_DELETE, {**named, "id_": service_id}) == 1

    async def note_outcome(self, service: NotificationService) -> None:
        changed = {f"{name}_": getattr(service, name) for name in _OUTCOME}
        named = {"organization_id_": service.organization_id, "id_": service.id}
        await self._cx.run(_NOTE_OUTCOME, {**named, **changed})

    async def break_service(self, organization_id: OrganizationId, service_id: ServiceId, at: int) -> bool:
        parameters = {"organization_id_": organization_id, "id_": service_id, "at_": at}
        return await self._cx.run(_BREAK, parameters) == 1

    async def drop_event(self, organization_id: OrganizationId, service_id: ServiceId) -> None:
        await self._cx.run(_DROP, {"organization_id_": organization_id, "id_": service_id})

    async def enqueue(self, deliveries: Sequence[Delivery]) -> None:
        await self._cx.run_many(_ENQUEUE, [DELIVERIES.encode(each) for each in deliveries])

    async def waiting(self, organization_id: OrganizationId, service_id: ServiceId, limit: int) -> int:
        row = await self._cx.one(_WAITING, {**_of(organization_id, service_id), "limit_": limit})
        return int(row[0]) if row else 0

    async def due(self, now: int, limit: int) -> Sequence[tuple[OrganizationId, ServiceId]]:
        rows = await self._cx.all(_DUE, {"now_": now, "limit_": limit})
        return [(OrganizationId(row[0]), ServiceId(row[1])) for row in rows]

    async def next_delivery(
        self, organization_id: OrganizationId, service_id: ServiceId, now: int
    ) -> Delivery | None:
        row = await self._cx.one(_NEXT, {**_of(organization_id, service_id), "now_": now})
        return DELIVERIES.decode(row) if row else None

    async def attempted(self, delivery: Delivery, before: int) -> bool:
        encoded = DELIVERIES.encode(delivery)
        parameters = {f"{name}_": encoded[name] for name in _ATTEMPT}
        parameters |= {
            **_of(delivery.organization_id, delivery.service_id),
            "id_": delivery.id,
            "before_": before,
        }
        return await self._cx.run(_ATTEMPTED, parameters) == 1

    async def redeliver(
        self, organization_id: OrganizationId, service_id: ServiceId, delivery_id: DeliveryId, at: int
    ) -> bool:
        parameters = {**_of(organization_id, service_id), "id_": delivery_id, "at_": at}
        return await self._cx.run(_REDELIVER, parameters) == 1

    async def delivery(
        self, organization_id: OrganizationId, service_id: ServiceId, delivery_id: DeliveryId
    ) -> Delivery | None:
        row = await self._cx.one(_DELIVERY, {**_of(organization_id, service_id), "id_": delivery_id})
        return DELIVERIES.decode(row) if row else None

    async def deliveries(
        self, organization_id: OrganizationId, service_id: ServiceId, limit: int
    ) -> Sequence[Delivery]:
        rows = await self._cx.all(_LIST, {**_of(organization_id, service_id), "limit_": limit})
        return [DELIVERIES.decode(row) for row in rows]

    async def prune(self, organization_id: OrganizationId, service_id: ServiceId, keep: int) -> int:
        return await self._cx.run(_PRUNE, {**_of(organization_id, service_id), "keep_": keep})


def _of(organization_id: OrganizationId, service_id: ServiceId) -> dict[str, object]:
    return {"organization_id_": organization_id, "service_id_": service_id}
