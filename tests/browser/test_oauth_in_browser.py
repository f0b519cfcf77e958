"""A program is let in from a browser: the form's answer leads to loopback, which browsers must follow."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from playwright.sync_api import expect

from journeys import Journey
from oauth_client import CLIENT, VERIFIER, request_of
from support import Client, LiveServer

FORM = {"content-type": "application/x-www-form-urlencoded"}


class Program(HTTPServer):
    """Waits on loopback for the browser, as `bk` does."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Callback)
        self.heard: list[dict[str, str]] = []
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/callback"

    def close(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Callback(BaseHTTPRequestHandler):
    server: Program

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/callback":
            self.server.heard.append(dict(parse_qsl(parts.query)))
        body = b"<!doctype html><html lang=en><title>Done</title><h1>Authentication Successful</h1></html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def program() -> Iterator[Program]:
    made = Program()
    yield made
    made.close()


def test_a_program_is_let_in_listed_and_revoked(
    journey: Journey, server: LiveServer, program: Program
) -> None:
    page = journey.page
    journey.outside = [f"http://127.0.0.1:{program.server_port}/"]
    journey.go("/oauth/authorize?" + urlencode(request_of(redirect_uri=program.address)))
    expect(page.get_by_role("heading", name="Connect an application?")).to_be_visible()
    expect(page.get_by_text("Buildkite CLI (bk)")).to_be_visible()
    journey.require_accessible()
    journey.require_no_overflow()
    assert program.heard == []

    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("heading", name="Authentication Successful")).to_be_visible()
    [heard] = program.heard
    assert heard["state"] == "a state"
    fields = {
        "grant_type": "authorization_code",
        "code": heard["code"],
        "client_id": CLIENT,
        "redirect_uri": program.address,
        "code_verifier": VERIFIER,
    }
    given = Client(server.url).call("POST", "/oauth/token", urlencode(fields), headers=FORM)
    assert given.status == 200, given
    tool = Client(server.url, given.body["access_token"], "Bearer")
    assert tool.call("GET", "/v2/organizations/acme/agents").status == 200

    journey.go("/user/connected-apps")
    expect(page.get_by_role("row", name="Buildkite CLI (bk)")).to_contain_text("Acme")
    journey.require_accessible()
    page.get_by_role("button", name="Revoke Buildkite CLI (bk) in Acme").click()
    assert journey.status.startswith("The application is revoked.")
    assert tool.call("GET", "/v2/organizations/acme/agents").status == 401


def test_a_refusal_reaches_the_program_too(journey: Journey, program: Program) -> None:
    journey.outside = [f"http://127.0.0.1:{program.server_port}/"]
    journey.go("/oauth/authorize?" + urlencode(request_of(redirect_uri=program.address)))
    journey.page.get_by_role("button", name="Deny").click()
    expect(journey.page.get_by_role("heading", name="Authentication Successful")).to_be_visible()
    assert [heard["error"] for heard in program.heard] == ["access_denied"]


def test_a_device_is_let_in_by_the_code_that_it_shows(journey: Journey, server: LiveServer) -> None:
    client, page = Client(server.url), journey.page
    asked = urlencode({"client_id": CLIENT, "scope": "read_agents read_user"})
    begun = client.call("POST", "/oauth/device_authorization", asked, headers=FORM).body
    journey.go("/oauth/device")
    journey.require_accessible()
    page.get_by_label("Code that the device shows").fill(begun["user_code"].lower())
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text(begun["user_code"])).to_be_visible()
    journey.require_accessible()
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("heading", name="The device is connected")).to_be_visible()
    polled = urlencode(
        {
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
            "client_id": CLIENT,
            "device_code": begun["device_code"],
        }
    )
    given = client.call("POST", "/oauth/token", polled, headers=FORM)
    assert given.body["scope"] == "read_agents read_user"
