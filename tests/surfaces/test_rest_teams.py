"""REST: teams and who is in them."""

from typing import Any

import pytest

from support import World
from surfaces.people_scene import People
from watchword.domain import teams

# REST has no field for the one that is left out.
SWITCHES = {name for name in teams.Team.__dataclass_fields__ if name.startswith(("members_can", "is_"))} - {
    "members_can_delete_pipelines"
}


@pytest.fixture
def people(world: World) -> People:
    return People(world)


def test_a_team_is_shown_whole(people: People) -> None:
    asked: dict[str, Any] = {
        "name": "Crew für Bau & Co",
        "description": "d",
        "privacy": "secret",
        "is_default_team": True,
        "default_member_role": "maintainer",
        "members_can_create_pipelines": True,
        "members_can_destroy_packages": True,
    }
    made = people.team(**asked)
    assert made["slug"] == "crew-f-r-bau-co"
    assert {name: made[name] for name in asked} == asked
    assert made["default"] is True
    assert made["members_can_create_suites"] is False
    assert made["created_by"]["id"] == people.world.first.admin.id
    assert people.admin("GET", f"teams/{made['id'].upper()}").json() == made
    assert people.admin("GET", "teams").json() == [made]
    plain = people.team("Plain")
    assert (plain["privacy"], plain["default"], plain["default_member_role"], plain["description"]) == (
        "visible",
        False,
        "member",
        None,
    )


def test_a_name_and_what_reads_like_it_are_taken_once(people: People) -> None:
    people.team("Build Crew")
    for name in ("Build Crew", "build-crew", " BUILD crew "):
        refused = people.admin("POST", "teams", json={"name": name})
        assert (refused.status_code, "already exists" in refused.json()["message"]) == (422, True)
    other = people.team("Other")
    refused = people.admin("PATCH", f"teams/{other['id']}", json={"name": "build crew"})
    assert (refused.status_code, "already exists" in refused.json()["message"]) == (422, True)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": " "},
        {"name": "!?"},
        {"name": "x" * 256},
        {"name": "x", "privacy": "hidden"},
        {"name": "x", "default_member_role": "admin"},
        {"name": "x", "is_default_team": "yes"},
        {"name": "x", "description": "x" * 1025},
    ],
)
def test_what_makes_no_team_is_refused(people: People, body: dict[str, Any]) -> None:
    refused = people.admin("POST", "teams", json=body)
    assert refused.status_code == 422
    assert refused.json()["message"].startswith("Validation failed: ")


