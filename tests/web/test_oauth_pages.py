"""Pages on which people let applications and devices in, and end that: OAuth as the browser meets it."""

import re
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from console_client import Console, new_person
from oauth_client import REDIRECT, VERIFIER, Tool, request_of
from support import MINUTE_US, SECOND_US, World
from watchword.domain.errors import Refused
from watchword.domain.tokens import State
from watchword.services.accounts import create_organization
from watchword.services.context import LOCAL
from watchword.store.base import EVERYTHING, Transaction
from watchword.web.oauthconsent import form_target
from watchword.web.security import content_security


@pytest.fixture
def console(world: World) -> Console:
    made = Console(world)
    made.sign_in_as(world.first.admin)
    return made


@pytest.fixture
def tool(world: World) -> Tool:
    return Tool(world)


def page_of(**changes: str) -> str:
    return "/oauth/authorize?" + urlencode(request_of(**changes))


def answered(location: str) -> dict[str, str]:
    assert location.startswith(REDIRECT + "?")
    return dict(parse_qsl(urlsplit(location).query))


APPROVE = {"decision": "approve", "organization": "acme"}


def test_a_click_sends_the_browser_back_with_a_code_and_the_state_unchanged(
    world: World, console: Console, tool: Tool
) -> None:
    state = "a state/ with?what=not&plain"
    shown = console.get(page_of(state=state))
    assert shown.status_code == 200
    assert "Buildkite CLI (bk)" in console.text()
    policy = shown.headers.get_list("content-security-policy")
    assert policy == [content_security(form="http://127.0.0.1:43217")]
    assert "frame-ancestors 'none'" in policy[0]
    assert shown.headers["x-frame-options"] == "DENY"
    sent = console.post(page_of(state=state), APPROVE)
    assert sent.status_code == 303
    back = answered(sent.headers["location"])
    assert set(back) == {"code", "state", "iss"}
    assert (back["state"], back["iss"]) == (state, world.context.installation.url)
    assert tool.redeem(back["code"], code_verifier=VERIFIER).status_code == 200


def test_a_refusal_and_what_is_wrong_go_back_to_the_application(console: Console) -> None:
    denied = console.post(page_of(), {"decision": "deny"})
    back = answered(denied.headers["location"])
    assert (back["error"], back["state"]) == ("access_denied", "a state")
    wrong = console.get(page_of(code_challenge_method="plain"))
    assert answered(wrong.headers["location"])["error"] == "invalid_request"
    twice = console.get(page_of() + "&scope=read_user")
    assert answered(twice.headers["location"])["error"] == "invalid_request"


@pytest.mark.parametrize(
    "changes", [{"client_id": "0" * 20}, {"redirect_uri": "https://evil.example/"}, {"redirect_uri": ""}]
)
def test_nobody_is_sent_to_an_address_that_is_not_the_applications(
    console: Console, changes: dict[str, str]
) -> None:
    for answer in (console.get(page_of(**changes)), console.post(page_of(**changes), APPROVE)):
        assert answer.status_code == 400
        assert "location" not in answer.headers
        assert "evil.example" not in answer.text
    doubled = console.get(page_of() + "&redirect_uri=https%3A%2F%2Fevil.example%2F")
    assert (doubled.status_code, "location" in doubled.headers) == (400, False)


def test_whoever_is_not_signed_in_comes_back_to_the_page_afterwards(world: World) -> None:
    console = Console(world)
    answer = console.get(page_of())
    assert answer.status_code == 303
    assert dict(parse_qsl(urlsplit(answer.headers["location"]).query))["to"] == page_of()


def test_an_old_session_proves_itself_before_the_page_and_again_where_the_page_was_left_open(
    world: World, console: Console
) -> None:
    console.sign_in_as(world.first.admin, fresh=False)
    assert console.get(page_of()).headers.get("location") is None
    assert "Approve" not in console.text()
    sent = console.post(page_of(), APPROVE)
    assert sent.headers["location"] == page_of()


def test_a_form_of_another_site_does_nothing(console: Console) -> None:
    sent = console.post(page_of(), APPROVE, sec_fetch_site="cross-site")
    assert sent.status_code == 403
    forged = console.http.post(page_of(), data=APPROVE)
    assert forged.status_code == 403


def test_an_organization_is_picked_among_ones_own(world: World, console: Console, tool: Tool) -> None:
    run, context = world.run, world.context
    other = run(create_organization(context, LOCAL, "other", "Other", "o@example.com", "Oda"))
    stranger = console.post(page_of(), {"decision": "approve", "organization": "other"})
    assert stranger.status_code == 404
    console.sign_in_as(other.admin)
    assert "Other" in console.get(page_of(organization="acme")).text
    sent = console.post(page_of(), {"decision": "approve", "organization": "other"})
    code = answered(sent.headers["location"])["code"]
    given = tool.redeem(code).json()
    assert tool.find(given["access_token"]).organization_id == other.organization.id


def test_where_administrators_alone_make_tokens_members_let_nothing_in(
    world: World, console: Console
) -> None:
    async def restrict(tx: Transaction) -> None:
        policy = await tx.policies.policy(world.first.organization.id)
        await tx.policies.save(replace(policy, restrict_api_token_creation=True))

    world.run(world.context.store.write(restrict))
    console.sign_in_as(new_person(world, "mia@example.com"))
    sent = console.post(page_of(), APPROVE)
    assert (sent.status_code, "location" in sent.headers) == (403, False)


