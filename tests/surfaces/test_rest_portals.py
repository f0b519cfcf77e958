"""Portals over REST: made, changed and deleted, with their tokens and secrets, which end with them."""

from typing import Any

import pytest

from rest_client import Rest, api_token
from support import World
from watchword.domain.events import Action
from watchword.domain.ids import ResourceId
from watchword.domain.kinds import Kind

QUERY = '{ organization(slug: "acme") { name } }\n'
BODY = {"name": "Deploys", "slug": "deploys", "query": QUERY}


@pytest.fixture
def rest(world: World) -> Rest:
    return Rest(world)


def made(rest: Rest, **changes: Any) -> dict[str, Any]:
    answer = rest("POST", "portals", json={**BODY, **changes})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def live(world: World, portal: dict[str, Any]) -> list[Kind]:
    owner, now = world.first.organization.id, world.clock.now()
    work = world.store.read(lambda tx: tx.portals.live_tokens(owner, ResourceId(portal["uuid"]), now))
    return [token.kind for token in world.run(work)]


def test_a_portal_is_made_with_a_token_that_is_shown_once(world: World, rest: Rest) -> None:
    portal = made(rest)
    token = portal.pop("token")
    assert token.startswith("bkpat_")
    creator = portal.pop("created_by")
    assert creator["uuid"] == creator["id"] == world.first.admin.id
    assert (creator["name"], creator["email"]) == ("Ada Admin", "admin@example.com")
    assert portal == {
        "uuid": portal["uuid"],
        "slug": "deploys",
        "organization_uuid": world.first.organization.id,
        "name": "Deploys",
        "description": None,
        "query": QUERY,
        "allowed_ip_addresses": None,
        "user_invokable": False,
        "created_at": "2027-01-15T08:00:00.000Z",
    }
    shown = rest("GET", "portals/deploys").json()
    assert shown == {**portal, "created_by": creator}
    assert rest("GET", "portals").json() == [shown]
    (kept,) = rest("GET", "portals/deploys/tokens").json()
    assert (kept["kind"], kept["state"], kept["description"]) == ("service", "active", "made with the portal")
    assert token not in rest("GET", "portals/deploys/tokens").text


def test_what_is_given_comes_back_byte_for_byte_and_what_is_left_out_stays(rest: Rest) -> None:
    given = {"description": " d ", "allowed_ip_addresses": "10.0.0.0/8  192.0.2.1/32", "user_invokable": True}
    portal = made(rest, **given)
    assert given.items() <= portal.items()
    changed = rest("PUT", "portals/deploys", json={"name": "Renamed"}).json()
    assert changed == {**{k: v for k, v in portal.items() if k != "token"}, "name": "Renamed"}
    cleared = rest(
        "PATCH", "portals/deploys", json={"description": None, "allowed_ip_addresses": None}
    ).json()
    assert (cleared["description"], cleared["allowed_ip_addresses"]) == (None, None)
    moved = rest("PUT", "portals/deploys", json={"slug": "moved"}).json()
    assert moved["uuid"] == portal["uuid"]
    assert rest("GET", "portals/deploys").status_code == 404
    assert rest("GET", "portals/moved").json() == moved


def test_a_slug_is_made_of_the_name_and_taken_once(rest: Rest) -> None:
    assert made(rest, name="My first Portal!", slug=None)["slug"] == "my-first-portal"
    again = rest("POST", "portals", json={**BODY, "slug": "my-first-portal"})
    assert (again.status_code, again.json()["code"]) == (422, "taken")
    made(rest)
    clash = rest("PUT", "portals/deploys", json={"slug": "my-first-portal"})
    assert (clash.status_code, clash.json()["code"]) == (422, "taken")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"name": ""}, "invalid_name"),
        ({"name": None}, "invalid_name"),
        ({"name": "漢字", "slug": None}, "invalid_slug"),
        ({"slug": "No Slug"}, "invalid_slug"),
        ({"query": None}, "invalid_query"),
        ({"query": "{ nonsense }"}, "invalid_query"),
        ({"query": "{ viewer { id }"}, "invalid_query"),
        ({"query": "fragment F on User { id }"}, "invalid_query"),
        ({"query": "query A { viewer { id } } query A { viewer { id } }"}, "invalid_query"),
        ({"query": "{ a: viewer { " + "user { name } " * 1200 + "} }"}, "invalid_query"),
        ({"allowed_ip_addresses": "everywhere"}, "invalid_network"),
        ({"user_invokable": "yes"}, "invalid_body"),
    ],
)
def test_a_portal_that_is_not_acceptable_is_not_kept(rest: Rest, changes: dict[str, Any], code: str) -> None:
    answer = rest("POST", "portals", json={**BODY, **changes})
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
    assert rest("GET", "portals").json() == []
    before = made(rest)
    if None not in changes.values():
        answer = rest("PUT", "portals/deploys", json=changes)
        assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
    del before["token"]
    assert rest("GET", "portals").json() == [before]


def test_deleting_a_portal_ends_everything_that_hangs_on_it(world: World, rest: Rest) -> None:
    portal, other = made(rest), made(rest, slug="other")
    rest("POST", "portals/deploys/secrets", json={"description": "ci"})
    assert live(world, portal) == [Kind.PORTAL_SERVICE, Kind.PORTAL_SECRET]
    gone = rest("DELETE", "portals/deploys")
    assert (gone.status_code, gone.content) == (204, b"")
    assert live(world, portal) == []
    assert live(world, other) == [Kind.PORTAL_SERVICE]
    assert rest("GET", "portals/deploys").status_code == 404
    assert rest("DELETE", "portals/deploys").status_code == 404
    owner = world.first.organization.id
    again = made(rest)
    tokens = world.run(
        world.store.read(
            lambda tx: tx.portals.live_tokens(owner, ResourceId(again["uuid"]), world.clock.now())
        )
    )
    assert len(tokens) == 1, "a slug that is taken again inherits nothing"


