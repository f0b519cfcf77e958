"""How the commands inside a job end: with what they print, or with one line that says why not."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar

from cyclopts import Parameter

from watchword.agent.errors import AgentError

if TYPE_CHECKING:
    from watchword.agent.inside.caller import Caller

T = TypeVar("T")

JobOption = Annotated[str | None, Parameter(env_var="BUILDKITE_JOB_ID", show_default=False)]
BuildOption = Annotated[str | None, Parameter(env_var="BUILDKITE_BUILD_ID", show_default=False)]
Words = Annotated[str, Parameter(allow_leading_hyphen=True)]


def call(work: Callable[["Caller"], Awaitable[T]]) -> T:
    """Do something that needs the server; an error is printed and ends the process with status 1."""
    from watchword.agent.inside import caller  # noqa: PLC0415 - keeps --help quick
    from watchword.agent.retry import Policy  # noqa: PLC0415 - the same
    from watchword.agent.transport import http_client  # noqa: PLC0415 - the same

    async def run() -> T:
        async with http_client() as http:
            return await work(caller.Caller(http, os.environ, Policy()))

    return guarded(lambda: asyncio.run(run()))


def guarded(work: Callable[[], T]) -> T:
    """Do something; an error is printed and ends the process with status 1."""
    try:
        return work()
    except AgentError as error:
        fail(str(error))


def given(value: str | None, variable: str) -> str:
    """An option that the job's environment gives unless the script does; without it the command fails."""
    if not value:
        fail(f"{variable} is not set: give the option, or run this inside a job")
    return value


def text_or_input(text: str | None) -> str:
    """A text, or standard input if there is none."""
    if text is not None:
        return text
    if sys.stdin.isatty():
        fail("give the text as an argument or on standard input")
    return sys.stdin.read()


def note(line: str) -> None:
    """Say what happens, where it does not disturb what a script reads."""
    sys.stderr.write(f"{line}\n")


def fail(reason: str) -> NoReturn:
    """Say why not, and end with status 1."""
    sys.stderr.write(f"Error: {reason}\n")
    sys.exit(1)
