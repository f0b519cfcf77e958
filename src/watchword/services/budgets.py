"""Budgets: what organizations and people used of REST and GraphQL in the window under way. Memory only.

Windows are fixed and begin with the first use, so that a budget costs two numbers. One process counts:
a restart begins all windows anew, which gives away one window at most. Only what a verified token asked
for is counted, so that nobody uses up another's budget with values that do not pass.
"""

from dataclasses import dataclass

from watchword.domain.errors import TooMany
from watchword.domain.ids import OrganizationId, UserId
from watchword.domain.ratelimits import WINDOW_SECONDS, Budget, RateLimits, Surface
from watchword.services.context import Context

_SECOND_US = 1_000_000
# Windows in memory; ended ones are dropped when there are so many.
_MAX_WINDOWS = 20_000


class BudgetSpent(TooMany):
    """A budget is used up; the same request may pass in the next window.

    Attributes:
        budget: the one that is used up.
    """

    code = "rate_limited"

    def __init__(self, budget: Budget) -> None:
        super().__init__(
            "You have exceeded your API rate limit."
            f" Please wait {budget.reset} seconds before making more requests."
        )
        self.budget = budget
        self.retry_after = budget.reset


@dataclass(frozen=True, slots=True)
class Budgets:
    """The two budgets that one request draws on."""

    organization: Budget
    user: Budget

    @property
    def spent(self) -> Budget | None:
        """The one that is used up; the person's first, which the person can do something about."""
        return next((one for one in (self.user, self.organization) if one.exhausted), None)

    def require(self) -> None:
        """Require that neither is used up.

        Raises:
            BudgetSpent: one is.
        """
        if self.spent is not None:
            raise BudgetSpent(self.spent)


@dataclass(slots=True)
class _Window:
    """What was used since a moment."""

    ends_at: int
    used: int = 0


class Treasurer:
    """Counts use by organization and by person."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._windows: dict[tuple[str, str], _Window] = {}

    @property
    def limits(self) -> RateLimits:
        """What the installation allows."""
        return self._context.installation.rate_limits

    def look(self, surface: Surface, organization_id: OrganizationId, user_id: UserId | None) -> Budgets:
        """The budgets as they are; nothing is used."""
        return self.spend(surface, organization_id, user_id, 0)

    def spend(
        self, surface: Surface, organization_id: OrganizationId, user_id: UserId | None, cost: int
    ) -> Budgets:
        """Use something of both budgets; it may be more than is left, which the next `require` tells.

        Args:
            surface: what is used.
            organization_id: whose budget.
            user_id: whose own budget; a token of nobody draws on the organization's alone.
            cost: requests on REST and to portals, points of complexity on GraphQL.
        """
        scope = surface.value
        whole, own = self._limits_of(surface)
        person = f"{scope}_user"
        return Budgets(
            self._use(surface, scope, organization_id, whole, cost),
            self._use(surface, person, user_id, own, cost) if user_id else Budget(person, 0, 0, 1),
        )

    def _limits_of(self, surface: Surface) -> tuple[int, int]:
        """Limits of an organization and of a person; 0 means none. Portals have no limit by person."""
        limits = self.limits
        if surface is Surface.REST:
            return limits.rest_organization, limits.rest_user
        if surface is Surface.GRAPHQL:
            return limits.graphql_organization, limits.graphql_user
        return limits.portal_organization, 0

    def _use(self, surface: Surface, scope: str, key: str, limit: int, cost: int) -> Budget:
        now = self._context.clock.now()
        window = self._windows.get((scope, key))
        if window is None or window.ends_at <= now:
            window = _Window(now + WINDOW_SECONDS[surface] * _SECOND_US)
            if cost:
                self._make_room(now)
                self._windows[scope, key] = window
        window.used += cost
        return Budget(scope, limit, window.used, max(1, -((now - window.ends_at) // _SECOND_US)))

    def _make_room(self, now: int) -> None:
        if len(self._windows) >= _MAX_WINDOWS:
            live = {key: window for key, window in self._windows.items() if window.ends_at > now}
            # More live ones than fit are counted anew: memory is bounded, a window is given away.
            self._windows = live if len(live) < _MAX_WINDOWS else {}
