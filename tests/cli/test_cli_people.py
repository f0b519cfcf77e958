"""`member`, `invitation`, `team` and `maintainer` on the command line."""

import pytest

from cli_harness import Shell
from support import World
from surfaces.people_scene import People


@pytest.fixture
def people(world: World) -> People:
    return People(world)


def test_members_are_listed_changed_and_removed(shell: Shell, people: People) -> None:
    maya = people.person("maya")
    listed = shell("member", "list")
    assert listed.out.splitlines()[0].split("\t") == ["Id", "Name", "Email", "Role", "Single sign-on"]
    assert f"{maya.id}\tMaya\tmaya@example.com\tmember\toptional" in listed.out
    changed = shell("member", "update", "MAYA@example.com", "--role", "admin", "--json").json
    assert changed["role"] == "admin"
    assert "is now member" in shell("member", "update", maya.id, "--role", "member").out
    assert "nothing_to_change" in shell("member", "update", maya.id).err
    assert "not_confirmed" in shell("member", "remove", maya.email).err
    removed = shell("member", "remove", maya.email, "--yes")
    assert (removed.code, maya.id in removed.out) == (0, True)
    assert len(shell("member", "list", "--json").json) == 1
    gone = shell("member", "remove", maya.email, "--yes")
    assert (gone.code, "not_found" in gone.err) == (1, True)
    own = shell("member", "remove", people.world.first.admin.email, "--yes")
    assert (own.code, "own_membership" in own.err) == (1, True)


def test_people_are_invited_into_teams_and_the_invitation_is_revoked(shell: Shell, people: People) -> None:
    people.team("Builders")
    made = shell("invitation", "create", "a@example.com", "b@example.com", "--team", "builders:maintainer")
    assert made.out.count("a mail is on its way") == 2
    rows = shell("invitation", "list", "--json").json
    assert [(row["email"], row["teams"][0]["slug"]) for row in rows] == [
        ("b@example.com", "builders"),
        ("a@example.com", "builders"),
    ]
    assert shell("invitation", "list").out.count("pending") == 2
    assert "b@example.com" in shell("invitation", "revoke", rows[0]["id"]).out
    assert len(shell("invitation", "list", "--json").json) == 1
    again = shell("invitation", "revoke", rows[0]["id"])
    assert (again.code, "invitation_not_pending" in again.err) == (1, True)
    assert "already_invited" in shell("invitation", "create", "a@example.com").err


def test_teams_are_made_filled_changed_and_deleted(shell: Shell, people: People) -> None:
    maya = people.person("maya")
    made = shell("team", "create", "Build Crew", "--privacy", "secret", "--default", "--json").json
    assert (made["slug"], made["privacy"], made["is_default_team"]) == ("build-crew", "secret", True)
    assert (
        "maya@example.com is in build-crew as maintainer"
        in shell("team", "add", "build-crew", maya.email, "--role", "maintainer").out
    )
    assert f"{maya.id}\tMaya\tmaintainer" in shell("team", "members", "build-crew").out
    assert [row["slug"] for row in shell("team", "list", "--member", maya.email, "--json").json] == [
        "build-crew"
    ]
    assert "Build Crew" in shell("team", "list").out
    changed = shell("team", "update", "build-crew", "--name", "Crew", "--no-default", "--json").json
    assert (changed["slug"], changed["is_default_team"], changed["privacy"]) == ("crew", False, "secret")
    assert "no longer in crew" in shell("team", "remove", "crew", maya.id).out
    assert shell("team", "members", "crew", "--json").json == []
    assert "not_confirmed" in shell("team", "delete", "crew").err
    assert shell("team", "delete", made["id"], "--yes").code == 0
    assert shell("team", "list", "--json").json == []


def test_a_cluster_is_given_and_taken(shell: Shell, people: People) -> None:
    maya = people.person("maya")
    people.team("Builders")
    assert "Maya maintains" in shell("maintainer", "add", "--user", maya.email).out
    by_team = shell("maintainer", "add", "--team", "builders", "--cluster", "Default", "--json").json
    assert by_team["actor"]["type"] == "team"
    rows = shell("maintainer", "list", "--json").json
    assert [row["actor"]["type"] for row in rows] == ["user", "team"]
    assert f"user\tMaya\tmaya@example.com\t{maya.id}" in shell("maintainer", "list").out
    assert maya("GET", maya.tokens).status_code == 200
    assert "does not maintain" in shell("maintainer", "remove", rows[0]["id"]).out
    assert maya("GET", maya.tokens).status_code == 403
    for words in ((), ("--user", maya.id, "--team", "builders")):
        assert "invalid_maintainer" in shell("maintainer", "add", *words).err
    assert "already_added" in shell("maintainer", "add", "--team", "builders").err
