"""The security policy on the console: what a change would do is shown before it is made."""

from typing import Any

import pytest

from console_client import Console, new_person
from rest_client import Rest
from support import World
from watchword.domain.events import Action
from watchword.domain.kinds import Kind
from watchword.domain.securitypolicy import ReuseResponse, SecurityPolicy
from watchword.domain.tokens import DAY_US
from watchword.services.context import LOCAL
from watchword.services.issuing import TokenRequest, issue_agent_token
from watchword.services.revealing import set_revealable

FIELDS = {
    "allowed_ip_addresses": "",
    "maximum_api_token_days": "",
    "revoke_inactive_after_days": "0",
    "reuse_response": "quarantine",
}


def policy(world: World) -> SecurityPolicy:
    organization = world.first.organization.id
    return world.run(world.context.store.read(lambda tx: tx.policies.policy(organization)))


def actions(world: World) -> list[Action]:
    organization = world.first.organization.id
    events = world.run(world.context.store.read(lambda tx: tx.trail.latest(organization, 0, 50)))
    return [event.action for event in events]


def fields(world: World, **changes: Any) -> dict[str, Any]:
    return {**FIELDS, "seen": str(policy(world).updated_at), **changes}


def sealed_token(world: World) -> None:
    """An agent token whose value may be revealed."""
    context, first = world.context, world.first
    world.run(set_revealable(context, LOCAL, first.organization.id, Kind.AGENT, revealable=True))
    request = TokenRequest(
        organization_id=first.organization.id, cluster_id=first.cluster.id, description="kept"
    )
    world.run(context.store.write(lambda tx: issue_agent_token(context, tx, LOCAL, request, first.admin.id)))


def test_the_preview_changes_nothing_and_saving_does(admin: Console, world: World) -> None:
    wanted = fields(
        world, require_two_factor="", restrict_api_token_creation="1", maximum_api_token_days="30"
    )
    assert admin.post("settings/preview", wanted).status_code == 200
    assert "API access tokens are created by Every member Administrators" in admin.text()
    assert "Longest life of a new API access token No limit 30 days" in admin.text()
    assert policy(world).maximum_api_token_days == 0
    answer = admin.post("settings", wanted)
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        "/organizations/acme/settings?done=policy-changed",
    )
    changed = policy(world)
    assert (changed.maximum_api_token_days, changed.restrict_api_token_creation) == (30, True)
    assert changed.updated_by == world.first.admin.id
    page = admin.get("settings")
    assert 'value="30"' in page.text
    assert "Last changed moments ago by Ada Admin" in admin.text()


def test_callers_of_the_last_day_and_oneself_who_would_be_shut_out_are_named(
    admin: Console, world: World
) -> None:
    Rest(world)("GET", "pipelines")
    wanted = fields(world, allowed_ip_addresses="10.0.0.0/8\r\n2001:db8::/32")
    admin.post("settings/preview", wanted)
    text = admin.text()
    assert "1 caller used the API within the last day" in text
    assert "203.0.113.9" in text
    assert f"/organizations/acme/tokens/api/{world.first.api_token.token.id}" in admin.links()
    assert "You would be shut out" in text
    refused = admin.post("settings", wanted)
    assert refused.status_code == 422
    assert "shuts_yourself_out" in admin.text()
    assert not policy(world).allowed_networks
    assert admin.post("settings", {**wanted, "understood": "1"}).status_code == 303
    assert policy(world).allowed_networks == "10.0.0.0/8 2001:db8::/32"
    assert admin.get("settings").status_code == 403


def test_people_who_are_signed_in_from_elsewhere_are_named(admin: Console, world: World) -> None:
    other = Console(world)
    other.transport.address = "198.51.100.7"
    other.sign_in_as(new_person(world, "far@example.com"))
    admin.post("settings/preview", fields(world, allowed_ip_addresses="203.0.113.0/24"))
    assert "Far from 198.51.100.7" in admin.text()
    assert "from 203.0.113.9" not in admin.text()
    admin.post("settings/preview", fields(world, allowed_ip_addresses="198.51.100.0/24\n203.0.113.0/24"))
    assert "signed in from elsewhere" not in admin.text()


def test_who_stays_inside_is_told_so(admin: Console, world: World) -> None:
    admin.post("settings/preview", fields(world, allowed_ip_addresses="203.0.113.0/24"))
    assert "You yourself would not be shut out." in admin.text()
    assert "Nobody: no API access token was used" in admin.text()