def test_there_are_so_many_teams_and_no_more(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watchword.services.teams.MAX_TEAMS", 2)
    assert teams.MAX_TEAMS == 250
    people.team("One")
    people.team("Two")
    refused = people.admin("POST", "teams", json={"name": "Three"})
    assert (refused.status_code, "at most 2 teams" in refused.json()["message"]) == (422, True)


def test_a_change_is_partial_and_a_new_name_makes_a_new_slug(people: People) -> None:
    team = people.team("Old", description="d", is_default_team=True)
    for method in ("PATCH", "PUT"):
        changed = people.admin(method, f"teams/{team['id']}", json={"name": "New", "privacy": "secret"})
        assert changed.json() == {**team, "name": "New", "slug": "new", "privacy": "secret"}
    cleared = people.admin("PATCH", f"teams/{team['id']}", json={"description": None}).json()
    assert cleared["description"] is None
    assert people.admin("PATCH", f"teams/{team['id']}", json={"name": " "}).status_code == 422
    assert people.admin("DELETE", f"teams/{team['id']}").status_code == 204
    assert people.admin("DELETE", f"teams/{team['id']}").json()["message"] == "No team found"


def test_a_secret_team_is_seen_from_inside_and_by_administrators(people: People) -> None:
    inside, outside = people.person("ida"), people.person("otto")
    team = people.team("Hidden", inside, privacy="secret")
    people.team("Open")
    assert [row["name"] for row in people.admin("GET", "teams").json()] == ["Hidden", "Open"]
    assert [row["name"] for row in inside("GET", "teams").json()] == ["Hidden", "Open"]
    assert [row["name"] for row in outside("GET", "teams").json()] == ["Open"]
    assert outside("GET", f"teams?user_id={inside.id}").json() == []
    for path in ("", "/members", f"/members/{inside.id}"):
        assert inside("GET", f"teams/{team['id']}{path}").status_code == 200
        hidden = outside("GET", f"teams/{team['id']}{path}")
        unknown = outside("GET", f"teams/{people.world.context.new_id()}{path}")
        assert (hidden.status_code, hidden.text) == (unknown.status_code, unknown.text)
        assert hidden.json()["message"] == "No team found"


def test_teams_of_one_person_and_pages(people: People) -> None:
    maya = people.person("maya")
    people.team("One", maya)
    people.team("Two")
    people.team("Three", maya)
    found = people.admin("GET", f"teams?user_id={maya.id.upper()}").json()
    assert [row["name"] for row in found] == ["One", "Three"]
    page = people.admin("GET", f"teams?user_id={maya.id}&per_page=1")
    assert [row["name"] for row in page.json()] == ["One"]
    assert f"user_id={maya.id}" in page.headers["link"]
    assert people.admin("GET", "teams?user_id=nobody").json() == []


def test_turning_teams_on_is_for_administrators_and_answers_nothing(people: People) -> None:
    answer = people.admin("POST", "teams/enable")
    assert (answer.status_code, answer.content) == (204, b"")
    assert people.person("maya")("POST", "teams/enable").status_code == 403


def test_people_are_added_promoted_and_removed(people: People) -> None:
    maya = people.person("maya")
    team = people.team("Builders")
    where = f"teams/{team['id']}/members"
    made = people.admin("POST", f"{where}/", json={"user_id": maya.id.upper(), "role": "member"})
    assert made.status_code == 201
    row = made.json()
    assert set(row) == {"role", "created_at", "user_id", "user_name"}
    assert (row["role"], row["user_id"], row["user_name"]) == ("member", maya.id, "Maya")
    assert people.admin("GET", where).json() == people.admin("GET", f"{where}/").json() == [row]
    assert people.admin("GET", f"{where}/{maya.id}").json() == row
    for method in ("PATCH", "PUT"):
        promoted = people.admin(method, f"{where}/{maya.id}", json={"role": "maintainer"}).json()
        assert promoted == {**row, "role": "maintainer"}
    assert people.admin("DELETE", f"{where}/{maya.id}").status_code == 204
    for method in ("GET", "PATCH", "DELETE"):
        gone = people.admin(method, f"{where}/{maya.id}", json={"role": "member"})
        assert (gone.status_code, gone.json()["message"]) == (404, "No team member found")


def test_who_cannot_be_added(people: People) -> None:
    maya = people.person("maya")
    team = people.team("Builders", maya)
    where = f"teams/{team['id']}/members"
    twice = people.admin("POST", where, json={"user_id": maya.id, "role": "member"})
    assert (twice.status_code, "already been added" in twice.json()["message"]) == (422, True)
    whom = (people.foreigner(), people.world.context.new_id(), "x", "")
    answers = {people.admin("POST", where, json={"user_id": one, "role": "member"}).text for one in whom}
    assert len(answers) == 1
    mia = people.person("mia")
    for body in ({"user_id": mia.id}, {"user_id": mia.id, "role": "admin"}, {"role": "member"}):
        assert people.admin("POST", where, json=body).status_code == 422
    assert people.admin("PATCH", f"{where}/{maya.id}", json={}).status_code == 422


def test_a_maintainer_of_a_team_changes_it_and_no_other(people: People) -> None:
    maya, mia = people.person("maya"), people.person("mia")
    own, other = people.team("Own"), people.team("Other")
    people.join(own, maya, "maintainer")
    people.join(other, maya)

    def outcomes(team: dict[str, Any]) -> set[int]:
        where = f"teams/{team['id']}"
        calls = [
            ("PATCH", where, {"description": "x"}),
            ("POST", f"{where}/members", {"user_id": mia.id, "role": "member"}),
            ("PATCH", f"{where}/members/{mia.id}", {"role": "maintainer"}),
            ("DELETE", f"{where}/members/{mia.id}", None),
        ]
        return {maya(method, path, json=body).status_code for method, path, body in calls}

    assert outcomes(own) == {200, 201, 204}
    assert outcomes(other) == {403}
    assert maya("DELETE", f"teams/{own['id']}").status_code == 403
    assert maya("POST", "teams", json={"name": "X"}).status_code == 403
    assert maya("GET", f"teams/{other['id']}").status_code == 200
    people.admin("PATCH", f"teams/{own['id']}/members/{maya.id}", json={"role": "member"})
    assert outcomes(own) == {403}


@pytest.mark.parametrize("name", sorted(SWITCHES))
def test_what_widens_a_teams_rights_is_for_administrators(people: People, name: str) -> None:
    maya = people.person("maya")
    team = people.team("Own")
    people.join(team, maya, "maintainer")
    assert maya("PATCH", f"teams/{team['id']}", json={name: True}).status_code == 403
    assert maya("PATCH", f"teams/{team['id']}", json={name: False}).status_code == 200
    assert people.admin("PATCH", f"teams/{team['id']}", json={name: True}).json()[name] is True
