"""Tokens of all kinds in one list: filtered, ordered, searched by name, by id, by a value that was pasted."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from litestar import get, post

from watchword.crypto.values import Recognised, Secret
from watchword.domain.accounts import Cluster
from watchword.domain.errors import WatchwordError
from watchword.domain.ids import ClusterId, UserId, is_uuid
from watchword.domain.kinds import Kind
from watchword.domain.scopes import ALL_SCOPES
from watchword.domain.tokenlists import Condition, Order
from watchword.services.lookups import EVERYTHING
from watchword.services.members import find_member_by_email
from watchword.services.queries import Access, Unit, clusters_of
from watchword.services.tokensearch import SEARCHED, Pasted, Sought, TokenPage
from watchword.web.forms import Form, Problem
from watchword.web.needs import page
from watchword.web.tokenrows import show_token
from watchword.web.visit import Page, Visit, WebRequest

TOKENS = "/organizations/{org:str}/tokens"
AGENT_KINDS = (Kind.AGENT, Kind.UNCLUSTERED_AGENT)
TABS: dict[str, tuple[str, tuple[Kind, ...]]] = {
    "": ("All", SEARCHED),
    "agent": ("Agent tokens", AGENT_KINDS),
    "user": ("User tokens", (Kind.API_ACCESS,)),
    "dagster": ("Dagster+", (Kind.DAGSTER_AGENT, Kind.DAGSTER_USER)),
    "portal": ("Portals", (Kind.PORTAL_SERVICE, Kind.PORTAL_SECRET)),
    "registry": ("Registry tokens", (Kind.REGISTRY,)),
}
STATES: dict[str, str] = {
    Condition.CURRENT.value: "In use or expired",
    Condition.ACTIVE.value: "Active",
    Condition.EXPIRING.value: "Expires soon",
    Condition.EXPIRED.value: "Expired",
    Condition.NEVER_USED.value: "Never used",
    Condition.ROTATING.value: "Rotating",
    Condition.DRAINING.value: "Draining",
    Condition.QUARANTINED.value: "Incident open",
    Condition.LEAKED.value: "Leaked",
    Condition.NOT_YET_VALID.value: "Not yet valid",
    Condition.USED_UP.value: "Used up",
    Condition.SUPERSEDED.value: "Superseded",
    Condition.REVOKED.value: "Revoked",
    Condition.ANY.value: "Any state",
}
_FILTERS = ("tab", "q", "state", "cluster", "owner", "scope", "sort", "at")
_NOWHERE = UserId("nobody")


@dataclass(frozen=True, slots=True)
class Listing:
    """What an address asks of the list, and the addresses of its neighbours."""

    path: str
    asked: dict[str, str]

    @classmethod
    def of(cls, path: str, query: Form) -> "Listing":
        """The list that a query asks for."""
        return cls(path, {name: query.text(name) for name in _FILTERS if query.text(name)})

    def get(self, name: str) -> str:
        """What is asked of one filter; empty for nothing."""
        return self.asked.get(name, "")

    def at(self, **changes: str) -> str:
        """The address of the list with something else asked; another order begins at the first page."""
        pairs = {name: value for name, value in ({**self.asked, "at": ""} | changes).items() if value}
        return self.path + (f"?{urlencode(pairs)}" if pairs else "")

    @property
    def order(self) -> tuple[Order, bool]:
        """What it is ordered by, and whether the other way round; the newest first unless asked."""
        word = self.get("sort")
        try:
            return Order(word.removeprefix("-")), word.startswith("-")
        except ValueError:
            return Order.CREATED, True

    def turned(self, order: Order) -> str:
        """The address of the list ordered by something; the other way round where it is already."""
        known, descending = self.order
        return self.at(sort=order.value if order is not known or descending else f"-{order.value}")

    def sorted_as(self, order: Order) -> str:
        """How the column stands, as `aria-sort` says it; empty where the list is ordered by another."""
        known, descending = self.order
        return ("descending" if descending else "ascending") if order is known else ""

    @property
    def filtered(self) -> bool:
        """Whether something is left out."""
        return any(self.get(name) for name in ("q", "state", "cluster", "owner", "scope"))


async def _sought(tx: Unit, access: Access, listing: Listing) -> Sought:
    """What an address asks for; what cannot be read asks for nothing, so that no link is dead."""
    order, descending = listing.order
    state, cluster, scope = listing.get("state"), listing.get("cluster").lower(), listing.get("scope")
    return Sought(
        kinds=TABS.get(listing.get("tab"), TABS[""])[1],
        condition=Condition(state) if state in STATES else Condition.CURRENT,
        text=listing.get("q"),
        owner=await _owner(tx, access, listing.get("owner")),
        cluster=ClusterId(cluster) if is_uuid(cluster) else None,
        scope=scope if scope in ALL_SCOPES else "",
        order=order,
        descending=descending,
        cursor=listing.get("at"),
    )


async def _owner(tx: Unit, access: Access, text: str) -> UserId | None:
    """The person of an address or id; somebody whom nobody knows has no tokens."""
    if not text:
        return None
    if is_uuid(text):
        return UserId(text.lower())
    found = await find_member_by_email(tx, access.id, text)
    return found[1].id if found is not None else _NOWHERE


@get(TOKENS, opt=page("api_token.list"))
async def list_tokens(request: WebRequest) -> Page:
    """One page of the list."""
    return await _show_list(Visit.of(request))


async def _show_list(visit: Visit, *errors: WatchwordError, told: Sequence[str] = ()) -> Page:
    slug = visit.path("org")
    listing = Listing.of(f"/organizations/{slug}/tokens", visit.query)

    async def work(tx: Unit, access: Access) -> tuple[TokenPage, list[Cluster]]:
        sought = await _sought(tx, access, listing)
        found = await visit.authority.finder.page_in(tx, access, sought)
        return found, await clusters_of(tx, access.id, EVERYTHING)

    found, clusters = await visit.read(work)
    return visit.show(
        "tokens/index.html",
        status=next((error.status for error in errors), 200),
        problems=[Problem.of(error, "value") for error in errors],
        listing=listing,
        tokens=[show_token(slug, row) for row in found.rows],
        found=found,
        clusters=clusters,
        tabs=_tabs(listing, found),
        states=list(STATES.items()),
        scopes=sorted(ALL_SCOPES),
        order=Order,
        told=told,
    )


def _tabs(listing: Listing, found: TokenPage) -> list[tuple[str, str, bool]]:
    """The tabs with how many tokens each has, filters applied."""
    return [
        (
            listing.at(tab=name),
            f"{title} ({sum(found.counts.get(kind, 0) for kind in kinds)})",
            name == listing.get("tab"),
        )
        for name, (title, kinds) in TABS.items()
    ]


@post(TOKENS + "/find", opt=page("api_token.list"), status_code=200)
async def find_token(request: WebRequest) -> Page:
    """The token of a pasted value. The value stands in the form's body alone: the answer leads to an id."""
    visit = Visit.of(request)
    pasted = Secret(visit.form.raw("value"))

    async def work(tx: Unit, access: Access) -> Pasted:
        return await visit.authority.finder.pasted_in(tx, access, pasted)

    try:
        found = await visit.read(work)
    except WatchwordError as error:
        return await _show_list(visit, error)
    at = f"/organizations/{visit.path('org')}"
    if found.row is not None:
        query = urlencode({"q": found.row.token.id, "state": Condition.ANY.value})
        return visit.go(f"{at}/tokens?{query}", done="token-found")
    if found.agent_id is not None:
        return visit.go(f"{at}/agents/{found.agent_id}", done="session-found")
    return await _show_list(visit, told=_tell(found.recognised))


def _tell(recognised: Recognised | None) -> tuple[str, ...]:
    """What is said of a value that leads to no token: no more than it shows by itself."""
    first = "No token that you may see here has this value."
    if recognised is None:
        return (first, "It has not the shape of a token that this installation makes.")
    name = recognised.shape.name.replace("-", " ")
    known = f"{_article(name)} {name}"
    if recognised.checksum is False:
        return (
            first,
            f"It looks like {known}, but its checksum does not hold: a character is missing or wrong.",
        )
    if recognised.shape.name == "job-token":
        return first, "It looks like a job token: those live as long as their job, and are not listed."
    return first, f"It has the shape of {known}: it may belong elsewhere, or have never been one."


def _article(name: str) -> str:
    return "an" if name[:1] in "aeiou" else "a"


HANDLERS = (list_tokens, find_token)
