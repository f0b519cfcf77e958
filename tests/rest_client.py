"""The REST application in process: an httpx client whose requests run on the world's own loop."""

from typing import Any

import httpx

from support import World
from watchword.crypto.values import Secret
from watchword.domain.accounts import Member, Role, User
from watchword.domain.ids import UserId
from watchword.rest.app import build
from watchword.services.context import LOCAL
from watchword.services.issuing import Issued, issue_api_token
from watchword.store.base import Transaction

BASE = "http://127.0.0.1:8080"


class InProcess(httpx.BaseTransport):
    """Hands requests to an ASGI application as the edge would, from an address that tests set."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._application = build(world.authority)
        self.address: str | None = "203.0.113.9"

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._world.run(self._handle(request))

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        transport = httpx.ASGITransport(app=self._serve, raise_app_exceptions=False)
        body = request.read()
        inner = httpx.Request(request.method, request.url, headers=request.headers, content=body)
        response = await transport.handle_async_request(inner)
        content = await response.aread()
        return httpx.Response(response.status_code, headers=response.headers, content=content)

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        scope["watchword"] = {"address": self.address, "request_id": "r-1"}
        await self._application(scope, receive, send)


class Rest:
    """A caller with a token; `path` begins below the organization unless it begins with `/`.

    Several of them may share one application, by its transport.
    """

    def __init__(
        self,
        world: World,
        value: Secret | str | None = None,
        slug: str = "acme",
        transport: InProcess | None = None,
    ) -> None:
        self.world = world
        self.slug = slug
        self.transport = transport or InProcess(world)
        shown = world.first.api_token.value if value is None else value
        text = shown.reveal() if isinstance(shown, Secret) else shown
        headers = {"Authorization": f"Bearer {text}"} if text else {}
        self.http = httpx.Client(transport=self.transport, base_url=BASE, headers=headers)

    def __call__(self, method: str, path: str, **options: Any) -> httpx.Response:
        target = path if path.startswith("/") else f"/v2/organizations/{self.slug}/{path}"
        return self.http.request(method, target.rstrip(" "), **options)

    @property
    def tokens(self) -> str:
        return f"clusters/{self.world.first.cluster.id}/tokens"


def api_token(world: World, *scopes: str, role: Role = Role.ADMIN, email: str = "") -> Issued:
    """An API access token with these scopes, of the administrator or of a new person."""
    first = world.first
    context = world.context
    user = first.admin

    async def work(tx: Transaction) -> Issued:
        nonlocal user
        if email:
            user = User(UserId(context.new_id()), email, email.partition("@")[0], "", context.clock.now())
            await tx.accounts.add_user(user)
            await tx.accounts.add_member(Member(first.organization.id, user.id, role, user.created_at))
        return await issue_api_token(context, tx, LOCAL, first.organization.id, user.id, "a token", scopes, 0)

    return world.run(context.store.write(work))
