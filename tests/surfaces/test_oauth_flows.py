"""OAuth for people's tools: code, device code, refresh, revocation, as clients meet them over HTTP."""

import json
from urllib.parse import urlsplit

import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

from console_client import new_person
from oauth_client import BASE, CLIENT, REDIRECT, SCOPES, VERIFIER, Tool, basic, challenge_of
from support import MINUTE_US, SECOND_US, World
from watchword.domain.errors import NotFound, Refused
from watchword.domain.oauth import DEVICE_CODE, OAuthError
from watchword.domain.tokens import DAY_US, State
from watchword.services.accounts import create_organization
from watchword.services.context import LOCAL
from watchword.services.members import remove_member
from watchword.store.base import Transaction

DEAD = (400, "invalid_grant")


@pytest.fixture
def tool(world: World) -> Tool:
    return Tool(world)


# -- authorization code ------------------------------------------------------------------------------------


def test_a_code_gives_an_access_token_that_reaches_the_organization_and_a_refresh_token(tool: Tool) -> None:
    answer = tool.redeem(tool.approve())
    given = answer.json()
    assert answer.status_code == 200
    assert set(given) == {"access_token", "token_type", "scope", "expires_in", "refresh_token"}
    assert (given["token_type"], given["scope"]) == ("Bearer", " ".join(sorted(SCOPES.split())))
    assert given["access_token"].startswith("bkua_")
    assert given["refresh_token"].startswith("bkur_")
    assert given["expires_in"] == 8 * 3600
    assert answer.headers["cache-control"] == "no-store"
    presented = tool.passes(given["access_token"])
    assert presented.scopes == frozenset(SCOPES.split())
    assert presented.holder.user_id == tool.world.first.admin.id
    grant = tool.grant(given["access_token"])
    assert (grant.name, grant.address, grant.flow) == (
        "Buildkite CLI (bk)",
        "203.0.113.9",
        "authorization_code",
    )
    assert tool.actions()[-2:] == ["oauth_grant.approved", "oauth_grant.created"]


def test_a_code_is_good_once_and_its_second_use_ends_what_the_first_gave(tool: Tool) -> None:
    code = tool.approve()
    given = tool.redeem(code).json()
    again = tool.redeem(code)
    assert (again.status_code, again.json()["error"]) == DEAD
    assert tool.state(given["access_token"]) is State.REVOKED
    assert tool.state(given["refresh_token"]) is State.REVOKED
    with pytest.raises(Refused):
        tool.passes(given["access_token"])
    assert tool.actions()[-1] == "oauth_grant.revoked"


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": VERIFIER + "x"},
        {"code_verifier": ""},
        {"code_verifier": challenge_of(VERIFIER)},
        {"code_verifier": "short"},
        {"redirect_uri": "http://127.0.0.1:1/callback"},
        {"redirect_uri": REDIRECT + "/"},
        {"code": "nothing of ours"},
    ],
)
def test_a_code_needs_its_own_verifier_and_address(tool: Tool, changes: dict[str, str]) -> None:
    code = tool.approve()
    refused = tool.redeem(**{"code": code, **changes})
    assert (refused.status_code, refused.json()["error"]) == DEAD
    assert tool.redeem(code).status_code == 200  # whoever has no verifier takes nothing away


def test_a_code_lives_for_a_minute(tool: Tool) -> None:
    code = tool.approve()
    tool.world.clock.forward(MINUTE_US)
    answer = tool.redeem(code)
    assert (answer.status_code, answer.json()["error"]) == DEAD


def test_a_code_is_good_for_its_own_client_alone(tool: Tool) -> None:
    other = tool.register(redirect_uris=(REDIRECT,))
    code = tool.approve()
    answer = tool.redeem(code, client_id=other.client_id)
    assert (answer.status_code, answer.json()["error"]) == DEAD
    assert tool.redeem(code).status_code == 200


def test_a_person_gives_no_more_than_they_have(tool: Tool) -> None:
    person = new_person(tool.world, "mia@example.com")
    code = tool.approve(person, scope="read_agents write_clusters write_organizations")
    given = tool.redeem(code).json()
    assert "read_agents" in given["scope"].split()
    assert not {"write_clusters", "write_organizations"} & set(given["scope"].split())


def test_a_member_who_leaves_loses_it_at_once(tool: Tool) -> None:
    world = tool.world
    person = new_person(world, "mia@example.com")
    given = tool.connect(person)
    waiting = tool.approve(person)
    home = world.first.organization.id

    async def leave(tx: Transaction) -> None:
        member = await tx.accounts.member(home, person.id)
        assert member is not None
        await remove_member(world.context, tx, LOCAL, member, None)

    world.run(world.context.store.write(leave))
    assert tool.state(given["access_token"]) is State.REVOKED
    assert tool.refresh(given["refresh_token"]).json()["error"] == "invalid_grant"
    assert tool.redeem(waiting).json()["error"] == "invalid_grant"


