"""Notification services over REST, as the contract has them (rest-graphql §2.15)."""

from collections.abc import Iterator
from typing import Any

import pytest

from receiver import Receiver
from rest_client import BASE, Rest, api_token
from services.hook_scene import HookScene
from support import World
from watchword.domain.accounts import Role
from watchword.domain.events import Action
from watchword.domain.notifications import BUILD_STATES
from watchword.domain.scopes import ALL_SCOPES
from watchword.domain.webhooks import FOREIGN_PROVIDERS, KNOWN_EVENTS
from watchword.services.accounts import create_organization
from watchword.services.context import LOCAL

URL = "https://hooks.example/here"


@pytest.fixture
def scene(world: World) -> HookScene:
    return HookScene(world)


@pytest.fixture
def rest(scene: HookScene) -> Rest:
    return Rest(scene.world)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def create(rest: Rest, settings: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    body = {"provider": "webhook", "settings": {"url": URL, **(settings or {})}, **fields}
    answer = rest("POST", "services", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def follow(rest: Rest, url: str) -> dict[str, Any]:
    """What stands at an address that an answer gave."""
    assert url.startswith(BASE)
    found: dict[str, Any] = rest("GET", url.removeprefix(BASE)).json()
    return found


def test_what_is_left_out_is_filled_in(rest: Rest) -> None:
    made = create(rest)
    token = made["settings"].pop("token")
    assert len(token) == 40
    assert made["settings"] == {
        "url": URL,
        "version": 3,
        "token_mode": "token",
        "events": list(KNOWN_EVENTS),
        "tls_verify": True,
    }
    assert made["provider"] == {"id": "webhook", "name": "Webhook"}
    assert made["url"].endswith(f"/v2/organizations/acme/services/{made['id']}")
    assert (made["description"], made["enabled"], made["branch_configuration"]) == ("", True, "")
    assert (made["scope"], made["scope_uuids"]) == ("all", [])
    assert made["build_states"] == dict.fromkeys(BUILD_STATES, True)
    assert made["created_by"]["email"] == "admin@example.com"
    got = rest("GET", f"services/{made['id']}").json()
    assert got == {**made, "settings": {**made["settings"], "token": token}}
    assert create(rest)["settings"]["token"] != token


def test_what_is_said_is_kept(rest: Rest) -> None:
    cluster = rest.world.first.cluster.id
    settings = {
        "token": "my-own-token",
        "token_mode": "signature",
        "version": 2,
        "events": ["build.finished", "ping", "build.finished"],
        "tls_verify": False,
    }
    made = create(
        rest,
        settings,
        description="for the board",
        branch_configuration="main",
        scope="some_clusters",
        scope_uuids=[cluster.upper()],
        build_states={"build_passed": False},
    )
    assert made["settings"] == {"url": URL, **settings, "events": ["build.finished", "ping"]}
    assert made["scope_uuids"] == [cluster]
    assert made["build_states"]["build_passed"] is False
    assert made["build_states"]["build_failed"] is True


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_change_is_merged_key_by_key(rest: Rest, method: str) -> None:
    made = create(rest, {"token": "one"}, description="a", build_states={"build_fixed": False})
    path = f"services/{made['id']}"
    body = {
        "provider": "webhook",
        "settings": {"events": ["agent.lost"]},
        "build_states": {"job_activated": False},
    }
    changed = rest(method, path, json=body).json()
    assert changed == {
        **made,
        "settings": {**made["settings"], "events": ["agent.lost"]},
        "build_states": {**made["build_states"], "job_activated": False},
    }
    cleared = rest(method, path, json={"description": None, "settings": {"token": None}}).json()
    assert cleared["description"] == ""
    assert cleared["settings"]["token"] not in ("one", "")
    assert rest(method, path, json={}).json() == cleared
    narrowed = rest(
        method, path, json={"scope": "some_clusters", "scope_uuids": [rest.world.first.cluster.id]}
    ).json()
    assert narrowed["scope"] == "some_clusters"
    assert rest(method, path, json={"scope": "all"}).json()["scope_uuids"] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"provider": None},
        {"provider": "carrier_pigeon"},
        *({"provider": name, "settings": {"channel": "#x"}} for name in FOREIGN_PROVIDERS),
        {"provider": "webhook"},
        {"provider": "webhook", "settings": {}},
        {"provider": "webhook", "settings": {"url": ""}},
        {"provider": "webhook", "settings": {"url": None}},
        {"provider": "webhook", "settings": "x"},
        {"provider": "webhook", "settings": {"url": URL}, "enabled": True},
        {"provider": "webhook", "settings": {"url": URL}, "id": "x"},
        {"provider": "webhook", "settings": {"url": URL}, "colour": "red"},
        {"provider": "webhook", "settings": {"url": URL, "colour": "red"}},
        {"provider": "webhook", "settings": {"url": URL, "events": ["build.exploded"]}},
        {"provider": "webhook", "settings": {"url": URL, "events": "ping"}},
        {"provider": "webhook", "settings": {"url": URL, "token_mode": "none"}},
        {"provider": "webhook", "settings": {"url": URL, "token": "two words"}},
        {"provider": "webhook", "settings": {"url": URL, "token": "a\r\nX-Evil: 1"}},
        {"provider": "webhook", "settings": {"url": URL, "version": 4}},
        {"provider": "webhook", "settings": {"url": URL, "version": 0}},
        {"provider": "webhook", "settings": {"url": URL, "version": "3"}},
        {"provider": "webhook", "settings": {"url": URL, "tls_verify": "no"}},
        {"provider": "webhook", "settings": {"url": "http://hooks.example/"}},
        {"provider": "webhook", "settings": {"url": "https://10.0.0.1/"}},
        {"provider": "webhook", "settings": {"url": "https://[::1]/"}},
        {"provider": "webhook", "settings": {"url": "https://user:password@hooks.example/"}},
        {"provider": "webhook", "settings": {"url": URL}, "build_states": {"build_exploded": True}},
        {"provider": "webhook", "settings": {"url": URL}, "build_states": {"build_passed": "yes"}},
        {"provider": "webhook", "settings": {"url": URL}, "scope": "some"},
        {"provider": "webhook", "settings": {"url": URL}, "scope": "some_projects"},
        {"provider": "webhook", "settings": {"url": URL}, "scope": "some_projects", "scope_uuids": ["x"]},
        {
            "provider": "webhook",
            "settings": {"url": URL},
            "scope": "some_projects",
            "scope_uuids": ["01890000-0000-7000-8000-000000000000"],
        },
        {
            "provider": "webhook",
            "settings": {"url": URL},
            "scope": "some_teams",
            "scope_uuids": ["01890000-0000-7000-8000-000000000000"],
        },
        {
            "provider": "webhook",
            "settings": {"url": URL},
            "scope_uuids": ["01890000-0000-7000-8000-000000000000"],
        },
        {"provider": "webhook", "settings": {"url": URL}, "description": "x" * 256},
        {"provider": "webhook", "settings": {"url": URL}, "branch_configuration": "x" * 2000},
    ],
)
def test_what_cannot_be_is_refused_with_a_reason(rest: Rest, body: dict[str, Any]) -> None:
    answer = rest("POST", "services", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["message"].startswith("Validation failed: ")
    assert rest("GET", "services").json()["items"] == []


def test_an_update_cannot_change_what_is_fixed(rest: Rest) -> None:
    path = f"services/{create(rest)['id']}"
    for body in (
        {"provider": "slack"},
        {"provider": None},
        {"settings": {"version": 2}},
        {"settings": {"url": None}},
        {"enabled": False},
        {"graphql_id": "x"},
    ):
        answer = rest("PATCH", path, json=body)
        assert answer.status_code == 422, (body, answer.text)


def test_the_list_is_oldest_first_and_has_cursors(rest: Rest) -> None:
    ids = [create(rest)["id"] for _ in range(5)]
    first = rest("GET", "services", params={"per_page": 2})
    assert [item["id"] for item in first.json()["items"]] == ids[:2]
    links = first.json()["links"]
    assert set(links) == {"self", "next"}
    assert f'<{links["next"]}>; rel="next"' in first.headers["link"]
    second = follow(rest, links["next"])
    assert [item["id"] for item in second["items"]] == ids[2:4]
    assert set(second["links"]) == {"self", "next", "prev"}
    assert [item["id"] for item in follow(rest, second["links"]["prev"])["items"]] == ids[:2]
    for query in ({"after": "a", "before": "b"}, {"after": "%"}, {"per_page": 0}, {"per_page": 101}):
        assert rest("GET", "services", params=query).status_code == 400, query


def test_there_are_at_most_fifteen(rest: Rest) -> None:
    for _ in range(15):
        create(rest)
    answer = rest("POST", "services", json={"provider": "webhook", "settings": {"url": URL}})
    assert answer.status_code == 422
    assert "15" in answer.json()["message"]


def test_switching_gives_the_whole_object_and_may_be_repeated(rest: Rest) -> None:
    made = create(rest)
    for word, enabled in (("disable", False), ("disable", False), ("enable", True), ("enable", True)):
        answer = rest("PUT", f"services/{made['id']}/{word}")
        assert answer.status_code == 200
        assert answer.json() == {**made, "enabled": enabled}


def test_a_deleted_service_is_gone(rest: Rest) -> None:
    path = f"services/{create(rest)['id']}"
    gone = rest("DELETE", path)
    assert (gone.status_code, gone.content) == (204, b"")
    for method, target in (
        ("GET", path),
        ("DELETE", path),
        ("PATCH", path),
        ("PUT", f"{path}/enable"),
        ("GET", f"{path}/deliveries"),
        ("POST", f"{path}/ping"),
        ("GET", "services/nonsense"),
    ):
        answer = rest(method, target, json={})
        assert answer.status_code == 404, (method, target)
        assert answer.json()["message"] == "No notification service found"


def test_every_change_is_in_the_trail_without_the_token(scene: HookScene, rest: Rest) -> None:
    made = create(rest, {"token": "in-no-trail"})
    path = f"services/{made['id']}"
    rest("PATCH", path, json={"description": "x"})
    rest("PUT", f"{path}/disable")
    rest("PUT", f"{path}/disable")
    rest("PUT", f"{path}/enable")
    rest("DELETE", path)
    for word in ("CREATED", "UPDATED", "DISABLED", "ENABLED", "DELETED"):
        (event,) = scene.events(Action[f"NOTIFICATION_SERVICE_{word}"])
        assert event.subject_id == made["id"]
        assert "in-no-trail" not in event.data
        assert "/here" not in event.data


def test_only_administrators_with_the_scope_reach_them(scene: HookScene, rest: Rest) -> None:
    made = create(rest)
    world = scene.world
    member = Rest(world, api_token(world, *ALL_SCOPES, role=Role.MEMBER, email="m@example.com").value)
    reader = Rest(world, api_token(world, "read_notification_services").value)
    for method, path in (
        ("GET", "services"),
        ("GET", f"services/{made['id']}"),
        ("GET", f"services/{made['id']}/deliveries"),
    ):
        assert member(method, path).status_code == 403
        assert reader(method, path).status_code == 200
    for method, path in (
        ("POST", "services"),
        ("PATCH", f"services/{made['id']}"),
        ("PUT", f"services/{made['id']}/disable"),
        ("POST", f"services/{made['id']}/ping"),
        ("DELETE", f"services/{made['id']}"),
    ):
        assert member(method, path, json={}).status_code == 403
        assert reader(method, path, json={}).status_code == 403


def test_another_organizations_things_are_as_good_as_none(scene: HookScene, rest: Rest) -> None:
    made = create(rest)
    delivery = rest("POST", f"services/{made['id']}/ping").json()["id"]
    world = scene.world
    other = world.run(create_organization(world.context, LOCAL, "other", "Other", "o@example.com", "Olga"))
    theirs = Rest(world, other.api_token.value, "other")
    absent = "01890000-0000-7000-8000-000000000000"
    for method, path in (
        ("GET", "services/{}"),
        ("PATCH", "services/{}"),
        ("PUT", "services/{}/disable"),
        ("GET", "services/{}/deliveries"),
        ("GET", "services/{}/deliveries/" + delivery),
        ("PUT", "services/{}/deliveries/" + delivery + "/redeliver"),
        ("POST", "services/{}/ping"),
        ("DELETE", "services/{}"),
    ):
        there, nowhere = (theirs(method, path.format(each), json={}) for each in (made["id"], absent))
        assert (there.status_code, there.text) == (nowhere.status_code, nowhere.text)
        assert there.status_code == 404
    foreign, none = (
        theirs(
            "POST",
            "services",
            json={
                "provider": "webhook",
                "settings": {"url": URL},
                "scope": "some_clusters",
                "scope_uuids": [cluster],
            },
        )
        for cluster in (world.first.cluster.id, absent)
    )
    assert foreign.status_code == none.status_code == 422
    assert foreign.text.replace(world.first.cluster.id, absent) == none.text


def test_deliveries_are_listed_shown_and_sent_again(scene: HookScene, rest: Rest, receiver: Receiver) -> None:
    made = create(rest, {"url": receiver.url, "events": ["token.created"], "token": "to-be-hidden"})
    path = f"services/{made['id']}"
    pinged = rest("POST", f"{path}/ping")
    assert (pinged.status_code, pinged.json()["state"], pinged.json()["response"]) == (201, "pending", None)
    issued = scene.token()
    scene.work()
    listed = rest("GET", f"{path}/deliveries", params={"per_page": 1}).json()
    assert [item["event"] for item in listed["items"]] == ["token.created"]
    (older,) = follow(rest, listed["links"]["next"])["items"]
    assert (older["id"], older["state"], older["response_status"]) == (pinged.json()["id"], "delivered", 200)
    shown = follow(rest, listed["items"][0]["url"])
    assert shown["request"]["body"]["token"]["id"] == issued.token.id
    assert shown["request"]["headers"]["X-Buildkite-Token"] == "(hidden)"
    assert shown["request"]["url"] == receiver.url
    assert (shown["response"]["status"], shown["response"]["body"]) == (200, "thanks")
    assert "to-be-hidden" not in str(shown)
    again = rest("PUT", f"{path}/deliveries/{shown['id']}/redeliver")
    assert (again.status_code, again.json()["state"]) == (200, "pending")
    assert rest("PUT", f"{path}/deliveries/{shown['id']}/redeliver").status_code == 422
    scene.work()
    assert len(receiver.received) == 3
    assert rest("GET", f"{path}/deliveries/nonsense").status_code == 404
    rest("PUT", f"{path}/disable")
    for method, target in (("POST", "ping"), ("PUT", f"deliveries/{shown['id']}/redeliver")):
        refused = rest(method, f"{path}/{target}")
        assert (refused.status_code, refused.json()["code"]) == (422, "service_disabled")


def test_a_repeated_creation_with_a_key_makes_one(rest: Rest) -> None:
    body = {"provider": "webhook", "settings": {"url": URL}}
    first, second = (rest("POST", "services", json=body, headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert first.json() == second.json()
    assert len(rest("GET", "services").json()["items"]) == 1


def test_addresses_of_webhooks_are_told_to_the_public(scene: HookScene) -> None:
    assert Rest(scene.world, "")("GET", "/v2/meta").json() == {"webhook_ips": []}
    scene.configure(webhook_ips=("192.0.2.1/32",))
    assert Rest(scene.world, "")("GET", "/v2/meta").json() == {"webhook_ips": ["192.0.2.1/32"]}
