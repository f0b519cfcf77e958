"""Retries and soft failures: which ends of a job are tried again, and which do not fail its build."""

from collections.abc import Sequence

from watchword.domain.stepfields import whole_number
from watchword.domain.steps import RetryRule

_NONE = "none"


def automatic_retry(
    rules: Sequence[RetryRule],
    exit_status: int | str,
    signal: str,
    signal_reason: str,
    retries_so_far: int,
) -> bool:
    """Whether a job that failed is retried: by the first rule that matches, while its limit lasts.

    Args:
        rules: of the step, in order.
        exit_status: as the agent told it; empty where it told none.
        signal: that ended the process, such as `SIGKILL`; empty for none.
        signal_reason: why the signal was sent; empty for none.
        retries_so_far: how often the job has been retried automatically.
    """
    rule = matching_rule(rules, exit_status, signal, signal_reason)
    return rule is not None and retries_so_far < rules[rule].limit


def matching_rule(
    rules: Sequence[RetryRule], exit_status: int | str, signal: str, signal_reason: str
) -> int | None:
    """Position of the first rule that matches, or None. A job that passed matches none."""
    status = whole_number(exit_status)
    if status == 0:
        return None
    found_signal = signal.lower().removeprefix("sig") or _NONE
    found_reason = signal_reason.lower() or _NONE
    for position, rule in enumerate(rules):
        if (
            (rule.exit_status is None or status in rule.exit_status)
            and (not rule.signal or found_signal in rule.signal)
            and (not rule.signal_reason or found_reason in rule.signal_reason)
        ):
            return position
    return None


def soft_failed(soft_fail: tuple[int, ...] | None, exit_status: int | str) -> bool:
    """Whether a failed job does not fail its build; one that passed did not fail at all."""
    status = whole_number(exit_status)
    if status == 0:
        return False
    return soft_fail is None or status in soft_fail
