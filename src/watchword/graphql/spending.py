"""Spending: points of complexity by organization and person, and what answers say of them.

Contract rest-graphql §1.9. What is spent is what an answer held, at least one point for each request, so
that documents which are refused are not free.
"""

from watchword.domain.errors import TooMany
from watchword.domain.ratelimits import Budget, Surface
from watchword.services.budgets import Budgets, Treasurer
from watchword.services.verifying import Presented


class PointsSpent(TooMany):
    """A budget of points is used up.

    Attributes:
        budgets: both budgets, for the headers.
    """

    code = "rate_limited"

    def __init__(self, budgets: Budgets, spent: Budget) -> None:
        whose = (
            f"You have exceeded your per-user limit of {spent.limit} complexity points."
            if spent is budgets.user
            else f"Your organization has exceeded the limit of {spent.limit} complexity points."
        )
        super().__init__(f"{whose} Please try again in {spent.reset} seconds.")
        self.budgets = budgets
        self.retry_after = spent.reset


def require(treasurer: Treasurer, presented: Presented) -> None:
    """Require that neither budget is used up.

    Raises:
        PointsSpent: one is.
    """
    budgets = treasurer.look(Surface.GRAPHQL, presented.organization_id, presented.holder.user_id)
    spent = budgets.spent
    if spent is not None:
        raise PointsSpent(budgets, spent)


def spend(treasurer: Treasurer, presented: Presented, points: int) -> Budgets:
    """Use points of both budgets."""
    return treasurer.spend(
        Surface.GRAPHQL, presented.organization_id, presented.holder.user_id, max(points, 1)
    )


def headers(budgets: Budgets) -> list[tuple[bytes, bytes]]:
    """What an answer says of both budgets; times are seconds to go, not dates."""
    shown = []
    for prefix, budget in (("ratelimit", budgets.organization), ("ratelimit-user", budgets.user)):
        shown += [
            (f"{prefix}-scope", budget.scope),
            (f"{prefix}-limit", str(budget.shown_limit)),
            (f"{prefix}-remaining", str(budget.remaining)),
            (f"{prefix}-reset", str(budget.reset)),
        ]
    return [(name.encode(), value.encode()) for name, value in shown]
