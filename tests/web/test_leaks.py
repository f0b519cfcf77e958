"""Leaks on the console: the inbox, a case from the leak to its answer, the value, reports, rules."""

import json
import re

import pytest

from console_client import Console, new_person, set_password
from rest_client import Rest
from services.leak_scene import CRAWLER, LeakScene
from services.scene import ADDRESS
from support import World
from watchword.crypto.values import Secret
from watchword.domain.accounts import Role, User
from watchword.domain.kinds import Kind
from watchword.domain.leaks import LeakState, Outcome, Visibility
from watchword.domain.tokens import State
from watchword.services.context import LOCAL
from watchword.services.issuing import Issued, issue_api_token
from watchword.services.leakfinding import Item

API = (Kind.API_ACCESS,)


@pytest.fixture
def leaks(world: World) -> LeakScene:
    return LeakScene(world)


def caller(world: World, user: User) -> Console:
    made = Console(world)
    made.sign_in_as(user)
    return made


def own_token(world: World, user: User) -> Issued:
    context, organization = world.context, world.first.organization.id
    return world.run(
        context.store.write(
            lambda tx: issue_api_token(
                context, tx, LOCAL, organization, user.id, "bob's robot", ("read_builds",)
            )
        )
    )


def at(leaks: LeakScene, issued: Issued) -> str:
    return f"leaks/{leaks.the_leak(issued.token).id}"


def value_in(page: str) -> str:
    found = re.search(r'value="([^"]*)"[^>]* data-secret', page)
    assert found is not None
    return found[1]


# -- looking -----------------------------------------------------------------------------------------


def test_an_empty_inbox_says_what_it_is_and_what_to_do(admin: Console) -> None:
    admin.get("leaks")
    assert "No token has leaked" in admin.text()
    assert "watchword scan --staged" in admin.last.text
    assert "/organizations/acme/leaks/report" in admin.links()


def test_the_inbox_shows_what_is_urgent_first_by_state(admin: Console, leaks: LeakScene) -> None:
    leaks.breaker(per_minute=1)
    leaks.rules(agent__private="revoke")
    first, held, public = leaks.token(), leaks.token(), leaks.token()
    leaks.report(first.value, held.value, source=CRAWLER)
    leaks.report(public.value)
    admin = caller(leaks.world, leaks.first.admin)

    def shown(path: str) -> list[str]:
        page = admin.get(path).text
        return re.findall(r'<th scope="row"><a href="/organizations/acme/leaks/([^"]+)"', page)

    ids = [leaks.the_leak(each.token).id for each in (held, public, first)]
    assert shown("leaks") == ids
    assert "To do (3)" in admin.text()
    assert "Waits for you (1)" in admin.text()
    assert shown("leaks?state=held") == ids[:1]
    assert shown("leaks?state=closed") == []
    assert shown("leaks?kind=agent&reporter=crawler") == [ids[0], ids[2]]
    assert shown("leaks?kind=api_access") == []
    assert "No leak fits the filters" in admin.text()


def test_a_case_says_where_it_was_found_who_used_it_and_what_to_do(admin: Console, leaks: LeakScene) -> None:
    issued = leaks.token()
    leaks.forward(3600)
    leaks.report(
        Item(value=issued.value, url="https://example.com/a?b=<i>", place="commit"),
        Item(value=issued.value, url="javascript:alert(1)"),
    )
    leaks.forward(60)
    leaks.agent(issued, name="stranger <b>")
    page = admin.get(at(leaks, issued)).text
    text = admin.text()
    assert '<a href="https://example.com/a?b=&lt;i&gt;" rel="noreferrer noopener">' in page
    assert "javascript:alert(1)" in text
    assert not [link for link in admin.links() if link.startswith("javascript")]
    assert "New since the leak" in text
    assert "stranger <b>" in text
    assert "<b>" not in page
    for said in (
        "Revoke the token, or rotate it",
        "addresses that it had never been used from",
        "keep what was public",
        "Leak opened",
        leaks.first.cluster.name,
        "The whole value was shown to us",
        "Ada Admin administrator",
    ):
        assert said in text, said
    assert issued.value.reveal() not in page


def test_exports_are_files_without_a_value(admin: Console, leaks: LeakScene) -> None:
    issued = leaks.token()
    leaks.report(issued.value)
    leak = leaks.the_leak(issued.token)
    for kind, begins in (("json", "{"), ("csv", "What,When"), ("md", "# Leak of an agent token")):
        answer = admin.get(f"leaks/{leak.id}/export?format={kind}")
        assert answer.text.startswith(begins)
        assert answer.headers["content-disposition"] == f'attachment; filename="leak-{leak.id}.{kind}"'
        assert issued.value.reveal() not in answer.text
    assert json.loads(admin.get(f"leaks/{leak.id}/export").text)["id"] == leak.id
    assert admin.get(f"leaks/{leak.id}/export?format=exe").status_code == 404


# -- answering ---------------------------------------------------------------------------------------


