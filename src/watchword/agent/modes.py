"""When an agent leaves by itself: after a job, after idle time, after its uptime (contract section 5.4)."""

from watchword.agent.config import Settings
from watchword.agent.retry import Policy


class Leaving:
    """What all agents of one process know together about leaving.

    Idle time counts for the process: as long as one of its agents works, or has not been told yet
    that there is nothing to do, none of them leaves for want of work.
    """

    def __init__(self, settings: Settings, policy: Policy) -> None:
        self._settings = settings
        self._policy = policy
        self._began = policy.tick()
        self._idle_since: dict[int, float | None] = {}

    def busy(self, worker: int) -> None:
        """An agent takes a job, or has just joined."""
        self._idle_since[worker] = None

    def idle(self, worker: int) -> None:
        """An agent has nothing to do; the first such moment counts."""
        if self._idle_since.get(worker) is None:
            self._idle_since[worker] = self._policy.tick()

    def gone(self, worker: int) -> None:
        """An agent has left."""
        self._idle_since.pop(worker, None)

    def all_idle_too_long(self) -> bool:
        """Whether every agent has been idle for the time-out."""
        timeout = self._settings.disconnect_after_idle_timeout
        since = list(self._idle_since.values())
        if not timeout or not since:
            return False
        starts = [start for start in since if start is not None]
        return len(starts) == len(since) and self._policy.tick() - max(starts) >= timeout

    def up_too_long(self) -> bool:
        """Whether the process is at the end of its time."""
        limit = self._settings.disconnect_after_uptime
        return bool(limit) and self._policy.tick() - self._began >= limit
