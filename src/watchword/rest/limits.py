"""Rate limits (contract rest-graphql §1.9): what answers say of them, and the limits of an organization."""

import msgspec
from litestar import get

from watchword.domain.ratelimits import Budget, Surface
from watchword.rest.call import Call, RestRequest, needs
from watchword.rest.formats import whole_seconds
from watchword.services.queries import Access, Unit

_SECOND_US = 1_000_000


class ScopeLimit(msgspec.Struct, kw_only=True):
    """An organization's limit on one surface; `reset` counts seconds."""

    limit: int
    current: int
    reset: int
    reset_at: str
    enforced: bool


class ScopeLimits(msgspec.Struct, kw_only=True):
    """Limits by surface."""

    rest: ScopeLimit
    graphql: ScopeLimit


class RateLimit(msgspec.Struct, kw_only=True):
    """Limits of an organization; those of its people stand in the headers of their answers."""

    scopes: ScopeLimits


@get(
    "/v2/organizations/{org:str}/rate_limit",
    opt=needs("organization.limits"),
    summary="Get the organization's rate limits",
)
async def get_rate_limit(request: RestRequest) -> RateLimit:
    """How much of REST and GraphQL the organization has used in the windows under way."""
    call = Call.of(request)
    now = call.context.clock.now()

    def show(budget: Budget) -> ScopeLimit:
        return ScopeLimit(
            limit=budget.shown_limit,
            current=budget.used,
            reset=budget.reset,
            reset_at=whole_seconds(now + budget.reset * _SECOND_US) or "",
            enforced=bool(budget.limit),
        )

    async def work(_tx: Unit, access: Access) -> RateLimit:
        look = call.authority.budgets.look
        rest, graphql = (look(one, access.id, None).organization for one in (Surface.REST, Surface.GRAPHQL))
        return RateLimit(scopes=ScopeLimits(rest=show(rest), graphql=show(graphql)))

    return await call.read(work)


HANDLERS = (get_rate_limit,)
