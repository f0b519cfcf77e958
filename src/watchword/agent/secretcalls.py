"""Secrets of the cluster, fetched with the job token (contract section 2.10)."""

import asyncio
from collections.abc import Mapping, Sequence

from watchword.agent.errors import AgentError, ApiError
from watchword.agent.retry import Policy, retry
from watchword.agent.transport import Connection, segment
from watchword.agent.wire import SecretAnswer
from watchword.crypto.values import Secret

AT_ONCE = 10


async def fetch_secrets(
    connection: Connection, job: str, keys: Sequence[str], policy: Policy
) -> Mapping[str, Secret]:
    """Fetch secrets by their keys, ten at a time; all of them or none.

    Args:
        connection: carries the job token.
        job: the job's id.
        keys: in any case.
        policy: the clock and the attempts.

    Raises:
        AgentError: the server refused some, or could not be asked; the message names each with the reason.
    """
    free = asyncio.Semaphore(AT_ONCE)
    wanted = list(dict.fromkeys(keys))

    async def fetch(key: str) -> Secret | ApiError:
        path = f"jobs/{segment(job)}/secrets"
        async with free:
            try:
                answer = await retry(
                    lambda: connection.fetch(SecretAnswer, "GET", path, params={"key": key}),
                    policy.secret,
                    policy,
                )
            except ApiError as error:
                return error
        return answer.value

    found = dict(zip(wanted, await asyncio.gather(*map(fetch, wanted)), strict=True))
    refused = [f"{key}: {error}" for key, error in found.items() if isinstance(error, ApiError)]
    if refused:
        raise AgentError(f"cannot fetch secrets: {'; '.join(refused)}")
    return {key: value for key, value in found.items() if isinstance(value, Secret)}
