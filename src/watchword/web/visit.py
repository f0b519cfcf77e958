"""A visit: who asks for a page, what they sent, the unit of work that answers, and the page itself.

`web.arriving.before` runs ahead of every handler and makes the visit. Handlers take `Visit.of(request)`.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

from litestar import Request, Response

from watchword.crypto.values import Secret
from watchword.domain.accounts import Organization, User
from watchword.domain.errors import Forbidden, NotFound, Refused, WatchwordError
from watchword.domain.events import Actor
from watchword.domain.ids import ClusterId, TeamId
from watchword.domain.teams import Banner
from watchword.services.access import Access, belonging, enter_in_person
from watchword.services.authority import Authority
from watchword.services.banners import banner_of
from watchword.services.context import Caller, Context
from watchword.services.people import person_caller
from watchword.services.queries import Unit
from watchword.services.signing_in import Visitor
from watchword.web.forms import Form, Problem
from watchword.web.paging import Paging
from watchword.web.rendering import render
from watchword.web.security import Origin, csrf_token, new_key

T = TypeVar("T")
WebRequest = Request[Any, Any, Any]
Page = Response[str]
Work = Callable[[Unit, Access], Awaitable[T]]

VISIT = "watchword_visit"
# Where `web.app` finds the cookies that an answer sets: Litestar keeps headers in a mapping.
COOKIES = "watchword_cookies"
# Whose services answer a request: it comes with each, because the routes serve every installation.
AUTHORITY = "watchword_authority"
_NOBODY = Actor("visitor", "", "")
_SEE_OTHER = 303


@dataclass(slots=True)
class Visit:
    """One request for a page.

    Attributes:
        visitor: who is signed in; None for nobody.
        key: the cookie that the forms are bound to.
        form: what was posted; empty for a GET.
        access: the organization that the last unit of work entered; the page's frame shows it.
        organizations: where the visitor belongs, for the frame.
        banner: what the organization says to everybody in it.
        position: how far the organization's trail had come when the page was made.
        cookies: cookies that the answer sets.
    """

    request: WebRequest
    authority: Authority
    address: str | None
    request_id: str
    encrypted: bool
    visitor: Visitor | None = None
    key: Secret = field(default_factory=new_key)
    form: Form = field(default_factory=Form)
    access: Access | None = None
    organizations: Sequence[Organization] = ()
    banner: Banner | None = None
    position: int = 0
    cookies: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def of(cls, request: WebRequest) -> "Visit":
        """The visit that `before` let pass."""
        return cast("Visit", cast("dict[str, Any]", request.scope)[VISIT])

    # -- who, where, when ------------------------------------------------------------------------

    @property
    def context(self) -> Context:
        """The ground under the services."""
        return self.authority.context

    @property
    def now(self) -> int:
        """Microseconds since the epoch."""
        return self.context.clock.now()

    @property
    def signed_in(self) -> Visitor:
        """Who is signed in.

        Raises:
            Refused: nobody is.
        """
        if self.visitor is None:
            raise Refused("Sign in to go on.", code="session_ended")
        return self.visitor

    @property
    def user(self) -> User:
        """The person who is signed in.

        Raises:
            Refused: nobody is.
        """
        return self.signed_in.user

    @property
    def user_agent(self) -> str:
        """The browser's name."""
        return self.request.headers.get("user-agent", "")

    @property
    def caller(self) -> Caller:
        """Who asks, as the audit trail names it."""
        if self.visitor is None:
            return Caller(_NOBODY, self.address, self.request_id, self.user_agent)
        visitor = self.visitor
        made = person_caller(visitor.user, self.address, self.user_agent, self.request_id)
        return replace(made, sign_in=visitor.session.method)

    @property
    def origin(self) -> Origin:
        """How the request came."""
        host = self.request.headers.get("host", "")
        return Origin(host, self.encrypted, self.context.installation.url)

    @property
    def operation(self) -> str:
        """What the handler performs."""
        return str(self.request.route_handler.opt["operation"])

    @property
    def here(self) -> str:
        """The path of this page, its query included."""
        query = self.request.scope["query_string"].decode("latin-1")
        return self.request.scope["path"] + (f"?{query}" if query else "")

    @property
    def fresh(self) -> bool:
        """Whether the visitor proved within the last five minutes who they are."""
        return self.visitor is not None and self.visitor.session.escalated(self.now)

    def path(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    @property
    def query(self) -> Form:
        """The query's parameters."""
        return Form(list(self.request.query_params.multi_items()))

    @property
    def paging(self) -> Paging:
        """Which page of a list is asked for."""
        return Paging.of(self.request.scope["path"], self.query)

    # -- units of work ---------------------------------------------------------------------------

    async def enter(self, tx: Unit) -> Access:
        """Enter the organization of the path, without looking at the handler's right.

        Raises:
            NotFound: there is none, or the visitor does not belong to it.
            Forbidden: the organization does not let the visitor in from here, or without a second factor.
        """
        slug = self.path("org")
        self.access = await enter_in_person(tx, self.user, slug, self.caller)
        self.organizations = [one for one, _ in await belonging(tx, self.user)]
        self.banner = await banner_of(tx, self.access.id)
        self.position = await tx.trail.last(self.access.id)
        return self.access

    async def read(self, work: Work[T], *, defer: bool = False) -> T:
        """Answer from the newest committed state.

        Args:
            work: what answers.
            defer: whether `work` itself requires the operation's right, of the thing that it finds.
        """
        return await self.context.store.read(self.unit(work, defer=defer))

    async def write(self, work: Work[T], *, defer: bool = False) -> T:
        """Change something, as one unit of work; `defer` as in `read`."""
        return await self.context.store.write(self.unit(work, defer=defer))

    def unit(self, work: Work[T], *, defer: bool = False) -> Callable[[Unit], Awaitable[T]]:
        """`work` as a unit of work that enters the organization and requires the right, as `read` does."""

        async def unit(tx: Unit) -> T:
            access = await self.enter(tx)
            if not defer:
                named = self.request.path_params
                cluster = ClusterId(str(named["cluster"]).lower()) if "cluster" in named else None
                team = TeamId(str(named["team"]).lower()) if "team" in named else None
                access.require(self.operation, cluster=cluster, team=team)
            return await work(tx, access)

        return unit

    # -- answers ---------------------------------------------------------------------------------

    def show(self, template: str, *, status: int = 200, **values: object) -> Page:
        """A page of a template; every name of the frame is there too (`templates/base.html`)."""
        common: dict[str, object] = {
            "visit": self,
            "visitor": self.visitor,
            "access": self.access,
            "organization": self.access.organization if self.access is not None else None,
            "csrf": csrf_token(self.key),
            "now": self.now,
            "done": self.request.query_params.get("done", ""),
            "problems": (),
            "form": self.form,
            "fresh": self.fresh,
        }
        body = render(template, common | values)
        return Response(body, status_code=status, media_type="text/html")

    def show_again(self, template: str, *errors: WatchwordError | Problem, **values: object) -> Page:
        """A form once more, filled in as it was sent, with what is wrong with it; for the first time without.

        Raises:
            NotFound: what the form was about is not there; there is no form to show.
            Forbidden: the person may not do it at all; the same.
        """
        for one in errors:
            if isinstance(one, (NotFound, Forbidden)):
                raise one
        problems = [one if isinstance(one, Problem) else Problem.of(one) for one in errors]
        status = next(
            (one.status for one in errors if isinstance(one, WatchwordError)), 422 if errors else 200
        )
        return self.show(template, status=status, problems=problems, **values)

    def go(self, path: str, *, done: str = "") -> Page:
        """Go on to a page of ours after a form; `done` names a sentence of `templates/macros/done.html`.

        Raises:
            ValueError: the path leads elsewhere.
        """
        if not is_local(path):
            raise ValueError("a redirect stays on this server")
        if done:
            path += ("&" if "?" in path else "?") + f"done={done}"
        return Response("", status_code=_SEE_OTHER, media_type="text/html", headers={"location": path})

    def go_elsewhere(self, url: str) -> Page:
        """Go on to another site, which the operator named."""
        return Response("", status_code=_SEE_OTHER, media_type="text/html", headers={"location": url})


def is_local(path: str) -> bool:
    r"""Whether a path stays on this server: browsers read `//host` and `/\host` as other hosts."""
    return path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
