"""REST: leaks listed, looked at, answered, closed, reported, exported; and their rules."""

import csv
import io
from typing import Any

import pytest

from rest_client import Rest, api_token
from services.leak_scene import CRAWLER, LeakScene
from support import World
from watchword.domain.accounts import Role
from watchword.domain.kinds import Kind
from watchword.domain.leaks import Visibility
from watchword.domain.scopes import ALL_SCOPES
from watchword.services.accounts import add_cluster, create_organization
from watchword.services.context import LOCAL
from watchword.services.issuing import TokenRequest, issue_agent_token
from watchword.services.leakfinding import Item


@pytest.fixture
def leaks(world: World) -> LeakScene:
    return LeakScene(world)


def told(answer: Any, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()


def test_a_leak_from_its_report_to_its_end(world: World, leaks: LeakScene) -> None:
    rest, issued = Rest(world), leaks.token()
    leaks.forward(1)
    leaks.report(Item(value=issued.value, url="https://example.com/x?a=1", place="commit"))
    (listed,) = told(rest("GET", "leaks"))
    assert (listed["state"], listed["kind"], listed["outcome"], listed["reporter"]) == (
        "open",
        "agent",
        "notified",
        "github",
    )
    leaks.agent(issued)
    path = f"leaks/{listed['id']}"
    whole = told(rest("GET", path))
    assert {name: whole[name] for name in listed} == listed
    assert whole["found"][0]["url"] == "https://example.com/x?a=1"
    assert whole["reach"]["queues"] == ["default"]
    assert whole["blast_radius"]["agents_connected"] == 1
    assert [one["name"] for one in whole["agents_since"]] == ["one"]
    assert whole["used_since"][0]["new_since_the_leak"] is True
    assert whole["done"][0]["action"] == "leak.opened"
    assert told(rest("PUT", f"{path}/respond", json={"response": "quarantine"}))["outcome"] == "quarantined"
    assert leaks.reason_from(issued.value.reveal(), "192.0.2.1") == "token_quarantined"
    assert told(rest("PUT", f"{path}/release"))["outcome"] == "released"
    revoked = told(rest("PUT", f"{path}/respond", json={"response": "revoke", "mode": "cut"}))
    assert (revoked["outcome"], revoked["token_state"]) == ("revoked", "revoked")
    assert told(rest("GET", path))["revocation"]["mode"] == "cut"
    closed = told(rest("PUT", f"{path}/close", json={"note": "known"}))
    assert (closed["state"], closed["note"], closed["closed_by"]["email"]) == (
        "closed",
        "known",
        world.first.admin.email,
    )
    assert told(rest("PUT", f"{path}/reopen"))["state"] == "open"


def test_a_rotation_keeps_its_value_for_the_console(world: World, leaks: LeakScene) -> None:
    rest, issued = Rest(world), leaks.token()
    leaks.report(issued.value)
    path = f"leaks/{leaks.the_leak(issued.token).id}"
    answer = rest("PUT", f"{path}/respond", json={"response": "rotate", "grace_minutes": 30})
    assert told(answer)["value_waiting"] is True
    whole = rest("GET", path)
    assert told(whole)["rotation"]["state"] == "open"
    assert "bkct_" not in whole.text


def test_wrong_answers_are_refused_and_change_nothing(world: World, leaks: LeakScene) -> None:
    rest, issued = Rest(world), leaks.token()
    leaks.report(issued.value)
    before = leaks.the_leak(issued.token)
    path = f"leaks/{before.id}"
    for body, status in (
        ({}, 422),
        ({"response": "burn"}, 422),
        ({"response": "revoke", "mode": "softly"}, 422),
        ({"response": "rotate", "grace_minutes": 0}, 422),
        ({"response": "notify"}, 409),
    ):
        answer = rest("PUT", f"{path}/respond", json=body)
        assert answer.status_code in (status, 400, 422), (body, answer.text)
        assert answer.status_code < 500
    assert rest("PUT", f"{path}/release").status_code >= 400
    assert leaks.the_leak(issued.token) == before


def test_lists_are_narrowed_and_paged(world: World, leaks: LeakScene) -> None:
    rest, api, agent = Rest(world), leaks.api_token(), leaks.token()
    leaks.report(api.value)
    leaks.report(agent.value, source=CRAWLER)

    def kinds(query: str) -> list[str]:
        return [one["kind"] for one in told(rest("GET", f"leaks?{query}"))]

    assert kinds("") == ["agent", "api_access"]
    assert kinds("kind=api_access") == ["api_access"]
    assert kinds("reporter=crawler") == ["agent"]
    assert kinds("state=closed") == []
    assert kinds("state[]=open&state[]=held") == ["agent", "api_access"]
    first = rest("GET", "leaks?per_page=1")
    assert len(first.json()) == 1
    assert 'rel="next"' in first.headers["link"]
    for wrong in ("state=lost", "kind=coin"):
        assert rest("GET", f"leaks?{wrong}").status_code == 422


def test_maintainers_see_and_answer_leaks_of_their_cluster_alone(world: World, leaks: LeakScene) -> None:
    context, first = world.context, world.first
    other = world.run(
        context.store.write(lambda tx: add_cluster(context, tx, LOCAL, first.organization.id, "other"))
    )
    asked = TokenRequest(organization_id=first.organization.id, cluster_id=other.id, description="theirs")
    foreign = world.run(
        context.store.write(lambda tx: issue_agent_token(context, tx, LOCAL, asked, first.admin.id))
    )
    mine, api = leaks.token(), leaks.api_token()
    leaks.report(mine.value, foreign.value, api.value)
    token = api_token(world, *ALL_SCOPES, role=Role.MEMBER, email="maintainer@example.com")
    maintainer = Rest(world, token.value)
    assert maintainer("GET", "leaks").status_code == 403
    added = Rest(world)(
        "POST", f"clusters/{first.cluster.id}/maintainers", json={"user": token.token.user_id}
    )
    assert added.status_code == 201
    assert [one["token_id"] for one in told(maintainer("GET", "leaks"))] == [mine.token.id]
    own = f"leaks/{leaks.the_leak(mine.token).id}"
    assert told(maintainer("PUT", f"{own}/respond", json={"response": "quarantine"}))
    absent = maintainer("GET", "leaks/01900000-0000-7000-8000-000000000000")
    for issued in (foreign, api):
        answer = maintainer("GET", f"leaks/{leaks.the_leak(issued.token).id}")
        assert (answer.status_code, answer.text) == (403, absent.text)
    assert maintainer("GET", "leak-policy").status_code == 403


def test_members_report_and_see_no_case(world: World, leaks: LeakScene) -> None:
    token = api_token(world, *ALL_SCOPES, role=Role.MEMBER, email="member@example.com")
    member, issued = Rest(world, token.value), leaks.api_token()
    body = {
        "value": f"Authorization: Bearer {issued.value.reveal()}",
        "url": "a chat",
        "visibility": "public",
        "exposed_at": "2026-01-01T00:00:00Z",
    }
    answer = member("POST", "leaks", json=body)
    assert told(answer, 201) == {
        "kind": "api_access",
        "token_id": issued.token.id,
        "outcome": "revoked",
        "leak": None,
    }
    assert leaks.reason(issued.value.reveal(), (Kind.API_ACCESS,)) == "token_revoked"
    assert leaks.the_leak(issued.token).visibility is Visibility.PUBLIC
    assert member("GET", "leaks").status_code == 403
    for wrong in ({}, {"value": "x", "visibility": "everybody"}, {"value": "x", "exposed_at": "soon"}):
        assert member("POST", "leaks", json=wrong).status_code == 422, wrong
    assert member("POST", "leaks", json={"value": "nothing of ours"}).status_code == 404


def test_another_organizations_value_is_answered_like_an_unknown_one_and_has_its_case_there(
    world: World, leaks: LeakScene
) -> None:
    theirs = world.run(create_organization(world.context, LOCAL, "other", "Other", "o@example.com", "Olga"))
    rest = Rest(world)
    answer = rest("POST", "leaks", json={"value": theirs.agent_token.value.reveal()})
    unknown = rest("POST", "leaks", json={"value": "nothing of ours"})
    assert (answer.status_code, answer.json()) == (unknown.status_code, unknown.json())
    assert answer.status_code == 404
    assert leaks.leak(theirs.agent_token.token) is not None
    named = rest("POST", "leaks", json={"token_id": theirs.api_token.token.id})
    assert (named.status_code, named.json()) == (unknown.status_code, unknown.json())
    assert leaks.leak(theirs.api_token.token) is None


def test_exports_hold_no_value_and_no_formula(world: World, leaks: LeakScene) -> None:
    rest, issued = Rest(world), leaks.token()
    leaks.report(Item(value=issued.value, url=f"=cmd|' /C {issued.value.reveal()}'", place="commit"))
    leaks.reason_from(issued.value.reveal(), "192.0.2.1")
    path = f"leaks/{leaks.the_leak(issued.token).id}"
    table, page = rest("GET", f"{path}/export.csv"), rest("GET", f"{path}/export.md")
    for answer in (table, page):
        assert answer.status_code == 200
        assert answer.headers["content-disposition"].startswith('attachment; filename="leak-')
        assert issued.value.reveal() not in answer.text
    rows = list(csv.reader(io.StringIO(table.text)))
    assert {row[0] for row in rows[1:]} >= {"found", "used", "done about it"}
    assert page.text.startswith("# Leak of an agent token")
    assert "new since the leak" in table.text.lower()


def test_rules_are_read_and_changed(world: World) -> None:
    rest = Rest(world)
    before = told(rest("GET", "leak-policy"))
    assert before["dry_run"] is False
    assert {(one["kind"], one["visibility"]) for one in before["rules"]} >= {("agent", "public")}
    by_key = {f"{one['kind']}:{one['visibility']}": one for one in before["rules"]}
    assert by_key["api_access:public"]["rule"] == "revoke:stop_joining"
    assert by_key["job:public"]["responses"] == ["notify"]
    body = {"rules": {"agent:public": "rotate:60"}, "dry_run": True}
    after = told(rest("PATCH", "leak-policy", json=body))
    changed = [one for one in after["rules"] if one["rule"] != one["default"]]
    assert [(one["kind"], one["visibility"], one["rule"]) for one in changed] == [
        ("agent", "public", "rotate:60")
    ]
    assert after["dry_run"] is True
    again = told(rest("PATCH", "leak-policy", json={"rules": {"agent:public": None}}))
    assert all(one["rule"] == one["default"] for one in again["rules"])
    assert again["dry_run"] is True
    for wrong in ({"agent:public": "burn"}, {"agent:moon": "notify"}, {"job:public": "revoke"}):
        assert rest("PATCH", "leak-policy", json={"rules": wrong}).status_code == 422
