"""The console in process: a browser without scripts, whose requests run on the world's own loop."""

import re
from html import unescape
from typing import Any

import httpx

from support import World
from watchword.crypto.passwords import hash_password
from watchword.crypto.values import Secret
from watchword.domain.accounts import Member, Role, User
from watchword.domain.ids import UserId
from watchword.services.authority import Authority
from watchword.services.people import person_caller
from watchword.services.sessions import SignedIn, open_session
from watchword.store.base import Transaction
from watchword.web.app import build
from watchword.web.security import SESSION_COOKIE, VISIT_COOKIE, csrf_token

BASE = "https://watchword.example"
PASSWORD = "correct horse battery staple"
PASSWORD_HASH = hash_password(PASSWORD)


_latest: list[tuple[Authority, Any]] = []


def _application(authority: Authority) -> Any:
    """The console of an authority; all browsers of a test share it, because it takes long to make."""
    if not _latest or _latest[0][0] is not authority:
        _latest[:] = [(authority, build(authority))]
    return _latest[0][1]


class InProcess(httpx.BaseTransport):
    """Hands requests to the console as the edge would, from an address that tests set."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._application = _application(world.authority)
        self.address: str | None = "203.0.113.9"
        self.encrypted = True

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._world.run(self._handle(request))

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        transport = httpx.ASGITransport(app=self._serve, raise_app_exceptions=False)
        inner = httpx.Request(request.method, request.url, headers=request.headers, content=request.read())
        response = await transport.handle_async_request(inner)
        content = await response.aread()
        return httpx.Response(response.status_code, headers=response.headers, content=content)

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        scope["watchword"] = {"address": self.address, "request_id": "r-1", "encrypted": self.encrypted}
        await self._application(scope, receive, send)


class Console:
    """Somebody's browser; `path` begins below the organization unless it begins with `/`.

    Several of them may share one application, by its transport.

    Attributes:
        last: the last answer.
    """

    def __init__(self, world: World, slug: str = "acme", transport: InProcess | None = None) -> None:
        self.world = world
        self.slug = slug
        self.transport = transport or InProcess(world)
        self.http = httpx.Client(transport=self.transport, base_url=BASE)
        self.last: httpx.Response

    def _at(self, path: str) -> str:
        return path if path.startswith("/") else f"/organizations/{self.slug}/{path}".rstrip("/")

    def get(self, path: str, *, follow: bool = False, **headers: str) -> httpx.Response:
        self.last = self.http.get(self._at(path), headers=headers, follow_redirects=follow)
        return self.last

    def post(
        self, path: str, fields: dict[str, Any] | None = None, *, follow: bool = False, **headers: str
    ) -> httpx.Response:
        """Send a form with the token that belongs to the visitor's cookie."""
        data = {"csrf": self.csrf(), **(fields or {})}
        sent = {"sec-fetch-site": "same-origin", **{k.replace("_", "-"): v for k, v in headers.items()}}
        self.last = self.http.post(self._at(path), data=data, headers=sent, follow_redirects=follow)
        return self.last

    def csrf(self) -> str:
        """The token of the visitor's forms."""
        if not self.http.cookies:
            self.http.get("/sign-in")
        key = self.http.cookies.get(SESSION_COOKIE) or self.http.cookies.get(VISIT_COOKIE) or ""
        return csrf_token(Secret(key))

    def text(self) -> str:
        """What the last page says, without its markup."""
        body = re.sub(r"<(script|style)\b.*?</\1>", " ", self.last.text, flags=re.DOTALL)
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())

    def links(self) -> list[str]:
        """Where the last page leads."""
        return [unescape(each) for each in re.findall(r'href="([^"]+)"', self.last.text)]

    def files(self) -> list[str]:
        """Addresses of the style sheets, scripts and pictures of the last page."""
        return sorted(set(re.findall(r'(?:href|src)="(/static/[^"]+)"', self.last.text)))

    def sign_in_as(self, user: User, *, fresh: bool = True) -> SignedIn:
        """A session of a person, as if they had just signed in; `fresh` proofs last five minutes."""
        caller = person_caller(user, self.transport.address, "tests")

        async def work(tx: Transaction) -> SignedIn:
            return await open_session(self.world.context, tx, user, caller, "password", complete=True)

        signed = self.world.run(self.world.context.store.write(work))
        if not fresh:
            self.world.clock.forward(6 * 60 * 1_000_000)
        self.http.cookies.set(SESSION_COOKIE, signed.cookie.reveal(), domain="watchword.example")
        return signed


def new_person(world: World, email: str, role: Role = Role.MEMBER, password: str = PASSWORD) -> User:
    """A member of the first organization who can sign in with `PASSWORD`."""
    context = world.context
    hashed = PASSWORD_HASH if password == PASSWORD else hash_password(password)
    user = User(UserId(context.new_id()), email, email.partition("@")[0].title(), hashed, context.clock.now())

    async def work(tx: Transaction) -> None:
        await tx.accounts.add_user(user)
        await tx.accounts.add_member(Member(world.first.organization.id, user.id, role, user.created_at))

    world.run(context.store.write(work))
    return user


def set_password(world: World, user: User) -> None:
    """Give a person `PASSWORD`."""
    world.run(world.context.store.write(lambda tx: tx.people.set_password(user.id, PASSWORD_HASH, 1)))
