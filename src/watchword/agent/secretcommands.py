"""The command that prints secrets of the cluster inside a job (contract section 7.2)."""

import json
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

from cyclopts import App, Parameter

from watchword.agent.inside.console import JobOption, call, fail, given, guarded

Form = Literal["default", "json", "env"]

secret_app = App(name="secret", help="Read secrets of the cluster.")


def mount(app: App) -> None:
    """Add these commands to the `agent` command."""
    app.command(secret_app)


@secret_app.command(name="get")
def get_secret(
    *keys: str,
    format: Annotated[Form, Parameter(env_var="BUILDKITE_AGENT_SECRET_GET_FORMAT")] = "default",  # noqa: A002 - the flag's name
    skip_redaction: Annotated[
        bool, Parameter(env_var="BUILDKITE_AGENT_SECRET_GET_SKIP_SECRET_REDACTION", negative=())
    ] = False,
    job: JobOption = None,
) -> None:
    """Print secrets; the job's log hides them from then on.

    Args:
        keys: Their keys, in any case.
        format: default: the value of one, JSON of several. env: lines for a shell.
        skip_redaction: Do not have the log hide them.
        job: The job's id.
    """
    from watchword.agent.redaction import forms_of  # noqa: PLC0415 - keeps --help quick
    from watchword.agent.secretcalls import fetch_secrets  # noqa: PLC0415 - the same

    if not keys:
        fail("give the keys of one or more secrets")
    which = given(job, "BUILDKITE_JOB_ID")
    found = call(lambda caller: fetch_secrets(caller.connection, which, keys, caller.policy))
    values = {key: value.reveal() for key, value in found.items()}
    if not skip_redaction:
        forms = {form for value in values.values() for form in forms_of(value)}
        guarded(lambda: _hide(forms))
    sys.stdout.write(_written(values, format))


def _hide(forms: Iterable[str]) -> None:
    """Have the job's log hide these.

    Raises:
        AgentError: nobody listens at the job's socket, so that nothing may be printed.
    """
    from watchword.agent.inside.sockets import job_socket  # noqa: PLC0415 - keeps --help quick

    socket = job_socket(os.environ)
    for form in forms:
        socket.call(dict[str, str], "POST", "/redactions", {"redact": form})


def _written(values: Mapping[str, str], form: Form) -> str:
    if form == "env":
        return "".join(f"{key.upper()}={_quoted(values[key])}\n" for key in sorted(values))
    if form == "default" and len(values) == 1:
        return "".join(f"{value}\n" for value in values.values())
    return json.dumps(dict(values), ensure_ascii=False) + "\n"


def _quoted(value: str) -> str:
    """In single quotes, between which a shell changes nothing."""
    return "'" + value.replace("'", r"'\''") + "'"
