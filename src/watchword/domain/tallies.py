"""Tallies: what happened in an organization, counted hour by hour, for charts. Names are stored."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from watchword.domain.ids import OrganizationId
from watchword.domain.use import HOUR_US

REGISTERED = "agent.registered"
LOST = "agent.lost"
_REFUSED = "refused."

HOURS_OF_DAY = 24


@dataclass(frozen=True, slots=True)
class HourlyCount:
    """How often something happened in an organization in one hour (hours since the epoch)."""

    organization_id: OrganizationId
    hour: int
    name: str
    count: int


def refused(reason: str) -> str:
    """The name under which refusals of a reason are counted."""
    return _REFUSED + reason


def refusal_reason(name: str) -> str:
    """The reason that a name counts refusals of; empty where it counts something else."""
    return name.removeprefix(_REFUSED) if name.startswith(_REFUSED) else ""


@dataclass(frozen=True, slots=True)
class Period:
    """Hours or days of a chart, one after another, the one that has not ended included.

    Attributes:
        first: the first hour, counted since the epoch; of days the one with which the first day begins.
        step: hours of each.
        steps: how many.
    """

    first: int
    step: int
    steps: int

    @property
    def starts(self) -> tuple[int, ...]:
        """When each begins, microseconds."""
        return tuple((self.first + at * self.step) * HOUR_US for at in range(self.steps))

    def series(self, counts: Iterable[HourlyCount], name: str) -> tuple[int, ...]:
        """How often something happened in each; what lies outside is left out."""
        found: Counter[int] = Counter()
        for each in counts:
            if each.name == name:
                found[(each.hour - self.first) // self.step] += each.count
        return tuple(found[at] for at in range(self.steps))


def last_day(now: int) -> Period:
    """The last 24 hours, each an hour of the clock."""
    hour = now // HOUR_US
    return Period(hour - HOURS_OF_DAY + 1, 1, HOURS_OF_DAY)


def last_days(now: int, days: int) -> Period:
    """The last days, in UTC."""
    today = now // HOUR_US // HOURS_OF_DAY
    return Period((today - days + 1) * HOURS_OF_DAY, HOURS_OF_DAY, days)
