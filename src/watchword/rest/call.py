"""A call: who asks, what the token opens, and the unit of work that answers.

The order of checks is that of contract rest-graphql §1.3: the guard does token, network and scope;
`Access` the organization and the role; the handler's unit of work the resource, then the body.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import msgspec
from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from watchword.domain.errors import Forbidden
from watchword.domain.exchanges import BARRED
from watchword.domain.ids import ClusterId, TeamId
from watchword.domain.kinds import Kind
from watchword.domain.operations import OPERATIONS
from watchword.domain.ratelimits import Surface
from watchword.rest.bodies import decode
from watchword.rest.formats import Site
from watchword.rest.pages import PageRequest
from watchword.services.authority import Authority
from watchword.services.context import Context
from watchword.services.idempotency import once
from watchword.services.queries import Access, Unit, enter
from watchword.services.verifying import Presented

T = TypeVar("T")
RestRequest = Request[Any, Any, Any]
Work = Callable[[Unit, Access], Awaitable[T]]

SERVED = "watchword_served"
_CALL = "watchword_call"
BUDGETS = "watchword_budgets"
_BEARER = "bearer "
# Tokens that act for a person.
PERSONAL = (Kind.API_ACCESS, Kind.TOKEN_EXCHANGE)


@dataclass(frozen=True, slots=True)
class Served:
    """What a request is about, beside itself: it comes with each, under `SERVED` in its scope.

    Attributes:
        authority: the installation's services.
        description: the API's description, encoded; made when it is first asked for.
    """

    authority: Authority
    description: Callable[[], bytes]


def served(request: ASGIConnection[Any, Any, Any, Any]) -> Served:
    """What comes with a request."""
    found: Served = cast("dict[str, Any]", request.scope)[SERVED]
    return found


def needs(
    operation: str | None,
    *,
    body: type[msgspec.Struct] | None = None,
    query: Sequence[str] = (),
    keyed: bool = False,
    listed: bool = False,
) -> dict[str, Any]:
    """What a route asks for, kept with its handler.

    Args:
        operation: what it performs, a row of `domain.operations`; None where nobody needs a token.
        body: what the request body holds.
        query: names of query parameters.
        keyed: whether it heeds `Idempotency-Key`.
        listed: whether what is wrong with its body is told in the list form (`rest.failures`).
    """
    scope = OPERATIONS[operation].scope if operation is not None else None
    return {
        "operation": operation,
        "scope": scope,
        "body": body,
        "query": tuple(query),
        "keyed": keyed,
        "listed": listed,
    }


PAGED = ("page", "per_page")
CURSORED = ("after", "before", "per_page")


@dataclass(slots=True)
class Call:
    """One request of a token that passed.

    Attributes:
        operation: what the route performs.
        body: the request body; empty unless it was made by `with_body`.
    """

    request: RestRequest
    authority: Authority
    presented: Presented
    address: str | None
    request_id: str
    operation: str
    body: bytes = b""

    @classmethod
    def of(cls, request: RestRequest) -> "Call":
        """The call that the guard let pass."""
        made: Call = cast("dict[str, Any]", request.scope)[_CALL]
        made.request = request
        return made

    @classmethod
    async def with_body(cls, request: RestRequest) -> "Call":
        """The call, with its body read."""
        made = cls.of(request)
        made.body = await request.body()
        return made

    @property
    def context(self) -> Context:
        """The ground under the services."""
        return self.authority.context

    @property
    def site(self) -> Site:
        """Public addresses."""
        return Site(self.context.installation.url)

    @property
    def page(self) -> PageRequest:
        """Which page is asked for."""
        return PageRequest.read(self.request.query_params)

    def path(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def query(self, name: str) -> list[str]:
        """Values of a query parameter, also where it is written `name[]`; blank ones are left out."""
        given = self.request.query_params
        return [value for key in (name, f"{name}[]") for value in given.getall(key, []) if value]

    def decode(self, of: type[T]) -> T:
        """The body as a record."""
        return decode(self.body, of)

    async def enter(self, tx: Unit) -> Access:
        """Enter the organization of the path with the right that the route's operation asks for.

        Where that depends on a cluster, it is the one of the path. A route whose path names no cluster or
        team, but whose operation asks for its maintainer, looks for itself: `defer` in `read` and `write`.

        Raises:
            NotFound: the token does not reach the organization.
            Forbidden: its owner does not have the right.
        """
        access = await self._arrive(tx)
        named = self.request.path_params
        cluster = ClusterId(str(named["cluster"]).lower()) if "cluster" in named else None
        team = TeamId(str(named["team"]).lower()) if "team" in named else None
        access.require(self.operation, cluster=cluster, team=team)
        return access

    async def _arrive(self, tx: Unit) -> Access:
        agent = self.request.headers.get("user-agent", "")
        return await enter(tx, self.presented, self.path("org"), self.address, self.request_id, agent)

    async def read(self, work: Work[T], *, defer: bool = False) -> T:
        """Answer from the newest committed state.

        Args:
            work: what answers.
            defer: whether `work` itself requires the operation's right, of the thing that it finds.
        """
        return await self.context.store.read(self._unit(work, defer=defer))

    async def write(self, work: Work[T], *, defer: bool = False) -> T:
        """Change something, as one unit of work; `defer` as in `read`."""
        return await self.context.store.write(self._unit(work, defer=defer))

    def _unit(self, work: Work[T], *, defer: bool) -> Callable[[Unit], Awaitable[T]]:
        async def unit(tx: Unit) -> T:
            return await work(tx, await (self._arrive(tx) if defer else self.enter(tx)))

        return unit

    async def once(self, work: Work[bytes], *, defer: bool = False) -> bytes:
        """Change something, or repeat the first answer to the same idempotency key.

        Whoever lost the organization or the right meanwhile gets no repetition.
        """
        key = self.request.headers.get("idempotency-key", "")
        if key:
            await self.context.store.read(self._unit(_nothing, defer=defer))
        return await once(
            self.context,
            self.presented.organization_id,
            self.presented.id,
            key,
            self._asked,
            self.body,
            self._unit(work, defer=defer),
        )

    @property
    def _asked(self) -> str:
        """Method, path and query: with another query it is another request."""
        query = self.request.scope["query_string"].decode("latin-1")
        return f"{self.request.method} {self.request.scope['path']}" + (f"?{query}" if query else "")

    async def create(self, work: Work[T], *, defer: bool = False, status: int = 201) -> Response[T]:
        """Create something: 201, unless the contract has another status, and what was created."""

        async def encoded(tx: Unit, access: Access) -> bytes:
            return msgspec.json.encode(await work(tx, access))

        made = await self.once(encoded, defer=defer)
        # The bytes are the encoded T, which is what the client and the API description see.
        return Response(cast("T", made), status_code=status, media_type="application/json")

    def listed(self, items: list[T], rows: Sequence[object]) -> Response[list[T]]:
        """A page of a list with its `Link` header; `rows` are what the store gave, one more included."""
        return Response(items, headers=self.links(rows), media_type="application/json")

    def links(self, rows: Sequence[object]) -> dict[str, str]:
        """The `Link` header of a page; nothing where there is only one."""
        page, request = self.page, self.request
        parts = [part for part in request.scope["path"].split("/") if part]
        link = page.link("/".join((self.site.url, *parts)), list(request.query_params.multi_items()), rows)
        return {"link": link} if link else {}


async def _nothing(_tx: Unit, _access: Access) -> None:
    return None


def bearer(header: str | None) -> str | None:
    """The value of an `Authorization` header; None unless it is of the scheme Bearer."""
    if header is None or header[: len(_BEARER)].lower() != _BEARER:
        return None
    return header[len(_BEARER) :].strip() or None


async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Let a request pass whose token passes; a route that does not say what it needs lets none pass.

    Raises:
        Refused: the token does not pass.
        BudgetSpent: it passes, and its owner or organization has asked too much.
    """
    scope = cast("dict[str, Any]", connection.scope)
    if scope["method"] == "OPTIONS":  # what a path takes is public; browsers ask without a token
        return
    needed: str | None = handler.opt["scope"]
    if needed is None:
        return
    edge = scope.get("watchword")
    client = scope.get("client")
    address = edge["address"] if edge is not None else client[0] if client else None
    authority = served(connection).authority
    presented = await authority.verifier.verify(
        bearer(connection.headers.get("authorization")),
        PERSONAL,
        address=address,
        scope=needed,
        agent=connection.headers.get("user-agent", ""),
    )
    refuse_exchanged(presented, handler.opt["operation"])
    _charge(authority, presented, scope)
    request_id = edge["request_id"] if edge is not None else ""
    scope[_CALL] = Call(
        cast("RestRequest", connection), authority, presented, address, request_id, handler.opt["operation"]
    )


def refuse_exchanged(presented: Presented, operation: str) -> None:
    """Refuse what an exchanged token may not do, whatever its person may.

    Raises:
        Forbidden: it is such an operation.
    """
    if presented.kind is Kind.TOKEN_EXCHANGE and operation in BARRED:
        raise Forbidden(
            "A token that was exchanged may not do this; it makes nothing that outlives it.",
            code="exchanged_token",
        )


def _charge(authority: Authority, presented: Presented, scope: dict[str, Any]) -> None:
    """Count the request; one that is refused for a spent budget is not counted.

    Raises:
        BudgetSpent: a budget is used up.
    """
    whose = (presented.organization_id, presented.holder.user_id)
    budgets = scope[BUDGETS] = authority.budgets.look(Surface.REST, *whose)
    budgets.require()
    scope[BUDGETS] = authority.budgets.spend(Surface.REST, *whose, 1)
