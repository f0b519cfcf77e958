"""The secrets of a step: fetched before anything of the job runs, and hidden before they are set."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from watchword.agent.errors import AgentError
from watchword.agent.job.process import Outcome
from watchword.agent.job.protected import blocked
from watchword.agent.job.shell import JobFailed, JobShell
from watchword.agent.redaction import MIN_BYTES, forms_of
from watchword.agent.retry import Policy
from watchword.agent.secretcalls import fetch_secrets
from watchword.agent.transport import Connection
from watchword.agent.wire import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSecrets:
    """Fills variables from the cluster's secrets (contract section 4.7).

    Attributes:
        shell: the job's shell.
        job: the accepted job.
        connection: carries the job token.
        policy: the clock and the attempts.
        command_eval: whether the agent runs shell text; if not, more variables are locked.
    """

    shell: JobShell
    job: Job
    connection: Connection
    policy: Policy
    command_eval: bool

    async def run(self) -> None:
        """Fetch, hide, set.

        Raises:
            JobFailed: one cannot be had, or would set a variable of the agent's; the job ends with -1.
        """
        wanted = _wanted(self.job.step)
        if not wanted:
            return
        await self.shell.header("Preparing secrets")
        locked = blocked(wanted, command_eval=self.command_eval)
        if locked:
            raise _failed(f"secrets may not set variables of the agent: {', '.join(locked)}")
        try:
            values = await fetch_secrets(self.connection, self.job.id, list(wanted.values()), self.policy)
        except AgentError as error:
            raise _failed(str(error)) from None
        opened = {variable: values[key].reveal() for variable, key in wanted.items()}
        for value in opened.values():
            self.shell.redact(*forms_of(value))
        for variable, value in opened.items():
            if "\0" in value:
                raise _failed(f"the secret {wanted[variable]} holds NUL, which no variable can")
            self.shell.variables[variable] = value
            short = "" if len(value.encode()) >= MIN_BYTES else "; it is too short to be hidden in this log"
            await self.shell.comment(f"{wanted[variable]} is in {variable}{short}")


def _failed(reason: str) -> JobFailed:
    return JobFailed(reason, Outcome(-1), "process_run_error")


def _wanted(step: Mapping[str, Any] | None) -> dict[str, str]:
    """Keys by the variables that they fill.

    Raises:
        JobFailed: the server says something else than a list of keys and variables.
    """
    said = (step or {}).get("secrets")
    if not isinstance(said, list | None):
        raise _failed("the step's secrets are no list")
    wanted: dict[str, str] = {}
    for part in said or ():
        fields = part if isinstance(part, dict) else {"key": part}
        key = fields.get("key")
        variable = fields.get("environment_variable") or key
        if not isinstance(key, str) or not isinstance(variable, str) or not key:
            raise _failed("a secret of the step has no key")
        if "=" in variable or "\0" in variable:
            raise _failed("a secret of the step fills no variable")
        wanted[variable] = key
    return wanted
