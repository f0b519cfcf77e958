"""The commands about steps, the build, the job itself and its agent (contract section 2.9)."""

import sys
from typing import Annotated, Literal
from uuid import uuid4

from cyclopts import App, Parameter

from watchword.agent.inside.console import BuildOption, JobOption, call, fail, given, text_or_input

_Step = Annotated[str | None, Parameter(env_var="BUILDKITE_STEP_ID", show_default=False)]
_Value = Annotated[str | None, Parameter(allow_leading_hyphen=True)]

step_app = App(name="step", help="Read, change and cancel steps.")
build_app = App(name="build", help="Change the build.")
job_app = App(name="job", help="Change the job.")


def mount(app: App) -> None:
    """Add these commands to the `agent` command."""
    for each in (step_app, build_app, job_app):
        app.command(each)
    app.command(stop)
    app.command(pause)
    app.command(resume)


@step_app.command(name="get")
def get_step(
    attribute: str | None = None,
    /,
    *,
    step: _Step = None,
    build: BuildOption = None,
    format: Annotated[  # noqa: A002 - the flag's name
        Literal["", "json"], Parameter(env_var="BUILDKITE_STEP_GET_FORMAT")
    ] = "",
) -> None:
    """Print an attribute of a step, or the whole step.

    Args:
        attribute: Which one.
        step: Its id or key.
        build: The build, needed for a key.
        format: json: print it as JSON.
    """
    from watchword.agent.inside import steps  # noqa: PLC0415 - keeps --help quick

    which = given(step, "BUILDKITE_STEP_ID")
    output = call(
        lambda caller: steps.export(caller, which, attribute=attribute or "", build=build or "", form=format)
    )
    sys.stdout.write(f"{output}\n")


@step_app.command(name="update")
def update_step(
    attribute: str,
    value: _Value = None,
    /,
    *,
    step: _Step = None,
    build: BuildOption = None,
    append: Annotated[bool, Parameter(env_var="BUILDKITE_STEP_UPDATE_APPEND", negative=())] = False,
) -> None:
    """Change an attribute of a step.

    Args:
        attribute: Which one.
        value: Its value; read from standard input if absent.
        step: Its id or key.
        build: The build, needed for a key.
        append: Add to the value instead of replacing it.
    """
    from watchword.agent.inside import steps  # noqa: PLC0415 - keeps --help quick

    which, text = given(step, "BUILDKITE_STEP_ID"), text_or_input(value)
    change = steps.Change(str(uuid4()), build or "", attribute, text, append)
    call(lambda caller: steps.update(caller, which, change))


@step_app.command(name="cancel")
def cancel_step(
    *,
    step: _Step = None,
    build: BuildOption = None,
    force: Annotated[bool, Parameter(env_var="BUILDKITE_STEP_CANCEL_FORCE", negative=())] = False,
    force_grace_period_seconds: Annotated[
        int, Parameter(env_var="BUILDKITE_STEP_CANCEL_FORCE_GRACE_PERIOD_SECONDS")
    ] = 15,
) -> None:
    """Cancel all jobs of a step.

    Args:
        step: Its id or key.
        build: The build, needed for a key.
        force: Do not wait for the agents for ever.
        force_grace_period_seconds: How long to wait for them then.
    """
    from watchword.agent.inside import steps  # noqa: PLC0415 - keeps --help quick

    which = given(step, "BUILDKITE_STEP_ID")
    if force_grace_period_seconds < 0:
        fail("the grace period must not be negative")
    call(
        lambda caller: steps.cancel(
            caller, which, build=build or "", force=force, grace=force_grace_period_seconds
        )
    )


@build_app.command(name="cancel")
def cancel_build(*, build: BuildOption = None) -> None:
    """Cancel a build.

    Args:
        build: Its id.
    """
    from watchword.agent.inside import steps  # noqa: PLC0415 - keeps --help quick

    which = given(build, "BUILDKITE_BUILD_ID")
    call(lambda caller: steps.cancel_build(caller, which))


@job_app.command(name="update")
def update_job(attribute: str, value: _Value = None, /, *, job: JobOption = None) -> None:
    """Change an attribute of a running job, such as timeout.

    Args:
        attribute: Which one.
        value: Its value; read from standard input if absent.
        job: The job's id.
    """
    from watchword.agent.inside import steps  # noqa: PLC0415 - keeps --help quick

    which, text = given(job, "BUILDKITE_JOB_ID"), text_or_input(value)
    call(lambda caller: steps.update_job(caller, which, attribute, text))


@job_app.command(name="promise-failure")
def promise_failure(exit_status: int, /, *, reason: str = "", job: JobOption = None) -> None:
    """Say early that the job will fail; it goes on and ends as it does.

    Args:
        exit_status: The exit status it will have, over 0.
        reason: Why.
        job: The job's id; a job can promise for itself only.
    """
    from watchword.agent.inside import steps  # noqa: PLC0415 - keeps --help quick

    which = given(job, "BUILDKITE_JOB_ID")
    if exit_status <= 0:
        fail("the exit status of a failure is a number over 0")
    call(lambda caller: steps.promise_failure(caller, which, exit_status, reason))


def stop(*, force: Annotated[bool, Parameter(negative=())] = False) -> None:
    """Stop this job's agent after the job.

    Args:
        force: Cancel the job too.
    """
    from watchword.agent.inside import steps  # noqa: PLC0415 - keeps --help quick

    call(lambda caller: steps.control(caller, "stop", {"force": True} if force else {}))


def pause(
    *,
    note: Annotated[str, Parameter(env_var="BUILDKITE_AGENT_PAUSE_NOTE")] = "",
    timeout_in_minutes: Annotated[int, Parameter(env_var="BUILDKITE_AGENT_PAUSE_TIMEOUT_MINUTES")] = 0,
) -> None:
    """Let this job's agent take no more jobs for a while.

    Args:
        note: Why.
        timeout_in_minutes: For how long; the server decides unless given.
    """
    from watchword.agent.inside import steps  # noqa: PLC0415 - keeps --help quick

    body = {"note": note, "timeout_in_minutes": timeout_in_minutes}
    call(lambda caller: steps.control(caller, "pause", {key: value for key, value in body.items() if value}))


def resume() -> None:
    """Let this job's agent take jobs again."""
    from watchword.agent.inside import steps  # noqa: PLC0415 - keeps --help quick

    call(lambda caller: steps.control(caller, "resume", None))
