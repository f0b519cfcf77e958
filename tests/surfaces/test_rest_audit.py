"""The audit trail over REST: newest first, by cursors, with the contract's words; heads for outsiders."""

from typing import Any

from rest_client import Rest, api_token
from support import World
from watchword.crypto.auditchain import head_holds
from watchword.domain.accounts import Role
from watchword.domain.eventcatalogue import every_word
from watchword.domain.scopes import ALL_SCOPES
from watchword.services.accounts import create_organization
from watchword.services.context import LOCAL
from watchword.services.sealing import Sealer
from watchword.services.trailexport import PublishedHead


def everything(rest: Rest, path: str) -> list[dict[str, Any]]:
    found = []
    url = path
    while url:
        page = rest("GET", url).json()
        found += page["items"]
        url = page["links"].get("next", "").removeprefix("http://127.0.0.1:8080")
    return found


def test_events_come_newest_first_and_pages_make_up_the_whole(world: World) -> None:
    rest = Rest(world)
    for number in range(3):
        assert rest("POST", rest.tokens, json={"description": f"token {number}"}).status_code == 201
    whole = rest("GET", "audit_events?per_page=100").json()
    numbers = [event["sequence"] for event in whole["items"]]
    assert numbers == list(range(numbers[0], 0, -1))
    assert "next" not in whole["links"]
    pages = everything(rest, "audit_events?per_page=4")
    assert pages == whole["items"]
    second = rest(
        "GET", rest("GET", "audit_events?per_page=4").json()["links"]["next"][len("http://127.0.0.1:8080") :]
    )
    assert 'rel="prev"' in second.headers["link"]
    back = second.json()["links"]["prev"].removeprefix("http://127.0.0.1:8080")
    assert rest("GET", back).json()["items"] == whole["items"][:4]


def test_an_event_says_who_did_what_from_where_and_with_what(world: World) -> None:
    rest = Rest(world)
    made = rest("POST", rest.tokens, json={"description": "build machines"}, headers={"user-agent": "curl/8"})
    event = rest("GET", "audit_events?per_page=1").json()["items"][0]
    assert event["type"] == "ClusterTokenCreatedEvent"
    assert event["actor"] == {"type": "User", "uuid": world.first.admin.id, "name": "Ada Admin"}
    assert event["subject"] == {"type": "ClusterToken", "uuid": made.json()["id"], "name": "build machines"}
    assert event["context"] == {
        "type": "APIContext",
        "request_ip": "203.0.113.9",
        "request_user_agent": "curl/8",
        "request_api_access_token_uuid": world.first.api_token.token.id,
        "request_id": "r-1",
    }
    assert made.json()["token"] not in str(event)
    assert rest("GET", event["url"].removeprefix("http://127.0.0.1:8080")).json() == event


def test_every_event_is_found_by_its_id(world: World) -> None:
    rest = Rest(world)
    for event in everything(rest, "audit_events"):
        assert rest("GET", f"audit_events/{event['uuid']}").json() == event
    for wrong in (world.first.admin.id, "nonsense"):
        answer = rest("GET", f"audit_events/{wrong}")
        assert (answer.status_code, answer.json()["message"]) == (404, "No audit event found")


def test_filters_take_both_spellings(world: World) -> None:
    rest = Rest(world)
    token = rest("POST", rest.tokens, json={"description": "one"}).json()["id"]
    assert rest("DELETE", f"{rest.tokens}/{token}").status_code == 204
    for word in ("ClusterTokenDeletedEvent", "CLUSTER_TOKEN_DELETED"):
        found = rest("GET", f"audit_events?type[]={word}").json()["items"]
        assert [event["subject"]["uuid"] for event in found] == [token]
    about = rest("GET", f"audit_events?subject={token}&per_page=1").json()
    assert [event["type"] for event in about["items"]] == ["ClusterTokenDeletedEvent"]
    older = rest("GET", about["links"]["next"].removeprefix("http://127.0.0.1:8080")).json()
    assert [event["type"] for event in older["items"]] == ["ClusterTokenCreatedEvent"]
    newer = rest("GET", older["links"]["prev"].removeprefix("http://127.0.0.1:8080")).json()
    assert newer["items"] == about["items"]
    assert rest("GET", "audit_events?type=API_ACCESS_TOKEN_CREATED").json()["items"][0]["type"] == (
        "APIAccessTokenCreatedEvent"
    )


