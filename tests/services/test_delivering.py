"""Deliveries on their way: signed, repeated, kept in order, given up, and never in each other's way."""

import hashlib
import hmac
import json
import re
from dataclasses import replace

import pytest

from receiver import Received, Receiver, Reply
from services.hook_scene import SECRET, HookScene, outcome, receivers
from support import START_US, World
from watchword.domain.errors import Conflict, NotFound
from watchword.domain.events import Action
from watchword.domain.notifications import (
    BROKEN_AFTER_US,
    GIVEN_UP_AFTER_US,
    HOUR_US,
    KEPT_DELIVERIES,
    Delivery,
    hold_after,
    pause_after,
)
from watchword.services import notifying
from watchword.services.notifying import SettingsChange, token_of
from watchword.store.base import Transaction

HOUR = HOUR_US // 1_000_000


@pytest.fixture
def scene(world: World) -> HookScene:
    return HookScene(world)


def bodies(receiver: Receiver) -> list[str]:
    return [json.loads(each.body)["event"] for each in receiver.received]


def tokens(scene: HookScene, count: int) -> None:
    for _ in range(count):
        scene.token()


def test_a_delivery_carries_its_token_and_nothing_else(scene: HookScene) -> None:
    with receivers(1) as (receiver,):
        service = scene.hook(receiver.url, "token.created")
        issued = scene.token()
        scene.work()
        (got,) = receiver.received
        (delivery,) = scene.deliveries(service)
        assert outcome(delivery) == ("delivered", 1, 200)
        assert got.body.decode() == delivery.body
        assert dict(got.headers) == {
            "Host": f"127.0.0.1:{receiver.port}",
            "Content-Type": "application/json",
            "User-Agent": "Watchword-Webhook/1",
            "X-Buildkite-Event": "token.created",
            "X-Watchword-Delivery": delivery.id,
            "X-Buildkite-Token": SECRET,
            "Content-Length": str(len(got.body)),
        }
        assert issued.value.reveal() not in got.body.decode()
        assert SECRET not in json.dumps(dict(delivery.request))
        assert delivery.answer_body == b"thanks"
        assert delivery.url == receiver.url


def verify(got: Received, secret: str) -> int:
    """Check a signature as a receiver would; the timestamp that it covers."""
    found = re.fullmatch(
        r"timestamp=([0-9]+),signature=([0-9a-f]{64})", got.header("x-buildkite-signature") or ""
    )
    assert found is not None
    expected = hmac.new(secret.encode(), found[1].encode() + b"." + got.body, hashlib.sha256)
    assert hmac.compare_digest(expected.hexdigest(), found[2])
    return int(found[1])


def test_a_signed_delivery_proves_the_token_and_does_not_send_it(scene: HookScene) -> None:
    with receivers(1) as (receiver,):
        receiver.reply = lambda _: Reply(500)
        scene.hook(receiver.url, "token.created", settings={"token_mode": "signature"})
        scene.token()
        scene.work()
        scene.forward(10)
        scene.work()
        first, second = receiver.received
        assert verify(first, SECRET) == START_US // 1_000_000
        assert verify(second, SECRET) == START_US // 1_000_000 + 10
        for got in receiver.received:
            assert got.header("x-buildkite-token") is None
            assert SECRET not in str(got)
        with pytest.raises(AssertionError):
            verify(first, SECRET + "x")
        with pytest.raises(AssertionError):
            verify(replace(first, body=first.body + b" "), SECRET)


def test_deliveries_of_a_service_come_in_order_under_their_ids(scene: HookScene) -> None:
    with receivers(1) as (receiver,):
        service = scene.hook(receiver.url, "token.created")
        tokens(scene, 5)
        scene.work()
        assert [got.header("x-watchword-delivery") for got in receiver.received] == [
            each.id for each in scene.deliveries(service)
        ]


def test_a_receiver_that_is_away_gets_everything_in_order_when_it_is_back(scene: HookScene) -> None:
    with receivers(1) as (receiver,):
        receiver.reply = lambda _: Reply(503)
        service = scene.hook(receiver.url, "token.created")
        tokens(scene, 3)
        scene.work()
        scene.work()
        assert len(receiver.received) == 1
        scene.forward(9)
        scene.work()
        assert len(receiver.received) == 1
        scene.forward(1)
        scene.work()
        assert len(receiver.received) == 2
        assert scene.service(service).failures == 2
        receiver.reply = lambda _: Reply(204, body=b"")
        scene.forward(20)
        scene.work()
        ids = [each.id for each in scene.deliveries(service)]
        assert [got.header("x-watchword-delivery") for got in receiver.received] == [ids[0], ids[0], *ids]
        assert [outcome(each) for each in scene.deliveries(service)] == [
            ("delivered", 3, 204),
            ("delivered", 1, 204),
            ("delivered", 1, 204),
        ]
        healed = scene.service(service)
        assert (healed.failures, healed.failing_since, healed.retry_at) == (0, 0, 0)


