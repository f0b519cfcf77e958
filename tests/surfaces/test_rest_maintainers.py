"""REST: who maintains a cluster, and what that opens and does not."""

from collections.abc import Iterator

import pytest

from support import World
from surfaces.people_scene import People, Person
from watchword.domain.operations import OPERATIONS, Right
from watchword.rest.app import ROUTES


@pytest.fixture
def people(world: World) -> People:
    return People(world)


def outcomes(person: Person, cluster: str, queue: str, token: str) -> Iterator[tuple[str, int]]:
    """Status of what a maintainer may do with a cluster, each call one that works for administrators."""
    calls = [
        ("GET", "tokens", None),
        ("POST", "tokens", {"description": "d"}),
        ("PATCH", f"tokens/{token}", {"description": "e"}),
        ("POST", "queues", {"key": f"q-{person.id}"}),
        ("POST", f"queues/{queue}/pause_dispatch", {}),
        ("POST", f"queues/{queue}/resume_dispatch", {}),
        ("PATCH", "", {"description": "f"}),
    ]
    for method, path, body in calls:
        where = f"clusters/{cluster}/{path}".rstrip("/")
        yield f"{method} {path}", person(method, where, json=body).status_code


def second_cluster(people: People) -> tuple[str, str, str]:
    """Another cluster with a queue and a token."""
    cluster = people.admin("POST", "clusters", json={"name": "Second"}).json()["id"]
    queue = people.admin("POST", f"clusters/{cluster}/queues", json={"key": "q"}).json()["id"]
    token = people.admin("POST", f"clusters/{cluster}/tokens", json={"description": "d"}).json()["id"]
    return cluster, queue, token


def first_cluster(people: People) -> tuple[str, str, str]:
    first = people.world.first
    return first.cluster.id, first.queue.id, first.agent_token.token.id


@pytest.mark.parametrize("through_a_team", [False, True])
def test_a_maintainer_manages_the_own_cluster_and_no_other(people: People, through_a_team: bool) -> None:  # noqa: FBT001
    maya = people.person("maya")
    if through_a_team:
        given = people.appoint(team=people.team("Builders", maya)["id"])
    else:
        given = people.appoint(user=maya.id)
    assert {status for _, status in outcomes(maya, *first_cluster(people))} == {200, 201}
    assert {status for _, status in outcomes(maya, *second_cluster(people))} == {403}
    assert maya("DELETE", people.cluster).status_code == 403
    assert people.admin("DELETE", f"{people.cluster}/maintainers/{given}").status_code == 204
    after = dict(outcomes(maya, *first_cluster(people)))
    assert set(after.values()) == {403}, after


def test_every_route_of_a_maintainer_is_closed_to_members_and_to_maintainers_of_others(
    people: People,
) -> None:
    maya, mia = people.person("maya"), people.person("mia")
    people.appoint(user=maya.id)
    cluster, queue, token = second_cluster(people)
    guarded = [
        route
        for route in ROUTES
        if route.operation
        and OPERATIONS[route.operation].right is Right.CLUSTER_MAINTAINER
        and "{cluster}" in route.path
    ]
    assert len(guarded) >= 10
    for route in guarded:
        names = {"{org}": "acme", "{cluster}": cluster, "{queue}": queue, "{token}": token}
        path = route.path
        for name, value in names.items():
            path = path.replace(name, value)
        for person in (maya, mia):
            answer = person(route.method, path.replace("{", "").replace("}", ""), json={})
            assert (answer.status_code, answer.json()["message"]) == (403, "You're not allowed to do that")


def test_an_agent_is_stopped_by_a_maintainer_of_its_cluster_alone(people: People) -> None:
    from services.scene import Scene  # noqa: PLC0415 - this test alone needs agents

    agent = Scene(people.world).agent().agent
    maya, mia = people.person("maya"), people.person("mia")
    cluster, _, _ = second_cluster(people)
    people.admin("POST", f"clusters/{cluster}/maintainers", json={"user": mia.id})
    given = people.appoint(user=maya.id)
    assert mia("PUT", f"agents/{agent.id}/pause").status_code == 403
    assert maya("PUT", f"agents/{agent.id}/pause").status_code in (200, 204)
    people.admin("DELETE", f"{people.cluster}/maintainers/{given}")
    assert maya("PUT", f"agents/{agent.id}/resume").status_code == 403


def test_leaving_the_team_takes_the_cluster_at_the_next_call(people: People) -> None:
    maya = people.person("maya")
    team = people.team("Builders", maya)
    people.appoint(team=team["id"])
    assert maya("GET", maya.tokens).status_code == 200
    assert people.admin("DELETE", f"teams/{team['id']}/members/{maya.id}").status_code == 204
    assert maya("GET", maya.tokens).status_code == 403
    people.join(team, maya)
    assert maya("GET", maya.tokens).status_code == 200
    assert people.admin("DELETE", f"teams/{team['id']}").status_code == 204
    assert maya("GET", maya.tokens).status_code == 403
    assert people.admin("GET", f"{people.cluster}/maintainers").json() == []


