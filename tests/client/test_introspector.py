"""The client library: who passes, how long an answer is believed, what happens without the authority."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import httpx
import pytest

from client.client_scene import Authority
from watchword.client import ActiveToken, AsyncIntrospector, Introspector, TokenRefused, Unavailable
from watchword.crypto.values import mint
from watchword.domain.kinds import Kind

T = TypeVar("T")


class Ticking:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Line:
    """A way to the authority that a test can count and cut."""

    def __init__(self) -> None:
        self.asked = 0
        self.cut = False

    def note(self) -> None:
        self.asked += 1
        if self.cut:
            raise httpx.ConnectError("cut")


class SyncLine(Line, httpx.BaseTransport):
    def __init__(self) -> None:
        super().__init__()
        self._real = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.note()
        return self._real.handle_request(request)

    def close(self) -> None:
        self._real.close()


class AsyncLine(Line, httpx.AsyncBaseTransport):
    def __init__(self) -> None:
        super().__init__()
        self._real = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.note()
        return await self._real.handle_async_request(request)

    async def aclose(self) -> None:
        await self._real.aclose()


class Asking:
    """Either client, asked in the same way."""

    def __init__(self, authority: Authority, *, threads: bool, credential: str = "", **options: Any) -> None:
        self.clock = Ticking()
        self.epoch = Ticking()
        given = {"monotonic": self.clock, "now": self.epoch, **options}
        self._loop = asyncio.new_event_loop()
        shown = credential or authority.credential
        self.line: Line
        if threads:
            self.line = line = SyncLine()
            self._sync = Introspector(authority.url, shown, transport=line, **given)
            self._async: AsyncIntrospector | None = None
        else:
            self.line = way = AsyncLine()
            self._async = AsyncIntrospector(authority.url, shown, transport=way, **given)

    def require(self, value: str | None, **needs: Any) -> ActiveToken:
        if self._async is None:
            return self._sync.require(value, **needs)
        return self.wait(self._async.require(value, **needs))

    def introspect(self, value: str | None, **options: Any) -> ActiveToken | None:
        if self._async is None:
            return self._sync.introspect(value, **options)
        return self.wait(self._async.introspect(value, **options))

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    def close(self) -> None:
        if self._async is None:
            self._sync.close()
        else:
            self.wait(self._async.aclose())
        self._loop.close()


Make = Callable[..., Asking]


@pytest.fixture(params=["threads", "asyncio"])
def make(request: pytest.FixtureRequest, authority: Authority) -> Iterator[Make]:
    made: list[Asking] = []

    def build(**options: Any) -> Asking:
        made.append(Asking(authority, threads=request.param == "threads", **options))
        return made[-1]

    yield build
    for one in made:
        one.close()


def test_a_live_token_passes_and_says_whose_it_is(make: Make, authority: Authority) -> None:
    issued, first = authority.token("read_builds"), authority.server.first
    found = make().require(issued.value.reveal(), kinds={"api_access"}, scopes={"read_builds"})
    assert (found.kind, found.id) == ("api_access", issued.token.id)
    assert (found.subject, found.organization_id) == (first.admin.id, first.organization.id)
    assert found.scopes == {"read_builds"}


@pytest.mark.parametrize(
    ("needs", "code", "status"),
    [
        ({"kinds": {"agent", "job"}}, "wrong_kind", 401),
        ({"scopes": {"read_builds", "write_builds"}}, "insufficient_scope", 403),
        ({"organization": "another"}, "other_organization", 401),
    ],
)
def test_what_a_token_lacks_is_said(
    make: Make, authority: Authority, needs: dict[str, Any], code: str, status: int
) -> None:
    value = authority.token("read_builds").value.reveal()
    with pytest.raises(TokenRefused) as refused:
        make().require(value, **needs)
    assert (refused.value.code, refused.value.status) == (code, status)
    assert value not in str(refused.value) + refused.value.challenge


@pytest.mark.parametrize("value", [None, "", "nonsense", "x" * 9000, "bkua_\n", "bkua_é", "a=b&token=c"])
def test_what_is_no_token_does_not_pass(make: Make, value: str | None) -> None:
    with pytest.raises(TokenRefused) as refused:
        make().require(value)
    assert refused.value.status == 401


def test_one_that_was_never_issued_does_not_pass(make: Make) -> None:
    with pytest.raises(TokenRefused, match="does not pass"):
        make().require(mint(Kind.API_ACCESS).reveal())


def test_a_revocation_goes_unseen_no_longer_than_an_answer_is_fresh(make: Make, authority: Authority) -> None:
    asking, issued = make(freshness=5), authority.token("read_builds")
    value = issued.value.reveal()
    asking.require(value)
    authority.revoke(issued)
    asking.clock.seconds += 4.9
    assert asking.require(value).id == issued.token.id  # what the freshness allows, and no more
    assert asking.line.asked == 1
    with pytest.raises(TokenRefused):
        asking.require(value, fresh=True)
    with pytest.raises(TokenRefused):
        asking.require(value)


def test_an_answer_that_has_aged_is_asked_for_anew(make: Make, authority: Authority) -> None:
    asking, issued = make(freshness=5), authority.token("read_builds")
    value = issued.value.reveal()
    asking.require(value)
    authority.revoke(issued)
    asking.clock.seconds += 5
    with pytest.raises(TokenRefused):
        asking.require(value)


def test_an_answer_is_not_believed_beyond_the_tokens_expiry(make: Make, authority: Authority) -> None:
    now = authority.server.authority.context.clock.now()
    asking = make(freshness=10**9)
    issued = authority.token("read_builds", expires_at=now + 3_600_000_000)
    value = issued.value.reveal()
    asking.require(value)
    asking.epoch.seconds = issued.token.expires_at / 1_000_000
    asking.line.cut = True
    with pytest.raises(Unavailable):
        asking.require(value)


def test_a_refusal_is_kept_for_a_second_so_that_a_fresh_token_soon_passes(make: Make) -> None:
    asking, value = make(freshness=60), mint(Kind.API_ACCESS).reveal()
    for _ in range(3):
        assert asking.introspect(value) is None
    assert asking.line.asked == 1
    asking.clock.seconds += 1
    assert asking.introspect(value) is None
    assert asking.line.asked == 2


def test_nobody_passes_while_the_authority_cannot_be_asked(make: Make, authority: Authority) -> None:
    asking, value = make(freshness=5), authority.token("read_builds").value.reveal()
    asking.require(value)
    asking.line.cut = True
    asking.clock.seconds += 5
    with pytest.raises(Unavailable) as failed:
        asking.require(value)
    assert value not in str(failed.value)


def test_where_it_is_wished_known_tokens_pass_for_a_while_without_the_authority(
    make: Make, authority: Authority
) -> None:
    asking, known = make(freshness=5, grace=60), authority.token("read_builds").value.reveal()
    asking.require(known)
    asking.line.cut = True
    asking.clock.seconds += 59
    assert asking.require(known).scopes == {"read_builds"}
    with pytest.raises(Unavailable):
        asking.require(known, fresh=True)
    with pytest.raises(Unavailable):
        asking.require(authority.token("read_builds").value.reveal())
    asking.clock.seconds += 1
    with pytest.raises(Unavailable):
        asking.require(known)


def test_a_resource_server_that_may_not_ask_lets_nobody_in(make: Make, authority: Authority) -> None:
    asking = make(credential=authority.token("read_user").value.reveal())
    with pytest.raises(Unavailable, match="its own API access token does not pass"):
        asking.require(authority.token("read_builds").value.reveal())


def test_those_who_wait_for_one_answer_ask_once(authority: Authority) -> None:
    asking = Asking(authority, threads=False)
    value = authority.token("read_builds").value.reveal()
    client = asking._async
    assert client is not None

    async def all_at_once() -> list[ActiveToken]:
        gone = asyncio.create_task(client.require(value))
        await asyncio.sleep(0)
        gone.cancel()  # one who goes away leaves the answer to the others
        return await asyncio.gather(*(client.require(value) for _ in range(20)))

    found = asking.wait(all_at_once())
    assert len(found) == 20
    assert asking.line.asked == 1
    asking.close()


def test_tokens_are_not_sent_in_the_clear() -> None:
    for kind in (Introspector, AsyncIntrospector):
        with pytest.raises(ValueError, match="https"):
            kind("http://watchword.example.com", "x")


def test_no_credential_shows_where_clients_are_printed(authority: Authority) -> None:
    client = Introspector(authority.url, authority.credential)
    assert authority.credential not in repr(client) + repr(vars(client))
    client.close()
