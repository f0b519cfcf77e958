"""Personal settings → API Access Tokens: made once, shown once, seen and changed by their owner alone."""

import re
from dataclasses import replace
from html import unescape
from typing import Any

import pytest

from console_client import PASSWORD, Console, new_person, set_password
from rest_client import Rest
from support import World
from watchword.domain.accounts import Member, Role
from watchword.domain.errors import Refused
from watchword.domain.ids import uuid7
from watchword.domain.kinds import Kind
from watchword.domain.tokens import DAY_US
from watchword.services.accounts import create_organization
from watchword.services.context import LOCAL
from watchword.services.verifying import Presented
from watchword.store.base import Transaction

AT = "/user/api-access-tokens"
NEW: dict[str, Any] = {
    "description": "nightly report",
    "organizations": "acme",
    "scopes": ["read_builds", "read_agents"],
    "life": "7",
}
VALUE = re.compile(r"bkua_[A-Za-z0-9_-]+\.[0-9a-f]{40}")


def once_of(console: Console, path: str = f"{AT}/new") -> str:
    found = re.search(r'name="once" value="([^"]+)"', console.get(path).text)
    assert found is not None
    return found[1]


def create(console: Console, **fields: Any) -> str:
    """Make a token; its value."""
    answer = console.post(AT, {**NEW, "once": once_of(console), **fields})
    assert answer.status_code == 200, console.text()
    (value,) = set(VALUE.findall(answer.text))
    return str(value)


def id_of(console: Console, description: str = "nightly report") -> str:
    console.get(AT)
    found = re.search(rf'href="{AT}/([0-9a-f-]{{36}})">{description}<', console.last.text)
    assert found is not None, console.text()
    return found[1]


def present(world: World, value: str, scope: str = "", client: str = "") -> Presented:
    """Use a value as a script would."""
    verify = world.authority.verifier.verify
    return world.run(verify(value, (Kind.API_ACCESS,), address="203.0.113.9", scope=scope, agent=client))


def passes(world: World, value: str, scope: str = "read_builds") -> bool:
    try:
        present(world, value, scope)
    except Refused:
        return False
    return True


def policy(world: World, **changes: Any) -> None:
    """Write another security policy for the first organization."""

    async def work(tx: Transaction) -> None:
        known = await tx.policies.policy(world.first.organization.id)
        await tx.policies.save(replace(known, **changes))

    world.run(world.context.store.write(work))


# -- made and shown once -----------------------------------------------------------------------------


def test_a_value_is_shown_in_one_answer_and_a_reload_makes_no_second_token(
    admin: Console, world: World
) -> None:
    fields = {**NEW, "once": once_of(admin)}
    answer = admin.post(AT, fields)
    (value,) = set(VALUE.findall(answer.text))
    assert "has not been copied yet" in admin.text()
    assert passes(world, value)
    assert not passes(world, value, "read_clusters")
    for later in (1, 10 * 60 * 1_000_000):
        world.clock.forward(later)
        again = admin.post(AT, fields | {"proof": PASSWORD})
        assert value not in again.text
    set_password(world, world.first.admin)
    again = admin.post(AT, fields | {"proof": PASSWORD})
    assert "its value was shown then" in admin.text()
    assert not VALUE.search(again.text)
    admin.get(AT)
    assert admin.text().count("nightly report") == 1


def test_commands_of_the_value_page_never_hold_the_value(admin: Console) -> None:
    value = create(admin)
    shown = unescape(admin.last.text)
    assert shown.count(value) == 1
    assert "curl --config - http://127.0.0.1:8080/v2/access-token" in shown
    assert 'BUILDKITE_API_TOKEN="$(cat ~/.config/watchword/api-token)"' in shown
    assert "BUILDKITE_ORGANIZATION_SLUG=acme" in shown


def test_a_form_that_was_sent_before_and_changed_makes_nothing_until_it_is_sent_again(admin: Console) -> None:
    fields = {**NEW, "once": once_of(admin)}
    admin.post(AT, fields)
    answer = admin.post(AT, {**fields, "description": "another"})
    assert answer.status_code == 422
    assert "form_sent_before" in admin.text()
    found = re.search(r'name="once" value="([^"]+)"', answer.text)
    assert found is not None
    assert found[1] != fields["once"]
    assert VALUE.search(admin.post(AT, {**fields, "description": "another", "once": found[1]}).text)


def test_a_form_without_its_mark_makes_nothing(admin: Console) -> None:
    assert admin.post(AT, NEW).status_code == 403
    assert "form_out_of_date" in admin.text()


