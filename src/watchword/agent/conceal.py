"""Keeps the agent token out of the reach of jobs, which run as the same user.

A job can read `/proc/<agent>/cmdline`, and `/proc/<agent>/environ` unless the agent forbids it, and
both show for ever what the process was started with. So an agent that got its token there writes the
token into a pipe and replaces itself by a fresh process that reads it from the inherited end. The
fresh process then makes itself unreadable for debuggers, which closes `/proc/<agent>/{mem,fd,environ}`
to everyone but root. A token in a file is as safe as the file's permissions: a job of the same user
can read what the agent can read.
"""

import ctypes
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from watchword.agent.errors import ConfigError
from watchword.agent.tokensource import TOKEN_FILE_VARIABLE, TOKEN_VARIABLE
from watchword.crypto.values import Secret

_PR_SET_DUMPABLE = 4


def restart(token: Secret, variable: str | None) -> NoReturn:
    """Replace this process by the same command, with the token in a pipe instead of in sight.

    Args:
        token: its value.
        variable: the variable that shows it, besides the usual one.

    Raises:
        ConfigError: the token does not fit into a pipe, or the program cannot be run again.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    value = token.reveal().encode()
    try:
        written = os.write(writer, value)
    except BlockingIOError:
        written = 0
    os.close(writer)
    if written != len(value):
        os.close(reader)
        raise ConfigError("the agent token is too long to be handed over: use --token-file")
    os.set_inheritable(reader, True)
    arguments = [*without_token(sys.orig_argv[1:]), f"--token-file=/dev/fd/{reader}"]
    hidden = {TOKEN_VARIABLE, TOKEN_FILE_VARIABLE, variable}
    environment = {name: text for name, text in os.environ.items() if name not in hidden}
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execve(sys.executable, [sys.executable, *arguments], environment)  # noqa: S606 - the same program
    except OSError as error:
        os.close(reader)
        raise ConfigError(f"cannot restart to hide the agent token, use --token-file: {error}") from None


def without_token(arguments: Sequence[str]) -> list[str]:
    """Drop `--token` and `--token-file` with their values."""
    kept: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument in ("--token", "--token-file"):
            next(rest, None)
        elif not argument.startswith(("--token=", "--token-file=")):
            kept.append(argument)
    return kept


def forbid_inspection() -> None:
    """Make this process unreadable for other processes of the same user, and for core dumps (Linux)."""
    if sys.platform != "linux":
        return
    try:
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    except (OSError, AttributeError):
        return
