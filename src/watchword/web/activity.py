"""Charts of what happened: registrations and refusals by the hour or by the day."""

from collections.abc import Mapping
from datetime import UTC, datetime

from watchword.domain.charts import Chart, Series, bar_chart
from watchword.domain.tallies import HOURS_OF_DAY, Period
from watchword.services.overview import Activity

_SECOND_US = 1_000_000
# Stacked parts that can be told apart; what is left is put together.
_PARTS = 4
_REASONS = {
    "token_revoked": "revoked",
    "token_expired": "expired",
    "token_superseded": "rotated",
    "token_network_blocked": "from a wrong address",
    "token_quarantined": "held back",
    "token_used_up": "used up",
    "token_not_yet_valid": "too early",
    "token_scope_missing": "without the scope",
    "token_wrong_kind": "of the wrong kind",
    "session_ended": "of an ended session",
    "job_finished": "of a finished job",
    "token_other_job": "of another job",
}


def labels(period: Period) -> list[str]:
    """What stands below each step: an hour of the day, or a day of the month; UTC."""
    form = "%H:%M" if period.step < HOURS_OF_DAY else "%-d %b"
    return [f"{datetime.fromtimestamp(start // _SECOND_US, UTC):{form}}" for start in period.starts]


def charts(activity: Activity) -> list[Chart]:
    """Registrations, with agents that were lost; and refusals by reason."""
    across = labels(activity.period)
    joined = [Series("registrations", "first", activity.registrations)]
    if any(activity.lost):
        joined.append(Series("agents lost", "bad", activity.lost))
    return [
        bar_chart("Agents that registered", across, joined),
        bar_chart("Refusals of your tokens", across, refusal_series(activity.refusals)),
    ]


def refusal_series(refusals: Mapping[str, tuple[int, ...]]) -> list[Series]:
    """The most frequent reasons, and all others together."""
    rows = list(refusals.items())
    if not rows:
        return []
    shown = rows if len(rows) <= _PARTS else rows[: _PARTS - 1]
    series = [Series(_word(reason), f"part-{at}", values) for at, (reason, values) in enumerate(shown)]
    others = rows[len(shown) :]
    if others:
        together = tuple(sum(part) for part in zip(*(values for _, values in others), strict=True))
        series.append(Series("for other reasons", "part-3", together))
    return series


def _word(reason: str) -> str:
    return _REASONS.get(reason, reason)
