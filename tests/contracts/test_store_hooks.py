"""The store's contract: notification services and their deliveries."""

from dataclasses import replace
from typing import Any

from contracts.store_backends import Shelf
from contracts.store_records import ORGANIZATION, OTHER, TEXT, USER
from watchword.domain.ids import DeliveryId, ServiceId
from watchword.domain.notifications import (
    BuildStates,
    Delivery,
    DeliveryState,
    NotificationService,
    Scope,
    WebhookSettings,
)
from watchword.store.base import Transaction

SERVICE = ServiceId("service-1")


def service(**changes: Any) -> NotificationService:
    made = NotificationService(
        organization_id=ORGANIZATION,
        id=SERVICE,
        provider="webhook",
        description=TEXT,
        enabled=True,
        scope=Scope.CLUSTERS,
        scope_uuids=("one", "two"),
        branch_configuration="main !x",
        build_states=BuildStates(build_fixed=False),
        settings=WebhookSettings("https://example.com", 3, "token", ("ping",), tls_verify=False),
        secret=b"\0sealed",
        created_at=7,
        created_by=USER,
        updated_at=8,
    )
    return replace(made, **changes)


def delivery(name: str = "delivery-1", **changes: Any) -> Delivery:
    made = Delivery(
        organization_id=ORGANIZATION,
        service_id=SERVICE,
        id=DeliveryId(name),
        event="ping",
        body=TEXT.replace("\0", ""),
        state=DeliveryState.PENDING,
        created_at=7,
        queued_at=7,
        next_at=7,
    )
    return replace(made, **changes)


def add(shelf: Shelf, *services: NotificationService) -> None:
    async def work(tx: Transaction) -> None:
        for each in services:
            await tx.hooks.add_service(replace(each, description=each.description.replace("\0", "")))

    shelf.write(work)


def enqueue(shelf: Shelf, *deliveries: Delivery) -> None:
    shelf.write(lambda tx: tx.hooks.enqueue(deliveries))


def plain(**changes: Any) -> NotificationService:
    return service(description="for tests", **changes)


def names(shelf: Shelf, limit: int = 100) -> list[str]:
    found = shelf.read(lambda tx: tx.hooks.deliveries(ORGANIZATION, SERVICE, limit))
    return [each.id for each in found]


def test_a_service_is_kept_as_it_is(shelf: Shelf) -> None:
    add(shelf, plain())
    assert shelf.read(lambda tx: tx.hooks.service(ORGANIZATION, SERVICE)) == plain()
    assert shelf.read(lambda tx: tx.hooks.service(OTHER, SERVICE)) is None


def test_services_of_an_organization_come_oldest_first(shelf: Shelf) -> None:
    others = plain(id=ServiceId("service-0")), plain(organization_id=OTHER, enabled=False)
    add(shelf, plain(), *others)
    found = shelf.read(lambda tx: tx.hooks.services(ORGANIZATION))
    assert [each.id for each in found] == ["service-0", "service-1"]
    assert [each.id for each in shelf.read(lambda tx: tx.hooks.enabled())] == ["service-0", "service-1"]


def test_saving_keeps_who_made_it(shelf: Shelf) -> None:
    add(shelf, plain())
    changed = plain(scope=Scope.ALL, scope_uuids=(), secret=b"new", dropped=3, enabled=False, updated_at=9)
    shelf.write(lambda tx: tx.hooks.save_service(replace(changed, created_at=1, created_by=None)))
    assert shelf.read(lambda tx: tx.hooks.service(ORGANIZATION, SERVICE)) == changed


def test_outcomes_touch_nothing_else(shelf: Shelf) -> None:
    add(shelf, plain())
    stale = plain(scope=Scope.ALL, failing_since=5, failures=2, retry_at=11)
    shelf.write(lambda tx: tx.hooks.note_outcome(stale))
    shelf.write(lambda tx: tx.hooks.drop_event(ORGANIZATION, SERVICE))
    found = shelf.read(lambda tx: tx.hooks.service(ORGANIZATION, SERVICE))
    assert found == plain(failing_since=5, failures=2, retry_at=11, dropped=1)


def test_a_service_breaks_once(shelf: Shelf) -> None:
    add(shelf, plain())
    assert shelf.write(lambda tx: tx.hooks.break_service(ORGANIZATION, SERVICE, 9))
    assert not shelf.write(lambda tx: tx.hooks.break_service(ORGANIZATION, SERVICE, 10))
    found = shelf.read(lambda tx: tx.hooks.service(ORGANIZATION, SERVICE))
    assert found == plain(enabled=False, broken_at=9)


