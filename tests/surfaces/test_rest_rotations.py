"""REST: rotations of agent tokens, and incidents (docs/rotation.md)."""

from typing import Any

import pytest

from rest_client import Rest, api_token
from support import MINUTE_US, World
from watchword.domain.accounts import Role
from watchword.domain.scopes import ALL_SCOPES
from watchword.services.accounts import create_organization
from watchword.services.context import LOCAL
from watchword.services.exchanging import Registration, register
from watchword.services.issuing import TokenRequest, issue_agent_token

AGENT_TOKENS = ("agent", "unclustered_agent")
HOME, AWAY = "192.0.2.1", "198.51.100.7"


@pytest.fixture(params=["clustered", "unclustered"])
def token(request: pytest.FixtureRequest, world: World) -> Any:
    """Path and value of an agent token of either kind."""
    first, rest = world.first, Rest(world)
    if request.param == "clustered":
        return f"{rest.tokens}/{first.agent_token.token.id}", first.agent_token.value.reveal()
    asked = TokenRequest(organization_id=first.organization.id, cluster_id=None, description="loose")
    context = world.context
    issued = world.run(
        context.store.write(lambda tx: issue_agent_token(context, tx, LOCAL, asked, first.admin.id))
    )
    return f"agent-tokens/{issued.token.id}", issued.value.reveal()


def join(world: World, value: str, name: str, address: str = HOME) -> None:
    """An agent joins and connects."""
    authority = world.authority

    async def work() -> None:
        presented = await authority.verifier.verify(value, AGENT_TOKENS, address=address)  # type: ignore[arg-type]
        asked = Registration(name=name, hostname=f"{name}.example.com", version="3.137.0")
        joined = await register(authority.context, authority.fleet, LOCAL, presented, asked)
        await authority.fleet.connect(LOCAL, joined.agent.organization_id, joined.agent.id)

    world.run(work())


def test_the_life_of_a_rotation(world: World, token: Any) -> None:
    path, value = token
    rest = Rest(world)
    join(world, value, "one")
    made = rest("POST", f"{path}/rotation", json={"deadline": "2027-01-20T00:00:00Z"})
    assert made.status_code == 201, made.text
    started = made.json()
    new = started.pop("token")
    assert new.partition("_")[0] == value.partition("_")[0]
    assert rest("POST", f"{path}/rotation").json()["token"] == new
    assert (started["state"], started["cause"], started["moved"], started["total"]) == ("open", None, 0, 1)
    (holder,) = started["holders"]
    assert (holder["name"], holder["hostname"], holder["connected"]) == ("one", "one.example.com", True)
    shown = rest("GET", f"{path}/rotation").json()
    assert shown["predecessor"]["last_used_from"] == HOME
    assert shown["deadline"] == "2027-01-20T00:00:00.000Z"
    successor = path.rpartition("/")[0] + "/" + started["successor"]["id"]
    assert rest("GET", f"{successor}/rotation").json() == shown
    assert new not in rest("GET", f"{path}/rotation").text
    later = rest("PATCH", f"{path}/rotation", json={"deadline": "2027-01-21T00:00:00Z"})
    assert (later.status_code, later.json()["deadline"]) == (200, "2027-01-21T00:00:00.000Z")
    done = rest("POST", f"{path}/rotation/finish")
    assert (done.status_code, done.json()["state"], done.json()["cause"]) == (200, "committed", "finished")
    refused = rest("DELETE", f"{path}/rotation")
    assert (refused.status_code, refused.json()["code"]) == (422, "rotation_committed")
    assert rest("POST", f"{successor}/rotation").status_code == 201
    assert rest("DELETE", f"{successor}/rotation").status_code == 204
    assert rest("GET", f"{successor}/rotation").json()["state"] == "aborted"


def test_what_is_wrong_is_said(world: World, token: Any) -> None:
    path, _ = token
    rest = Rest(world)
    answers = [
        rest("GET", f"{path}/rotation"),
        rest("POST", f"{path}/rotation", json={"deadline": "2027-01-15T08:05:00Z"}),
        rest("POST", f"{path}/rotation", json={"deadline": "soon"}),
        rest("POST", f"{path.rpartition('/')[0]}/nobody/rotation"),
    ]
    assert [(one.status_code, one.json()["code"]) for one in answers] == [
        (404, "not_found"),
        (422, "invalid_deadline"),
        (422, "invalid_time"),
        (404, "not_found"),
    ]


def test_the_same_idempotency_key_gives_the_same_answer(world: World, token: Any) -> None:
    path, _ = token
    rest = Rest(world)
    headers = {"Idempotency-Key": "one"}
    first = rest("POST", f"{path}/rotation", headers=headers)
    assert rest("POST", f"{path}/rotation", headers=headers).json() == first.json()
    other = api_token(world, *ALL_SCOPES)
    refused = Rest(world, other.value)("POST", f"{path}/rotation")
    assert (refused.status_code, refused.json()["code"]) == (422, "rotation_open")


def test_members_and_other_organizations_have_no_part_in_it(world: World, token: Any) -> None:
    path, _ = token
    member = Rest(world, api_token(world, *ALL_SCOPES, role=Role.MEMBER, email="m@example.com").value)
    assert member("POST", f"{path}/rotation").status_code == 403
    assert member("GET", f"{path}/rotation").status_code == 403
    assert member("GET", "incidents").status_code == 403
    other = world.run(create_organization(world.context, LOCAL, "other", "Other", "o@example.com", "Olga"))
    foreign = Rest(world, other.api_token.value, slug="other")
    there = f"clusters/{other.cluster.id}/tokens/{world.first.agent_token.token.id}/rotation"
    nowhere = f"clusters/{other.cluster.id}/tokens/{world.context.new_id()}/rotation"
    for method in ("GET", "POST", "PATCH", "DELETE"):
        answers = [foreign(method, one) for one in (there, nowhere)]
        assert answers[0].status_code == 404
        assert answers[0].json() == answers[1].json()


def test_incidents_are_listed_shown_and_closed(world: World, token: Any) -> None:
    path, value = token
    rest = Rest(world)
    rest("POST", f"{path}/rotation")
    rest("POST", f"{path}/rotation/finish")
    for _ in range(3):
        with pytest.raises(Exception, match="rotated"):
            join(world, value, "thief", AWAY)
    world.run(world.authority.flush())
    (listed,) = rest("GET", "incidents").json()
    assert (listed["kind"], listed["state"], listed["addresses"]) == ("reuse", "open", [AWAY])
    assert (listed["response"], listed["quarantine_joins"], listed["count"]) == ("quarantine", True, 3)
    assert rest("GET", f"incidents/{listed['id']}").json() == listed
    world.clock.forward(MINUTE_US)
    closed = rest("PUT", f"incidents/{listed['id']}/close", json={"note": "an old image"})
    assert closed.status_code == 200
    assert (closed.json()["state"], closed.json()["note"]) == ("closed", "an old image")
    assert closed.json()["closed_by"]["email"] == "admin@example.com"
    assert closed.json()["quarantined"] == []
    again = rest("PUT", f"incidents/{listed['id']}/close", json={"note": "again"})
    assert again.json()["note"] == "an old image"
    assert rest("GET", f"incidents/{world.context.new_id()}").status_code == 404
    assert rest("GET", "incidents/nonsense").status_code == 404
