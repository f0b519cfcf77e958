"""Hygiene, the calendar of expiries, incidents; and what administrators do about somebody's tokens."""

import pytest

from console_client import Console, new_person, set_password
from services.rotation_scene import API, AWAY, HOME, Rotations
from services.scene import Scene
from support import MINUTE_US, World
from watchword.domain.accounts import User
from watchword.domain.events import Action
from watchword.domain.incidents import Incident, IncidentState
from watchword.domain.tokens import DAY_US
from watchword.services.accounts import create_organization
from watchword.services.context import LOCAL
from watchword.services.issuing import Issued, issue_api_token


def own_token(world: World, user: User, name: str, expires_at: int | None = 0) -> Issued:
    context, organization = world.context, world.first.organization.id
    return world.run(
        context.store.write(
            lambda tx: issue_api_token(
                context, tx, LOCAL, organization, user.id, name, ("read_builds",), expires_at
            )
        )
    )


@pytest.fixture
def bob(world: World) -> User:
    return new_person(world, "bob@example.com")


@pytest.fixture
def incident(world: World) -> Incident:
    """A retired value that was used again."""
    rotations = Rotations(Scene(world))
    old = rotations.api_token()
    rotations.reason(rotations.start(old.token), HOME, API)
    world.clock.forward(10 * MINUTE_US)
    rotations.reason(old, AWAY, API)
    (found,) = rotations.incidents()
    return found


# -- hygiene and the calendar ------------------------------------------------------------------------


def test_hygiene_lists_reasons_and_tokens(admin: Console, world: World, bob: User) -> None:
    own_token(world, bob, "bob's <i>own</i>")
    admin.get("hygiene")
    assert "3 live tokens looked at; 2 need attention." in admin.text()
    assert "bob&#39;s &lt;i&gt;own&lt;/i&gt;" in admin.last.text
    assert "never expires" in admin.text()
    admin.get("hygiene?reason=never_used")
    assert "All reasons" in admin.text(), "a reason without tokens shows all of them"
    world.clock.forward(2 * DAY_US)
    admin.sign_in_as(world.first.admin)
    admin.get("hygiene?reason=never_used")
    assert "3 tokens were never used" in admin.text()
    assert "Revoke them, or put them to use." in admin.text()


def test_hygiene_and_incidents_are_for_administrators(world: World, bob: User, incident: Incident) -> None:
    member = Console(world)
    member.sign_in_as(bob)
    for path in ("hygiene", "incidents", f"incidents/{incident.id}", f"members/{bob.id}/tokens"):
        assert member.get(path).status_code == 403, path
    assert member.post(f"incidents/{incident.id}/close").status_code == 403
    assert member.post(f"members/{bob.id}/tokens").status_code == 403


def test_the_calendar_shows_what_ends_to_whoever_may_see_it(admin: Console, world: World, bob: User) -> None:
    # The clock of the tests begins on 2027-01-15.
    own_token(world, bob, "ends in February", world.clock.now() + 30 * DAY_US)
    Scene(world).token(expires_in=86_400 * 10)
    admin.get("hygiene/calendar")
    assert "Expiries in January 2027" in admin.text()
    assert "1 token ends in this month" in admin.text()
    assert "for a test" in admin.text()
    admin.get("hygiene/calendar?month=2027-02")
    assert "ends in February" in admin.text()
    member = Console(world)
    member.sign_in_as(bob)
    member.get("hygiene/calendar?month=2027-02")
    assert "ends in February" in member.text()
    member.get("hygiene/calendar?month=2027-01")
    assert "0 tokens end in this month" in member.text()
    for month in ("", "nonsense", "9999-12", "0001-01", "2027-13"):
        assert admin.get(f"hygiene/calendar?month={month}").status_code == 200
        assert "January 2027" in admin.text()


# -- incidents ---------------------------------------------------------------------------------------


def test_an_incident_is_looked_at_and_closed(admin: Console, world: World, incident: Incident) -> None:
    admin.sign_in_as(world.first.admin)
    admin.get("incidents")
    assert "A retired value was used again" in admin.text()
    admin.get(f"incidents/{incident.id}")
    assert AWAY in admin.text()
    assert "Held back robot" in admin.text()
    assert admin.post(f"incidents/{incident.id}/close", {"note": "x" * 256}).status_code == 422
    assert "note_too_long" in admin.text()
    answer = admin.post(f"incidents/{incident.id}/close", {"note": "an old <script>"}, follow=True)
    assert "The incident is closed" in admin.text()
    assert "an old &lt;script&gt;" in answer.text
    found = world.run(world.store.read(lambda tx: tx.incidents.find(incident.organization_id, incident.id)))
    assert found is not None
    assert (found.state, found.note) == (IncidentState.CLOSED, "an old <script>")
    assert "Close the incident" not in admin.text()


def test_closing_asks_who_one_is(admin: Console, world: World, incident: Incident) -> None:
    set_password(world, world.first.admin)
    admin.sign_in_as(world.first.admin, fresh=False)
    admin.post(f"incidents/{incident.id}/close", {"note": "kept meanwhile"})
    assert 'value="kept meanwhile"' in admin.last.text
    assert "The incident is closed" not in admin.text()