# -- confidential clients ----------------------------------------------------------------------------------


def test_a_confidential_client_shows_its_secret_by_basic_or_in_the_form(tool: Tool) -> None:
    desk = tool.register(secret="s3cret:with a colon")
    uri = desk.redirect_uris[0]
    asked = {"client_id": desk.client_id, "redirect_uri": uri}

    def fields() -> dict[str, str]:
        code = tool.approve(**asked)
        return {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": uri,
            "code_verifier": VERIFIER,
        }

    secret = "s3cret:with a colon"
    by_form = tool.post("/oauth/token", {**fields(), "client_id": desk.client_id, "client_secret": secret})
    assert by_form.status_code == 200
    by_basic = tool.post("/oauth/token", fields(), headers=basic(desk.client_id, secret))
    assert by_basic.status_code == 200
    wrong = tool.post("/oauth/token", fields(), headers=basic(desk.client_id, "wrong"))
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    assert wrong.headers["www-authenticate"].startswith("Basic ")
    without = tool.post("/oauth/token", {**fields(), "client_id": desk.client_id})
    assert (without.status_code, without.json()["error"]) == (400, "invalid_client")
    unknown = tool.post("/oauth/token", {**fields(), "client_id": "0" * 20, "client_secret": secret})
    assert unknown.json() == without.json()


def test_a_confidential_client_may_leave_pkce_out_but_cannot_be_tricked_out_of_it(tool: Tool) -> None:
    desk = tool.register(secret="s3cret")
    uri = desk.redirect_uris[0]
    asked = {"client_id": desk.client_id, "redirect_uri": uri}
    named = {"client_id": desk.client_id, "client_secret": "s3cret", "redirect_uri": uri}
    plain = tool.approve(**asked, code_challenge="", code_challenge_method="")
    assert tool.redeem(plain, **named).json()["error"] == "invalid_grant"  # a verifier without a challenge
    assert tool.redeem(plain, **named, code_verifier="").status_code == 200
    bound = tool.approve(**asked)
    assert tool.redeem(bound, **named, code_verifier="").json()["error"] == "invalid_grant"


def test_an_application_gets_what_it_was_registered_for(tool: Tool) -> None:
    desk = tool.register(refresh=False, token_seconds=0, flows=("authorization_code",))
    asked = {"client_id": desk.client_id, "redirect_uri": desk.redirect_uris[0]}
    given = tool.redeem(tool.approve(**asked, scope="read_agents read_builds"), **asked).json()
    assert set(given) == {"access_token", "token_type", "scope"}
    assert given["scope"] == "read_agents"
    refused = tool.start_device(client_id=desk.client_id)
    assert (refused.status_code, refused.json()["error"]) == (400, "unauthorized_client")


# -- refresh -----------------------------------------------------------------------------------------------


def test_a_refresh_gives_new_tokens_and_ends_the_old_ones(tool: Tool) -> None:
    first = tool.connect()
    tool.world.clock.forward(9 * 3600 * SECOND_US)
    assert tool.state(first["access_token"]) is State.EXPIRED
    answer = tool.refresh(first["refresh_token"])
    second = answer.json()
    assert answer.status_code == 200
    assert second["access_token"] != first["access_token"]
    assert second["refresh_token"] != first["refresh_token"]
    assert tool.passes(second["access_token"]).scopes == frozenset(SCOPES.split())
    assert tool.grant(first["access_token"]).id == tool.grant(second["access_token"]).id
    assert tool.actions()[-1] == "oauth_grant.refreshed"


def test_a_refresh_whose_answer_was_lost_gives_the_same_answer_for_half_a_minute(tool: Tool) -> None:
    first = tool.connect()
    second = tool.refresh(first["refresh_token"]).json()
    tool.world.clock.forward(29 * SECOND_US)
    assert tool.refresh(first["refresh_token"]).json() == second
    tool.passes(second["access_token"])


