"""Identities of jobs checked offline: signature, issuer, audience, times, keys that change."""

import asyncio
import base64
import hmac
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from joserfc import jwt

from openid_stand_in import Provider, make_key
from watchword.client import AsyncJobIdentities, JobIdentities, JobIdentity, TokenRefused, Unavailable

AUDIENCE = "https://packages.example.com"


class Ticking:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def issuer() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.close()


def signed(issuer: Provider, key: Any = None, header: dict[str, Any] | None = None, **changes: Any) -> str:
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": issuer.issuer,
        "aud": AUDIENCE,
        "sub": "organization:acme:pipeline:app:ref:refs/heads/main:commit:abc:step:deploy",
        "iat": now,
        "nbf": now,
        "exp": now + 300,
        "organization_slug": "acme",
        "pipeline_slug": "app",
        "build_branch": "main",
        "job_id": "job-1",
        **changes,
    }
    claims = {name: value for name, value in claims.items() if value is not None}
    chosen = key or issuer.key
    return jwt.encode({"alg": "RS256", "kid": chosen.kid, **(header or {})}, claims, chosen)


class Verifying:
    """Either client, asked in the same way."""

    def __init__(self, issuer: str, *, threads: bool) -> None:
        self.clock = Ticking()
        self._loop = asyncio.new_event_loop()
        self._threads = threads
        self._sync = JobIdentities(issuer, AUDIENCE, monotonic=self.clock)
        self._async = AsyncJobIdentities(issuer, AUDIENCE, monotonic=self.clock)

    def __call__(self, token: str | None) -> JobIdentity:
        if self._threads:
            return self._sync.verify(token)
        return self._loop.run_until_complete(self._async.verify(token))

    def close(self) -> None:
        self._sync.close()
        self._loop.run_until_complete(self._async.aclose())
        self._loop.close()


@pytest.fixture(params=["threads", "asyncio"])
def verify(request: pytest.FixtureRequest, issuer: Provider) -> Iterator[Verifying]:
    made = Verifying(issuer.issuer, threads=request.param == "threads")
    yield made
    made.close()


def test_a_job_is_known_by_its_identity(verify: Verifying, issuer: Provider) -> None:
    job = verify(signed(issuer))
    assert (job.organization_slug, job.pipeline_slug, job.build_branch, job.job_id) == (
        "acme",
        "app",
        "main",
        "job-1",
    )
    assert job.require(pipeline_slug="app", build_branch=("main", "release")) is job
    for claims in ({"build_branch": "main2"}, {"pipeline_slug": ("a", "p")}, {"nothing": ""}):
        with pytest.raises(TokenRefused) as refused:
            job.require(**claims)
        assert refused.value.status == 403


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"iss": "https://other.example.com"}, "iss"),
        ({"aud": "https://other.example.com"}, "aud"),
        ({"aud": None}, "aud"),
        ({"exp": 1}, "exp"),
        ({"exp": None}, "exp"),
        ({"exp": True}, "exp"),
        ({"nbf": 2**40}, "nbf"),
        ({"iat": 2**40}, "iat"),
        ({"sub": ""}, "sub"),
    ],
)
def test_a_claim_that_does_not_fit_refuses(
    verify: Verifying, issuer: Provider, changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(TokenRefused) as refused:
        verify(signed(issuer, **changes))
    assert refused.value.code == code


def _none(issuer: Provider) -> str:
    head, body, _ = signed(issuer).split(".")
    del head
    return f"eyJhbGciOiJub25lIn0.{body}."


def _public_key_as_secret(issuer: Provider) -> str:
    def part(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

    body = signed(issuer).split(".")[1]
    head = part(json.dumps({"alg": "HS256", "kid": issuer.key.kid}).encode())
    mac = hmac.digest(issuer.key.as_pem(private=False), f"{head}.{body}".encode(), "sha256")
    return f"{head}.{body}.{part(mac)}"


def _tampered(issuer: Provider) -> str:
    head, body, signature = signed(issuer).split(".")
    other = signed(issuer, pipeline_slug="production").split(".")[1]
    assert other != body
    return f"{head}.{other}.{signature}"


@pytest.mark.parametrize("forge", [_none, _public_key_as_secret, _tampered, lambda _: "x.y.z", lambda _: ""])
def test_a_forged_one_does_not_pass(
    verify: Verifying, issuer: Provider, forge: Callable[[Provider], str]
) -> None:
    with pytest.raises(TokenRefused) as refused:
        verify(forge(issuer))
    assert refused.value.code in ("signature", "missing")


def test_a_new_key_is_read_once_it_is_needed_and_forged_ones_do_not_make_us_ask(
    verify: Verifying, issuer: Provider
) -> None:
    verify(signed(issuer))
    asked = len(issuer.requests)
    stranger = make_key("stranger")
    for _ in range(5):
        with pytest.raises(TokenRefused) as refused:
            verify(signed(issuer, stranger))
        assert refused.value.code == "key"
    assert len(issuer.requests) == asked
    issuer.keys.append(stranger.as_dict(private=False))
    verify.clock.seconds += 60
    assert verify(signed(issuer, stranger)).job_id == "job-1"


def test_keys_that_are_kept_serve_while_the_issuer_cannot_be_asked(
    verify: Verifying, issuer: Provider
) -> None:
    token = signed(issuer)
    verify(token)
    issuer.about["issuer"] = "https://other.example.com"
    verify.clock.seconds += 3600
    assert verify(token).job_id == "job-1"


def test_keys_of_another_issuer_are_not_taken(verify: Verifying, issuer: Provider) -> None:
    issuer.about["issuer"] = "https://other.example.com"
    with pytest.raises(Unavailable, match="another issuer"):
        verify(signed(issuer))