def test_members_without_a_second_factor_are_named(admin: Console, world: World) -> None:
    new_person(world, "plain@example.com")
    admin.post("settings/preview", fields(world, require_two_factor="1"))
    assert "2 members are kept out until they set one up" in admin.text()
    assert "plain@example.com" in admin.text()
    assert "Set one up first." in admin.text()


def test_tokens_that_inactivity_would_end_are_named(admin: Console, world: World) -> None:
    world.clock.forward(40 * DAY_US)
    admin.sign_in_as(world.first.admin)
    admin.post("settings/preview", fields(world, revoke_inactive_after_days="30"))
    assert "1 API access token is revoked within the hour" in admin.text()
    admin.post("settings/preview", fields(world, revoke_inactive_after_days="60"))
    assert "none is revoked at once" in admin.text()


def test_switching_back_to_once_says_how_many_copies_it_destroys(admin: Console, world: World) -> None:
    sealed_token(world)
    assert "1 sealed copy" in admin.get("settings").text
    admin.post("settings/preview", fields(world))
    assert "Agent token: 1 sealed copy is destroyed" in admin.text()
    admin.post("settings", fields(world))
    assert policy(world).revealable == ()
    assert actions(world)[0] is Action.REVEAL_POLICY_CHANGED
    admin.post("settings", fields(world, revealable=["agent", "dagster_agent"]))
    assert policy(world).revealable == ("agent", "dagster_agent")


def test_a_dry_run_for_retired_values_is_kept(admin: Console, world: World) -> None:
    admin.post("settings", fields(world, reuse_response="alarm"))
    assert policy(world).reuse_response is ReuseResponse.ALARM


def test_a_change_of_somebody_else_meanwhile_is_not_overwritten(admin: Console, world: World) -> None:
    mine = fields(world, maximum_api_token_days="30")
    admin.post("settings", fields(world, restrict_api_token_creation="1"))
    assert admin.post("settings", mine).status_code == 422
    assert "settings_changed" in admin.text()
    assert policy(world).maximum_api_token_days == 0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"allowed_ip_addresses": "nonsense"}, "invalid_network"),
        ({"maximum_api_token_days": "many"}, "invalid_days"),
        ({"maximum_api_token_days": "0"}, "invalid_days"),
        ({"revoke_inactive_after_days": "31"}, "invalid_days"),
        ({"reuse_response": "shrug"}, "invalid_choice"),
        ({"revealable": "job"}, "never_revealable"),
        ({}, "nothing_to_change"),
    ],
)
def test_what_does_not_fit_comes_again_as_it_was_typed(
    admin: Console, world: World, changes: dict[str, str], code: str
) -> None:
    for path in ("settings/preview", "settings"):
        assert admin.post(path, fields(world, **changes)).status_code == 422
        assert code in admin.text()
        assert changes.get("allowed_ip_addresses", "") in admin.last.text


def test_one_may_go_back_to_the_form_with_what_was_typed(admin: Console, world: World) -> None:
    page = admin.post("settings/preview", fields(world, maximum_api_token_days="44", again="1"))
    assert 'value="44"' in page.text
    assert "Preview the change" in page.text


def test_networks_keep_the_spelling_that_they_had(admin: Console, world: World) -> None:
    given = {"allowed_ip_addresses": "203.0.113.0/24, 10.0.0.0/8"}
    assert Rest(world)("PUT", "api-settings", json=given).status_code == 200
    shown = {"allowed_ip_addresses": "203.0.113.0/24\r\n10.0.0.0/8"}
    admin.post("settings", fields(world, **shown, maximum_api_token_days="9"))
    assert policy(world).maximum_api_token_days == 9
    assert policy(world).allowed_networks == "203.0.113.0/24, 10.0.0.0/8"


def test_a_change_asks_again_who_one_is_and_members_see_nothing_of_it(world: World) -> None:
    stale = Console(world)
    stale.sign_in_as(world.first.admin, fresh=False)
    assert "Confirm" in stale.post("settings", fields(world, maximum_api_token_days="9")).text
    assert policy(world).maximum_api_token_days == 0
    member = Console(world)
    member.sign_in_as(new_person(world, "member@example.com"))
    assert member.get("settings").status_code == 403
    assert member.post("settings/preview", fields(world)).status_code == 403
    assert member.post("settings", fields(world)).status_code == 403
    assert "/organizations/acme/settings/members" in member.get("clusters").text
