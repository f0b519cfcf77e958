"""Calls about steps, builds, the job and its agent (contract sections 2.3 and 2.9).

All of them raise `ApiError` if the server refuses, or if every attempt fails.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from watchword.agent.inside.caller import Caller
from watchword.agent.transport import segment


class Change(msgspec.Struct):
    """A change of a step; the id stays the same over all attempts, so that it happens once."""

    idempotency_uuid: str
    build_id: str
    attribute: str
    value: str
    append: bool = False


class _Exported(msgspec.Struct):
    output: str | None = None


async def export(caller: Caller, step: str, *, attribute: str, build: str, form: str) -> str:
    """An attribute of a step as text, or the whole step."""
    body = {"attribute": attribute, "build_id": build, "format": form}
    answer = await caller.fetch(
        _Exported,
        "POST",
        f"steps/{segment(step)}/export",
        caller.policy.step,
        body={key: value for key, value in body.items() if value},
    )
    return answer.output or ""


async def update(caller: Caller, step: str, change: Change) -> None:
    """Change a step. Secrets of the environment are masked in the value."""
    body = msgspec.to_builtins(change) | {"value": caller.redactor.text(change.value)}
    body = {key: value for key, value in body.items() if value or key == "value"}
    await caller.send("PUT", f"steps/{segment(step)}", caller.policy.step, body=body)


async def cancel(caller: Caller, step: str, *, build: str, force: bool, grace: int) -> None:
    """Cancel a step's jobs; `grace` is seconds."""
    body = {"build_id": build, "force": force, "force_grace_period": grace}
    await caller.send("POST", f"steps/{segment(step)}/cancel", caller.policy.step, body=body)


async def cancel_build(caller: Caller, build: str) -> None:
    """Cancel a build."""
    await caller.send("POST", f"builds/{segment(build)}/cancel", caller.policy.control)


async def update_job(caller: Caller, job: str, attribute: str, value: str) -> None:
    """Change a job. Secrets of the environment are masked in the value."""
    body = {attribute: caller.redactor.text(value)}
    await caller.fetch(dict[str, Any], "PUT", f"jobs/{segment(job)}", caller.policy.data_write, body=body)


async def promise_failure(caller: Caller, job: str, exit_status: int, reason: str) -> None:
    """Promise that a job will fail. Secrets of the environment are masked in the reason."""
    body: dict[str, Any] = {"exit_status": exit_status}
    if reason:
        body["reason"] = caller.redactor.text(reason)
    await caller.send("PUT", f"jobs/{segment(job)}/promise_failure", caller.policy.data_write, body=body)


async def control(caller: Caller, action: str, body: Mapping[str, Any] | None) -> None:
    """Stop, pause or resume the job's agent."""
    await caller.send("POST", action, caller.policy.control, body=body)