def test_incidents_of_others_are_as_none(world: World, incident: Incident) -> None:
    world.run(create_organization(world.context, LOCAL, "rival", "Rival", "eve@example.com", "Eve"))
    eve = world.run(world.store.read(lambda tx: tx.people.user_by_email("eve@example.com")))
    assert eve is not None
    rival = Console(world, "rival")
    rival.sign_in_as(eve)
    rival.get("incidents/" + "0" * 8 + "-0000-7000-8000-" + "0" * 12)
    absent = rival.last.text
    assert rival.get(f"incidents/{incident.id}").status_code == 404
    assert rival.last.text == absent
    assert "No incidents" in rival.get("incidents").text


# -- somebody's tokens -------------------------------------------------------------------------------


def test_an_administrator_removes_access_of_chosen_tokens(admin: Console, world: World, bob: User) -> None:
    kept, gone, too = (own_token(world, bob, name) for name in ("kept", "gone", "gone too"))
    path = f"members/{bob.id}/tokens"
    admin.get(path)
    assert "Manage tokens for Bob" in admin.text()
    assert "nothing was changed" in admin.post(path, {}, follow=True).text
    chosen = {"token": [gone.token.id, too.token.id, world.first.api_token.token.id]}
    admin.post(path, chosen, follow=True)
    assert "The tokens reach this organization no more" in admin.text()
    assert "kept" in admin.text()
    assert "gone" not in admin.text()
    assert admin.get(f"tokens/api/{gone.token.id}").status_code == 404
    assert admin.get(f"tokens/api/{kept.token.id}").status_code == 200
    assert admin.get(f"tokens/api/{world.first.api_token.token.id}").status_code == 200
    events = world.run(world.store.read(lambda tx: tx.audit.events(world.first.organization.id, 0, 1000)))
    assert sum(event.action is Action.TOKEN_ORGANIZATION_REMOVED for event in events) == 2


def test_access_of_one_token_is_removed_from_its_page(admin: Console, world: World, bob: User) -> None:
    issued = own_token(world, bob, "of bob")
    path = f"tokens/api/{issued.token.id}"
    admin.get(path)
    for word in ("Bob", "read_builds", issued.token.digest.hex()[:16]):
        assert word in admin.text()
    admin.get(f"{path}/remove")
    assert "reaches Acme no more" in admin.text()
    answer = admin.post(f"{path}/remove")
    assert answer.headers["location"] == f"/organizations/acme/members/{bob.id}/tokens?done=access-removed"
    assert admin.get(path).status_code == 404
    assert admin.post(f"{path}/remove").status_code == 404


def test_a_member_sees_own_tokens_and_removes_nothing(world: World, bob: User) -> None:
    own = own_token(world, bob, "of bob")
    member = Console(world)
    member.sign_in_as(bob)
    assert member.get(f"tokens/api/{own.token.id}").status_code == 200
    assert "Remove access" not in member.text()
    assert member.get(f"tokens/api/{world.first.api_token.token.id}").status_code == 404
    assert member.get(f"tokens/api/{world.first.agent_token.token.id}").status_code == 404
    assert member.get("tokens/api/nonsense").status_code == 404
    for path in (f"tokens/api/{own.token.id}/remove", f"tokens/api/{world.first.api_token.token.id}/remove"):
        assert member.post(path).status_code == 403


def test_who_has_very_many_tokens_is_shown_the_newest(admin: Console, world: World, bob: User) -> None:
    for number in range(101):
        own_token(world, bob, f"number {number:03}")
    admin.get(f"members/{bob.id}/tokens")
    assert "These are the newest 100" in admin.text()
    assert "number 000" not in admin.text()


def test_tokens_of_who_left_can_still_be_managed(admin: Console, world: World, bob: User) -> None:
    """Removing a member ends what their tokens reach; a membership that ended otherwise may leave some."""
    own_token(world, bob, "left behind")
    organization = world.first.organization.id
    world.run(world.context.store.write(lambda tx: tx.members.remove(organization, bob.id)))
    admin.get(f"members/{bob.id}/tokens")
    assert "left behind" in admin.text()
    admin.get("hygiene?reason=owner_gone")
    assert "The owner of 1 token is gone" in admin.text()


def test_choosing_a_member_leads_to_their_tokens(admin: Console, world: World, bob: User) -> None:
    at = "/organizations/acme/members"
    assert admin.get(f"tokens/manage?user={bob.id}").headers["location"] == f"{at}/{bob.id}/tokens"
    assert admin.get("tokens/manage?user=x").headers["location"] == f"{at}/{world.first.admin.id}/tokens"
    assert admin.get(f"members/{bob.id}/tokens").status_code == 200
    assert "No tokens" in admin.text()
    assert admin.get("members/" + "0" * 8 + "-0000-7000-8000-" + "0" * 12 + "/tokens").status_code == 404
    assert admin.get("members/nonsense/tokens").status_code == 404
