"""Cluster secrets over REST: sealed at once, never shown, changed and deleted."""

from dataclasses import replace

import pytest

from rest_client import Rest, api_token
from services.scene import Scene
from support import World
from watchword.domain.accounts import Role
from watchword.domain.errors import Conflict
from watchword.domain.events import Action
from watchword.domain.ids import SecretId
from watchword.domain.secrets import ClusterSecret
from watchword.services.accounts import add_cluster
from watchword.services.context import LOCAL
from watchword.services.secrets import open_secret

VALUE = "correct horse battery staple"


@pytest.fixture
def secrets(world: World) -> str:
    return f"clusters/{world.first.cluster.id}/secrets"


def record(world: World, secret_id: str) -> ClusterSecret:
    find = world.first.organization.id
    found = world.run(world.store.read(lambda tx: tx.secrets.find(find, SecretId(secret_id))))
    assert found is not None
    return found


def test_a_secret_is_made_and_its_value_is_sealed(world: World, secrets: str) -> None:
    rest = Rest(world)
    policy = "- pipeline_slug: app\n  build_branch: main\n"
    body = {"key": "DEPLOY_key1", "value": VALUE, "description": "d", "policy": policy}
    answer = rest("POST", secrets, json=body)
    made = answer.json()
    assert answer.status_code == 201
    assert VALUE not in answer.text
    at = f"http://127.0.0.1:8080/v2/organizations/acme/clusters/{world.first.cluster.id}"
    ada = {"email": "admin@example.com", "name": "Ada Admin"}
    assert {**made, "created_by": None, "updated_by": None} == {
        "id": made["id"],
        "graphql_id": made["graphql_id"],
        "key": "DEPLOY_key1",
        "description": "d",
        "policy": policy,
        "url": f"{at}/secrets/{made['id']}",
        "cluster_url": at,
        "created_at": "2027-01-15T08:00:00.000Z",
        "created_by": None,
        "updated_at": "2027-01-15T08:00:00.000Z",
        "updated_by": None,
        "last_read_at": None,
        "organization": {
            "id": world.first.organization.id,
            "slug": "acme",
            "url": "http://127.0.0.1:8080/v2/organizations/acme",
            "web_url": "http://127.0.0.1:8080/acme",
        },
    }
    assert ada.items() <= made["created_by"].items()
    assert rest("GET", f"{secrets}/{made['id']}").json() == made
    assert rest("GET", secrets).json() == [made]
    kept = record(world, made["id"])
    assert VALUE.encode() not in kept.sealed
    assert open_secret(world.context, kept).reveal() == VALUE


def test_description_policy_and_value_change_apart(world: World, secrets: str) -> None:
    rest = Rest(world)
    made = rest("POST", secrets, json={"key": "A", "value": VALUE, "description": "d", "policy": ""}).json()
    path = f"{secrets}/{made['id']}"
    changed = rest("PUT", path, json={"policy": "- build_source: webhook", "key": "B", "value": "other"})
    assert changed.status_code == 200
    assert (changed.json()["key"], changed.json()["description"]) == ("A", "d")
    assert open_secret(world.context, record(world, made["id"])).reveal() == VALUE
    answer = rest("PUT", f"{path}/value", json={"value": "another"})
    assert answer.status_code == 200
    assert answer.json()["policy"] == "- build_source: webhook"
    assert "another" not in answer.text
    assert open_secret(world.context, record(world, made["id"])).reveal() == "another"
    assert rest("PATCH", path, json={"policy": None}).json()["policy"] is None


def test_what_cannot_be_a_secret_is_refused_without_repeating_the_value(world: World, secrets: str) -> None:
    rest = Rest(world)
    for body, code in (
        ({"key": "1A", "value": VALUE}, "invalid_secret_key"),
        ({"key": "A-B", "value": VALUE}, "invalid_secret_key"),
        ({"key": "A" * 256, "value": VALUE}, "invalid_secret_key"),
        ({"key": "BUILDKITE_X", "value": VALUE}, "invalid_secret_key"),
        ({"key": "bkey", "value": VALUE}, "invalid_secret_key"),
        ({"value": VALUE}, "invalid_secret_key"),
        ({"key": "A"}, "invalid_secret_value"),
        ({"key": "A", "value": VALUE * 300}, "invalid_secret_value"),
        ({"key": "A", "value": VALUE, "policy": "a: b"}, "invalid_policy"),
        ({"key": "A", "value": VALUE, "policy": "- just a text"}, "invalid_policy"),
        ({"key": "A", "value": VALUE, "description": "x" * 1025}, "invalid_description"),
        ({"key": "A", "value": 7}, "invalid_body"),
    ):
        answer = rest("POST", secrets, json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, code), body
        assert answer.json()["message"].startswith("Validation failed: ")
        assert VALUE not in answer.text
    assert rest("POST", secrets, json={"key": "A", "value": VALUE, "policy": "- ]"}).status_code == 422
    longest = rest("POST", secrets, json={"key": "A", "value": "x" * (8 * 1024 - 1)})
    assert longest.status_code == 201
    taken = rest("POST", secrets, json={"key": "A", "value": VALUE})
    assert (taken.status_code, taken.json()["message"]) == (422, "Validation failed: Key A already exists")