def test_making_a_token_asks_for_a_proof_and_keeps_what_was_typed(world: World) -> None:
    set_password(world, world.first.admin)
    console = Console(world)
    console.sign_in_as(world.first.admin, fresh=False)
    fields = {**NEW, "once": once_of(console)}
    asked = console.post(AT, fields)
    assert "Confirm that it is you" in console.text()
    assert not VALUE.search(asked.text)
    kept = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', asked.text)
    assert ("scopes", "read_builds") in kept
    assert ("scopes", "read_agents") in kept
    wrong = console.post(AT, {**fields, "proof": "wrong"})
    assert not VALUE.search(wrong.text)
    assert VALUE.search(console.post(AT, {**fields, "proof": PASSWORD}).text)


@pytest.mark.parametrize(
    ("fields", "code", "named"),
    [
        ({"description": ""}, "description_missing", "description"),
        ({"scopes": []}, "scopes_missing", "scopes"),
        ({"scopes": ["read_everything"]}, "unknown_scope", "scopes"),
        ({"organizations": []}, "organization_missing", "organizations"),
        ({"life": "date", "expires_at": ""}, "invalid_time", "expires_at"),
        ({"life": "date", "expires_at": "2001-01-01T00:00"}, "expiry_too_soon", "expires_at"),
        ({"life": "soon"}, "invalid_expiry", "expires_at"),
        ({"allowed_ip_addresses": "here"}, "invalid_network", "allowed_ip_addresses"),
        ({"allowed_ip_addresses": "10.0.0.1 " * 25}, "too_many_networks", "allowed_ip_addresses"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_what_was_typed_stays(
    admin: Console, fields: dict[str, Any], code: str, named: str
) -> None:
    sent = {**NEW, "once": once_of(admin), **fields}
    answer = admin.post(AT, sent)
    assert answer.status_code == 422
    assert code in admin.text()
    assert f'id="e-{named}"' in answer.text
    if "description" not in fields:
        assert 'value="nightly report"' in answer.text
    if "scopes" not in fields:
        assert re.search(r'value="read_builds"[^>]* checked', answer.text)
    admin.get(AT)
    assert "nightly report" not in admin.text()


# -- how wide ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("preset", "ticked", "left"),
    [
        ("read_only", {"read_builds", "graphql"}, {"write_builds"}),
        ("read_write", {"read_builds", "write_builds", "graphql"}, {"delete_packages"}),
        ("full", {"delete_packages", "write_builds", "graphql"}, {"introspect_tokens"}),
        ("none", set(), {"read_builds", "graphql"}),
    ],
)
def test_presets_fill_boxes_in_without_making_anything(
    admin: Console, preset: str, ticked: set[str], left: set[str]
) -> None:
    fields = {**NEW, "scopes": ["graphql", "write_teams"], "preset": preset}
    answer = admin.post(f"{AT}/new", fields)
    assert answer.status_code == 200
    checked = set(re.findall(r'value="(\w+)"[^>]* checked', answer.text))
    assert ticked <= checked
    assert not left & checked
    assert 'value="nightly report"' in answer.text
    admin.get(AT)
    assert "nightly report" not in admin.text()


def test_the_summary_says_in_words_what_is_made(admin: Console) -> None:
    fields = {**NEW, "scopes": ["read_builds", "write_builds", "graphql"], "preset": "read_only"}
    admin.post(f"{AT}/new", {**fields, "allowed_ip_addresses": "192.0.2.1", "life": "never"})
    assert (
        "It may read everything; use GraphQL for whatever you may do in Acme, from some networks alone, "
        "for ever, until it is revoked." in admin.text()
    )


def test_the_usual_life_is_a_week_and_the_organizations_maximum_is_offered_and_held(
    admin: Console, world: World
) -> None:
    admin.get(f"{AT}/new")
    assert '<option value="7" selected>' in admin.last.text
    assert '<option value="never">' in admin.last.text
    policy(world, maximum_api_token_days=5)
    admin.get(f"{AT}/new")
    assert '<option value="5" selected>' in admin.last.text
    assert '<option value="7"' not in admin.last.text
    assert '<option value="never"' not in admin.last.text
    assert "Tokens live at most 5 days here." in admin.text()
    for life in ("7", "never"):
        answer = admin.post(AT, {**NEW, "once": once_of(admin), "life": life})
        assert answer.status_code == 422
        assert "expiry_too_late" in admin.text()
    create(admin, life="5")


def test_a_day_of_ones_own_is_read_as_utc(admin: Console) -> None:
    create(admin, life="date", expires_at="2027-02-01T10:30")
    admin.get(f"{AT}/{id_of(admin)}")
    assert "until 2027-02-01 10:30:00 UTC" in admin.text()


def test_where_administrators_alone_may_create_tokens_members_read_why(world: World) -> None:
    policy(world, restrict_api_token_creation=True)
    member = Console(world)
    member.sign_in_as(new_person(world, "member@example.com"))
    member.get(f"{AT}/new")
    assert "Only administrators may create API access tokens in this organization." in member.text()
    answer = member.post(AT, {**NEW, "once": once_of(member)})
    assert answer.status_code == 403
    assert not VALUE.search(answer.text)


def test_an_organization_that_one_does_not_belong_to_is_like_none(admin: Console, world: World) -> None:
    world.run(create_organization(world.context, LOCAL, "other", "Other", "o@example.com", "Olga"))
    texts = []
    for slug in ("other", "nowhere"):
        for chosen in ([slug], ["acme", slug]):
            answer = admin.post(AT, {**NEW, "once": once_of(admin), "organizations": chosen})
            texts.append((answer.status_code, answer.text))
    assert set(texts) == {(404, texts[0][1])}


def test_a_token_of_two_organizations_opens_both_and_the_forbidding_one_refuses(
    admin: Console, world: World
) -> None:
    other = world.run(create_organization(world.context, LOCAL, "other", "Other", "o@example.com", "Olga"))

    async def join(tx: Transaction) -> None:
        await tx.accounts.add_member(Member(other.organization.id, world.first.admin.id, Role.MEMBER, 1))

    world.run(world.context.store.write(join))
    value = create(admin, organizations=["other", "acme"])
    assert set(world.run(world.authority.reach.of(present(world, value)))) == {
        other.organization.id,
        world.first.organization.id,
    }
    admin.get(AT)
    assert "Acme, Other" in admin.text()


# -- seen --------------------------------------------------------------------------------------------


def test_a_list_says_what_each_token_opens_from_where_and_who_used_it_last(
    admin: Console, world: World
) -> None:
    value = create(admin, allowed_ip_addresses="203.0.113.0/24", scopes=["read_user"])
    present(world, value, client="terraform/1.9")
    admin.get(AT)
    for told in ("read_user", "203.0.113.0/24", "203.0.113.9", "terraform/1.9", "moments ago", "in 7 d"):
        assert told in admin.text(), told
    for query, shown in (
        ("q=nightly", True),
        ("q=READ_USER", True),
        ("q=nothing", False),
        ("show=never_used", False),
        ("show=live", True),
        ("show=expired", False),
    ):
        admin.get(f"{AT}?{query}")
        assert ("terraform/1.9" in admin.text()) is shown, query
    world.clock.forward(8 * DAY_US)
    admin.sign_in_as(world.first.admin)
    admin.get(f"{AT}?show=expired")
    assert "nightly report" in admin.text()
    assert "Expired" in admin.text()


def test_a_page_answers_what_a_token_may_do_by_the_rules_that_enforce_it(admin: Console) -> None:
    create(admin)
    admin.get(f"{AT}/{id_of(admin)}")
    text = admin.text()
    assert "It may read agents and builds in Acme, from anywhere" in text
    assert "See agents agent.read" in text
    assert "See builds, jobs and annotations build.read" in text
    assert "cluster.read" not in text


def test_somebody_elses_token_is_like_none_on_every_page(admin: Console, world: World) -> None:
    member = Console(world)
    member.sign_in_as(new_person(world, "member@example.com"))
    create(admin)
    theirs, absent = id_of(admin), uuid7(1_700_000_000_000_000, b"0123456789")
    for method, path in (
        ("GET", ""),
        ("POST", ""),
        ("GET", "/edit"),
        ("GET", "/duplicate"),
        ("GET", "/revoke"),
        ("POST", "/revoke"),
        ("GET", "/rotation"),
        ("POST", "/rotation"),
        ("POST", "/rotation/extend"),
        ("POST", "/rotation/finish"),
        ("POST", "/rotation/abort"),
    ):
        answers = []
        for token in (theirs, absent, "no-uuid"):
            at = f"{AT}/{token}{path}"
            answer = member.get(at) if method == "GET" else member.post(at, {"once": "x", "days": "7"})
            answers.append((answer.status_code, answer.text))
        assert answers[0][0] == 404, path
        assert len(set(answers)) == 1, path
    assert "It may read agents and builds" in admin.get(f"{AT}/{theirs}").text


def test_tokens_made_with_a_token_are_named(admin: Console, world: World) -> None:
    parent = world.first.api_token
    made = Rest(world, parent.value)(
        "POST", "api-access-tokens", json={"description": "child", "scopes": ["read_user"]}
    )
    assert made.status_code == 201
    admin.get(f"{AT}/{parent.token.id}/revoke")
    assert "1 token was made with it" in admin.text()
    assert f"{AT}/{made.json()['id']}" in admin.links()


# -- changed and ended -------------------------------------------------------------------------------


def test_description_and_networks_change_and_count_at_once(admin: Console, world: World) -> None:
    value = create(admin)
    token = id_of(admin)
    fields = {"description": "weekly report", "allowed_ip_addresses": "198.51.100.0/24"}
    answer = admin.post(f"{AT}/{token}", fields, follow=True)
    assert "The API access token is changed." in admin.text()
    assert "weekly report" in answer.text
    assert not passes(world, value)
    answer = admin.post(f"{AT}/{token}", {"description": "", "allowed_ip_addresses": "no"})
    assert answer.status_code == 422
    assert "invalid_network" in admin.text()


def test_revoking_says_who_is_refused_from_then_on_and_ends_it_at_once(admin: Console, world: World) -> None:
    value = create(admin)
    token = id_of(admin)
    present(world, value, client="curl/8")
    admin.get(f"{AT}/{token}/revoke")
    assert "203.0.113.9 curl/8" in admin.text()
    admin.post(f"{AT}/{token}/revoke", follow=True)
    assert "It passes nowhere any more." in admin.text()
    assert "token_revoked" in admin.text()
    assert not passes(world, value)
    assert admin.post(f"{AT}/{token}/revoke").status_code == 303


def test_ones_own_token_can_be_revoked_from_where_its_organization_lets_nobody_in(
    admin: Console, world: World
) -> None:
    value = create(admin)
    token = id_of(admin)
    policy(world, allowed_networks="198.51.100.0/24")
    assert admin.post(f"{AT}/{token}", {"description": "x"}).status_code == 403
    assert "Nothing: its owner is kept out there" not in admin.text()
    assert admin.post(f"{AT}/{token}/revoke").status_code == 303
    policy(world, allowed_networks="")
    assert not passes(world, value)


def test_another_like_one_is_filled_in_and_made_by_the_same_form(admin: Console) -> None:
    create(admin, allowed_ip_addresses="203.0.113.0/24", life="30")
    page = admin.get(f"{AT}/{id_of(admin)}/duplicate").text
    assert 'value="nightly report"' in page
    assert '<option value="30" selected>' in page
    assert "203.0.113.0/24" in page
    assert set(re.findall(r'name="scopes" value="(\w+)"[^>]* checked', page)) == {
        "read_builds",
        "read_agents",
    }


# -- rotated -----------------------------------------------------------------------------------------


def test_a_rotation_shows_the_new_value_once_and_ends_the_old_one_by_its_first_use(
    admin: Console, world: World
) -> None:
    old = create(admin)
    token = id_of(admin)
    fields = {"once": once_of(admin, f"{AT}/{token}/rotation"), "days": "30"}
    answer = admin.post(f"{AT}/{token}/rotation", fields)
    (new,) = set(VALUE.findall(answer.text))
    assert "The old value goes on working" in admin.text()
    assert not VALUE.search(admin.post(f"{AT}/{token}/rotation", fields).text)
    assert "No second token was made" in admin.text()
    admin.get(f"{AT}/{token}/rotation")
    assert "Both values work" in admin.text()
    other = {"once": once_of(admin, f"{AT}/new"), "days": "30"}
    assert admin.post(f"{AT}/{token}/rotation", other).status_code == 422
    assert "rotation_open" in admin.text()
    assert passes(world, old)
    assert passes(world, new)
    assert not passes(world, old)
    admin.get(f"{AT}/{token}/rotation")
    assert "the new value took the old one's place" in admin.text()


def test_a_rotation_is_extended_finished_or_aborted(admin: Console, world: World) -> None:
    old = create(admin)
    token = id_of(admin)
    at = f"{AT}/{token}/rotation"
    new = VALUE.findall(admin.post(at, {"once": once_of(admin, at), "days": "1"}).text)[0]
    admin.post(f"{at}/extend", {"days": "90"}, follow=True)
    assert "in 90 d" in admin.text()
    admin.post(f"{at}/abort", follow=True)
    assert "The new value is revoked; the old one goes on." in admin.text()
    assert passes(world, old)
    assert not passes(world, new)
    new = VALUE.findall(admin.post(at, {"once": once_of(admin, at), "days": "1"}).text)[0]
    admin.post(f"{at}/finish", follow=True)
    assert "The old value has ended." in admin.text()
    assert not passes(world, old)
    assert passes(world, new)
    assert admin.post(f"{at}/extend", {"days": "7"}).status_code == 422
