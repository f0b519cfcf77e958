"""Codes, device codes and refresh tokens in any order: one code never gives two live families."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from oauth_client import CLIENT, SCOPES, VERIFIER, Tool
from properties.property_profiles import LONG, examples
from support import SECOND_US, World
from watchword.domain.errors import NotFound
from watchword.domain.ids import OrganizationId, ResourceId
from watchword.domain.oauth import DEVICE_CODE, OAuthGrant, make_user_code, read_user_code
from watchword.domain.oauthapplications import BK, without_port
from watchword.domain.ratelimits import RateLimits
from watchword.domain.tokens import State, Token
from watchword.services import oauthrefresh
from watchword.services.addresslimits import AddressLimit
from watchword.store.base import EVERYTHING, Transaction

WORDS = {
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "invalid_scope",
    "unauthorized_client",
    "unsupported_grant_type",
    "authorization_pending",
    "slow_down",
    "access_denied",
    "expired_token",
}


@dataclass(slots=True)
class Source:
    """A code or a device code, and the grants that were seen to come of it."""

    value: str
    user_code: str = ""
    grants: set[ResourceId] = field(default_factory=set)


class Lives(RuleBasedStateMachine):
    """Clients that repeat themselves, lose answers, are stolen from, and wait."""

    sources = Bundle("sources")
    renewals = Bundle("renewals")
    world: World

    @initialize()
    def begin(self) -> None:
        world = self.world
        self.tool = Tool(world)
        off = RateLimits(oauth_failures=0).oauth_failures
        for name in ("failures", "devices", "user_codes"):
            setattr(world.authority.oauth, name, AddressLimit(world.clock, off))
        self.seen: list[Source] = []
        self.access: dict[str, ResourceId] = {}

    # -- what clients and people do ------------------------------------------------------------------

    @rule(target=sources)
    def approve(self) -> Source:
        self.seen.append(Source(self.tool.approve()))
        return self.seen[-1]

    @rule(target=sources)
    def start(self) -> Source:
        begun = self.tool.start_device().json()
        self.seen.append(Source(begun["device_code"], begun["user_code"]))
        return self.seen[-1]

    @rule(source=sources, approves=st.booleans())
    def decide(self, source: Source, *, approves: bool) -> None:
        if not source.user_code:
            return
        if not approves:
            self.tool.deny_device(source.user_code)
            return
        try:
            self.tool.approve_device(source.user_code)
        except NotFound:
            return

    @rule(target=renewals, source=sources)
    def ask(self, source: Source) -> tuple[Source, str]:
        if source.user_code:
            return source, self.taken(source, self.tool.poll(source.value))
        return source, self.taken(source, self.tool.redeem(source.value))

    @rule(target=renewals, renewal=renewals)
    def renew(self, renewal: tuple[Source, str]) -> tuple[Source, str]:
        source, value = renewal
        return source, self.taken(source, self.tool.refresh(value)) if value else ""

    @rule(renewal=consumes(renewals))
    def revoke(self, renewal: tuple[Source, str]) -> None:
        if renewal[1]:
            self.tool.post("/oauth/revoke", {"client_id": CLIENT, "token": renewal[1]})

    @rule(seconds=st.sampled_from((1, 5, 29, 31, 59, 61, 599, 8 * 3600)))
    def wait(self, seconds: int) -> None:
        self.world.clock.forward(seconds * SECOND_US)

    def taken(self, source: Source, answer: httpx.Response) -> str:
        """Note what an answer gave; the refresh token in it."""
        body: dict[str, Any] = answer.json()
        if answer.status_code != 200:
            assert body["error"] in WORDS
            return ""
        grant = self.tool.grant(body["access_token"])
        source.grants.add(grant.id)
        self.access[body["access_token"]] = grant.id
        return str(body["refresh_token"])

    def family(self, home: OrganizationId, grant_id: ResourceId) -> tuple[OAuthGrant, list[Token]]:
        """A grant and all tokens that ever were its own."""

        async def work(tx: Transaction) -> tuple[OAuthGrant, list[Token]]:
            grant = await tx.oauth.grant(home, grant_id)
            assert grant is not None
            return grant, list(await tx.tokens.of_resource(home, grant_id, EVERYTHING))

        return self.world.run(self.world.context.store.read(work))

    # -- what always holds ---------------------------------------------------------------------------

    @invariant()
    def a_code_gives_one_family_at_most(self) -> None:
        for source in getattr(self, "seen", ()):
            assert len(source.grants) <= 1

    @invariant()
    def a_family_has_one_live_token_of_each_kind_and_none_once_it_has_ended(self) -> None:
        if not hasattr(self, "seen"):
            return
        home, now = self.world.first.organization.id, self.world.clock.now()
        for grant_id in set(self.access.values()):
            grant, tokens = self.family(home, grant_id)
            live = [token.id for token in tokens if token.state_at(now) is State.ACTIVE]
            assert len(live) == len({token.kind for token in tokens if token.id in live})
            assert set(live) <= {grant.access_id, grant.refresh_id}
            assert not live or not grant.ended_at


@pytest.fixture
def lives(monkeypatch: pytest.MonkeyPatch) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        made = World(Path(folder))
        monkeypatch.setattr(Lives, "world", made, raising=False)
        yield made
        made.close()


BOUNDED = settings(
    examples(40), stateful_step_count=60 if LONG else 20, phases=list(Phase) if LONG else [Phase.generate]
)


@pytest.mark.usefixtures("lives")
def test_no_order_of_calls_gives_two_live_families_of_one_code() -> None:
    run_state_machine_as_test(Lives, settings=BOUNDED)


@pytest.mark.usefixtures("lives")
def test_the_machine_finds_a_refresh_token_that_is_not_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proof that it can fail: a renewal that forgets to end what it replaces."""

    async def forget(*_: object) -> bool:
        return True

    monkeypatch.setattr(oauthrefresh, "end_of_grant_in", forget)
    bounded = settings(BOUNDED, max_examples=200, report_multiple_bugs=False)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Lives, settings=bounded)


