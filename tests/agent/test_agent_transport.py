"""Single calls: what is sent, and what becomes of each answer."""

import asyncio
import io
from collections.abc import Callable

import httpx
import pytest

from agent.agent_server import AGENT_TOKEN
from watchword.agent.api import AgentApi, JobApi
from watchword.agent.errors import ApiError
from watchword.agent.logs import make_log
from watchword.agent.retry import Attempts, Policy, always, retry, unanswered
from watchword.agent.transport import (
    Connection,
    headers_to_variables,
    http_client,
    segment,
    variables_to_headers,
)
from watchword.crypto.values import Secret

Handler = Callable[[httpx.Request], httpx.Response]


def exchange(handler: Handler, path: str = "ping") -> bytes:
    async def scene() -> bytes:
        async with http_client(httpx.MockTransport(handler)) as http:
            connection = Connection(http, "http://test/v3/", Secret(AGENT_TOKEN), {"Buildkite-Shard": "7"})
            return await connection.send("GET", path)

    return asyncio.run(scene())


def refused(handler: Handler) -> ApiError:
    with pytest.raises(ApiError) as caught:
        exchange(handler)
    return caught.value


def test_what_every_call_carries() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    exchange(handler, "jobs/a%2Eb/accept")
    assert seen[0].url.raw_path == b"/v3/jobs/a%2Eb/accept"
    assert seen[0].headers["authorization"] == f"Token {AGENT_TOKEN}"
    assert seen[0].headers["buildkite-shard"] == "7"
    assert seen[0].headers["user-agent"].startswith("buildkite-agent/4.0.0-watchword.")
    assert "content-type" not in seen[0].headers


def test_calls_without_a_body_say_so() -> None:
    async def scene() -> httpx.Request:
        seen: list[httpx.Request] = []

        def handler(request: httpx.Request) -> httpx.Response:
            seen.append(request)
            return httpx.Response(200)

        async with http_client(httpx.MockTransport(handler)) as http:
            await AgentApi(Connection(http, "http://test/v3", Secret("t"))).connect()
        return seen[0]

    request = asyncio.run(scene())
    assert request.headers["content-length"] == "0"
    assert "content-type" not in request.headers


@pytest.mark.parametrize(
    ("rights", "sent"),
    [
        (None, b""),
        ((), b'{"token_rights":[]}'),
        (("annotate", "oidc"), b'{"token_rights":["annotate","oidc"]}'),
    ],
)
def test_a_job_is_taken_with_the_rights_that_its_token_is_to_have(
    rights: tuple[str, ...] | None, sent: bytes
) -> None:
    async def scene() -> list[bytes]:
        seen: list[bytes] = []

        def handler(request: httpx.Request) -> httpx.Response:
            seen.append(request.content.strip())
            return httpx.Response(200, json={"id": "x", "env": {}})

        async with http_client(httpx.MockTransport(handler)) as http:
            api = AgentApi(Connection(http, "http://test/v3", Secret("t")))
            await api.accept("x", rights)
            await api.acquire("x", 0, rights)
        return seen

    assert asyncio.run(scene()) == [sent, sent]


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(400, False), (401, False), (422, False), (302, False), (429, True), (500, True), (503, True)],
)
def test_what_is_worth_another_attempt(status: int, *, retryable: bool) -> None:
    error = refused(lambda _: httpx.Response(status, json={"message": "why", "code": "because"}))
    assert (error.status, error.message, error.code, error.retryable) == (status, "why", "because", retryable)
    assert not error.unanswered


def test_an_error_that_is_not_json_is_quoted() -> None:
    assert refused(lambda _: httpx.Response(404, text="<h1>no</h1>")).message == "<h1>no</h1>"
    assert refused(lambda _: httpx.Response(404)).message == "Not Found"