def test_a_leak_is_answered_in_the_way_that_was_chosen(admin: Console, leaks: LeakScene) -> None:
    issued = leaks.token()
    joined = leaks.agent(issued)
    leaks.report(issued.value)
    path = at(leaks, issued)
    assert admin.post(f"{path}/respond").status_code == 422
    assert "Choose what is to be done" in admin.text()
    assert leaks.the_leak(issued.token).outcome is Outcome.NOTIFIED
    fields = {"response": "revoke", "leak_mode": "cut", "grace_minutes": "60"}
    admin.post(f"{path}/respond", fields, follow=True)
    assert "The leak is answered" in admin.text()
    assert "Answer it" not in admin.text()
    assert leaks.reason(joined.value.reveal()) == "session_ended"
    assert leaks.stored(issued.token).state is State.REVOKED
    again = admin.post(f"{path}/respond", fields)
    assert (again.status_code, "token_ended" in admin.text()) == (422, True)


def test_a_quarantine_is_released_and_the_case_closed_and_reopened(admin: Console, leaks: LeakScene) -> None:
    issued = leaks.token()
    leaks.report(issued.value)
    path = at(leaks, issued)
    admin.post(f"{path}/respond", {"response": "quarantine"}, follow=True)
    assert "In quarantine" in admin.text()
    assert admin.post(f"{path}/close").status_code == 422
    assert "leak_quarantined" in admin.text()
    admin.post(f"{path}/release", follow=True)
    assert "works again" in admin.text()
    assert leaks.reason_from(issued.value.reveal(), ADDRESS) == ""
    assert admin.post(f"{path}/close", {"note": "x" * 1001}).status_code == 422
    admin.post(f"{path}/close", {"note": "a <test>"}, follow=True)
    assert "The case is closed" in admin.text()
    assert "a <test>" in admin.text()
    admin.post(f"{path}/reopen", follow=True)
    assert leaks.the_leak(issued.token).state is LeakState.OPEN


def test_the_new_value_is_shown_in_exactly_one_answer(admin: Console, leaks: LeakScene) -> None:
    issued = leaks.token()
    leaks.report(issued.value)
    path = at(leaks, issued)
    admin.post(f"{path}/respond", {"response": "rotate", "grace_minutes": "60"}, follow=True)
    assert "The new value waits" in admin.text()
    shown = admin.post(f"{path}/value")
    value = value_in(shown.text)
    assert leaks.reason_from(value, ADDRESS) == ""
    again = admin.post(f"{path}/value")
    assert (again.status_code, "value_taken" in again.text) == (422, True)
    for page in (path, f"{path}/export", "leaks", f"{path}/export?format=md"):
        assert value not in admin.get(page).text
    assert "The new value waits" not in admin.get(path).text


def test_answers_ask_who_one_is(leaks: LeakScene) -> None:
    set_password(leaks.world, leaks.first.admin)
    issued = leaks.token()
    leaks.report(issued.value)
    stale = Console(leaks.world)
    stale.sign_in_as(leaks.first.admin, fresh=False)
    for step in ("respond", "value", "release", "close"):
        stale.post(f"{at(leaks, issued)}/{step}", {"response": "revoke"})
        assert "Confirm that it is you" in stale.text(), step
    assert leaks.the_leak(issued.token).outcome is Outcome.NOTIFIED


# -- who ---------------------------------------------------------------------------------------------


def test_maintainers_look_after_tokens_of_their_cluster(world: World, leaks: LeakScene) -> None:
    first = world.first
    bob = new_person(world, "bob@example.com", Role.MEMBER)
    mine, api = leaks.token(), leaks.api_token()
    leaks.report(mine.value, api.value)
    console = caller(world, bob)
    assert console.get("leaks").status_code == 403
    added = Rest(world)("POST", f"clusters/{first.cluster.id}/maintainers", json={"user": bob.id})
    assert added.status_code == 201
    page = console.get("leaks")
    assert page.status_code == 200
    assert (at(leaks, mine) in page.text, at(leaks, api) in page.text) == (True, False)
    assert console.get(at(leaks, api)).status_code == 403
    console.post(f"{at(leaks, mine)}/respond", {"response": "quarantine"}, follow=True)
    assert "In quarantine" in console.text()


def test_owners_see_leaks_of_their_own_tokens_and_take_their_value(world: World, leaks: LeakScene) -> None:
    bob = new_person(world, "bob@example.com", Role.MEMBER)
    issued = own_token(world, bob)
    leaks.rules(api_access__public="rotate")
    leaks.report(issued.value)
    leak = leaks.the_leak(issued.token)
    admin = caller(world, world.first.admin)
    admin.get(f"leaks/{leak.id}")
    assert "alone, whose token it is" in admin.text()
    assert admin.post(f"leaks/{leak.id}/value").status_code == 403
    assert admin.get(f"/user/leaks/{leak.id}").status_code == 404
    console = caller(world, bob)
    assert console.get(f"leaks/{leak.id}").status_code == 403
    console.get("/user/leaks")
    assert f"/user/leaks/{leak.id}" in console.links()
    console.get(f"/user/leaks/{leak.id}")
    assert "The new value waits for you" in console.text()
    value = value_in(console.post(f"/user/leaks/{leak.id}/value").text)
    assert leaks.reason(value, API) == ""
    assert console.post(f"/user/leaks/{leak.id}/value").status_code == 422


