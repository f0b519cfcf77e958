"""Webhooks on the console: made, changed, switched, deleted, and what was delivered."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from console_client import Console
from receiver import Receiver, Reply
from services.hook_scene import SECRET, HookScene
from support import World
from watchword.domain.notifications import NotificationService, Scope
from watchword.domain.webhooks import EVENTS
from watchword.services.notifying import token_of

URL = "https://hooks.example/secret/path"
FIELDS = {
    "url": URL,
    "description": "",
    "token_mode": "signature",
    "tls_verify": "1",
    "scope": "all",
    "events": ["ping", "token.revoked"],
    "build_states": ["build_failed"],
    "once": "this very form",
}


@pytest.fixture
def scene(world: World) -> HookScene:
    return HookScene(world)


@pytest.fixture
def admin(scene: HookScene) -> Console:
    made = Console(scene.world)
    made.sign_in_as(scene.first.admin)
    return made


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def services(world: World) -> list[NotificationService]:
    organization = world.first.organization.id
    return list(world.run(world.context.store.read(lambda tx: tx.hooks.services(organization))))


def token(world: World, at: int = 0) -> str:
    return token_of(world.context, services(world)[at]).reveal()


def test_a_token_that_we_make_is_shown_in_one_answer(admin: Console, world: World) -> None:
    assert set(re.findall(r'name="events" value="([^"]+)"', admin.get("settings/webhooks/new").text)) == set(
        EVENTS
    )
    page = admin.post("settings/webhooks", FIELDS)
    assert page.status_code == 200
    value = token(world)
    assert page.text.count(value) == 1
    assert "data-secret" in page.text
    (service,) = services(world)
    assert service.settings.events == ("ping", "token.revoked")
    assert service.build_states.build_failed
    assert not service.build_states.build_passed
    again = admin.post("settings/webhooks", FIELDS)
    assert (
        again.headers["location"]
        == f"/organizations/acme/settings/webhooks/{service.id}?done=webhook-created"
    )
    assert len(services(world)) == 1
    for path in ("", "/edit", "/token", "/delete"):
        shown = admin.get(f"settings/webhooks/{service.id}{path}")
        assert shown.status_code == 200
        assert value not in shown.text


def test_a_token_that_was_typed_is_shown_never(admin: Console, world: World) -> None:
    typed = "typed-by-hand-4711"
    answer = admin.post("settings/webhooks", {**FIELDS, "token": typed})
    assert answer.status_code == 303
    assert token(world) == typed
    refused = admin.post("settings/webhooks", {**FIELDS, "token": typed, "url": "ftp://x", "once": "2"})
    assert refused.status_code == 422
    assert typed not in refused.text


def test_a_token_is_replaced_by_ours_or_by_ones_own(admin: Console, world: World) -> None:
    admin.post("settings/webhooks", FIELDS)
    (service,), before = services(world), token(world)
    path = f"settings/webhooks/{service.id}/token"
    page = admin.post(path, {"once": "a", "token": ""})
    assert token(world) != before
    assert page.text.count(token(world)) == 1
    shown = token(world)
    assert admin.post(path, {"once": "a", "token": ""}).status_code == 303
    assert token(world) == shown
    for own in ("first-own", "second-own"):
        assert admin.post(path, {"once": "b", "token": own}).status_code == 303
        assert token(world) == own
    assert admin.post(path, {"once": "c", "token": "with blank in it"}).status_code == 422
    assert "invalid_token" in admin.text()


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"url": "https://10.0.0.1/"}, "invalid_url", "names an address that must not be called (private)"),
        ({"url": "https://169.254.169.254/latest"}, "invalid_url", "(link-local)"),
        ({"url": "https://[::ffff:10.0.0.1]/"}, "invalid_url", "must not be called"),
        ({"url": "http://hooks.example/"}, "invalid_url", "begins with https://"),
        ({"url": ""}, "no_url", "need a url"),
        ({"events": []}, "unknown_event", "Tick at least one event"),
        ({"token_mode": "shout"}, "invalid_choice", "Choose how the receiver knows"),
        ({"scope": "some_clusters"}, "invalid_scope", "needs scope_uuids"),
        ({"scope": "everything"}, "invalid_scope", "scope is one of"),
    ],
)
def test_what_cannot_be_is_said_beside_its_field(
    admin: Console, world: World, changes: dict[str, Any], code: str, said: str
) -> None:
    page = admin.post("settings/webhooks", {**FIELDS, "description": "<i>kept</i>", **changes})
    assert page.status_code == 422
    assert code in admin.text()
    assert said in admin.text()
    assert "&lt;i&gt;kept&lt;/i&gt;" in page.text
    assert not services(world)


def test_a_webhook_is_changed_and_its_token_stays(admin: Console, world: World) -> None:
    admin.post("settings/webhooks", FIELDS)
    (service,), before = services(world), token(world)
    path = f"settings/webhooks/{service.id}/edit"
    form = admin.get(path).text
    assert f'value="{URL}"' in form
    assert re.search(r'name="events" value="token.revoked" checked', form)
    assert not re.search(r'name="events" value="agent.lost" checked', form)
    cluster = world.first.cluster.id
    changes = {
        **FIELDS,
        "description": "Chat",
        "scope": "some_clusters",
        "clusters": [cluster],
        "events": ["agent.lost"],
        "branch_configuration": "main",
        "tls_verify": "",
    }
    assert admin.post(path, changes).headers["location"].endswith("?done=webhook-updated")
    (changed,) = services(world)
    assert (changed.scope, changed.scope_uuids) == (Scope.CLUSTERS, (cluster,))
    assert (changed.settings.events, changed.settings.tls_verify) == (("agent.lost",), False)
    assert token(world) == before
    admin.get(f"settings/webhooks/{service.id}")
    assert f"Those of some clusters: {world.first.cluster.name}" in admin.text()
    assert admin.post(path, {**changes, "url": "https://127.0.0.1.5/"}).status_code == 422


def test_a_list_names_hosts_and_never_whole_addresses(admin: Console) -> None:
    admin.post("settings/webhooks", FIELDS)
    page = admin.get("settings/webhooks")
    assert "hooks.example" in page.text
    assert "secret/path" not in page.text


def test_a_webhook_is_switched_off_and_on_and_deleted(admin: Console, world: World) -> None:
    admin.post("settings/webhooks", FIELDS)
    path = f"settings/webhooks/{services(world)[0].id}"
    admin.post(f"{path}/disable")
    assert not services(world)[0].enabled
    assert "Disabled" in admin.get(path).text
    assert admin.post(f"{path}/ping").status_code == 422
    assert "service_disabled" in admin.text()
    admin.post(f"{path}/enable")
    assert services(world)[0].enabled
    assert "deliver" in admin.get(f"{path}/delete").text
    assert admin.post(f"{path}/delete").headers["location"].endswith("?done=webhook-deleted")
    assert not services(world)
    assert admin.get(path).status_code == 404


def test_deliveries_show_what_was_sent_and_answered_and_go_again(
    scene: HookScene, admin: Console, receiver: Receiver
) -> None:
    receiver.reply = lambda _: Reply(500, {"x-why": "<none>"}, b"<script>alert(1)</script>")
    service = scene.hook(receiver.url, "ping")
    scene.work()
    path = f"settings/webhooks/{service.id}"
    admin.get(path)
    assert "To be tried again" in admin.text()
    assert "refused: the receiver answered 500" in admin.text()
    (delivery,) = scene.deliveries(service)
    page = admin.get(f"{path}/deliveries/{delivery.id}")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert "x-why: &lt;none&gt;" in page.text
    assert "X-Buildkite-Token: (hidden)" in admin.text()
    assert SECRET not in page.text
    assert admin.post(f"{path}/deliveries/{delivery.id}/redeliver").status_code == 422
    assert "delivery_pending" in admin.text()
    receiver.reply = lambda _: Reply()
    scene.forward(60)
    scene.work()
    assert "Delivered" in admin.get(f"{path}/deliveries/{delivery.id}").text
    assert admin.post(f"{path}/deliveries/{delivery.id}/redeliver").status_code == 303
    scene.work()
    assert len(receiver.received) == 3
    admin.get(f"{path}/deliveries/{delivery.id}")
    assert "Attempts 1, the last one" in admin.text()


def test_a_name_that_leads_inside_is_refused_where_it_is_delivered(scene: HookScene, admin: Console) -> None:
    scene.configure(reach=type(scene.authority.context.installation.reach)())
    admin = Console(scene.world)
    admin.sign_in_as(scene.first.admin)
    admin.post("settings/webhooks", {**FIELDS, "url": "https://localhost/hook"})
    scene.work()
    service = services(scene.world)[0]
    admin.get(f"settings/webhooks/{service.id}")
    assert (
        "forbidden_destination: localhost has an address that must not be called (loopback)" in admin.text()
    )


def test_a_webhook_that_was_given_up_says_so(scene: HookScene, admin: Console) -> None:
    service = scene.hook("https://hooks.example/", "token.revoked")
    now = scene.world.clock.now()
    owner = service.organization_id
    scene.run(scene.world.store.write(lambda tx: tx.hooks.break_service(owner, service.id, now)))
    assert "the webhook was given up" in admin.get(f"settings/webhooks/{service.id}").text
    assert "Given up" in admin.get("settings/webhooks").text
