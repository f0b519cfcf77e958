"""The adapters for FastAPI, Litestar and Django: who passes, what the others are told."""

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import django
import httpx
import pytest
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import RequestFactory
from fastapi import Depends, FastAPI
from litestar import Litestar, get
from litestar.di import NamedDependency
from litestar.testing import TestClient as LitestarClient

from client.client_scene import Authority
from watchword.client import ActiveToken, AsyncIntrospector, Introspector
from watchword.client.django import token_required
from watchword.client.fastapi import TokenRequired as FastApiToken
from watchword.client.litestar import TokenRequired as LitestarToken

Ask = Callable[[dict[str, str]], tuple[int, Any, str]]
NEEDS: dict[str, Any] = {"kinds": {"api_access"}, "scopes": {"read_builds"}}


def _of(answer: httpx.Response) -> tuple[int, Any, str]:
    return answer.status_code, answer.json(), answer.headers.get("www-authenticate", "")


def fast_api(url: str, credential: str) -> Iterator[Ask]:
    application = FastAPI()
    tokens = AsyncIntrospector(url, credential)

    @application.get("/builds")
    async def builds(
        token: Annotated[ActiveToken, Depends(FastApiToken(tokens, **NEEDS))],
    ) -> dict[str, str]:
        return {"token": token.id}

    client = httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://127.0.0.1")
    loop = asyncio.new_event_loop()
    yield lambda headers: _of(loop.run_until_complete(client.get("/builds", headers=headers)))
    loop.run_until_complete(client.aclose())
    loop.run_until_complete(tokens.aclose())
    loop.close()


def litestar(url: str, credential: str) -> Iterator[Ask]:
    tokens = AsyncIntrospector(url, credential)

    @get("/builds", dependencies={"token": LitestarToken(tokens, **NEEDS).provide()})
    async def builds(token: NamedDependency[ActiveToken]) -> dict[str, str]:
        return {"token": token.id}

    application = Litestar([builds], openapi_config=None, logging_config=None, on_shutdown=[tokens.aclose])
    with LitestarClient(application) as client:
        yield lambda headers: _of(client.get("/builds", headers=headers))


def django_view(url: str, credential: str) -> Iterator[Ask]:
    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["*"])
        django.setup()
    tokens = Introspector(url, credential)

    @token_required(tokens, **NEEDS)
    def builds(request: HttpRequest) -> HttpResponse:
        token: ActiveToken = request.watchword_token  # type: ignore[attr-defined] # the decorator sets it
        return JsonResponse({"token": token.id})

    def ask(headers: dict[str, str]) -> tuple[int, Any, str]:
        answer = builds(RequestFactory().get("/builds", headers=headers))
        return answer.status_code, json.loads(answer.content), answer.headers.get("WWW-Authenticate", "")

    yield ask
    tokens.close()


@pytest.fixture(params=[fast_api, litestar, django_view])
def ask(request: pytest.FixtureRequest, authority: Authority) -> Iterator[Ask]:
    yield from request.param(authority.url, authority.credential)


def bearer(value: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {value}"}


def test_a_live_token_reaches_the_handler(ask: Ask, authority: Authority) -> None:
    issued = authority.token("read_builds")
    value = issued.value.reveal()
    basic = base64.b64encode(f"anybody:{value}".encode()).decode()
    for header in (f"Bearer {value}", f"Token {value}", f"Basic {basic}"):
        status, said, _ = ask({"Authorization": header})
        assert (status, said) == (200, {"token": issued.token.id})


def test_others_are_refused_with_a_challenge(ask: Ask, authority: Authority) -> None:
    revoked = authority.token("read_builds")
    authority.revoke(revoked)
    narrow = authority.token("read_user")
    nobody = {"missing": {}, "strange": {"Authorization": "Digest x"}, "broken": {"Authorization": "Basic ="}}
    for headers in (*nobody.values(), bearer("nonsense"), bearer(revoked.value.reveal())):
        status, said, challenge = ask(headers)
        assert status == 401
        assert challenge.startswith('Bearer error="invalid_token"')
        assert revoked.value.reveal() not in json.dumps(said)
    status, said, challenge = ask(bearer(narrow.value.reveal()))
    assert status == 403
    assert "insufficient_scope" in challenge
    assert "read_builds" in json.dumps(said)


@pytest.mark.parametrize("framework", [fast_api, litestar, django_view])
def test_without_the_authority_the_answer_is_to_try_again(
    framework: Callable[[str, str], Iterator[Ask]],
) -> None:
    asking = framework("http://127.0.0.1:9", "x")
    status, said, _ = next(asking)(bearer("bkua_MTA.x"))
    assert status == 503
    assert "cannot be checked" in json.dumps(said)
    assert next(asking, None) is None