# -- parameters ------------------------------------------------------------------------------------------

NAMES = (
    "grant_type",
    "client_id",
    "client_secret",
    "code",
    "redirect_uri",
    "code_verifier",
    "refresh_token",
    "device_code",
    "scope",
    "token",
)
LIKELY = (
    "authorization_code",
    "refresh_token",
    DEVICE_CODE,
    CLIENT,
    VERIFIER,
    SCOPES,
    "bkur_MTA." + "0123456789abcdef0123456789abcdef01234567",
    "\N{SNOWMAN}",
    "",
)
fields = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(LIKELY) | st.text(max_size=30)), max_size=8
)


@settings(examples(120))
@given(fields, st.sampled_from(("/oauth/token", "/oauth/device_authorization", "/oauth/revoke")))
def test_whatever_is_sent_is_answered_in_oauths_shape(
    world_of_tests: Tool, sent: list[tuple[str, str]], path: str
) -> None:
    answer = world_of_tests.call(
        "POST",
        path,
        content=urlencode(sent, errors="replace").encode(),
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code in (200, 400), answer.text
    assert answer.headers["cache-control"] == "no-store"
    if answer.status_code == 400:
        assert set(answer.json()) == {"error", "error_description"}
        assert answer.json()["error"] in WORDS


@pytest.fixture(scope="module")
def world_of_tests(tmp_path_factory: pytest.TempPathFactory) -> Any:
    world = World(tmp_path_factory.mktemp("oauth"))
    for name in ("failures", "devices"):
        setattr(world.authority.oauth, name, AddressLimit(world.clock, 0))
    yield Tool(world)
    world.close()


@settings(examples(100))
@given(st.text(max_size=40), st.integers(0, 70_000))
def test_a_loopback_address_is_any_port_of_the_same_path_and_nothing_else(rest: str, port: int) -> None:
    for host in ("127.0.0.1", "[::1]", "127.0.0.1.example", "127.0.0.2", "localhost"):
        uri = f"http://{host}:{port}/callback{rest}"
        assert BK.redirects_to(uri) is (host == "127.0.0.1" and not rest)
    assert without_port(f"https://127.0.0.1:{port}/callback") == ""


@settings(examples(60))
@given(st.randoms(use_true_random=False), st.sampled_from(("", " ", "-", "_", ".")))
def test_a_user_code_is_read_as_people_type_it(random: Any, between: str) -> None:
    code = make_user_code(random.choice)
    typed = between.join(code.replace("-", "")).lower()
    assert read_user_code(typed) == code
    assert read_user_code(code[:-1] + "A") == ""