# -- reports of people -------------------------------------------------------------------------------


def test_a_member_reports_what_they_found(world: World, leaks: LeakScene) -> None:
    issued = leaks.api_token()
    console = caller(world, new_person(world, "bob@example.com", Role.MEMBER))
    value = issued.value.reveal()
    wrong = console.post("leaks/report", {"value": f"x {value}x", "visibility": "public", "url": "a wiki"})
    assert (wrong.status_code, "token_unknown" in wrong.text) == (422, True)
    assert "a wiki" in wrong.text
    assert value not in wrong.text
    assert console.post("leaks/report", {"visibility": "public"}).status_code == 422
    assert console.post("leaks/report", {"value": value}).status_code == 422
    console.post("leaks/report", {"value": f"TOKEN={value}", "visibility": "public"}, follow=True)
    assert "Thank you" in console.text()
    leak = leaks.the_leak(issued.token)
    assert (leak.outcome, leak.reporter, leak.visibility) == (Outcome.REVOKED, "person", Visibility.PUBLIC)


def test_administrators_are_led_to_the_case_that_they_report(admin: Console, leaks: LeakScene) -> None:
    issued = leaks.token()
    admin.post("leaks/report", {"token_id": issued.token.id, "visibility": "internal"}, follow=True)
    assert str(admin.last.url.path).endswith(at(leaks, issued))
    assert "nothing shows that anybody has the value" in admin.text()


# -- rules -------------------------------------------------------------------------------------------


def test_rules_are_chosen_in_a_table(admin: Console, leaks: LeakScene) -> None:
    page = admin.get("settings/leaks").text
    assert 'name="agent:public"' in page
    assert "job:public" not in page
    heads = [page.index(f">Found {where}<") for where in ("in public", "in a private place", "inside")]
    assert heads == sorted(heads)
    (row,) = re.findall(r'<th scope="row">API access token</th>.*?</tr>', page, re.DOTALL)
    assert re.findall(r'name="([^"]+)".*?selected>([^<]+)<', row, re.DOTALL) == [
        ("api_access:public", "Revoke (usual)"),
        ("api_access:private", "Tell people (usual)"),
        ("api_access:internal", "Tell people (usual)"),
    ]
    seen = {"seen": "0"}
    rules = {"agent:public": "rotate:60", "api_access:private": "revoke:stop_joining", "dry_run": "1"}
    admin.post("settings/leaks", {**seen, **rules}, follow=True)
    assert "The rules are changed" in admin.text()
    assert re.search(r'<option value="rotate:60" selected>', admin.last.text)
    issued = leaks.token()
    leaks.report(issued.value)
    assert leaks.the_leak(issued.token).outcome is Outcome.WOULD
    assert "Dry run: still works" in (admin.get("leaks"), admin.text())[1]
    assert admin.post("settings/leaks", {**seen, "agent:public": "notify"}).status_code == 422
    assert admin.post("settings/leaks", {**seen, "job:public": "revoke"}).status_code == 422
    assert admin.post("settings/leaks", seen).status_code == 422


# -- elsewhere ---------------------------------------------------------------------------------------


def test_a_leaked_token_says_so_on_its_page_and_in_lists(admin: Console, leaks: LeakScene) -> None:
    issued = leaks.token()
    leaks.report(issued.value)
    token_at = f"clusters/{leaks.first.cluster.id}/tokens"
    for path in ("tokens", token_at):
        admin.get(path)
        assert "■ Leaked" in admin.text(), path
    admin.get("tokens?state=leaked")
    assert issued.token.description in admin.text()
    admin.get(f"{token_at}/{issued.token.id}")
    assert "This token leaked" in admin.text()
    assert f"/organizations/acme/{at(leaks, issued)}" in admin.links()
    admin.post(f"{at(leaks, issued)}/close")
    admin.get("tokens")
    assert "■ Leaked" not in admin.text()


def test_the_overview_and_hygiene_name_open_leaks(admin: Console, leaks: LeakScene) -> None:
    admin.get("")
    assert "1 leak to look at" not in admin.text()
    leaks.report(leaks.token().value)
    for path in ("", "hygiene"):
        admin.get(path)
        assert "1 leak to look at" in admin.text(), path
        assert "/organizations/acme/leaks" in admin.links()


def test_pasted_values_never_come_back(admin: Console) -> None:
    value = Secret("bkct_nothing-of-ours")
    answer = admin.post("leaks/report", {"value": value.reveal(), "visibility": "public"})
    assert value.reveal() not in answer.text