def test_maintainers_are_shown_as_the_contract_says(people: People) -> None:
    maya = people.person("maya")
    team = people.team("Builders")
    user_id, team_id = people.appoint(user=maya.id.upper()), people.appoint(team=team["id"])
    rows = people.admin("GET", f"{people.cluster}/maintainers").json()
    assert [set(row["actor"]) for row in rows] == [
        {"id", "graphql_id", "name", "email", "type"},
        {"id", "graphql_id", "name", "slug", "type"},
    ]
    assert [(row["id"], row["actor"]["type"], row["actor"]["id"]) for row in rows] == [
        (user_id, "user", maya.id),
        (team_id, "team", team["id"]),
    ]
    assert people.admin("GET", f"{people.cluster}/maintainers/{team_id}").json() == rows[1]
    expected = {"users": [rows[0]], "teams": [rows[1]]}
    assert people.admin("GET", people.cluster).json()["maintainers"] == expected
    assert people.admin("GET", "clusters").json()[0]["maintainers"] == expected
    link = people.admin("GET", f"{people.cluster}/maintainers?per_page=1").headers["link"]
    assert 'rel="next"' in link


def test_a_cluster_is_made_with_its_maintainers_or_not_at_all(people: People) -> None:
    maya = people.person("maya")
    team = people.team("Builders")
    body = {"name": "Two", "maintainers": [{"user": maya.id}, {"team": team["id"]}]}
    made = people.admin("POST", "clusters", json=body)
    assert made.status_code == 201, made.text
    assert [one["actor"]["id"] for one in made.json()["maintainers"]["users"]] == [maya.id]
    assert [one["actor"]["slug"] for one in made.json()["maintainers"]["teams"]] == ["builders"]
    assert maya("GET", f"clusters/{made.json()['id']}/tokens").status_code == 200
    refused = people.admin("POST", "clusters", json={"name": "Three", "maintainers": [{"user": "x"}]})
    assert refused.status_code == 422
    assert "Three" not in [row["name"] for row in people.admin("GET", "clusters").json()]


def test_whom_a_cluster_cannot_be_given_to(people: People) -> None:
    maya = people.person("maya")
    people.appoint(user=maya.id)
    where = f"{people.cluster}/maintainers"
    twice = people.admin("POST", where, json={"user": maya.id})
    assert (twice.status_code, "already been added" in twice.json()["message"]) == (422, True)
    for body in ({}, {"user": maya.id, "team": maya.id}, {"user": ""}, {"user": None}):
        assert people.admin("POST", where, json=body).status_code == 422, body
    answers = {
        people.admin("POST", where, json={"user": whom}).text
        for whom in (people.foreigner(), people.world.context.new_id(), "nobody")
    }
    assert len(answers) == 1
    assert "member of the organization" in answers.pop()
    assert people.admin("POST", where, json={"team": maya.id}).status_code == 422


def test_a_maintainer_of_another_cluster_is_not_found_here(people: People) -> None:
    given = people.appoint(user=people.person("maya").id)
    cluster, _, _ = second_cluster(people)
    for one in (given, people.world.context.new_id(), "x"):
        for method in ("GET", "DELETE"):
            answer = people.admin(method, f"clusters/{cluster}/maintainers/{one}")
            assert (answer.status_code, answer.json()["message"]) == (404, "No maintainer found")
    assert len(people.admin("GET", f"{people.cluster}/maintainers").json()) == 1


def test_a_secret_team_shows_itself_to_whom_it_concerns(people: People) -> None:
    inside, maintains, outside = (people.person(name) for name in ("ida", "maya", "otto"))
    team = people.team("Hidden", inside, privacy="secret")
    given = people.appoint(team=team["id"])
    people.appoint(user=maintains.id)
    for person, seen in ((people.admin, 2), (inside, 2), (maintains, 2), (outside, 1)):
        assert len(person("GET", f"{people.cluster}/maintainers").json()) == seen
        shown = person("GET", people.cluster).json()["maintainers"]["teams"]
        assert len(shown) == seen - 1
        status = person("GET", f"{people.cluster}/maintainers/{given}").status_code
        assert status == (200 if seen == 2 else 404)


def test_a_deleted_cluster_leaves_no_maintainer_behind(people: People) -> None:
    maya = people.person("maya")
    cluster, _, _ = second_cluster(people)
    people.admin("POST", f"clusters/{cluster}/maintainers", json={"user": maya.id})
    assert people.admin("DELETE", f"clusters/{cluster}").status_code == 204
    organization = people.world.first.organization.id
    store = people.world.context.store
    assert not people.world.run(store.read(lambda tx: tx.teams.maintained(organization, maya.id)))
