"""Retention: how long what has ended is kept."""

from dataclasses import dataclass

from watchword.domain.tokens import DAY_US


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Days from its end that a thing is kept; 0 keeps it for ever. Digests of tokens are always kept.

    Attributes:
        logs: logs of jobs.
        artifacts: artifacts of builds that have ended, counted from their creation.
        builds: builds with everything in them.
        agents: records of agents that have left.
        uses: the ledger of use; the last use of a token stays.
        audit: audit events; the numbers of those that stay do not change.
    """

    logs: int = 365
    artifacts: int = 180
    builds: int = 0
    agents: int = 90
    uses: int = 400
    audit: int = 0

    def before(self, name: str, now: int) -> int:
        """What ended before this time is to go; 0 where nothing is."""
        days: int = getattr(self, name)
        return now - days * DAY_US if days else 0