def test_a_used_refresh_token_ends_the_connection_and_raises_an_incident(tool: Tool) -> None:
    first = tool.connect()
    second = tool.refresh(first["refresh_token"]).json()
    tool.world.clock.forward(30 * SECOND_US)
    tool.address = "192.0.2.66"
    stolen = tool.refresh(first["refresh_token"])
    assert (stolen.status_code, stolen.json()["error"]) == DEAD
    for value in (second["access_token"], second["refresh_token"]):
        assert tool.state(value) is State.REVOKED
    assert tool.refresh(second["refresh_token"]).json()["error"] == "invalid_grant"
    home, retired = tool.world.first.organization.id, tool.find(first["refresh_token"])
    incident = tool.world.run(tool.world.context.store.read(lambda tx: tx.incidents.latest(home, retired.id)))
    assert incident is not None
    assert incident.addresses == ("192.0.2.66",)
    tool.refresh(first["refresh_token"])
    assert tool.actions().count("incident.opened") == 1


def test_a_repeat_is_no_repeat_any_more_once_its_answer_was_used(tool: Tool) -> None:
    first = tool.connect()
    second = tool.refresh(first["refresh_token"]).json()
    third = tool.refresh(second["refresh_token"]).json()
    assert tool.refresh(first["refresh_token"]).json()["error"] == "invalid_grant"
    assert tool.state(third["access_token"]) is State.REVOKED


def test_a_refresh_may_ask_for_less_and_not_for_more(tool: Tool) -> None:
    first = tool.connect()
    more = tool.refresh(first["refresh_token"], scope="read_agents write_clusters")
    assert (more.status_code, more.json()["error"]) == (400, "invalid_scope")
    less = tool.refresh(first["refresh_token"], scope="read_agents").json()
    assert less["scope"] == "read_agents"
    assert tool.passes(less["access_token"]).scopes == {"read_agents"}
    assert set(tool.refresh(less["refresh_token"]).json()["scope"].split()) == set(SCOPES.split())


def test_a_refresh_token_is_its_own_clients_and_ends_unused(tool: Tool) -> None:
    other = tool.register()
    first = tool.connect()
    foreign = tool.refresh(first["refresh_token"], client_id=other.client_id)
    assert (foreign.status_code, foreign.json()["error"]) == DEAD
    unknown = tool.refresh(first["refresh_token"], client_id="0" * 20)
    assert (unknown.status_code, unknown.json()["error"]) == (400, "invalid_client")
    assert tool.refresh(first["access_token"]).json()["error"] == "invalid_grant"
    tool.world.clock.forward(90 * DAY_US)
    assert tool.refresh(first["refresh_token"]).json()["error"] == "invalid_grant"


# -- device ------------------------------------------------------------------------------------------------


def test_a_device_shows_a_code_waits_and_gets_its_tokens(tool: Tool) -> None:
    answer = tool.start_device()
    begun = answer.json()
    assert answer.status_code == 200
    assert (begun["expires_in"], begun["interval"]) == (600, 5)
    assert len(begun["user_code"]) == 9
    assert begun["user_code"][4] == "-"
    assert urlsplit(begun["verification_uri_complete"]).path == f"/oauth/device/{begun['user_code']}"
    pending = tool.poll(begun["device_code"])
    assert (pending.status_code, pending.json()["error"]) == (400, "authorization_pending")
    tool.approve_device(begun["user_code"])
    tool.world.clock.forward(5 * SECOND_US)
    given = tool.poll(begun["device_code"])
    assert given.status_code == 200
    assert set(given.json()["scope"].split()) == set(SCOPES.split())
    assert tool.grant(given.json()["access_token"]).flow == DEVICE_CODE
    assert tool.poll(begun["device_code"]).json() == given.json()  # as if the answer had been lost
    tool.world.clock.forward(30 * SECOND_US)
    assert tool.poll(begun["device_code"]).json()["error"] == "invalid_grant"
    tool.passes(given.json()["access_token"])


def test_a_device_that_asks_too_soon_waits_longer_each_time(tool: Tool) -> None:
    begun = tool.start_device().json()

    def ask(seconds: int) -> str:
        tool.world.clock.forward(seconds * SECOND_US)
        return str(tool.poll(begun["device_code"]).json()["error"])

    assert [ask(0), ask(5), ask(4), ask(9), ask(14), ask(20), ask(19)] == [
        "authorization_pending",
        "authorization_pending",
        "slow_down",  # 10 seconds from now on
        "slow_down",  # 15
        "slow_down",  # 20
        "authorization_pending",
        "slow_down",
    ]


def test_a_device_hears_of_a_refusal_and_of_its_end(tool: Tool) -> None:
    denied, late = tool.start_device().json(), tool.start_device().json()
    assert tool.deny_device(denied["user_code"])
    assert tool.poll(denied["device_code"]).json()["error"] == "access_denied"
    tool.world.clock.forward(10 * MINUTE_US)
    answer = tool.poll(late["device_code"])
    assert (answer.status_code, answer.json()["error"]) == (400, "expired_token")
    assert tool.poll("nothing of ours").json()["error"] == "invalid_grant"


