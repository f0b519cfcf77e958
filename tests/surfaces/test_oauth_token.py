"""The token endpoint: how a request is read, and the shape of every refusal (RFC 6749 §5)."""

import pytest

from oauth_client import Tool, basic
from support import World


@pytest.fixture
def tool(world: World) -> Tool:
    return Tool(world)


FORM = {"content-type": "application/x-www-form-urlencoded"}


def test_a_grant_that_nobody_handles_is_refused_in_the_shape_of_oauth(tool: Tool) -> None:
    answer = tool.token("password", username="ada", password="x")
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")
    assert set(answer.json()) == {"error", "error_description"}
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", FORM),
        (b"grant_type=", FORM),
        (b"grant_type=refresh_token&grant_type=refresh_token", FORM),
        (b"grant_type=refresh_token&client_id=%00", FORM),
        (b"grant_type=%ff", FORM),
        (b"grant_type=refresh_token" + b"&a=b" * 50, FORM),
        (b'{"grant_type":"refresh_token"}', {"content-type": "application/json"}),
        (b"grant_type=refresh_token", {}),
        (b"x" * 70_000, FORM),
    ],
)
def test_what_cannot_be_read_is_an_invalid_request(tool: Tool, body: bytes, headers: dict[str, str]) -> None:
    answer = tool.call("POST", "/oauth/token", content=body, headers=headers)
    assert answer.status_code in (400, 413)
    assert answer.json()["error"] == "invalid_request"


def test_nothing_is_read_from_the_address(tool: Tool) -> None:
    answer = tool.call("POST", "/oauth/token?grant_type=refresh_token", content=b"", headers=FORM)
    assert answer.json()["error"] == "invalid_request"


def test_a_client_names_itself_in_one_way(tool: Tool) -> None:
    fields = {"grant_type": "refresh_token", "client_id": "a", "client_secret": "s"}
    answer = tool.post("/oauth/token", fields, headers=basic("a", "s"))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_a_broken_authorization_header_is_challenged(tool: Tool) -> None:
    answer = tool.post(
        "/oauth/token", {"grant_type": "refresh_token"}, headers={"authorization": "Basic %%%"}
    )
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer.headers["www-authenticate"].startswith("Basic ")
