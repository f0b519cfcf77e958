"""What the command line `bk` sends when it signs in and renews, byte for byte, and what it reads.

Recorded from a build of its source against this server over TLS: Go's encoding, its order, its headers.
"""

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest

from console_client import Console
from oauth_client import VERIFIER, Tool, challenge_of
from support import SECOND_US, World

HEADERS = {
    "content-type": "application/x-www-form-urlencoded",
    "accept": "application/json",
    "user-agent": "Go-http-client/2.0",
}
# What it asks for where nobody says otherwise; no `graphql`, nothing about settings, invitations or audit.
SCOPES = (
    "read_agents read_artifacts read_build_logs read_builds read_clusters read_job_env"
    " read_pipeline_templates read_pipelines read_rules write_agents write_artifacts"
    " write_build_logs write_builds write_clusters write_pipeline_templates write_pipelines"
    " write_rules read_organizations read_teams read_user write_teams read_secrets_details"
    " write_secrets read_suites read_test_plan write_suites write_test_plan delete_packages"
    " delete_registries read_packages read_registries write_packages write_registries"
    " read_portals write_portals"
)
AUTHORIZE = (
    "/oauth/authorize?client_id=5214b230f06b48938ab5&code_challenge={challenge}&code_challenge_method=S256"
    "&organization=acme&redirect_uri=http%3A%2F%2F127.0.0.1%3A42557%2Fcallback&response_type=code"
    "&scope={scopes}&state=mG6-7EGWQAj8jajQF-70eA"
)
REDEEM = (
    "client_id=5214b230f06b48938ab5&code={code}&code_verifier={verifier}&grant_type=authorization_code"
    "&redirect_uri=http%3A%2F%2F127.0.0.1%3A42557%2Fcallback"
)
REFRESH = "client_id=5214b230f06b48938ab5&grant_type=refresh_token&refresh_token={refresh_token}"
START = "client_id=5214b230f06b48938ab5&scope={scopes}"
POLL = (
    "client_id=5214b230f06b48938ab5&device_code={device_code}"
    "&grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code"
)
# `bk` forgets its refresh token where the text of an error holds one of these (RFC 6749 §5.2).
FORGETS = ("invalid_grant", "unauthorized_client", "invalid_client")


@pytest.fixture
def tool(world: World) -> Tool:
    return Tool(world)


@pytest.fixture
def console(world: World) -> Console:
    made = Console(world)
    made.sign_in_as(world.first.admin)
    return made


def send(tool: Tool, path: str, body: str) -> httpx.Response:
    return tool.call("POST", path, content=body.encode(), headers=HEADERS)


def read(answer: httpx.Response) -> dict[str, Any]:
    """As `bk` reads it: JSON whatever the status, an `error` first, then an access token."""
    body: dict[str, Any] = answer.json()
    assert isinstance(body.get("expires_in", 0), int)
    assert body.get("error") or body["access_token"]
    return body


def plus(scopes: str) -> str:
    return scopes.replace(" ", "+")


def test_bk_signs_in_by_the_browser_and_renews(tool: Tool, console: Console) -> None:
    page = AUTHORIZE.format(challenge=challenge_of(VERIFIER), scopes=plus(SCOPES))
    assert console.get(page).status_code == 200
    sent = console.post(page, {"decision": "approve", "organization": "acme"})
    back = dict(parse_qsl(urlsplit(sent.headers["location"]).query))
    assert back["state"] == "mG6-7EGWQAj8jajQF-70eA"  # else it says "possible CSRF attack"
    given = read(send(tool, "/oauth/token", REDEEM.format(code=back["code"], verifier=VERIFIER)))
    assert set(given["scope"].split()) == set(SCOPES.split())  # an administrator has them all
    renewed = read(send(tool, "/oauth/token", REFRESH.format(refresh_token=given["refresh_token"])))
    assert renewed["refresh_token"] != given["refresh_token"]
    tool.passes(renewed["access_token"])
    tool.world.clock.forward(31 * SECOND_US)
    stale = read(send(tool, "/oauth/token", REFRESH.format(refresh_token=given["refresh_token"])))
    assert stale["error"] in FORGETS


def test_bk_signs_in_by_a_device_code(tool: Tool, console: Console) -> None:
    begun = send(tool, "/oauth/device_authorization", START.format(scopes=plus(SCOPES))).json()
    assert begun["device_code"]
    assert begun["user_code"]
    assert begun["verification_uri"]
    assert begun["interval"] == 5
    poll = POLL.format(device_code=begun["device_code"])
    assert read(send(tool, "/oauth/token", poll))["error"] == "authorization_pending"  # it asks at once
    page = urlsplit(begun["verification_uri_complete"]).path
    assert console.post(page, {"decision": "approve", "organization": "acme"}).status_code == 200
    tool.world.clock.forward(5 * SECOND_US)
    given = read(send(tool, "/oauth/token", poll))
    assert given["token_type"] == "Bearer"
    assert urlencode({"scope": given["scope"]}).count("+") == len(SCOPES.split()) - 1


def test_bk_keeps_its_refresh_token_where_a_refusal_is_not_about_it(tool: Tool) -> None:
    given = tool.connect()
    for _ in range(60):
        tool.refresh("x")
    held = read(send(tool, "/oauth/token", REFRESH.format(refresh_token=given["refresh_token"])))
    assert held["error"] == "temporarily_unavailable"
    assert not [word for word in FORGETS if word in str(held)]