def test_a_secret_is_deleted_alone_and_with_its_cluster(world: World, secrets: str) -> None:
    rest = Rest(world)
    made = rest("POST", secrets, json={"key": "A", "value": VALUE}).json()
    gone = rest("DELETE", f"{secrets}/{made['id']}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert rest("DELETE", f"{secrets}/{made['id']}").json()["message"] == "No secret found"
    other = rest("POST", "clusters", json={"name": "Other"}).json()["id"]
    kept = rest("POST", f"clusters/{other}/secrets", json={"key": "A", "value": VALUE}).json()
    assert rest("GET", f"{secrets}/{kept['id']}").status_code == 404  # of another cluster
    assert rest("DELETE", f"clusters/{other}").status_code == 204
    find = world.first.organization.id
    assert world.run(world.store.read(lambda tx: tx.secrets.find(find, SecretId(kept["id"])))) is None


def test_the_trail_names_the_secret_and_not_its_value(world: World, secrets: str) -> None:
    rest = Rest(world)
    made = rest("POST", secrets, json={"key": "A", "value": VALUE}).json()
    rest("PUT", f"{secrets}/{made['id']}", json={"description": "x"})
    rest("PUT", f"{secrets}/{made['id']}/value", json={"value": VALUE + "!"})
    rest("DELETE", f"{secrets}/{made['id']}")
    scene = Scene(world)
    for action in (
        Action.SECRET_CREATED,
        Action.SECRET_UPDATED,
        Action.SECRET_VALUE_UPDATED,
        Action.SECRET_DELETED,
    ):
        (event,) = scene.events(action)
        assert event.subject_id == made["id"]
        assert VALUE not in event.data


def test_who_maintains_no_cluster_sees_no_secret(world: World, secrets: str) -> None:
    made = Rest(world)("POST", secrets, json={"key": "A", "value": VALUE}).json()
    member = Rest(
        world,
        api_token(
            world, "read_secrets_details", "write_secrets", role=Role.MEMBER, email="m@example.com"
        ).value,
    )
    for method, path in (
        ("GET", secrets),
        ("GET", f"{secrets}/{made['id']}"),
        ("PUT", f"{secrets}/{made['id']}/value"),
        ("DELETE", f"{secrets}/{made['id']}"),
    ):
        assert member(method, path, json={"value": "x"}).status_code == 403
    reader = Rest(world, api_token(world, "read_secret_details").value)  # as one page spells the scope
    assert reader("GET", secrets).status_code == 200
    assert (
        "read_secrets_details"
        in Rest(world, api_token(world, "read_clusters").value)("GET", secrets).json()["message"]
    )


def test_a_sealed_value_opens_for_its_own_secret_only(world: World, secrets: str) -> None:
    rest = Rest(world)
    one, two = (rest("POST", secrets, json={"key": key, "value": key * 9}).json()["id"] for key in "AC")
    mixed = replace(record(world, one), sealed=record(world, two).sealed)
    with pytest.raises(Conflict, match="cannot be opened"):
        open_secret(world.context, mixed)


def test_there_are_no_network_ranges_and_no_emojis(world: World) -> None:
    rest = Rest(world)
    for path in (f"clusters/{world.first.cluster.id}/network_ranges", "emojis"):
        answer = rest("GET", path)
        assert (answer.status_code, answer.json()) == (200, [])
    other = world.run(
        world.store.write(
            lambda tx: add_cluster(world.context, tx, LOCAL, world.first.organization.id, "Other")
        )
    )
    assert rest("GET", f"clusters/{other.id}/network_ranges").json() == []
    assert rest("GET", "clusters/none/network_ranges").status_code == 404
