"""REST: members of an organization, who may change them, and what a removal takes."""

from typing import Any

import pytest

from support import World
from surfaces.people_scene import People
from watchword.domain.accounts import Member, Role
from watchword.domain.events import Action, Event
from watchword.services.context import LOCAL
from watchword.services.members import join
from watchword.services.verifying import look_at


@pytest.fixture
def people(world: World) -> People:
    return People(world)


def events(world: World) -> list[Event]:
    organization = world.first.organization.id
    return list(world.run(world.context.store.read(lambda tx: tx.audit.events(organization, 0, 10_000))))


def test_members_are_listed_first_come_first_and_paged(people: People) -> None:
    first = people.world.first.admin
    maya = people.person("maya")
    rows = people.admin("GET", "members").json()
    assert [row["id"] for row in rows] == [first.id, maya.id]
    assert rows[1] == {
        "id": maya.id,
        "name": "Maya",
        "email": "maya@example.com",
        "role": "member",
        "sso_mode": "optional",
    }
    assert people.admin("GET", f"members/{maya.id.upper()}").json() == rows[1]
    assert people.admin("GET", "members/").json() == rows
    one = people.admin("GET", "members?per_page=1")
    assert ([row["id"] for row in one.json()], 'rel="next"' in one.headers["link"]) == ([first.id], True)


def test_sso_mode_is_told_to_administrators_and_to_oneself(people: People) -> None:
    maya, mia = people.person("maya"), people.person("mia")
    shown = {row["id"]: "sso_mode" in row for row in maya("GET", "members").json()}
    assert shown == {people.world.first.admin.id: False, maya.id: True, mia.id: False}
    assert "sso_mode" not in maya("GET", f"members/{mia.id}").json()
    assert "sso_mode" in maya("GET", f"members/{maya.id}").json()
    assert all("sso_mode" in row for row in people.admin("GET", "members").json())


def test_a_role_is_changed_and_counts_at_the_next_call(people: People) -> None:
    maya = people.person("maya")
    body = {"role": "admin", "sso_mode": "required"}
    assert maya("POST", "clusters", json={"name": "X"}).status_code == 403
    for method in ("PATCH", "PUT"):
        changed = people.admin(method, f"members/{maya.id}", json=body)
        assert (changed.status_code, changed.json()["role"], changed.json()["sso_mode"]) == (
            200,
            "admin",
            "required",
        )
    assert maya("POST", "clusters", json={"name": "X"}).status_code == 201
    assert people.admin("PATCH", f"members/{maya.id}", json={"role": "member"}).status_code == 200
    assert maya("POST", "clusters", json={"name": "Y"}).status_code == 403
    assert [event.data for event in events(people.world) if event.action is Action.MEMBER_UPDATED] == [
        '{"role":"admin","sso_mode":"required"}',
        '{"role":"member"}',
    ]


@pytest.mark.parametrize(
    "body", [{}, {"role": "owner"}, {"role": 1}, {"sso_mode": "never"}, {"name": "x"}, {"role": None}]
)
def test_what_is_no_change_is_refused(people: People, body: dict[str, Any]) -> None:
    maya = people.person("maya")
    assert people.admin("PATCH", f"members/{maya.id}", json=body).status_code == 422


def test_nobody_changes_the_own_membership(people: People) -> None:
    people.person("ada", Role.ADMIN)
    own = f"members/{people.world.first.admin.id}"
    for method, body in (("PATCH", {"role": "member"}), ("DELETE", None)):
        refused = people.admin(method, own, json=body)
        assert (refused.status_code, refused.json()["code"]) == (403, "own_membership")


def test_members_change_nobody(people: People) -> None:
    maya, mia = people.person("maya"), people.person("mia")
    for target in (mia.id, maya.id, people.world.first.admin.id, "x"):
        assert maya("PATCH", f"members/{target}", json={"role": "admin"}).status_code == 403
        assert maya("DELETE", f"members/{target}").status_code == 403


def test_strangers_and_nobody_are_not_found_alike(people: People) -> None:
    targets = (people.foreigner(), people.world.context.new_id(), "x", "%00")
    for method, body in (("GET", None), ("PATCH", {"role": "admin"}), ("DELETE", None)):
        answers = {
            (answer.status_code, answer.text)
            for target in targets
            for answer in [people.admin(method, f"members/{target}", json=body)]
        }
        assert answers == {(404, '{"message":"No member found","code":"not_found"}')}


def test_a_removal_takes_tokens_teams_and_clusters_at_once(people: People) -> None:
    maya, mia = people.person("maya"), people.person("mia")
    team = people.team("Builders", maya, mia)
    people.appoint(user=maya.id)
    people.appoint(team=team["id"])
    assert maya("GET", "clusters").status_code == 200
    before = len(events(people.world))
    assert people.admin("DELETE", f"members/{maya.id}").status_code == 204
    for path in ("clusters", "members", maya.tokens):
        answer = maya("GET", path)
        assert (answer.status_code, answer.json()["message"]) == (404, "No organization found")
    assert maya("GET", "/v2/organizations").json() == []
    assert people.admin("GET", f"members/{maya.id}").status_code == 404
    members = people.admin("GET", f"teams/{team['id']}/members").json()
    assert [row["user_id"] for row in members] == [mia.id]
    assert [row["actor"]["type"] for row in people.admin("GET", f"{people.cluster}/maintainers").json()] == [
        "team"
    ]
    assert mia("GET", mia.tokens).status_code == 200
    assert [event.action for event in events(people.world)[before:]] == [
        Action.TOKEN_ORGANIZATION_REMOVED,
        Action.TEAM_MEMBER_REMOVED,
        Action.MAINTAINER_REMOVED,
        Action.MEMBER_REMOVED,
    ]


def test_who_comes_back_starts_without_what_was_taken(people: People) -> None:
    maya = people.person("maya")
    people.appoint(user=maya.id)
    people.admin("DELETE", f"members/{maya.id}")
    context, organization = people.world.context, people.world.first.organization.id
    again = Member(organization, maya.id, Role.MEMBER, context.clock.now())
    people.world.run(context.store.write(lambda tx: join(context, tx, LOCAL, again)))
    assert maya("GET", "clusters").status_code == 404
    organization_id = people.world.first.organization.id
    kept = people.world.run(context.store.read(lambda tx: tx.teams.maintained(organization_id, maya.id)))
    assert not kept


def test_a_removed_members_token_is_dead_for_who_asks_too(people: People) -> None:
    maya = people.person("maya")
    authority, organization = people.world.authority, people.world.first.organization.id
    presented = look_at(maya.token)
    assert organization in people.world.run(authority.reach.of(presented))
    people.admin("DELETE", f"members/{maya.id}")
    assert people.world.run(authority.reach.of(presented)) == {}
    store = people.world.context.store
    grant = people.world.run(store.read(lambda tx: tx.policies.grant(organization, maya.token.id)))
    assert grant is not None
    assert (grant.ended_at > 0, grant.ended_by) == (True, people.world.first.admin.id)
