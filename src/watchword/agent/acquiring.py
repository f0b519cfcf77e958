"""Acquire mode: take one named job, whoever else is waiting for it (contract sections 2.2 and 5.3)."""

from http import HTTPStatus

from structlog.typing import FilteringBoundLogger

from watchword.agent.api import AgentApi, Rights
from watchword.agent.errors import AgentError, ApiError
from watchword.agent.retry import Policy
from watchword.agent.wire import Job

REJECTED = 27
"""Exit status of a process whose job was taken, over, or never to be had."""

_WAITS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
_LONGEST = 330.0
_JITTER = (-1.0, 5.0)


class Rejected(AgentError):
    """The job is not to be had: it is taken, finished or cancelled."""


async def acquire(
    api: AgentApi, job_id: str, policy: Policy, log: FilteringBoundLogger, rights: Rights = None
) -> Job | None:
    """Take the job, trying again while it waits for something or the server is not ready.

    Its token is to have `rights` at most.

    Returns:
        The job; None if the server refused it in another way or for too long, which is logged.

    Raises:
        Rejected: the server says that the job cannot be taken (422).
    """
    began = policy.tick()
    for sequence, wait in enumerate((*_WAITS, None)):
        try:
            return await api.acquire(job_id, sequence, rights)
        except ApiError as error:
            if error.status == HTTPStatus.UNPROCESSABLE_ENTITY:
                raise Rejected(f"the job cannot be acquired: {error.message}") from None
            pause = _pause(error, wait, policy)
            if pause is None or policy.tick() - began + pause > _LONGEST:
                log.error("the job was not acquired", job=job_id, error=str(error))  # noqa: TRY400 - no bug
                return None
            log.warning("the job cannot be acquired yet", error=str(error), retry_in_seconds=round(pause, 1))
        await policy.sleep(pause)
    return None


def _pause(error: ApiError, wait: float | None, policy: Policy) -> float | None:
    """Seconds until the next attempt; None if there is none."""
    if wait is None or not (error.retryable or error.status == HTTPStatus.LOCKED):
        return None
    if error.retry_after is not None:
        return error.retry_after
    return max(0.0, wait + policy.uniform(*_JITTER))