def test_a_deleted_service_takes_its_deliveries_along(shelf: Shelf) -> None:
    add(shelf, plain(), plain(organization_id=OTHER))
    enqueue(shelf, delivery(), delivery(organization_id=OTHER))
    assert shelf.write(lambda tx: tx.hooks.delete_service(ORGANIZATION, SERVICE))
    assert not shelf.write(lambda tx: tx.hooks.delete_service(ORGANIZATION, SERVICE))
    assert names(shelf) == []
    assert len(shelf.read(lambda tx: tx.hooks.deliveries(OTHER, SERVICE, 9))) == 1


def test_a_delivery_is_kept_as_it_is(shelf: Shelf) -> None:
    enqueue(shelf, delivery())
    found = shelf.read(lambda tx: tx.hooks.delivery(ORGANIZATION, SERVICE, DeliveryId("delivery-1")))
    assert found == delivery()
    assert shelf.read(lambda tx: tx.hooks.delivery(OTHER, SERVICE, DeliveryId("delivery-1"))) is None


def test_the_oldest_due_delivery_is_next(shelf: Shelf) -> None:
    add(shelf, plain())
    enqueue(shelf, delivery("b"), delivery("a", next_at=20), delivery("c"))
    enqueue(shelf, delivery("0", organization_id=OTHER), delivery("1", state=DeliveryState.FAILED))

    def next_at(now: int) -> str:
        found = shelf.read(lambda tx: tx.hooks.next_delivery(ORGANIZATION, SERVICE, now))
        return found.id if found is not None else ""

    assert [next_at(now) for now in (6, 7, 19, 20)] == ["", "b", "b", "a"]


def test_only_enabled_services_that_are_not_held_back_are_due(shelf: Shelf) -> None:
    held, off = ServiceId("held"), ServiceId("off")
    add(
        shelf,
        plain(),
        plain(id=held, retry_at=30),
        plain(id=off, enabled=False),
        plain(organization_id=OTHER),
    )
    enqueue(shelf, delivery(), delivery(service_id=held), delivery(service_id=off))

    def due(now: int, limit: int = 9) -> list[str]:
        return [each for _, each in shelf.read(lambda tx: tx.hooks.due(now, limit))]

    assert due(6) == []
    assert due(7) == [SERVICE]
    assert due(30) == [SERVICE, held]
    assert due(30, 1) == [SERVICE]


def test_an_attempt_is_written_once(shelf: Shelf) -> None:
    enqueue(shelf, delivery())
    done = delivery(
        state=DeliveryState.DELIVERED,
        attempts=1,
        attempted_at=9,
        duration=3,
        url="https://example.com",
        request={"A": "1"},
        status=200,
        answer={"b": "2"},
        answer_body=b"\0ok",
        next_at=0,
    )
    assert shelf.write(lambda tx: tx.hooks.attempted(done, 0))
    assert not shelf.write(lambda tx: tx.hooks.attempted(done, 0))
    assert shelf.read(lambda tx: tx.hooks.delivery(ORGANIZATION, SERVICE, done.id)) == done
    assert shelf.write(lambda tx: tx.hooks.redeliver(ORGANIZATION, SERVICE, done.id, 12))
    assert not shelf.write(lambda tx: tx.hooks.redeliver(ORGANIZATION, SERVICE, done.id, 13))
    again = shelf.read(lambda tx: tx.hooks.delivery(ORGANIZATION, SERVICE, done.id))
    assert again == replace(done, state=DeliveryState.PENDING, attempts=0, queued_at=12, next_at=12)


def test_waiting_deliveries_are_counted_up_to_a_limit(shelf: Shelf) -> None:
    enqueue(shelf, *(delivery(str(number)) for number in range(5)))
    enqueue(shelf, delivery("ended", state=DeliveryState.FAILED), delivery("x", organization_id=OTHER))
    assert shelf.read(lambda tx: tx.hooks.waiting(ORGANIZATION, SERVICE, 3)) == 3
    assert shelf.read(lambda tx: tx.hooks.waiting(ORGANIZATION, SERVICE, 9)) == 5


def test_pruning_keeps_the_latest_that_ended_and_all_that_wait(shelf: Shelf) -> None:
    ended = [delivery(f"d{at}", state=DeliveryState.FAILED, attempted_at=at) for at in range(5)]
    enqueue(
        shelf, *ended, delivery("wait"), delivery("d0", organization_id=OTHER, state=DeliveryState.FAILED)
    )
    assert shelf.write(lambda tx: tx.hooks.prune(ORGANIZATION, SERVICE, 2)) == 3
    assert names(shelf) == ["wait", "d4", "d3"]
    assert names(shelf, 1) == ["wait"]
    assert len(shelf.read(lambda tx: tx.hooks.deliveries(OTHER, SERVICE, 9))) == 1
