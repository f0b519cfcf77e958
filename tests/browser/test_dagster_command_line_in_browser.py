"""A command line of Dagster+ is let in from a browser: a click, and the token reaches loopback alone."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from playwright.sync_api import expect

from journeys import Journey
from support import Client, LiveServer

NONCE = "AB12CD34"


class CommandLine(HTTPServer):
    """Waits on loopback as the clients do: CORS for everybody, JSON at `/callback`, once."""

    def __init__(self) -> None:
        super().__init__(("localhost", 0), _Callback)
        self.asked: list[tuple[str, str]] = []
        self.told: list[dict[str, str]] = []
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def close(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Callback(BaseHTTPRequestHandler):
    server: CommandLine

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Access-Control-Allow-Methods", "POST,OPTIONS")
        self.send_header("Access-Control-Allow-Headers", "Content-Type")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_OPTIONS(self) -> None:
        self.server.asked.append(("OPTIONS", self.path))
        self._answer(200)

    def do_POST(self) -> None:
        self.server.asked.append(("POST", self.path))
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.told.append(told)
        self._answer(200 if told["nonce"] == NONCE else 400)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def waiting() -> Iterator[CommandLine]:
    made = CommandLine()
    yield made
    made.close()


def test_a_click_lets_the_command_line_in_and_nothing_else_gets_the_token(
    journey: Journey, server: LiveServer, waiting: CommandLine
) -> None:
    page, port = journey.page, waiting.server_port
    journey.outside = [f"http://localhost:{port}/callback"]
    journey.go(f"/dagster?next=/cli-auth/{NONCE}%3Fport%3D{port}")
    expect(page.get_by_role("heading", name="Let a command line in?")).to_be_visible()
    journey.require_accessible()
    assert waiting.asked == []

    page.get_by_role("button", name="Let the command line in").click()
    assert journey.status == "The command line is signed in."
    expect(page.get_by_text("you can close this page")).to_be_visible()
    journey.require_accessible()
    assert waiting.asked[-1] == ("POST", "/callback")
    [told] = waiting.told
    assert set(told) == {"nonce", "token", "organization"}
    assert told["organization"] == server.first.organization.slug
    assert told["token"] not in page.content()
    journey.require_kept_secret(told["token"])
    answer = Client(server.url).call(
        "POST",
        "/dagster/graphql",
        {"query": "query { viewer { user { email } } }", "variables": {}},
        headers={"Dagster-Cloud-Api-Token": told["token"]},
    )
    assert answer.body["data"]["viewer"]["user"]["email"] == server.first.admin.email


def test_where_the_token_is_not_taken_the_page_says_so(journey: Journey, waiting: CommandLine) -> None:
    page, port = journey.page, waiting.server_port
    journey.outside = [f"http://localhost:{port}/callback"]
    journey.expected = ["status of 400", "ERR_"]
    journey.go(f"/cli-auth/OTHER?port={port}")
    page.get_by_role("button", name="Let the command line in").click()
    assert journey.status == "The command line did not take the token."
    expect(page.get_by_text("Nothing took the token")).to_be_visible()
