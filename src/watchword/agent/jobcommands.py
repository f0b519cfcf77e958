"""The commands that scripts call inside a job: annotations and meta-data."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from cyclopts import App, Parameter

from watchword.agent import (
    artifactcommands,
    localcommands,
    oidccommands,
    pipelinecommands,
    secretcommands,
    stepcommands,
)
from watchword.agent.inside.console import JobOption as _Job
from watchword.agent.inside.console import fail, guarded, text_or_input

if TYPE_CHECKING:
    from watchword.agent.jobdata import JobData

T = TypeVar("T")

_NO = 100

Scope = Literal["build", "job"]
Style = Literal["success", "info", "warning", "error"]
_Build = Annotated[str | None, Parameter(env_var="BUILDKITE_METADATA_BUILD_ID", show_default=False)]
_Context = Annotated[str, Parameter(env_var="BUILDKITE_ANNOTATION_CONTEXT")]
_Value = Annotated[str | None, Parameter(allow_leading_hyphen=True)]

annotation_app = App(name="annotation", help="Change annotations.")
data_app = App(name="meta-data", help="Read and write the meta-data of a build.")


def mount(app: App) -> None:
    """Add these commands to the `agent` command."""
    app.command(annotate)
    app.command(annotation_app)
    app.command(data_app)
    artifactcommands.mount(app)
    localcommands.mount(app)
    oidccommands.mount(app)
    pipelinecommands.mount(app)
    secretcommands.mount(app)
    stepcommands.mount(app)


def annotate(
    body: _Value = None,
    /,
    *,
    style: Annotated[Style | None, Parameter(env_var="BUILDKITE_ANNOTATION_STYLE")] = None,
    context: Annotated[str | None, Parameter(env_var="BUILDKITE_ANNOTATION_CONTEXT")] = None,
    append: Annotated[bool, Parameter(env_var="BUILDKITE_ANNOTATION_APPEND", negative=())] = False,
    priority: Annotated[int, Parameter(env_var="BUILDKITE_ANNOTATION_PRIORITY")] = 3,
    scope: Annotated[Scope, Parameter(env_var="BUILDKITE_ANNOTATION_SCOPE")] = "build",
    job: _Job = None,
) -> None:
    """Show a note in Markdown on the build's page.

    Args:
        body: The note; read from standard input if absent. An empty one changes the style only.
        style: How it looks.
        context: Its name: the same name again replaces it.
        append: Add to the note instead of replacing it.
        priority: 1 to 10; higher ones come first.
        scope: Where it is shown.
        job: The job it belongs to.
    """
    text = text_or_input(body)
    _run(
        lambda data: data.annotate(
            text, context=context, style=style, append=append, priority=priority, scope=scope
        ),
        job,
    )


@annotation_app.command(name="remove")
def remove_annotation(
    *,
    context: _Context = "default",
    scope: Annotated[Scope, Parameter(env_var="BUILDKITE_ANNOTATION_SCOPE")] = "build",
    job: _Job = None,
) -> None:
    """Remove an annotation.

    Args:
        context: Its name.
        scope: Where it is shown.
        job: The job it belongs to.
    """
    _run(lambda data: data.remove_annotation(context, scope), job)


@data_app.command(name="set")
def set_value(key: str, value: _Value = None, /, *, job: _Job = None) -> None:
    """Set a value.

    Args:
        key: Its key.
        value: The value; read from standard input if absent.
        job: The job whose build is meant.
    """
    text = text_or_input(value)
    _run(lambda data: data.put(key, text), job)


@data_app.command(name="set-batch")
def set_values(*pairs: Annotated[str, Parameter(allow_leading_hyphen=True)], job: _Job = None) -> None:
    """Set several values, all or none.

    Args:
        pairs: KEY=VALUE.
        job: The job whose build is meant.
    """
    split = [pair.partition("=") for pair in pairs]
    if not split or not all(mark for _, mark, _ in split):
        fail("give one or more KEY=VALUE")
    _run(lambda data: data.put_all([(key, value) for key, _, value in split]), job)


@data_app.command(name="get")
def get_value(
    key: str,
    /,
    *,
    default: Annotated[str | None, Parameter(allow_leading_hyphen=True, show_default=False)] = None,
    build: _Build = None,
    job: _Job = None,
) -> None:
    """Print a value.

    Args:
        key: Its key.
        default: What to print if the key is not set; without it that is an error.
        build: Another build.
        job: The job whose build is meant.
    """
    value = _run(lambda data: data.get(key, build=build), job)
    found = default if value is None else value
    if found is None:
        fail(f"no meta-data has the key {key!r}")
    sys.stdout.write(f"{found}\n")


@data_app.command(name="exists")
def has_key(key: str, /, *, build: _Build = None, job: _Job = None) -> None:
    """Tell whether a key is set by the exit status: 0 yes, 100 no, 1 error.

    Args:
        key: The key.
        build: Another build.
        job: The job whose build is meant.
    """
    if not _run(lambda data: data.exists(key, build=build), job):
        sys.exit(_NO)


@data_app.command(name="keys")
def list_keys(*, build: _Build = None, job: _Job = None) -> None:
    """Print all keys, one a line.

    Args:
        build: Another build.
        job: The job whose build is meant.
    """
    for key in _run(lambda data: data.keys(build=build), job):
        sys.stdout.write(f"{key}\n")


def _run(work: Callable[["JobData"], Awaitable[T]], job: str | None) -> T:
    """Do something with the job's data; an error is printed and ends the process with status 1."""
    from watchword.agent.jobdata import open_job  # noqa: PLC0415 - keeps --help quick
    from watchword.agent.transport import http_client  # noqa: PLC0415 - the same

    async def call() -> T:
        async with http_client() as http:
            return await work(open_job(http, os.environ, job=job))

    return guarded(lambda: asyncio.run(call()))
