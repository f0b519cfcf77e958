"""`build unblock` and `build retry`: what people do to a build that waits for them or has failed."""

from typing import Annotated, Any

from cyclopts import Parameter

from watchword.cli.builds import ADHOC, app, path_of
from watchword.cli.client import Client, CommandError, CredentialsFile

__all__ = ["app"]

_Pipeline = Annotated[str, Parameter(name="--pipeline")]
_Fields = Annotated[list[str] | None, Parameter(name="--field", negative=(), show_default=False)]
_FAILED = ("failed", "timed_out", "canceled")


@app.command
def unblock(
    number: str,
    /,
    *,
    step: str = "",
    field: _Fields = None,
    pipeline: _Pipeline = ADHOC,
    credentials: CredentialsFile = None,
) -> None:
    """Let a build go on behind its block or input step.

    Args:
        number: Number or id of the build.
        step: Key or label of the step, where several wait.
        field: What to fill in, as KEY=VALUE; may be given again.
        pipeline: Its pipeline.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    build = client.call("GET", path_of(pipeline, number))
    job = _the_one(build, step, [one for one in build["jobs"] if one["state"] == "blocked"], "waits")
    fields = dict(_pair(text) for text in field or ())
    client.call("PUT", f"{path_of(pipeline, number)}/jobs/{job['id']}/unblock", {"fields": fields})
    print(f"{_name(job)} is unblocked; build {build['number']} goes on.")


@app.command
def retry(
    number: str,
    /,
    *,
    step: str = "",
    pipeline: _Pipeline = ADHOC,
    credentials: CredentialsFile = None,
) -> None:
    """Run a failed job of a build again.

    Args:
        number: Number or id of the build.
        step: Key or label of its step, where several failed.
        pipeline: Its pipeline.
        credentials: File with the server's address and an API access token.
    """
    client = Client.connect(credentials)
    build = client.call("GET", path_of(pipeline, number))
    failed = [one for one in build["jobs"] if one["type"] == "script" and one["state"] in _FAILED]
    job = _the_one(build, step, [one for one in failed if not one["retried"]], "has failed")
    client.call("PUT", f"{path_of(pipeline, number)}/jobs/{job['id']}/retry")
    print(f"{_name(job)} runs again in build {build['number']}.")


def _name(job: dict[str, Any]) -> str:
    return str(job["name"] or job["step_key"] or job["id"])


def _the_one(build: dict[str, Any], step: str, jobs: list[dict[str, Any]], what: str) -> dict[str, Any]:
    """The job of a step, or the only one.

    Raises:
        CommandError: none or several are meant.
    """
    found = [job for job in jobs if not step or step in (job["step_key"], job["name"], job["id"])]
    if len(found) == 1:
        return found[0]
    if not found:
        whose = f" called {step!r}" if step else ""
        raise CommandError(f"no step{whose} of build {build['number']} {what}")
    names = ", ".join(_name(job) for job in found)
    raise CommandError(f"several steps are meant; name one with --step: {names}")


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise CommandError(f"--field takes KEY=VALUE, not {text!r}")
    return key, value