@pytest.mark.parametrize(
    ("uri", "target"),
    [
        ("http://127.0.0.1:43217/callback", "http://127.0.0.1:43217"),
        ("http://[::1]:43217/callback", "http:"),
        ("https://desk.example/callback?x=1", "https://desk.example"),
        ("com.example.desk:/callback", "com.example.desk:"),
    ],
)
def test_the_pages_policy_names_where_its_form_leads(uri: str, target: str) -> None:
    assert form_target(uri) == target


# -- devices ---------------------------------------------------------------------------------------------


def test_a_device_is_let_in_by_its_code(console: Console, tool: Tool) -> None:
    begun = tool.start_device().json()
    typed = begun["user_code"].lower().replace("-", " ")
    led = console.get(f"/oauth/device?user_code={typed}")
    assert led.headers["location"] == f"/oauth/device/{begun['user_code']}"
    shown = console.get(led.headers["location"])
    assert shown.status_code == 200
    assert begun["user_code"] in console.text()
    assert tool.address in console.text()  # where the device asked from
    assert tool.poll(begun["device_code"]).json()["error"] == "authorization_pending"
    assert console.post(f"/oauth/device/{begun['user_code']}", APPROVE).status_code == 200
    assert "is connected" in console.text()
    assert tool.poll(begun["device_code"]).status_code == 200
    again = console.post(f"/oauth/device/{begun['user_code']}", APPROVE)
    assert again.status_code == 404


def test_a_device_is_refused(console: Console, tool: Tool) -> None:
    begun = tool.start_device().json()
    console.post(f"/oauth/device/{begun['user_code']}", {"decision": "deny"})
    assert "is refused" in console.text()
    assert tool.poll(begun["device_code"]).json()["error"] == "access_denied"


def test_few_user_codes_may_be_tried(console: Console, tool: Tool) -> None:
    begun = tool.start_device().json()
    assert console.get("/oauth/device?user_code=nothing").status_code == 404
    for _ in range(10):
        assert console.get("/oauth/device/BBBB-BBBB").status_code == 404
    assert console.get(f"/oauth/device/{begun['user_code']}").status_code == 429
    tool.world.clock.forward(MINUTE_US)
    assert console.get(f"/oauth/device/{begun['user_code']}").status_code == 200


# -- connected apps --------------------------------------------------------------------------------------


def test_connected_apps_are_listed_and_revoked_with_all_their_tokens(
    world: World, console: Console, tool: Tool
) -> None:
    assert "No connected apps" in console.get("/user/connected-apps").text
    given = tool.connect()
    tool.passes(given["access_token"])
    console.get("/user/connected-apps")
    for shown in ("Buildkite CLI (bk)", "Acme", "203.0.113.9", "198.51.100.7", "change agents"):
        assert shown in console.text(), shown
    grant = tool.grant(given["access_token"])
    at = f"/user/connected-apps/{grant.id}/revoke"
    other = Console(world)
    other.sign_in_as(new_person(world, "mia@example.com"))
    assert other.post(at).status_code == 404
    assert console.post(at).headers["location"] == "/user/connected-apps?done=app-revoked"
    assert tool.state(given["access_token"]) is State.REVOKED
    assert tool.state(given["refresh_token"]) is State.REVOKED
    with pytest.raises(Refused):
        tool.passes(given["access_token"])
    assert console.post(at).status_code == 404
    assert "oauth_grant.revoked" in tool.actions()


def test_an_incident_of_a_refresh_token_is_shown(tool: Tool, console: Console) -> None:
    given = tool.connect()
    tool.refresh(given["refresh_token"])
    tool.world.clock.forward(31 * SECOND_US)
    tool.refresh(given["refresh_token"])
    home = tool.world.first.organization.id
    token = tool.find(given["refresh_token"])
    found = tool.world.run(tool.world.context.store.read(lambda tx: tx.incidents.latest(home, token.id)))
    assert found is not None
    for path in ("incidents", f"incidents/{found.id}"):
        assert console.get(path).status_code == 200, path
    assert "a refresh token that a connected application had used before" in console.text()


# -- applications ----------------------------------------------------------------------------------------


def test_an_application_is_registered_shown_with_its_secret_once_and_deleted(
    world: World, console: Console, tool: Tool
) -> None:
    at = "oauth-applications"
    assert "None of your own" in console.get(at).text
    sent = {
        "once": "a form",
        "name": "Deploy desk",
        "redirect_uris": "http://127.0.0.1/callback\r\n",
        "flows": "authorization_code",
        "confidential": "1",
        "refresh": "1",
        "scopes": ["read_agents", "read_builds"],
        "token_lifetime": "3600",
    }
    assert console.post(at, sent).status_code == 200
    assert "Deploy desk is registered" in console.text()
    home = world.first.organization.id
    (desk,) = world.run(world.context.store.read(lambda tx: tx.oauth.applications(home, EVERYTHING)))
    (secret,) = re.findall(r'id="f-client-secret"[^>]*value="([^"]+)"', console.last.text)
    assert secret not in console.get(at).text
    again = console.post(at, sent)
    assert (again.status_code, secret in again.text) == (303, False)
    code = tool.approve(client_id=desk.client_id, scope="read_agents write_agents")
    given = tool.redeem(code, client_id=desk.client_id, client_secret=secret).json()
    assert (given["scope"], given["expires_in"]) == ("read_agents", 3600)
    refused = console.post(at, {**sent, "once": "another", "redirect_uris": "http://desk.example/"})
    assert (refused.status_code, "no redirect URI" in console.text()) == (422, True)
    gone = console.post(f"{at}/{desk.id}/delete")
    assert gone.headers["location"].endswith("?done=application-deleted")
    assert tool.state(given["access_token"]) is State.REVOKED
