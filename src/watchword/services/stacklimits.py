"""Limits of stacks: what each may ask for within any second (contract agent-api §10.3). Memory only.

The window slides: what counts are the calls of the last second, so that a stack never gets twice its limit
around the turn of a second. A call that is refused is not counted, so that asking on does not shut one out.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from watchword.domain.ratelimits import NO_LIMIT, RateLimits
from watchword.services.context import Clock

WINDOW_US = 1_000_000
# Windows in memory; those that are over are dropped when there are so many.
_MAX_WINDOWS = 20_000

LIST, RESERVE, SHOW = "list-scheduled-jobs", "batch-reserve", "show-job"
STATES, FINISH, NOTIFY, OTHER = "batch-load-job-states", "finish-job", "stack-notification", "default"


def limits_of(limits: RateLimits) -> Mapping[str, int]:
    """Calls in a second by the scope's word; 0 means none."""
    return {
        LIST: limits.stack_list_jobs,
        RESERVE: limits.stack_reserve_jobs,
        SHOW: limits.stack_show_job,
        STATES: limits.stack_job_states,
        FINISH: limits.stack_finish_job,
        NOTIFY: limits.stack_notifications,
        OTHER: limits.stack_other,
    }


@dataclass(frozen=True, slots=True)
class Spent:
    """One call against its limit.

    Attributes:
        scope: the limit's word.
        limit: calls in a second; 0 where there is no limit.
        current: calls of the last second, this one included.
        reset: seconds after which a call may pass again.
    """

    scope: str
    limit: int
    current: int
    reset: int = 1

    @property
    def refused(self) -> bool:
        """Whether it is one too many."""
        return bool(self.limit) and self.current > self.limit

    @property
    def shown_limit(self) -> int:
        """The limit as clients read it."""
        return self.limit or NO_LIMIT

    @property
    def remaining(self) -> int:
        """Calls that would still pass now."""
        return max(0, self.shown_limit - self.current)


@dataclass(slots=True)
class StackLimits:
    """Counts calls by scope, organization, cluster and stack."""

    clock: Clock
    limits: Mapping[str, int]
    _calls: dict[tuple[str, ...], deque[int]] = field(default_factory=dict)

    def spend(self, scope: str, *owner: str) -> Spent:
        """Count a call, unless it is one too many.

        Args:
            scope: which limit.
            owner: ids of organization and cluster, and the stack's key.
        """
        limit, now = self.limits[scope], self.clock.now()
        calls = self._calls.get((scope, *owner))
        if calls is None:
            self._make_room(now)
            calls = self._calls[(scope, *owner)] = deque()
        while calls and now - calls[0] >= WINDOW_US:
            calls.popleft()
        spent = Spent(scope, limit, len(calls) + 1)
        if limit and not spent.refused:
            calls.append(now)
        return spent

    def _make_room(self, now: int) -> None:
        if len(self._calls) < _MAX_WINDOWS:
            return
        live = {key: calls for key, calls in self._calls.items() if calls and now - calls[-1] < WINDOW_US}
        # More live ones than fit are counted anew: memory is bounded, a second is given away.
        self._calls = live if len(live) < _MAX_WINDOWS else {}
