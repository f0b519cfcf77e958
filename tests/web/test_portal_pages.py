"""Portals on the console: made, changed, revoked, deleted; the click by which a member approves a code."""

import re

import pytest

from console_client import Console
from console_places import member_of
from rest_client import Rest
from support import MINUTE_US, World
from watchword.domain.errors import WatchwordError
from watchword.services.context import LOCAL
from watchword.services.portaldoor import AskedCode

QUERY = 'query Name {\n  organization(slug: "acme") { name }\n}'
FORM = {"name": "Deploys", "slug": "deploys", "query": QUERY.replace("\n", "\r\n"), "description": "<b>d</b>"}


def once(console: Console) -> str:
    found = re.search(r'name="once" value="([^"]+)"', console.last.text)
    assert found is not None
    return found[1]


def value_of(console: Console) -> str:
    found = re.search(r'value="(bk(?:pat|ps)_[^"]+)"', console.last.text)
    assert found is not None, console.text()
    return found[1]


def make(console: Console, **changes: str) -> str:
    """Make a portal on its form; the value that the answer shows."""
    console.get("new-portal")
    console.post("new-portal", {**FORM, "once": once(console), **changes})
    return value_of(console)


def ask(world: World, slug: str = "deploys") -> AskedCode:
    return world.run(world.authority.portal_door.ask_code("acme", slug, LOCAL))


def redeem(world: World, asked: AskedCode) -> str:
    """What the program gets: `token`, or the word of the refusal."""
    door = world.authority.portal_door
    try:
        world.run(door.exchange("acme", "deploys", asked.code, asked.secret.reveal(), None, LOCAL))
    except WatchwordError as error:
        return error.code
    return "token"


def test_a_portal_is_made_and_its_token_shown_once(admin: Console, world: World) -> None:
    admin.get("portals")
    assert "No portals yet" in admin.text()
    admin.get("new-portal")
    sent = {**FORM, "once": once(admin)}
    admin.post("new-portal", sent)
    value = value_of(admin)
    assert "This is the one time that the value is shown." in admin.text()
    again = admin.post("new-portal", sent, follow=True)
    assert value not in again.text
    portal = Rest(world)("GET", "portals/deploys").json()
    assert (portal["query"], portal["user_invokable"]) == (QUERY, False)
    page = admin.get("portals/deploys")
    assert value not in page.text
    assert "made with the portal" in admin.text()
    assert "<b>d</b>" not in page.text
    assert "Deploys" in admin.get("portals").text


def test_a_document_that_does_not_fit_is_told_at_its_field(admin: Console) -> None:
    admin.get("new-portal")
    answer = admin.post("new-portal", {**FORM, "query": "{ nonsense }", "once": once(admin)})
    assert answer.status_code == 422
    assert "nonsense" in admin.text()
    assert 'id="e-query"' in answer.text
    assert 'value="deploys"' in answer.text, "what was typed stays"


def test_a_portal_is_changed_and_deleted_after_what_breaks_was_shown(admin: Console, world: World) -> None:
    make(admin, user_invokable="1")
    changed = {**FORM, "name": "Renamed", "slug": "moved", "query": "{ viewer { id } }"}
    admin.get("portals/deploys/edit")
    admin.post("portals/deploys/edit", changed, follow=True)
    assert "The portal is changed." in admin.text()
    portal = Rest(world)("GET", "portals/moved").json()
    assert (portal["name"], portal["user_invokable"]) == ("Renamed", False)
    admin.get("portals/moved/delete")
    assert "1 live token or secret ends" in admin.text()
    refused = admin.post("portals/moved/delete", {})
    assert refused.status_code == 422
    admin.post("portals/moved/delete", {"sure": "1"}, follow=True)
    assert "everything that hung on it has ended" in admin.text()
    assert Rest(world)("GET", "portals").json() == []


def test_tokens_and_secrets_are_made_and_revoked(admin: Console, world: World) -> None:
    make(admin)
    for noun, prefix in (("values", "bkpat_"), ("secrets", "bkps_")):
        admin.get("portals/deploys")
        admin.post(f"portals/deploys/{noun}", {"description": "for ci", "once": once(admin)})
        assert value_of(admin).startswith(prefix)
        admin.get("portals/deploys")
        links = [link for link in admin.links() if link.endswith("/revoke") and f"/{noun}/" in link]
        admin.get(links[0])
        assert "Nobody ever showed the value." in admin.text()
        assert admin.post(links[0], {}).status_code == 422
        admin.post(links[0], {"sure": "1", "reason": "done"}, follow=True)
        assert "It is revoked." in admin.text()
    kept = Rest(world)("GET", "portals/deploys/tokens").json()
    assert [(each["description"], each["state"]) for each in kept] == [
        ("for ci", "revoked"),
        ("made with the portal", "active"),
    ]
    assert kept[0]["revoked_reason"] == "done"


def test_a_third_secret_is_not_offered(admin: Console) -> None:
    make(admin)
    for _ in range(2):
        admin.get("portals/deploys")
        admin.post("portals/deploys/secrets", {"description": "s", "once": once(admin)})
    admin.get("portals/deploys")
    assert "The portal has its two secrets." in admin.text()
    refused = admin.post("portals/deploys/secrets", {"description": "s", "once": once(admin)})
    assert refused.status_code == 422
    assert "at most 2 secrets" in admin.text()


def test_members_see_no_portals(world: World, admin: Console) -> None:
    make(admin)
    member = member_of(world)
    for path in ("portals", "portals/deploys", "new-portal", "portals/deploys/edit"):
        assert member.get(path).status_code == 403, path


@pytest.mark.parametrize("decision", ["approve", "deny"])
def test_a_member_is_shown_what_asks_and_decides_by_a_click(
    world: World, admin: Console, decision: str
) -> None:
    make(admin, user_invokable="1")
    asked = ask(world)
    path = "portals/deploys/codes/" + asked.code
    member = member_of(world)
    member.get(path)
    for words in ("Let a program run Deploys?", "for twelve hours at most", "Query Name", "organization"):
        assert words in member.text(), words
    assert redeem(world, asked) == "authorization_pending", "looking is no approval"
    world.clock.forward(4 * MINUTE_US)
    member.post(path, {"decision": decision})
    assert ("Approved" in member.text()) is (decision == "approve")
    assert member.get(path).status_code == 404
    assert redeem(world, asked) == ("token" if decision == "approve" else "access_denied")


def test_a_form_without_a_decision_denies(world: World, admin: Console) -> None:
    make(admin, user_invokable="1")
    asked = ask(world)
    admin.get("portals/deploys/codes/" + asked.code)
    admin.post("portals/deploys/codes/" + asked.code, {})
    assert redeem(world, asked) == "access_denied"


def test_a_code_that_is_over_shows_nothing(world: World, admin: Console) -> None:
    make(admin, user_invokable="1")
    asked = ask(world)
    world.clock.forward(5 * MINUTE_US)
    answer = admin.get("portals/deploys/codes/" + asked.code)
    assert answer.status_code == 404
    assert "There is nothing here" in admin.text()


def test_a_token_leads_to_its_portal(world: World, admin: Console) -> None:
    make(admin)
    (token,) = Rest(world)("GET", "portals/deploys/tokens").json()
    answer = admin.get(f"portal-tokens/{token['id']}")
    assert answer.headers["location"] == "/organizations/acme/portals/deploys"
    assert admin.get(f"portal-tokens/{world.first.agent_token.token.id}").status_code == 404
