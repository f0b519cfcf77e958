"""Rate limits: how much of a surface an organization, a person or an address may use in a time window."""

from dataclasses import dataclass
from enum import StrEnum

# The vendor's numbers (contract rest-graphql §1.9), for a second instead of a minute: decision 0036.
_FACTOR = 60


class Surface(StrEnum):
    """A surface with budgets; the value is the word that answers call its organization's budget."""

    REST = "rest"
    GRAPHQL = "graphql"
    PORTAL = "portal"


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """Limits of an installation; 0 means none.

    Attributes:
        rest_organization: REST requests of one organization in 60 seconds.
        rest_user: REST requests of one person in 60 seconds.
        graphql_organization: points of GraphQL complexity of one organization in 300 seconds.
        graphql_user: points of GraphQL complexity of one person in 300 seconds.
        portal_organization: runs of portals of one organization in 60 seconds.
        portal_codes: codes and tokens that one address may ask portals for in 60 seconds.
        leak_revocations: values that one address may show in 60 seconds to have them revoked.
        leak_lookups: digest prefixes that one address may ask for in 60 seconds.
        job_secrets: secrets and repository tokens that one job may ask for in 60 seconds.
        oauth_failures: wrong secrets, codes and refresh tokens of OAuth that one address may show in 60
            seconds.
        oauth_devices: device authorizations that one address may begin in 60 seconds.
        stack_list_jobs: lists of scheduled jobs that one stack may ask for in a second.
        stack_reserve_jobs: batches of reservations that it may ask for in a second.
        stack_show_job: single jobs that it may ask for in a second.
        stack_job_states: batches of states that it may ask for in a second.
        stack_finish_job: jobs that it may end in a second.
        stack_notifications: batches of notifications that it may send in a second.
        stack_other: times that it may register and deregister in a second, each.
    """

    rest_organization: int = 200 * _FACTOR
    rest_user: int = 50 * _FACTOR
    graphql_organization: int = 20_000 * _FACTOR
    graphql_user: int = 5_000 * _FACTOR
    portal_organization: int = 200 * _FACTOR
    portal_codes: int = 600
    leak_revocations: int = 600
    leak_lookups: int = 60_000
    job_secrets: int = 600
    oauth_failures: int = 60
    oauth_devices: int = 60
    stack_list_jobs: int = 10
    stack_reserve_jobs: int = 10
    stack_show_job: int = 1000
    stack_job_states: int = 20
    stack_finish_job: int = 100
    stack_notifications: int = 200
    stack_other: int = 10


WINDOW_SECONDS = {Surface.REST: 60, Surface.GRAPHQL: 300, Surface.PORTAL: 60}
# What clients are shown as the limit where there is none: they read a whole number of 32 bits.
NO_LIMIT = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Budget:
    """One budget at one moment.

    Attributes:
        scope: the word for it: `rest`, `rest_user`, `graphql`, `graphql_user`, `portal`.
        limit: what may be used in a window; 0 where there is no limit.
        used: what was used in this window.
        reset: seconds until the next window begins, at least 1.
    """

    scope: str
    limit: int
    used: int
    reset: int

    @property
    def shown_limit(self) -> int:
        """The limit as clients read it."""
        return self.limit or NO_LIMIT

    @property
    def remaining(self) -> int:
        """What may still be used in this window."""
        return max(0, self.shown_limit - self.used)

    @property
    def exhausted(self) -> bool:
        """Whether nothing may be used before the next window."""
        return bool(self.limit) and self.used >= self.limit