def test_a_portal_has_two_secrets_at_most(rest: Rest) -> None:
    made(rest)
    first = rest("POST", "portals/deploys/secrets", json={"description": "one"}).json()
    assert first["token"].startswith("bkps_")
    assert rest("POST", "portals/deploys/secrets", json={"description": "two"}).status_code == 201
    third = rest("POST", "portals/deploys/secrets", json={"description": "three"})
    assert (third.status_code, third.json()["code"]) == (422, "too_many_secrets")
    rotated = rest("POST", f"portals/deploys/secrets/{first['id']}/rotation")
    assert (rotated.status_code, rotated.json()["code"]) == (422, "too_many_secrets")
    assert rest("DELETE", f"portals/deploys/secrets/{first['id']}").status_code == 204
    assert rest("POST", "portals/deploys/secrets", json={"description": "three"}).status_code == 201
    states = [each["state"] for each in rest("GET", "portals/deploys/secrets").json()]
    assert states == ["active", "active", "revoked"]


def test_a_lone_secret_rotates_into_the_other_place(rest: Rest) -> None:
    made(rest)
    first = rest("POST", "portals/deploys/secrets", json={"description": "one"}).json()
    path = f"portals/deploys/secrets/{first['id']}/rotation"
    started = rest("POST", path)
    assert started.status_code == 201
    assert rest("POST", path).json()["token"] == started.json()["token"], "a lost answer is harmless"
    assert rest("POST", "portals/deploys/secrets", json={"description": "x"}).status_code == 422
    assert rest("POST", f"{path}/finish").json()["state"] == "committed"
    states = {each["id"]: each["state"] for each in rest("GET", "portals/deploys/secrets").json()}
    assert states == {first["id"]: "superseded", started.json()["successor"]["id"]: "active"}


def test_tokens_are_made_described_revoked_and_counted(rest: Rest) -> None:
    made(rest)
    assert rest("POST", "portals/deploys/tokens", json={}).json()["code"] == "description_missing"
    token = rest("POST", "portals/deploys/tokens", json={"description": "cron"}).json()
    one = f"portals/deploys/tokens/{token['id']}"
    shown = rest("GET", one).json()
    assert shown == {name: value for name, value in token.items() if name != "token"}
    assert rest("GET", f"{one}/blast-radius").json()["callers_count"] == 0
    assert rest("DELETE", one, json={"reason": "done"}).status_code == 204
    assert rest("GET", one).json()["revoked_reason"] == "done"
    assert rest("GET", f"{one}/revocation").json()["effective"]
    assert rest("GET", "portals/deploys/tokens?per_page=1").json()[0]["id"] == token["id"]


def test_a_portals_paths_reach_its_own_tokens_and_no_others(world: World, rest: Rest) -> None:
    made(rest)
    made(rest, slug="other")
    (token,) = rest("GET", "portals/other/tokens").json()
    secret = rest("POST", "portals/other/secrets", json={"description": "x"}).json()
    for path in (
        f"portals/deploys/tokens/{token['id']}",
        f"portals/deploys/secrets/{secret['id']}",
        f"portals/other/tokens/{secret['id']}",
        f"portals/other/secrets/{token['id']}",
        f"portals/other/tokens/{world.first.agent_token.token.id}",
        "portals/other/tokens/nonsense",
    ):
        assert rest("GET", path).status_code == 404, path
        assert rest("DELETE", path).status_code == 404, path
        assert rest("POST", f"{path}/rotation").status_code == 404, path


def test_every_step_is_in_the_trail_without_a_value(world: World, rest: Rest) -> None:
    portal = made(rest)
    rest("PUT", "portals/deploys", json={"user_invokable": True})
    rest("PUT", "portals/deploys", json={"user_invokable": True})  # changes nothing
    secret = rest("POST", "portals/deploys/secrets", json={"description": "ci"}).json()
    rest("DELETE", "portals/deploys")
    owner = world.first.organization.id
    events = list(world.run(world.store.read(lambda tx: tx.audit.events(owner, 0, 100))))[-7:]
    assert [event.action for event in events] == [
        Action.PORTAL_CREATED,
        Action.TOKEN_CREATED,
        Action.PORTAL_UPDATED,
        Action.TOKEN_CREATED,
        Action.TOKEN_REVOKED,
        Action.TOKEN_REVOKED,
        Action.PORTAL_DELETED,
    ]
    text = "".join(event.data for event in events)
    assert portal["token"] not in text
    assert secret["token"] not in text
    words = [item["type"] for item in rest("GET", "audit_events?per_page=7").json()["items"]]
    assert sorted(words) == sorted(
        [
            "PortalDeletedEvent",
            "PortalTokenDeletedEvent",
            "PortalSecretDeletedEvent",
            "PortalSecretCreatedEvent",
            "PortalUpdatedEvent",
            "PortalTokenCreatedEvent",
            "PortalCreatedEvent",
        ]
    )


def test_reading_and_writing_portals_are_scopes_of_their_own(world: World, rest: Rest) -> None:
    made(rest)
    reader = Rest(world, api_token(world, "read_portals").value)
    assert reader("GET", "portals/deploys").status_code == 200
    assert reader("POST", "portals", json=BODY).status_code == 403
    assert reader("GET", "portals/nobodys").json() == {"message": "No portal found", "code": "not_found"}
    writer = Rest(world, api_token(world, "write_portals").value)
    assert writer("GET", "portals/deploys").status_code == 403
    assert writer("PUT", "portals/deploys", json={"name": "n"}).status_code == 200