def test_a_redirect_is_not_followed() -> None:
    hosts = []

    def handler(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        return httpx.Response(307, headers={"Location": "http://elsewhere/v3/ping"})

    assert refused(handler).status == 307
    assert hosts == ["test"]


def test_the_server_cannot_make_us_print_the_token_or_control_characters() -> None:
    error = refused(lambda _: httpx.Response(401, json={"message": f"bad\x1b[2J\n{AGENT_TOKEN}"}))
    assert error.message == "bad [2J [REDACTED]"


def test_no_answer() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    error = refused(handler)
    assert error.retryable
    assert error.unanswered
    assert "http://test/v3" in str(error)


@pytest.mark.parametrize(
    "answer", [b"", b"<html>", b'{"env": {"A": 1}, "id": "x"}', b'{"id": "x", "env": {}, "token": 1}']
)
def test_an_answer_that_makes_no_sense(answer: bytes) -> None:
    async def scene() -> None:
        async with http_client(httpx.MockTransport(lambda _: httpx.Response(200, content=answer))) as http:
            await AgentApi(Connection(http, "http://test/v3", Secret("t"))).accept("x")

    with pytest.raises(ApiError) as caught:
        asyncio.run(scene())
    assert not caught.value.unanswered


def test_nothing_shows_a_token_of_an_answer() -> None:
    async def scene() -> str:
        answer = {"id": "x", "env": {}, "token": "bkaj_secret"}
        async with http_client(httpx.MockTransport(lambda _: httpx.Response(200, json=answer))) as http:
            return repr(await AgentApi(Connection(http, "http://test/v3", Secret("t"))).accept("x"))

    assert "secret" not in asyncio.run(scene()).replace("Secret", "")


def test_a_segment_of_a_path() -> None:
    assert segment("a/b.c d~é") == "a%2Fb%2Ec%20d~%C3%A9"


def test_headers_travel_through_variables() -> None:
    variables = headers_to_variables({"Buildkite-Foo-Bar": "x"})
    assert variables == {"BUILDKITE_REQUEST_HEADER_BUILDKITE_FOO_BAR": "x"}
    assert variables_to_headers({**variables, "BUILDKITE_REQUEST_HEADER_HOST": "y"}) == {
        "Buildkite-Foo-Bar": "x"
    }


def test_chunks_go_out_as_gzip() -> None:
    async def scene() -> httpx.Request:
        seen: list[httpx.Request] = []

        def handler(request: httpx.Request) -> httpx.Response:
            seen.append(request)
            return httpx.Response(201)

        async with http_client(httpx.MockTransport(handler)) as http:
            await JobApi(Connection(http, "http://test/v3", Secret("t")), "j").chunk(2, 10, 3, b"zip")
        return seen[0]

    request = asyncio.run(scene())
    assert str(request.url) == "http://test/v3/jobs/j/chunks?sequence=2&offset=10&size=3"
    assert request.headers["content-encoding"] == "gzip"
    assert request.headers["content-type"] == "text/plain"


def test_attempts_and_their_distances() -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def fail() -> None:
        raise ApiError("GET x", "no", status=503, retryable=True)

    policy = Policy(sleep=sleep, uniform=lambda low, _high: low)
    with pytest.raises(ApiError):
        asyncio.run(retry(fail, policy.start, policy))
    assert slept == [1, 2, 4, 8, 16, 32]
    slept.clear()
    with pytest.raises(ApiError):
        asyncio.run(retry(fail, policy.accept, policy, again=unanswered))
    assert slept == []
    with pytest.raises(ApiError):
        asyncio.run(retry(fail, Attempts(3, (5.0,)), policy, again=always))
    assert slept == [5, 5]
    assert 540 < sum(policy.finish.waits) < 660
    assert policy.finish.count == policy.chunk.count == len(policy.finish.waits) + 1 == 12


def test_every_call_has_the_attempts_of_the_contract() -> None:
    """Contract section 1.9: how often, and the seconds between the first and the last attempt."""
    policy = Policy()
    waits = {
        name: sum(
            attempts.waits[min(number, len(attempts.waits) - 1)] for number in range(attempts.count - 1)
        )
        for name, attempts in {
            "register": policy.register,
            "connect": policy.connect,
            "disconnect": policy.disconnect,
            "heartbeat": policy.heartbeat,
            "accept": policy.accept,
            "start": policy.start,
        }.items()
    }
    assert waits == {
        "register": 290,
        "connect": 45,
        "disconnect": 3,
        "heartbeat": 45,
        "accept": 145,
        "start": 63,
    }


def test_retry_after_is_read_in_seconds_alone() -> None:
    def answering(text: str) -> ApiError:
        return refused(lambda _request: httpx.Response(503, headers={"Retry-After": text}))

    assert answering("7.5").retry_after == 7.5
    assert answering("Wed, 21 Oct 2026 07:28:00 GMT").retry_after is None
    assert answering("-1").retry_after is None


def test_debugging_shows_calls_and_no_token() -> None:
    output = io.StringIO()

    async def scene(level: str) -> None:
        log = make_log(output, form="json", color=False, level=level)
        transport = httpx.MockTransport(lambda _request: httpx.Response(200, json={}))
        async with http_client(transport, log) as http:
            await AgentApi(Connection(http, "http://test/v3", Secret(AGENT_TOKEN))).ping()

    asyncio.run(scene("info"))
    assert not output.getvalue()
    asyncio.run(scene("debug"))
    assert '"path": "/v3/ping", "status": 200' in output.getvalue()
    assert AGENT_TOKEN not in output.getvalue()