def test_bad_cursors_are_refused(world: World) -> None:
    rest = Rest(world)
    for query in ("after=x&before=y", "after=!!", "per_page=0", "per_page=101", "after=eA"):
        assert rest("GET", f"audit_events?{query}").status_code == 400, query


def test_members_see_no_trail_and_nobody_another_organizations(world: World) -> None:
    member = Rest(world, api_token(world, *ALL_SCOPES, role=Role.MEMBER, email="m@example.com").value)
    assert member("GET", "audit_events").status_code == 403
    other = world.run(create_organization(world.context, LOCAL, "other", "Other", "o@example.com", "Olga"))
    foreign = Rest(world, other.api_token.value, slug="other")
    mine = Rest(world)("GET", "audit_events").json()["items"][0]["uuid"]
    assert foreign("GET", f"audit_events/{mine}").status_code == 404
    words = {event["type"] for event in everything(foreign, "audit_events")}
    assert "OrganizationCreatedEvent" in words


def test_heads_are_there_for_whoever_keeps_them_elsewhere(world: World) -> None:
    rest = Rest(world)
    assert rest("GET", "audit_heads").json() == []
    world.run(Sealer(world.context, ()).seal())
    (shown,) = rest("GET", "audit_heads").json()
    line = PublishedHead(**shown)
    assert head_holds(line.head(), bytes.fromhex(line.public_key))
    assert rest("GET", "audit_events?per_page=1").json()["items"][0]["sequence"] == shown["sequence"]


def test_the_catalogue_has_the_contracts_words() -> None:
    known = set(every_word())
    nouns = ("CLUSTER_TOKEN", "API_ACCESS_TOKEN", "CLUSTER", "CLUSTER_QUEUE", "TEAM", "NOTIFICATION_SERVICE")
    for noun in nouns:
        assert {f"{noun}_CREATED", f"{noun}_UPDATED", f"{noun}_DELETED"} <= known, noun
    assert {
        "AGENT_TOKEN_CREATED",
        "AGENT_TOKEN_UPDATED",
        "AGENT_TOKEN_REVOKED",
        "CLUSTER_PERMISSION_CREATED",
        "CLUSTER_PERMISSION_DELETED",
        "ORGANIZATION_MEMBER_CREATED",
        "ORGANIZATION_MEMBER_UPDATED",
        "ORGANIZATION_MEMBER_DELETED",
        "ORGANIZATION_INVITATION_CREATED",
        "ORGANIZATION_INVITATION_ACCEPTED",
        "ORGANIZATION_INVITATION_REVOKED",
        "ORGANIZATION_INVITATION_RESENT",
        "ORGANIZATION_SECURITY_SETTINGS_UPDATED",
        "ORGANIZATION_TEAMS_ENABLED",
        "ORGANIZATION_BANNER_UPDATED",
        "ORGANIZATION_BANNER_DELETED",
        "TEAM_MEMBER_CREATED",
        "TEAM_MEMBER_UPDATED",
        "TEAM_MEMBER_DELETED",
        "API_ACCESS_TOKEN_ORGANIZATION_ACCESS_REVOKED",
        "NOTIFICATION_SERVICE_ENABLED",
        "NOTIFICATION_SERVICE_DISABLED",
        "NOTIFICATION_SERVICE_BROKEN",
        "SECRET_CREATED",
        "SECRET_UPDATED",
        "SECRET_VALUE_UPDATED",
        "SECRET_DELETED",
        "USER_PASSWORD_RESET_REQUESTED",
    } <= known