def test_a_delivery_that_the_receiver_chokes_on_lets_others_pass(scene: HookScene) -> None:
    with receivers(1) as (receiver,):
        service = scene.hook(receiver.url, "token.created")
        tokens(scene, 3)
        bad = scene.deliveries(service)[0].id
        receiver.reply = lambda got: Reply(500 if got.header("x-watchword-delivery") == bad else 200)
        scene.work()
        assert [each.state.value for each in scene.deliveries(service)] == [
            "pending",
            "delivered",
            "delivered",
        ]


def test_a_redirect_is_a_failure_and_is_not_followed(scene: HookScene) -> None:
    with receivers(2) as (receiver, inside):
        receiver.reply = lambda _: Reply(302, {"location": inside.url})
        service = scene.hook(receiver.url, "token.created")
        scene.token()
        scene.work()
        assert inside.connections == 0
        (delivery,) = scene.deliveries(service)
        assert outcome(delivery) == ("pending", 1, 302)
        assert delivery.error == "refused: the receiver answered 302"


def test_pauses_double_up_to_an_hour_and_are_spread() -> None:
    assert [pause_after(attempts, 1.0) // 1_000_000 for attempts in (1, 2, 3, 8, 9, 10, 99)] == [
        10,
        20,
        40,
        1280,
        2560,
        3600,
        3600,
    ]
    assert pause_after(1, 0.0) == 8_000_000
    assert [hold_after(10, status) for status in (0, 503, 429, 500, 404)] == [10, 10, 10, 0, 0]
    assert hold_after(HOUR_US, 0) == 300_000_000


def test_a_delivery_is_given_up_after_a_day(scene: HookScene) -> None:
    with receivers(1) as (receiver,):
        receiver.reply = lambda _: Reply(500)
        service = scene.hook(receiver.url, "token.created")
        scene.token()
        for _ in range(60):
            scene.work()
            scene.forward(HOUR)
        (delivery,) = scene.deliveries(service)
        assert delivery.state.value == "failed"
        assert 20 <= len(receiver.received) <= 25
        assert delivery.attempts == len(receiver.received)
        last = delivery.attempted_at - delivery.created_at
        assert GIVEN_UP_AFTER_US - 2 * HOUR_US <= last <= GIVEN_UP_AFTER_US
        assert scene.service(service).enabled


def test_what_waited_for_too_long_is_not_sent_any_more(scene: HookScene) -> None:
    with receivers(1) as (receiver,):
        service = scene.hook(receiver.url, "token.created")
        scene.token()
        scene.switch(service, enabled=False)
        scene.work()
        scene.forward(25 * HOUR)
        scene.switch(service, enabled=True)
        scene.token()
        scene.work()
        assert len(receiver.received) == 1
        states = [(each.state.value, each.error) for each in scene.deliveries(service)]
        assert states == [("failed", "expired: it waited for a day"), ("delivered", "")]


def test_a_service_that_takes_nothing_for_three_days_is_broken_and_can_be_enabled_again(
    scene: HookScene,
) -> None:
    with receivers(1) as (receiver,):
        receiver.reply = lambda _: Reply(500)
        service = scene.hook(receiver.url, "token.created", "agent.connected")
        for hour in range(80):
            if hour % 12 == 0:
                scene.token()
            scene.work()
            scene.forward(HOUR)
        broken = scene.service(service)
        assert not broken.enabled
        assert BROKEN_AFTER_US <= broken.broken_at - broken.failing_since <= BROKEN_AFTER_US + HOUR_US
        (event,) = scene.events(Action.NOTIFICATION_SERVICE_BROKEN)
        assert event.subject_id == service.id
        assert not scene.authority.context.announcer.wanted
        sent = len(receiver.received)
        scene.forward(HOUR)
        scene.work()
        assert len(receiver.received) == sent
        receiver.reply = lambda _: Reply(200)
        enabled = scene.switch(service, enabled=True)
        assert (enabled.broken_at, enabled.failing_since, enabled.failures) == (0, 0, 0)
        scene.token()
        scene.work()
        assert scene.deliveries(service)[-1].state.value == "delivered"


def test_one_success_forgets_the_failures_before_it(scene: HookScene) -> None:
    with receivers(1) as (receiver,):
        service = scene.hook(receiver.url, "token.created")
        for hour in range(100):
            receiver.reply = lambda _, hour=hour: Reply(200 if hour % 48 == 47 else 500)  # type: ignore[misc]
            if hour % 6 == 0:
                scene.token()
            scene.work()
            scene.forward(HOUR)
        assert scene.service(service).enabled


def test_a_slow_receiver_blocks_nobody_else(scene: HookScene) -> None:
    with receivers(2) as (slow, quick):
        slow.gate.clear()
        held = scene.hook(slow.url, "token.created")
        scene.hook(quick.url, "token.created")
        tokens(scene, 3)
        scene.begin()
        scene.until(lambda: len(quick.received) == 3 and len(slow.received) == 1)
        assert len(slow.received) == 1
        assert [each.attempts for each in scene.deliveries(held)] == [0, 0, 0]
        slow.gate.set()
        scene.settle()
        assert [each.state.value for each in scene.deliveries(held)] == ["delivered"] * 3
        assert slow.connections == 3