@pytest.mark.parametrize("scope", ["", " ", "nothing", "nothing else"])
def test_a_device_asks_for_a_scope_that_is_one(tool: Tool, scope: str) -> None:
    answer = tool.start_device(scope=scope)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


def test_a_device_names_a_client(tool: Tool) -> None:
    answer = tool.start_device(client_id="0" * 20)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")


# -- revocation, limits, metadata --------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_a_client_revokes_its_connection_by_either_token(tool: Tool, which: str) -> None:
    given = tool.connect()
    answer = tool.post("/oauth/revoke", {"client_id": CLIENT, "token": given[which]})
    assert answer.status_code == 200
    assert tool.state(given["access_token"]) is State.REVOKED
    assert tool.state(given["refresh_token"]) is State.REVOKED
    again = tool.post("/oauth/revoke", {"client_id": CLIENT, "token": given[which]})
    assert again.status_code == 200
    unknown = tool.post("/oauth/revoke", {"client_id": CLIENT, "token": "x"})
    assert unknown.status_code == 200


def test_a_client_cannot_revoke_what_is_not_its_own(tool: Tool) -> None:
    other, given = tool.register(), tool.connect()
    own = tool.world.first.api_token.value.reveal()
    for value, client_id in ((given["access_token"], other.client_id), (own, CLIENT)):
        answer = tool.post("/oauth/revoke", {"client_id": client_id, "token": value})
        assert (answer.status_code, answer.json()["error"]) == DEAD
        tool.passes(value)


def test_failed_guesses_are_limited_by_address(tool: Tool) -> None:
    given = tool.connect()
    for _ in range(60):
        assert tool.refresh("x").json()["error"] == "invalid_grant"
    held = tool.refresh(given["refresh_token"])
    assert (held.status_code, held.json()["error"]) == (429, "temporarily_unavailable")
    assert int(held.headers["retry-after"]) > 0
    tool.address = "192.0.2.8"
    assert tool.refresh(given["refresh_token"]).status_code == 200


def test_the_metadata_is_what_rfc_8414_asks_for(tool: Tool) -> None:
    answer = tool.call("GET", "/.well-known/oauth-authorization-server")
    document = answer.json()
    issuer = tool.world.context.installation.url
    assert document["issuer"] == issuer
    assert {DEVICE_CODE, "authorization_code", "refresh_token"} <= set(document["grant_types_supported"])
    # Authlib asks for https; the installation of these tests is on loopback.
    AuthorizationServerMetadata(json.loads(answer.text.replace(issuer, BASE))).validate()


# -- what is asked of the browser --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": ""}, "unsupported_response_type"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"scope": ""}, "invalid_scope"),
        ({"scope": "introspect_tokens"}, "invalid_scope"),
    ],
)
def test_what_is_wrong_with_a_request_goes_back_to_the_application(
    tool: Tool, changes: dict[str, str], code: str
) -> None:
    with pytest.raises(OAuthError) as caught:
        tool.approve(**changes)
    assert caught.value.code == code
    assert getattr(caught.value, "redirect_uri", "") == REDIRECT


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "0" * 20},
        {"client_id": ""},
        {"redirect_uri": ""},
        {"redirect_uri": "https://127.0.0.1:43217/callback"},
        {"redirect_uri": "http://127.0.0.1:43217/callback/more"},
        {"redirect_uri": "http://127.0.0.1@evil.example/callback"},
        {"redirect_uri": "http://127.0.0.1:43217@evil.example/callback"},
        {"redirect_uri": "http://localhost:43217/callback"},
        {"redirect_uri": "http://127.0.0.1.evil.example/callback"},
    ],
)
def test_a_wrong_application_or_address_is_never_answered_by_a_redirect(
    tool: Tool, changes: dict[str, str]
) -> None:
    with pytest.raises(OAuthError) as caught:
        tool.approve(**changes)
    assert not hasattr(caught.value, "redirect_uri")


def test_an_application_of_an_organization_reaches_that_one_alone(tool: Tool) -> None:
    world, desk = tool.world, tool.register()
    other = world.run(create_organization(world.context, LOCAL, "other", "Other", "o@example.com", "Oda"))
    asked = {"client_id": desk.client_id, "redirect_uri": desk.redirect_uris[0]}
    with pytest.raises(NotFound):
        tool.approve(other.admin, other.organization, **asked)
    tool.approve(other.admin, other.organization)  # what is built in reaches every one