def test_deliveries_outlive_a_restart(scene: HookScene) -> None:
    with receivers(1) as (receiver,):
        receiver.reply = lambda _: Reply(503)
        service = scene.hook(receiver.url, "token.created")
        tokens(scene, 2)
        scene.work()
        receiver.reply = lambda _: Reply(200)
        scene.world.restart()
        scene.prepare()
        scene.forward(10)
        scene.work()
        assert [outcome(each) for each in scene.deliveries(service)] == [
            ("delivered", 2, 200),
            ("delivered", 1, 200),
        ]


def test_what_was_being_sent_at_the_end_is_sent_again(scene: HookScene) -> None:
    with receivers(1) as (receiver,):
        receiver.gate.clear()
        service = scene.hook(receiver.url, "token.created")
        scene.token()
        scene.begin()
        scene.until(lambda: len(receiver.received) == 1)
        scene.run(scene.authority.deliverer.stop())
        receiver.gate.set()
        scene.world.restart()
        scene.prepare()
        scene.work()
        first, second = receiver.received
        assert first.header("x-watchword-delivery") == second.header("x-watchword-delivery")
        assert outcome(scene.deliveries(service)[0]) == ("delivered", 1, 200)


def test_the_latest_twenty_pairs_are_kept(scene: HookScene) -> None:
    with receivers(1) as (receiver,):
        service = scene.hook(receiver.url, "token.created")
        tokens(scene, KEPT_DELIVERIES + 5)
        ids = [each.id for each in scene.deliveries(service)]
        scene.work()
        assert [each.id for each in scene.deliveries(service)] == ids[5:]


def test_a_delivery_is_sent_again_when_asked(scene: HookScene) -> None:
    context = scene.authority.context
    with receivers(1) as (receiver,):
        service = scene.hook(receiver.url, "token.created")
        scene.token()
        (delivery,) = scene.deliveries(service)

        async def again(tx: Transaction) -> Delivery:
            return await notifying.redeliver_in(context, tx, scene_service, delivery)

        scene_service = scene.service(service)
        with pytest.raises(Conflict):
            scene.run(context.store.write(again))
        scene.work()
        scene.forward(30 * HOUR)
        assert scene.run(context.store.write(again)).state.value == "pending"
        scene.work()
        first, second = receiver.received
        assert (first.body, first.header("x-watchword-delivery")) == (
            second.body,
            second.header("x-watchword-delivery"),
        )
        scene_service = scene.switch(service, enabled=False)
        with pytest.raises(Conflict):
            scene.run(context.store.write(again))
        elsewhere = replace(scene_service, organization_id=scene.first.organization.slug)  # type: ignore[arg-type]
        with pytest.raises(NotFound):
            scene.run(context.store.read(lambda tx: notifying.find_delivery(tx, elsewhere, delivery.id)))


def test_a_ping_says_who_is_told(scene: HookScene) -> None:
    context = scene.authority.context
    with receivers(1) as (receiver,):
        service = scene.hook(receiver.url, "agent.lost")
        scene.run(context.store.write(lambda tx: notifying.ping_in(context, tx, service)))
        scene.work()
        (got,) = receiver.received
        body = json.loads(got.body)
        assert got.header("x-buildkite-event") == body["event"] == "ping"
        assert body["service"] == {
            "id": service.id,
            "provider": "webhook",
            "settings": {"url": receiver.url},
        }
        assert body["organization"]["slug"] == "acme"
        assert SECRET not in got.body.decode()


def test_a_changed_address_and_token_hold_for_what_waits(scene: HookScene) -> None:
    with receivers(2) as (old, new):
        service = scene.hook(old.url, "token.created")
        scene.token()
        changed = scene.change(service, settings=SettingsChange(url=new.url))
        assert token_of(scene.authority.context, changed).reveal() == SECRET
        scene.work()
        assert (len(old.received), len(new.received)) == (0, 1)


def test_a_forbidden_address_is_never_called_even_if_it_was_allowed_once(scene: HookScene) -> None:
    with receivers(1) as (receiver,):
        service = scene.hook(receiver.url, "token.created")
        scene.token()
        scene.authority.deliverer.egress.reach = type(scene.authority.deliverer.egress.reach)()
        scene.work()
        assert receiver.connections == 0
        (delivery,) = scene.deliveries(service)
        assert delivery.state.value == "pending"
        assert "must not be called" in delivery.error


def test_the_token_is_sealed_at_rest(scene: HookScene) -> None:
    service = scene.hook("https://hooks.example/", "ping")
    assert SECRET.encode() not in scene.service(service).secret
    stolen = replace(service, organization_id=scene.first.organization.slug)  # type: ignore[arg-type]
    with pytest.raises(Conflict):
        token_of(scene.authority.context, stolen)
    for event in scene.events(Action.NOTIFICATION_SERVICE_CREATED):
        assert SECRET not in event.data
